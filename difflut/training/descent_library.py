"""descent.c as a library: what a sweep computes."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

from difflut import native
from difflut.export.errors import ToolError
from difflut.files import WriteError
from difflut.kernels import VARIABLE
from difflut.progress import LOGGER


def library() -> ctypes.CDLL | None:
    """It, compiled; None without a compiler or with `VARIABLE` at 0."""
    return None if os.environ.get(VARIABLE) == "0" else _loaded()


@cache
def _loaded() -> ctypes.CDLL | None:
    try:
        return native.load("descent", Path(__file__).with_name("descent.c").read_text(encoding="utf-8"))
    except (ToolError, WriteError) as error:
        LOGGER.info("sweeps go on without compiled code, which takes about thirty times as long: %s", error)
        return None
