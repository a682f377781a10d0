"""Integer filters in front of an encoder: sums of neighbouring input codes, of which thresholds make bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError, InputShapeError, UnknownNameError
from difflut.functional import check_sums, filter_codes
from difflut.input_format import InputFormat

Rows = tuple[tuple[int, ...], ...]

# By name, the kernels that are known. Sources: Sobel and Feldman, "A 3x3 Isotropic Gradient Operator for Image
# Processing", 1968; Gonzalez and Woods, "Digital Image Processing", section 3.6 (Laplacian with diagonals).
KERNELS: Mapping[str, Rows] = MappingProxyType(
    {
        "identity": ((1,),),
        "laplacian": ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
        "sobel_x": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
        "sobel_y": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    }
)
MOST_SIDE = 15
MOST_WEIGHT = 1 << 15


class Filter(nn.Module):
    """Integer kernels on the input codes of images; an encoder behind it compares the sums with thresholds.

    The sums are exact integers of the codes, in training as in eval mode, so the circuit has the same ones: as LUTs in
    front of the comparisons. Beyond the border all codes are 0. Nothing is learned, and no gradient passes. A number
    that comes in is rounded to its code first, also in `forward_unrounded`.

    Args:
        kernels: each a name of `KERNELS`; or integers (rows, columns) for every channel by itself; or (channels, rows,
            columns), whose products are summed over all channels. Sides are odd, at most `MOST_SIDE`.
        channels: C, of the images.

    Attributes:
        weights: int64 (sums, C, rows, columns), all kernels in windows of the largest rows and columns.

    Raises:
        UnknownNameError: there is no kernel of a name; lists the known ones.
        ConfigError: a kernel has another shape, or numbers that are no integers up to `MOST_WEIGHT`.
    """

    weights: Tensor

    def __init__(self, kernels: Sequence[str | Any], channels: int = 1) -> None:
        super().__init__()
        if channels < 1 or not len(kernels):
            raise ConfigError(f"Filter: {len(kernels)} kernels for {channels} channels; expected at least one of each")
        given = [_weights(kernel, channels) for kernel in kernels]
        sides = [max(one.shape[axis] for one in given) for axis in (2, 3)]
        weights = torch.cat([_centred(one, sides[0], sides[1]) for one in given])
        check_sums(weights, 1)
        self.channels = channels
        self.register_buffer("weights", weights)

    @property
    def sums(self) -> int:
        """How many channels come out: kernel by kernel, of one for every channel by itself C."""
        return len(self.weights)

    def forward(self, x: Tensor, input_format: InputFormat) -> Tensor:
        """float32 (N, sums, H, W), integers, from numbers (N, C, H, W).

        Args:
            x: the numbers, of one channel also (N, H, W).
            input_format: the model's, which says what code a number is.

        Raises:
            InputShapeError: the images have another number of channels.
            ConfigError: the format differs between features, whose codes then have no common scale; or a sum may be
                too large, see `difflut.functional.filter_codes`.
        """
        images = x[:, None] if x.ndim == 3 else x
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise InputShapeError(
                f"Filter: got numbers of shape {tuple(x.shape)}; expected (samples, {self.channels}, rows, columns)"
            )
        if input_format.per_feature:
            raise ConfigError(
                "Filter: the input format differs between features, so their codes have no common scale; give the "
                "model input_format=InputFormat.fit(training_data, bits, shared=True)"
            )
        sums: Tensor = filter_codes(
            images.float(), self.weights, *input_format.tensors(x), input_format.lowest, input_format.highest
        )
        return sums

    def extra_repr(self) -> str:
        rows, columns = self.weights.shape[2:]
        return f"channels={self.channels}, sums={self.sums}, window={rows} x {columns}"


def _weights(kernel: str | Any, channels: int) -> Tensor:
    """int64 (sums, channels, rows, columns)."""
    if isinstance(kernel, str):
        if kernel not in KERNELS:
            raise UnknownNameError(f"unknown kernel {kernel!r}; known: {', '.join(sorted(KERNELS))}")
        kernel = KERNELS[kernel]
    try:
        weights = torch.as_tensor(kernel)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Filter: a kernel is no array of integers ({error})") from error
    shape = tuple(weights.shape)
    whole = not weights.is_floating_point() and not weights.is_complex() and weights.dtype != torch.bool
    sides = shape[-2:]
    fits = len(shape) == 2 or (len(shape) == 3 and shape[0] == channels)
    if not whole or not fits or any(side % 2 == 0 or side > MOST_SIDE for side in sides):
        raise ConfigError(
            f"Filter: a kernel of shape {shape} and type {weights.dtype}; expected integers (rows, columns) or "
            f"({channels}, rows, columns), sides odd and at most {MOST_SIDE}"
        )
    weights = weights.to(torch.int64)
    if bool((weights.abs() > MOST_WEIGHT).any()):
        raise ConfigError(
            f"Filter: a kernel has weights up to {int(weights.abs().max())}; expected {MOST_WEIGHT} at most"
        )
    if weights.ndim == 3:
        return weights[None]
    each = torch.zeros(channels, channels, *sides, dtype=torch.int64)
    each[range(channels), range(channels)] = weights
    return each


def _centred(weights: Tensor, rows: int, columns: int) -> Tensor:
    """The same in a window of so many rows and columns."""
    down, right = (rows - weights.shape[2]) // 2, (columns - weights.shape[3]) // 2
    return nn.functional.pad(weights, (right, right, down, down))
