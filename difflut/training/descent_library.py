"""descent.c as a library: what a sweep computes."""

from __future__ import annotations

import ctypes
from pathlib import Path

from difflut import native

_SOURCE = Path(__file__).with_name("descent.c")


def library() -> ctypes.CDLL | None:
    """It, compiled; None without a compiler or with `native.VARIABLE` at 0."""
    return native.optional(_SOURCE, "sweeps go on without compiled code, which takes about thirty times as long")
