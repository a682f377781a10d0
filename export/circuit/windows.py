"""Which pixels the windows of a layer hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.circuit import MapSize, WindowLayer


def windows(maps: npt.NDArray[Any], layer: WindowLayer) -> npt.NDArray[Any]:
    """The windows of maps (N, channels, rows, columns): (N, positions, window bits), padded with zeros.

    Positions follow row by row; window bits are numbered as a kernel's features are.
    """
    (down, right), (rows, columns) = layer.padding, layer.window
    padded = np.pad(maps, ((0, 0), (0, 0), (down, down), (right, right)))
    every = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(2, 3))
    some = every[:, :, :: layer.stride[0], :: layer.stride[1]]  # (N, channels, H', W', rows, columns)
    samples, channels, height, width = some.shape[:4]
    return some.transpose(0, 2, 3, 1, 4, 5).reshape(samples, height * width, channels * rows * columns)


def as_map(values: npt.NDArray[Any], size: MapSize) -> npt.NDArray[Any]:
    """Maps (N, channels, rows, columns) of values (N, pixels, channels)."""
    return values.transpose(0, 2, 1).reshape(len(values), *size)
