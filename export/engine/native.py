"""`kernel.c` as a library: kept in the user's cache, compiled by the system's C compiler where it is not there."""

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
from functools import lru_cache
from importlib import resources
from pathlib import Path

from difflut.export.engine.program import Program
from difflut.export.errors import ToolError
from difflut.files import scratch, tools_folder

COMPILERS = ("cc", "gcc", "clang")
_SOURCE, _LIBRARY = "kernel.c", "kernel.so"
_FLAGS = ("-std=gnu99", "-O3", "-shared", "-fPIC")
_OF_THIS_MACHINE = "-march=native"  # not every compiler knows it
_SECONDS = 120
_CPU = Path("/proc/cpuinfo")

_NUMBERS = ("code_bytes", "row_bytes", "sign", "comparators", "runs", "scores", "decisions")
# The struct of kernel.c, which takes arrays as they are in a program.
_FIELDS = (
    *_NUMBERS[:4],
    *("compare_byte", "compare_row", "compare_threshold"),
    *("runs", "run_kind", "run_count", "operands", "leaves", "tables"),
    *("scores", "score_row", "score_digits"),
    *("decisions", "decision_sizes", "decision_places"),
)


class Struct(ctypes.Structure):
    """What the kernel gets of a program; valid while that lives."""

    _fields_ = [(name, ctypes.c_int64 if name in _NUMBERS else ctypes.c_void_p) for name in _FIELDS]

    @classmethod
    def of(cls, program: Program) -> Struct:
        """The struct of a program."""
        octets = program.dtype.itemsize
        numbers = {
            "code_bytes": octets,
            "row_bytes": octets * program.input.features,
            "sign": program.sign,
            "comparators": len(program.compare_byte),
            "runs": len(program.run_kind),
            "scores": len(program.score_row),
            "decisions": len(program.decision_sizes),
        }
        arrays = {name: getattr(program, name).ctypes.data for name in _FIELDS if name not in numbers}
        return cls(**numbers, **arrays)


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL:
    """The library; its function is `difflut_run`.

    Raises:
        ToolError: there is no C compiler, or it cannot compile the kernel; says so in one line.
        WriteError: there is no place for temporary files.
    """
    from difflut.sim import cache

    compiler = find_compiler()
    source = resources.files(__package__).joinpath(_SOURCE).read_bytes()
    digest = hashlib.sha256(json.dumps([source.decode(), compiler, _FLAGS, _machine(compiler[0])]).encode()).hexdigest()
    kept = cache.find(digest, _LIBRARY)
    library = None if kept is None else _opened(kept)
    if library is None:
        with scratch("kernel", tools_folder()) as folder:
            library = _opened(cache.install(_compiled(compiler, source, folder), digest, _LIBRARY))
    if library is None:
        raise ToolError(f"what {compiler[0]} made of {_SOURCE} cannot be loaded")
    library.difflut_run.restype = None
    library.difflut_run.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    ]
    return library


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


def _compiled(compiler: Sequence[str], source: bytes, folder: Path) -> Path:
    """The library, compiled in a folder."""
    from difflut.sim.process import run_captured

    (folder / _SOURCE).write_bytes(source)
    printed = ""
    for options in ((_OF_THIS_MACHINE,), ()):
        command = [*compiler, *_FLAGS, *options, _SOURCE, "-o", _LIBRARY]
        try:
            status, printed = run_captured(command, cwd=folder, timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"cannot run {compiler[0]}: {error}") from error
        if status == 0 and (folder / _LIBRARY).is_file():
            return folder / _LIBRARY
    last = (printed.strip().splitlines() or ["(it printed nothing)"])[-1]
    raise ToolError(f"{compiler[0]} cannot compile {_SOURCE}: {last}")


def _opened(library: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(library))
    except OSError:
        return None
