"""Where training on a CPU gets its memory from."""

from __future__ import annotations

import ctypes
import sys

# Parameter numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER = 2**31 - 1
_GROWTH_BYTES = 1 << 26


def keep_freed_memory() -> bool:
    """Let the process keep the memory it frees instead of giving it back to the operating system.

    A training step allocates and frees the same large tensors again and again. By default glibc maps each of them anew,
    and the page faults take longer than the arithmetic of a LUT layer. From this call on until the process ends its
    resident memory does not shrink. Only glibc is changed (Linux); elsewhere nothing happens.

    Returns:
        whether the allocator took the settings.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _GROWTH_BYTES))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)
