"""Thresholds that are cheap to compare with: multiples of a power of two in the codes that hardware receives."""

from __future__ import annotations

import torch
from torch import Tensor

from difflut.errors import ConfigError
from difflut.input_format import MOST_BITS, InputFormat


def check_grid(name: str, grid_bits: int, thresholds: int, form: InputFormat | None = None) -> None:
    """Raise ConfigError unless a grid of `grid_bits` bits exists, in codes of a format or at all, and has room for that
    many thresholds.
    """
    most = form.width_bits if form else MOST_BITS
    if not 1 <= grid_bits <= most:
        raise ConfigError(f"{name}: grid_bits is {grid_bits}; it must be from 1 to {most}, the bits of an input code")
    if thresholds > (1 << grid_bits) - 1:
        raise ConfigError(
            f"{name}: {thresholds} thresholds do not fit on a grid of {grid_bits} bits, which has "
            f"{(1 << grid_bits) - 1} places; raise grid_bits or lower bits"
        )


def snap(thresholds: Tensor, grid_bits: int, form: InputFormat) -> Tensor:
    """Move thresholds to the nearest places where a comparison reads only the `grid_bits` upper bits of a code.

    A place lies half-way between the codes c - 1 and c, where c is a multiple of 2**(width_bits - grid_bits) above the
    lowest code, so `x > threshold` is `code >= c` for every code. Distinct thresholds of a feature stay distinct: where
    several fall on one place, the upper ones move up, or, at the end of the range, the lower ones down.

    Args:
        thresholds: float32 (F, T), ascending along the last axis; T distinct ones must fit (see `check_grid`).
        grid_bits: the number of upper bits.
        form: the input codes.

    Returns:
        float32 (F, T), ascending.
    """
    step = 1 << (form.width_bits - grid_bits)
    last = (1 << grid_bits) - 1
    divisor, offset = (part.double()[:, None] for part in form.tensors(thresholds))
    # x > number of code is code' >= code + 1; the place of c counts the steps from the lowest code to c.
    exact = ((thresholds.double() - offset) * divisor + 1 - form.lowest) / step
    place = exact.round().clamp(1, last)
    steps = (thresholds.diff(dim=1) > 0).to(place.dtype)
    for t in range(1, place.shape[1]):
        place[:, t] = torch.maximum(place[:, t], place[:, t - 1] + steps[:, t - 1])
    place[:, -1].clamp_(max=last)
    for t in range(place.shape[1] - 1, 0, -1):
        place[:, t - 1] = torch.minimum(place[:, t - 1], place[:, t] - steps[:, t - 1])
    return ((place * step + form.lowest - 0.5) / divisor + offset).float()
