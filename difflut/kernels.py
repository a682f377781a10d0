"""Compiled kernels of the training step: the same results as PyTorch's operators, in a fraction of the time.

Those for a CPU are in kernels.c; `difflut.gpu` has those for a GPU. Each function gives None where it does not apply,
for what its caller then does with PyTorch, which is the reference: without a compiler, on another device, of another
dtype, while a graph is captured. Sums are in the order of the samples: they differ from PyTorch's in their rounding,
and are the same for any number of threads.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from difflut import gpu, native

_SOURCE = Path(__file__).with_suffix(".c")
_LANES = 64  # ports of a tile in kernels.c
_WORD = 64
_TABLES = 8  # whose slopes are computed together


def wires(columns: Tensor, table: Tensor) -> bool:
    """Whether `look_up` takes columns and tables, and connections between them."""
    return _on_gpu(columns, table) or (takes(columns) and takes(table) and _library() is not None)


def packed(columns: Tensor) -> Tensor | None:
    """The bits of columns, float32 (in_width, N), as int64 (in_width, words): bit s of word w is sample 64 w + s.

    None, too, if any of them is neither 0 nor 1.
    """
    library = _library()
    if library is None or not takes(columns):
        return None
    width, samples = columns.shape
    words = torch.empty(width, -(-samples // _WORD), dtype=torch.int64)
    return words if library.pack(_at(columns), _size(width), _size(samples), _at(words)) else None


def first_largest(values: Tensor) -> Tensor | None:
    """`values.argmax(-1)` of float32 (..., width): the place of the first largest value, or of the first NaN."""
    library = _library()
    if library is None or not takes(values) or not values.numel():
        return None
    places = torch.empty(values.shape[:-1], dtype=torch.int64)
    width = values.shape[-1]
    _in_parts(places.numel(), lambda *part: library.first_largest(_at(values), _size(width), *part, _at(places)))
    return places


def choice_gradient(
    grad: Tensor, columns: Tensor, words: Tensor | None, candidates: Tensor, shape: torch.Size
) -> Tensor | None:
    """The gradient of the weights of `LearnableConnections`, float32 of `shape` (blocks, ports of a block, offered).

    Args:
        grad: that of the chosen bits, float32 (ports, N).
        columns: the bits, float32 (in_width, N).
        words: the bits, as `packed` gives them; None if it does not.
        candidates: int64 (blocks, offered).
    """
    if _on_gpu(grad, columns):
        return gpu.choice_gradient(grad, columns, candidates, shape)
    if words is None or not takes(grad) or not takes(candidates, torch.int64):
        return None
    weights = torch.empty(shape)
    return weights if _choose(grad, words, candidates, weights) else None


@dataclass(frozen=True)
class AdamRates:
    """What a step of Adam computes with; see `adam` in kernels.c."""

    keep_mean: float
    square: float
    keep_square: float
    step: float
    root: float
    epsilon: float


def choice_update(
    grad: Tensor, words: Tensor, candidates: Tensor, rates: AdamRates, weights: Tensor, mean: Tensor, square: Tensor
) -> Tensor | None:
    """A step of Adam with the gradient that `choice_gradient` has, which is not written out.

    Args:
        grad, words, candidates: as there.
        rates: of this step.
        weights, mean, square: the weights, (blocks, ports of a block, offered), and their moments, which change.

    Returns:
        int64 (blocks, ports of a block): the places of the largest weights now.
    """
    if not all(map(takes, (grad, weights, mean, square))) or not takes(candidates, torch.int64):
        return None
    places = torch.empty(weights.shape[:2], dtype=torch.int64)
    values = (ctypes.c_float * 6)(*astuple(rates))
    return places if _choose(grad, words, candidates, weights, values, mean, square, places) else None


def _choose(
    grad: Tensor,
    words: Tensor,
    candidates: Tensor,
    weights: Tensor,
    rates: ctypes.Array[ctypes.c_float] | None = None,
    *state: Tensor,
) -> bool:
    library = _library()
    if library is None:
        return False
    blocks, per_block, offered = weights.shape
    sizes = [_size(value) for value in (*grad.shape, per_block, offered)]
    given = _at(grad), *sizes[:2], _at(words), _at(candidates), *sizes[2:], rates, _at(weights)
    to = [_at(tensor) for tensor in state] or [_at(None)] * 3
    return _in_parts(blocks * -(-per_block // _LANES), lambda *part: library.choose(*given, *to, *part))


def look_up(rows: Tensor, connections: Tensor | None, table: Tensor, threshold: float) -> tuple[Tensor, Tensor] | None:
    """The addresses, uint8 (nodes, N), that inputs select, and float32 (nodes, N): 1 where the entry there of a table,
    float32 (nodes, 2**n), is above the threshold, else 0.

    Args:
        rows: of the inputs, float32 (nodes, n, N); with connections those that they name, (in_width, N).
        connections: int64 (nodes, n).
    """
    if _on_gpu(rows, table):
        return gpu.look_up(rows, connections, table, threshold)
    library = _library()
    fixed = connections is None or takes(connections, torch.int64)
    if library is None or not takes(rows) or not takes(table) or not fixed:
        return None
    (nodes, entries), samples = table.shape, rows.shape[-1]
    addresses, outputs = torch.empty(nodes, samples, dtype=torch.uint8), torch.empty(nodes, samples)
    sizes = _size(entries.bit_length() - 1), _size(samples)
    given = _at(rows), _at(connections), _at(table), ctypes.c_float(threshold), *sizes
    _in_parts(nodes, lambda *part: library.look_up(*given, _at(addresses), _at(outputs), *part))
    return addresses, outputs


def row_gradient(
    addresses: Tensor, grad: Tensor, slopes: Tensor, connections: Tensor | None, shape: torch.Size
) -> Tensor | None:
    """The gradient of `look_up` towards the rows, float32 of their shape.

    Args:
        addresses: uint8 (nodes, N).
        grad: that of the outputs, float32 (nodes, N).
        slopes: float32 (nodes, n, 2**n), each input's entries side by side.
        connections: as there.
        shape: of the rows.
    """
    fits = slopes.dtype == torch.float32 and slopes.stride(2) == 1
    if _on_gpu(grad) and fits:
        return gpu.row_gradient(addresses, grad, slopes, connections, shape)
    library = _library()
    if library is None or not takes(grad) or not takes(addresses, torch.uint8) or not fits:
        return None
    nodes, samples = (_size(value) for value in grad.shape)
    rows = torch.empty(shape) if connections is None else torch.zeros(shape)
    strides = [_size(value) for value in slopes.stride()[:2]]
    sizes = _size(slopes.shape[1]), samples
    given = _at(addresses), _at(grad), _at(slopes), *strides, *sizes, _at(connections), _at(rows)
    if connections is None:
        _in_parts(nodes.value, lambda *part: library.row_gradient(*given, *part, _size(0), samples))
    else:  # nodes may add to the same row
        _in_parts(samples.value, lambda *part: library.row_gradient(*given, _size(0), nodes, *part))
    return rows


def table_gradient(addresses: Tensor, grad: Tensor, n: int) -> Tensor | None:
    """The gradient of `look_up` towards the tables, float32 (nodes, 2**n), from that of the outputs, (nodes, N)."""
    if _on_gpu(grad):
        return gpu.table_gradient(addresses, grad, n)
    library = _library()
    if library is None or not takes(grad) or not takes(addresses, torch.uint8):
        return None
    nodes, samples = grad.shape
    table = torch.empty(nodes, 1 << n)
    given = _at(addresses), _at(grad), _size(n), _size(samples), _at(table)
    _in_parts(nodes, lambda *part: library.table_gradient(*given, *part))
    return table


def smooth_slopes(table: Tensor, near: float, far: float) -> Tensor | None:
    """The slopes (nodes, n, 2**n) along each input of tables, float32 (nodes, 2**n): half the difference of the entries
    that differ in it, each other input being as it is with the weight `near` and flipped with the weight `far`.
    """
    library = _library()
    if library is None or not takes(table):
        return None
    nodes, entries = table.shape
    n = entries.bit_length() - 1
    slopes = torch.empty(nodes, n, entries)
    given = _at(table), _size(nodes), _size(n), ctypes.c_float(near), ctypes.c_float(far)
    _in_parts(-(-nodes // _TABLES), lambda *part: library.smooth_slopes(*given, *part, _at(slopes)))
    return slopes


def max_pool(planes: Tensor, window: tuple[int, int]) -> Tensor | None:
    """The largest value of each window, (A, B, H', W'), of float32 (A, B, H, W).

    The windows do not overlap, and borders that fill none are left out.
    """
    library = _library()
    if library is None or not takes(planes):
        return None
    (*count, height, width), (rows, columns) = planes.shape, window
    outputs = torch.empty(*count, height // rows, width // columns)
    sizes = [_size(value) for value in (height, width, rows, columns)]
    _in_parts(math.prod(count), lambda *part: library.max_pool(_at(planes), *sizes, *part, _at(outputs)))
    return outputs


def max_pool_gradient(planes: Tensor, outputs: Tensor, grad: Tensor, window: tuple[int, int]) -> Tensor | None:
    """The gradient of `max_pool`, which goes to the first largest value of each window, from that of its outputs."""
    library = _library()
    if library is None or not all(map(takes, (planes, outputs, grad))):
        return None
    (*count, height, width), result = planes.shape, torch.empty(planes.shape)
    given = [*map(_at, (planes, outputs, grad)), *map(_size, (height, width, *window))]
    _in_parts(math.prod(count), lambda *part: library.max_pool_gradient(*given, *part, _at(result)))
    return result


def takes(tensor: Tensor, dtype: torch.dtype = torch.float32) -> bool:
    """Whether the kernels can read a tensor's memory as it is."""
    return (
        type(tensor) in (Tensor, nn.Parameter)  # others may have no memory, as those of a graph that is captured
        and tensor.dtype == dtype
        and tensor.device.type == "cpu"
        and tensor.is_contiguous()
        and not torch.compiler.is_compiling()
    )


def _on_gpu(*tensors: Tensor) -> bool:
    return os.environ.get(native.VARIABLE) != "0" and all(map(gpu.takes, tensors))


def _library() -> ctypes.CDLL | None:
    return native.optional(_SOURCE, "training goes on without compiled kernels, which takes about twice the time")


def _at(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


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
