"""Finds the tools behind Yosys: place and route, bitstreams. On PATH, else in the Python packages that bring them."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata

from difflut.export.errors import ToolError
from difflut.export.families.tools import Program
from difflut.sim.process import python_command, run_captured

INSTALL = "pip install 'difflut[pnr]'"


@dataclass(frozen=True)
class Tool:
    """A usable tool: its name, the command that arguments are added to, and what it is (path or package, version)."""

    name: str
    command: tuple[str, ...]
    version: str


def find_tool(tool: Program) -> Tool:
    """A tool: an executable on PATH, else from its Python package.

    The packages' WebAssembly tools are compiled at their first start (a minute or so), and kept compiled in the user's
    cache.

    Raises:
        ToolError: there is neither.
    """
    name, package = tool.name, tool.package
    executable = shutil.which(name)
    if executable is not None:
        return Tool(name, (executable,), f"{executable}: {_printed_version(executable)}")
    if importlib.util.find_spec(package.module.partition(".")[0]) is None:
        raise ToolError(f"{name} is missing: it is not on PATH, and {INSTALL} brings it as a Python package")
    call = "tool(sys.argv[1:])" if package.arguments else "tool()"
    program = f"from {package.module} import {package.function} as tool; sys.exit({call})"
    version = f"{package.distribution} {metadata.version(package.distribution)}"
    return Tool(name, python_command(program), version)


def _printed_version(executable: str) -> str:
    """The first line that `--version` prints; "unknown" if it prints none."""
    try:
        status, printed = run_captured([executable, "--version"], timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = printed.strip().splitlines()
    return lines[0] if lines and status == 0 else "unknown"
