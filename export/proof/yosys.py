"""Yosys for proofs: the one that synthesis uses, in a process of its own, because an error in it ends the process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from difflut.export.errors import ToolError
from difflut.export.flows.yosys import Yosys, find_yosys
from difflut.sim.process import run_captured


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
    """Run a script in a folder; the exit status, and what was printed, line by line."""
    (folder / "script.ys").write_text("\n".join(lines) + "\n", encoding="ascii")
    status, printed = run_captured([*require_yosys().command, "script.ys"], cwd=folder)
    return status, printed.splitlines()
