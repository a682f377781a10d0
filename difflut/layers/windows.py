"""Windows over the rows and columns of an image of bits, as data movement only."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

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
    (rows, columns), (down, right) = window, padding
    if down or right:
        images = functional.pad(images, (right, right, down, down))
    # Tensor.unfold, because torch.nn.functional.unfold does not take bool.
    windows = images.unfold(2, rows, stride[0]).unfold(3, columns, stride[1])
    count = windows.shape[0] * windows.shape[2] * windows.shape[3]
    return windows.permute(1, 4, 5, 0, 2, 3).reshape(images.shape[1] * rows * columns, count)


def from_columns(columns: Tensor, samples: int, size: Pair) -> Tensor:
    """Images (N, C, H', W') from one window's result a column, (C, N * H' * W')."""
    return columns.reshape(len(columns), samples, *size).transpose(0, 1)
