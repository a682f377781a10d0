"""Runs Yosys in tests."""

from __future__ import annotations

import sys
from pathlib import Path

from icarus import call
from tools import require_yosys


def run_yosys(commands: list[str], folder: Path) -> None:
    """Run Yosys commands in a process of their own: an error in Yosys ends the process."""
    require_yosys()
    (folder / "script.ys").write_text("\n".join(commands) + "\n")
    program = "from pyosys import libyosys; libyosys.run_pass('script script.ys', libyosys.Design())"
    call(sys.executable, "-c", program, folder=folder)
