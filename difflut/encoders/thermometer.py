"""Thermometer codes: bit t says whether the number is above threshold t."""

from __future__ import annotations

import torch
from torch import Tensor

from difflut.encoders.base import Encoder


class Thermometer(Encoder):
    """Uniform thermometer: thresholds at equal distances between a feature's minimum and maximum.

    Source: Buckman et al., "Thermometer Encoding: One Hot Way To Resist Adversarial Examples", ICLR 2018.
    """

    def compute_thresholds(self, x: Tensor) -> Tensor:
        low, high = x.amin(dim=0), x.amax(dim=0)
        steps = torch.arange(1, self.bits + 1, dtype=x.dtype, device=x.device) / (self.bits + 1)
        return low[:, None] + (high - low)[:, None] * steps


class DistributiveThermometer(Encoder):
    """Distributive thermometer: thresholds at a feature's empirical quantiles, so each bit halves the data evenly.

    Source: Bacellar et al., "Distributive Thermometer: A New Unary Encoding for Weightless Neural Networks",
    ESANN 2022. Threshold t is the sorted training value at position floor(N * (t + 1) / (bits + 1)).
    """

    def compute_thresholds(self, x: Tensor) -> Tensor:
        ordered = x.sort(dim=0).values
        positions = torch.tensor([x.shape[0] * (t + 1) // (self.bits + 1) for t in range(self.bits)])
        return ordered[positions].t()
