"""Guards for tests that need an external tool: skip with the reason, or fail where CI says that the tool must be
there.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

from difflut.export.errors import ToolError
from difflut.sim.toolchain import find_cocotb, find_icarus, find_verilator


def require_tool(name: str) -> str:
    """The path of the executable `name`; without it the test is skipped, or fails when CI is set."""
    path = shutil.which(name)
    if path is None:
        _missing(f"{name} is not on PATH")
        raise AssertionError("unreachable")
    return path


def require_verilator() -> None:
    """Go on only if Verilator, what it builds with, and cocotb are usable."""
    try:
        find_verilator()
        find_cocotb()
    except ToolError as error:
        _missing(str(error))


def require_icarus() -> None:
    """Go on only if Icarus Verilog and cocotb are usable."""
    try:
        find_icarus()
        find_cocotb()
    except ToolError as error:
        _missing(str(error))


def require_chromium() -> str:
    """The path of a Chromium-like browser that runs without a window; otherwise as `require_tool`."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path is not None:
            return path
    return require_tool("chromium")


def require_package(name: str, extra: str) -> None:
    """Go on only if the Python package `name`, which the extra `extra` brings, is installed."""
    if importlib.util.find_spec(name) is None:
        _missing(f"{name} is not installed: pip install 'difflut[{extra}]'")


def require_yosys() -> None:
    """Go on only if Yosys, as the Python package pyosys, is installed."""
    require_package("pyosys", "synth")


def require_prover() -> None:
    """Go on only if what proofs need is installed: Yosys to read the RTL, a SAT solver."""
    require_package("pyosys", "prove")
    require_package("pysat", "prove")


def _missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
