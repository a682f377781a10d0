"""C as a library: kept in the user's cache, compiled by the system's C compiler where it is not there."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from difflut.errors import DifflutError
from difflut.export.errors import ToolError
from difflut.files import WriteError, scratch, tools_folder
from difflut.locks import locked
from difflut.progress import LOGGER

VARIABLE = "DIFFLUT_NATIVE"  # 0: nothing that is optional is compiled
COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-std=gnu99", "-O3", "-shared", "-fPIC")
_OF_THIS_MACHINE = "-march=native"  # not every compiler knows it
_SECONDS = 120
_CPU = Path("/proc/cpuinfo")


def optional(source: Path, without: str) -> ctypes.CDLL | None:
    """The library of a C file, as `load` gives it; None where it cannot be made, or where `VARIABLE` is 0.

    Args:
        source: the file; its stem is the library's name.
        without: what goes on without it and at what price, for the log.
    """
    return None if os.environ.get(VARIABLE) == "0" else _loaded(source, without)


@cache
def _loaded(source: Path, without: str) -> ctypes.CDLL | None:
    try:
        return load(source.stem, source.read_text(encoding="utf-8"))
    except (ToolError, WriteError) as error:
        LOGGER.info("%s: %s", without, error)
        return None


def load(name: str, source: str) -> ctypes.CDLL:
    """The library of a C source, compiled for this machine's processor. Of several processes that want it one compiles.

    Args:
        name: a word, for files and messages.
        source: GNU C99; it needs nothing but the system's headers.

    Raises:
        ToolError: there is no C compiler, or it cannot compile the source; says so in one line.
        WriteError: there is no place for temporary files.
    """
    from difflut.sim import cache  # not before it is needed: it brings the simulators with it

    compiler, file = find_compiler(), f"{name}.so"
    digest = hashlib.sha256(json.dumps([source, compiler, _FLAGS, _machine(compiler[0])]).encode()).hexdigest()
    library = _opened(cache.find(digest, file))
    if library is None:
        try:
            with locked(cache.place(digest)):
                library = _opened(cache.find(digest, file))  # another process may have made it
                if library is None:
                    library = _opened(_made(name, source, compiler, digest))
        except OSError as error:
            if isinstance(error, DifflutError):
                raise
            raise ToolError(f"{name}.c cannot be compiled: {error}") from error
    if library is None:
        raise ToolError(f"what {compiler[0]} made of {name}.c cannot be loaded")
    return library


def _made(name: str, source: str, compiler: Sequence[str], digest: str) -> Path:
    from difflut.sim import cache

    with scratch("kernel", tools_folder()) as folder:
        return cache.install(_compiled(name, source, compiler, folder), digest, f"{name}.so")


def find_compiler() -> list[str]:
    """The command of a C compiler: what CC says, else the first of `COMPILERS` on PATH.

    Raises:
        ToolError: there is none.
    """
    for command in [shlex.split(os.environ.get("CC", ""))] if os.environ.get("CC") else [[name] for name in COMPILERS]:
        found = shutil.which(command[0]) if command else None
        if found is not None:
            return [found, *command[1:]]
    named = (
        f"CC={os.environ['CC']} is no program" if os.environ.get("CC") else f"none of {', '.join(COMPILERS)} is there"
    )
    raise ToolError(f"no C compiler: {named}; on Debian: sudo apt install gcc")


def _machine(compiler: str) -> list[str]:
    """What decides which instructions a compiler writes for this machine, so that a cache may be shared."""
    found = os.stat(compiler)
    cpu = _CPU.read_text(errors="replace").split("\n\n")[0] if _CPU.exists() else platform.processor()
    kept = [line for line in cpu.splitlines() if line.startswith(("model name", "flags", "Features", "CPU"))]
    return [platform.machine(), *(kept or [cpu]), str(found.st_size), str(found.st_mtime_ns)]


def _compiled(name: str, source: str, compiler: Sequence[str], folder: Path) -> Path:
    """The library, compiled in a folder."""
    from difflut.sim.process import run_captured

    (folder / f"{name}.c").write_text(source, encoding="utf-8")
    printed = ""
    for options in ((_OF_THIS_MACHINE,), ()):
        command = [*compiler, *_FLAGS, *options, f"{name}.c", "-o", f"{name}.so"]
        try:
            status, printed = run_captured(command, cwd=folder, timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"cannot run {compiler[0]}: {error}") from error
        if status == 0 and (folder / f"{name}.so").is_file():
            return folder / f"{name}.so"
    last = (printed.strip().splitlines() or ["(it printed nothing)"])[-1]
    raise ToolError(f"{compiler[0]} cannot compile {name}.c: {last}")


def _opened(library: Path | None) -> ctypes.CDLL | None:
    if library is not None:
        with suppress(OSError):
            return ctypes.CDLL(str(library))
    return None
