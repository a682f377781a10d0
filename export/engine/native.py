"""`kernel.c` as a library, and what it takes."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from importlib import resources

from difflut import native
from difflut.export.engine.program import Program
from difflut.export.errors import ToolError

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
        ToolError: there is no C compiler, or it cannot compile the kernel, or the machine is none that the kernel is
            for; says so in one line.
        WriteError: there is no place for temporary files.
    """
    if sys.byteorder != "little":
        raise ToolError(f"the compiled engine is for little-endian machines; this one is {sys.byteorder}-endian")
    library = native.load("kernel", resources.files(__package__).joinpath("kernel.c").read_text(encoding="utf-8"))
    library.difflut_run.restype = None
    library.difflut_run.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    ]
    return library
