"""Yosys for proofs: the Python package pyosys, in a process of its own, because an error in it ends the process."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from difflut.export.errors import ToolError
from difflut.sim.process import python_command, run_captured

_RUN = "from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"


def require_yosys() -> Path:
    """The folder of the Python package pyosys.

    Raises:
        ToolError: it is not installed.
    """
    spec = importlib.util.find_spec("pyosys")
    for location in (spec.submodule_search_locations or []) if spec else []:
        return Path(location)
    raise ToolError("pyosys is missing; proofs read the RTL back with Yosys. Install it: pip install 'difflut[prove]'")


def run_script(lines: Sequence[str], folder: Path) -> tuple[int, list[str]]:
    """Run a script in a folder; the exit status, and what was printed, line by line."""
    (folder / "script.ys").write_text("\n".join(lines) + "\n", encoding="ascii")
    status, printed = run_captured([*python_command(_RUN), "script.ys"], cwd=folder)
    return status, printed.splitlines()
