"""Yosys for proofs: the one that synthesis uses, in a process of its own, because an error in it ends the process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from difflut.export.errors import ToolError
from difflut.export.flows.yosys import Yosys, find_yosys
from difflut.sim.process import run_captured

# Bytes of address space. 1.7 MB of text, mnist_fc_8k_linear for UltraScale+, takes 0.65 GB.
LEAST_MEMORY = 4 << 30
MEMORY_OF_A_BYTE = 2048
_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory")


def require_yosys() -> Yosys:
    """The Yosys that `difflut.export.flows.yosys.find_yosys` finds.

    Raises:
        ToolError: there is none, or it is too old.
    """
    try:
        return find_yosys()
    except ToolError as error:
        raise ToolError(f"proofs read the RTL back with Yosys: {error}") from error


def run_script(lines: Sequence[str], folder: Path) -> tuple[int, list[str]]:
    """Run a script in a folder; the exit status, and what was printed, line by line.

    Raises:
        ToolError: Yosys wanted more memory than any emitted text of that size needs.
    """
    size = sum(file.stat().st_size for file in folder.iterdir())
    memory = LEAST_MEMORY + MEMORY_OF_A_BYTE * size
    (folder / "script.ys").write_text("\n".join(lines) + "\n", encoding="ascii")
    status, printed = run_captured([*require_yosys().command, "script.ys"], cwd=folder, memory_bytes=memory)
    if status != 0 and any(text in printed for text in _OUT_OF_MEMORY):
        raise ToolError(
            f"Yosys wanted more than {memory / 1e9:.1f} GB of memory for {size / 1e3:.0f} kB of text, several times "
            "what difflut's text needs: it may have a loop without end; export again, or report it"
        )
    return status, printed.splitlines()
