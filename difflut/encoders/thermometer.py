"""Thermometer codes: bit t says whether the number is above threshold t. They differ in where the thresholds are.

All have `bits` thresholds and bits + 1 levels per feature. A feature that is constant in the training data has equal
thresholds: its bits tell only whether a number is above that constant.
"""

from __future__ import annotations

import torch
from torch import Tensor

from difflut.encoders.base import Encoder
from difflut.encoders.grid import check_grid, snap
from difflut.errors import DataError
from difflut.input_format import InputFormat


class GridEncoder(Encoder):
    """An encoder whose fitted thresholds may be moved to a coarse grid of the input codes.

    With `grid_bits` = g every threshold is a multiple of 2**(width_bits - g) in the codes, so that a comparison in
    hardware reads only the g upper bits of a code; see `difflut.encoders.grid.snap`. Loaded thresholds stay as they
    are.

    Args:
        bits: the number of bits per feature.
        grid_bits: g, or None for thresholds anywhere.
    """

    def __init__(self, bits: int, *, grid_bits: int | None = None) -> None:
        super().__init__(bits)
        self.grid_bits = grid_bits
        if grid_bits is not None:
            check_grid(type(self).__name__, grid_bits, self.thresholds_per_feature)

    def fit(self, x: Tensor, input_format: InputFormat | None = None) -> Encoder:
        form = input_format or InputFormat()
        if self.grid_bits is not None:
            check_grid(type(self).__name__, self.grid_bits, self.thresholds_per_feature, form)
        super().fit(x, form)
        if self.grid_bits is not None:
            self.thresholds = snap(self.thresholds, self.grid_bits, form)
        return self

    def extra_repr(self) -> str:
        grid = "" if self.grid_bits is None else f", grid_bits={self.grid_bits}"
        return super().extra_repr() + grid


class Thermometer(GridEncoder):
    """Uniform thermometer: thresholds at equal distances between a feature's minimum and maximum.

    Threshold t is low + (high - low) * (t + 1) / (bits + 1). Source: Buckman et al., "Thermometer Encoding: One Hot Way
    To Resist Adversarial Examples", ICLR 2018.
    """

    def compute_thresholds(self, x: Tensor) -> Tensor:
        return uniform(x.amin(dim=0), x.amax(dim=0), self.thresholds_per_feature)


class GaussianThermometer(GridEncoder):
    """Gaussian thermometer: thresholds that cut a fitted normal distribution into bits + 1 parts of equal probability.

    Threshold t is mean + deviation * quantile((t + 1) / (bits + 1)), with each feature's mean and standard deviation
    (maximum likelihood, divided by N) and the quantile function of the standard normal distribution. Source: Susskind
    et al., "Weightless Neural Networks for Efficient Edge Inference" (BTHOWeN), PACT 2022.
    """

    def compute_thresholds(self, x: Tensor) -> Tensor:
        exact = x.double()  # so that a constant feature has exactly that mean, and the deviation 0
        mean, deviation = exact.mean(dim=0), exact.std(dim=0, correction=0)
        count = self.thresholds_per_feature
        steps = torch.arange(1, count + 1, dtype=exact.dtype, device=exact.device) / (count + 1)
        quantiles: Tensor = torch.special.ndtri(steps)
        return (mean[:, None] + deviation[:, None] * quantiles).float()


class DistributiveThermometer(GridEncoder):
    """Distributive thermometer: thresholds at a feature's empirical quantiles, so each bit halves the data evenly.

    Source: Bacellar et al., "Distributive Thermometer: A New Unary Encoding for Weightless Neural Networks",
    ESANN 2022. Threshold t is the sorted training value v at position floor(N * (t + 1) / (bits + 1)). Where v is
    frequent, `x > v` may be far from the quantile, and is never true if v is the maximum: then the threshold is the
    next smaller value if `x >= v` divides the data better. So every bit of a feature that is not constant separates
    training data. Where many values are equal, neighbouring thresholds may be.
    """

    def compute_thresholds(self, x: Tensor) -> Tensor:
        ordered = x.t().contiguous().sort(dim=1).values
        samples, count = x.shape[0], self.thresholds_per_feature
        positions = torch.tensor([samples * (t + 1) // (count + 1) for t in range(count)], device=x.device)
        values = ordered[:, positions]
        upper = torch.searchsorted(ordered, values, right=True)  # how many samples are not above the threshold
        lower = torch.searchsorted(ordered, values)  # and if it were the next smaller value
        nearer = (positions + 1 - lower) < (upper - positions - 1)
        smaller = (lower > 0) & (nearer | (upper == samples))
        return torch.where(smaller, ordered.gather(1, (lower - 1).clamp(min=0)), values)


class Logarithmic(GridEncoder):
    """Logarithmic thermometer: thresholds at equal ratios between a feature's smallest positive value and its maximum.

    Threshold t is low * (high / low) ** ((t + 1) / (bits + 1)). Zero and, at inference, negative numbers are below all
    thresholds. A feature without a positive training value has all thresholds at 0. Training data must not be negative.
    Source of the levels: Miyashita et al., "Convolutional Neural Networks using Logarithmic Data Representation",
    arXiv:1603.01025, 2016.
    """

    def compute_thresholds(self, x: Tensor) -> Tensor:
        if bool((x < 0).any()):
            feature = int((x < 0).any(dim=0).nonzero()[0])
            raise DataError(
                f"{type(self).__name__}.fit: feature {feature} has negative values, the lowest "
                f"{x[:, feature].min():g}; logarithmic thresholds need values >= 0: shift the data, or use "
                "SignMagnitude"
            )
        high = x.amax(dim=0)
        low = torch.where(x > 0, x, high).amin(dim=0)
        between = uniform(low.double().log(), high.double().log(), self.thresholds_per_feature).exp()
        # exp(log(low)) may miss low, which would misplace a constant feature. One positive value is told from zeros.
        thresholds = between.float().maximum(low[:, None]).minimum(_below(x.amin(dim=0), high)[:, None])
        return torch.where(high[:, None] > 0, thresholds, 0.0)


def uniform(low: Tensor, high: Tensor, count: int) -> Tensor:
    """(F, count): numbers that cut each interval from low to high, both floating (F,), into count + 1 equal parts.

    They are less than high, however near it is to low, unless it is the same.
    """
    steps = torch.arange(1, count + 1, dtype=low.dtype, device=low.device) / (count + 1)
    cuts = low[:, None] + (high - low)[:, None] * steps
    return torch.where(cuts.isfinite(), cuts.minimum(_below(low, high)[:, None]), cuts)


def _below(low: Tensor, high: Tensor) -> Tensor:
    """The largest number below high, but not below low."""
    return torch.nextafter(high, torch.full_like(high, -torch.inf)).maximum(low)
