"""Compiled kernels of the training step on a CPU: the same results as PyTorch's operators, in a fraction of the time.

Each function gives None where it does not apply, for what its caller then does with PyTorch, which is the reference:
without a compiler, on another device, of another dtype, while a graph is captured. Sums are in the order of the
samples: they differ from PyTorch's in their rounding, and are the same for any number of threads.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from difflut import native
from difflut.export.errors import ToolError
from difflut.files import WriteError
from difflut.progress import LOGGER

VARIABLE = "DIFFLUT_NATIVE"  # 0: no kernels
_LANES = 64  # ports of a tile in kernels.c
_WORD = 64


def packed(columns: Tensor) -> Tensor | None:
    """The bits of columns, float32 (in_width, N), as int64 (in_width, words): bit s of word w is sample 64 w + s.

    None, too, if any of them is neither 0 nor 1.
    """
    library = _library()
    if library is None or not _taken(columns):
        return None
    width, samples = columns.shape
    words = torch.empty(width, -(-samples // _WORD), dtype=torch.int64)
    return words if library.pack(_at(columns), _size(width), _size(samples), _at(words)) else None


def first_largest(values: Tensor) -> Tensor | None:
    """`values.argmax(-1)` of float32 (..., width): the place of the first largest value, or of the first NaN."""
    library = _library()
    if library is None or not _taken(values) or not values.numel():
        return None
    places = torch.empty(values.shape[:-1], dtype=torch.int64)
    width = values.shape[-1]
    _in_parts(places.numel(), lambda *part: library.first_largest(_at(values), _size(width), *part, _at(places)))
    return places


def choice_gradient(grad: Tensor, columns: Tensor, candidates: Tensor, shape: torch.Size) -> Tensor | None:
    """The gradient of the weights of `LearnableConnections`, float32 of `shape` (blocks, ports of a block, offered).

    Args:
        grad: that of the chosen bits, float32 (ports, N).
        columns: the bits, float32 (in_width, N).
        candidates: int64 (blocks, offered).
    """
    library = _library()
    if library is None or not _taken(grad) or not _taken(candidates, torch.int64):
        return None
    words = packed(columns)
    if words is None:
        return None
    blocks, per_block, offered = shape
    weights = torch.empty(shape)
    sizes = [_size(value) for value in (*grad.shape, per_block, offered)]
    done = _in_parts(
        blocks * -(-per_block // _LANES),
        lambda *part: library.choice_gradient(
            _at(grad), *sizes[:2], _at(words), _at(candidates), *sizes[2:], *part, _at(weights)
        ),
    )
    return weights if done else None


def _taken(tensor: Tensor, dtype: torch.dtype = torch.float32) -> bool:
    """Whether the kernels can read a tensor's memory as it is."""
    return (
        type(tensor) in (Tensor, nn.Parameter)  # others may have no memory, as those of a graph that is captured
        and tensor.dtype == dtype
        and tensor.device.type == "cpu"
        and tensor.is_contiguous()
        and not torch.compiler.is_compiling()
    )


def _library() -> ctypes.CDLL | None:
    return None if os.environ.get(VARIABLE) == "0" else _loaded()


@lru_cache(maxsize=1)
def _loaded() -> ctypes.CDLL | None:
    try:
        return native.load("kernels", Path(__file__).with_suffix(".c").read_text(encoding="utf-8"))
    except (ToolError, WriteError) as error:
        LOGGER.info("training goes on without compiled kernels, which takes about twice the time: %s", error)
        return None


def _at(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


_size = ctypes.c_int64


def _in_parts(count: int, call: Callable[[ctypes.c_int64, ctypes.c_int64], int]) -> bool:
    """Call for the parts of `count` things, each in a thread; whether all calls were done, as they say."""
    parts = min(torch.get_num_threads(), count)
    if parts <= 1:
        return bool(call(_size(0), _size(count)))
    bounds = [_size(count * part // parts) for part in range(parts + 1)]
    return all(list(_threads(parts).map(call, bounds, bounds[1:])))


@lru_cache(maxsize=1)
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a child has none of its parent's threads
