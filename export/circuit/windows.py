"""Which pixels the windows of a layer hold."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.circuit import MapSize, Pair

T = TypeVar("T", bound=np.generic)


def windows(maps: npt.NDArray[T], window: Pair, stride: Pair, padding: Pair) -> npt.NDArray[T]:
    """The windows of maps (N, channels, rows, columns): (N, positions, window bits), padded with zeros.

    Positions follow row by row; window bits are numbered as a kernel's features are.
    """
    (down, right), (rows, columns) = padding, window
    padded = np.pad(maps, ((0, 0), (0, 0), (down, down), (right, right)))
    every = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(2, 3))
    some = every[:, :, :: stride[0], :: stride[1]]  # (N, channels, H', W', rows, columns)
    samples, channels, height, width = some.shape[:4]
    return some.transpose(0, 2, 3, 1, 4, 5).reshape(samples, height * width, channels * rows * columns)


def as_map(values: npt.NDArray[T], size: MapSize) -> npt.NDArray[T]:
    """Maps (N, channels, rows, columns) of values (N, pixels, channels)."""
    return values.transpose(0, 2, 1).reshape(len(values), *size)
