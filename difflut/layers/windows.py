"""Windows over the rows and columns of an image of bits, as data movement only."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from difflut import functional as primitive
from difflut.errors import ConfigError, InputShapeError

Pair = tuple[int, int]


def pair(owner: str, what: str, value: int | Pair, least: int) -> Pair:
    """(rows, columns) from one number for both or from a pair.

    Raises:
        ConfigError: if one is less than `least`.
    """
    both = (value, value) if isinstance(value, int) else value
    if len(both) != 2 or min(both) < least:
        raise ConfigError(f"{owner}: {what} is {value}; expected an integer of at least {least}, or a pair of them")
    return both


def positions(owner: str, size: Pair, window: Pair, stride: Pair, padding: Pair = (0, 0)) -> Pair:
    """How many windows (rows, columns) an image of `size` has.

    Raises:
        InputShapeError: if it has none.
    """
    height, width = ((size[axis] + 2 * padding[axis] - window[axis]) // stride[axis] + 1 for axis in (0, 1))
    if height < 1 or width < 1:
        raise InputShapeError(
            f"{owner}: an image of {size[0]} x {size[1]} with padding {padding} is smaller than the window "
            f"{window[0]} x {window[1]}; use a smaller window or more padding"
        )
    return height, width


def window_columns(images: Tensor, window: Pair, stride: Pair, padding: Pair = (0, 0)) -> Tensor:
    """The windows of images (N, C, H, W), one a column: (C * rows * columns, N * H' * W'), padded with zeros.

    Row (c * rows + i) * columns + j holds element (i, j) of channel c; the windows follow sample by sample, row by row.
    """
    if not images.is_floating_point():
        return primitive.window_columns(images, window, stride, padding)
    output: Tensor = _Windows.apply(images, window, stride, padding)  # type: ignore[no-untyped-call]
    return output


class _Windows(torch.autograd.Function):
    """`window_columns` of floating images; the same result as `unfold`, whose gradient is several times slower."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, window: Pair, stride: Pair, padding: Pair) -> Tensor:
        ctx.shape, ctx.options = images.shape, (window, stride, padding)
        samples, channels, height, width = images.shape
        size = positions("window_columns", (height, width), window, stride, padding)
        # Channels first, as `from_columns` leaves them in memory.
        padded = functional.pad(images.transpose(0, 1), (padding[1], padding[1], padding[0], padding[0]))
        columns = images.new_empty(channels, *window, samples, *size)
        for i, j in itertools.product(*map(range, window)):
            columns[:, i, j] = padded[_places(i, j, size, stride)]
        return columns.view(-1, samples * size[0] * size[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        samples, channels, height, width = ctx.shape
        window, stride, padding = ctx.options
        size = positions("window_columns", (height, width), window, stride, padding)
        columns = grads[0].reshape(channels, *window, samples, *size)
        padded = grads[0].new_zeros(channels, samples, height + 2 * padding[0], width + 2 * padding[1])
        for i, j in itertools.product(*map(range, window)):
            padded[_places(i, j, size, stride)] += columns[:, i, j]
        inner = padded[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width]
        return inner.transpose(0, 1), None, None, None


def _places(i: int, j: int, size: Pair, stride: Pair) -> tuple[slice, ...]:
    """The index, into images with rows and columns last, of what is element (i, j) of their windows."""
    rows, columns = (slice(k, k + (size[axis] - 1) * stride[axis] + 1, stride[axis]) for axis, k in enumerate((i, j)))
    return slice(None), slice(None), rows, columns


def from_columns(columns: Tensor, samples: int, size: Pair) -> Tensor:
    """Images (N, C, H', W') from one window's result a column, (C, N * H' * W')."""
    return columns.reshape(len(columns), samples, *size).transpose(0, 1)
