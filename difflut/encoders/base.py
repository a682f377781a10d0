"""What every encoder has in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError, DataError, InputShapeError, NotFittedError
from difflut.functional import encode


class Encoder(nn.Module):
    """Turns each of F numbers into `bits` bits by comparison with fitted thresholds.

    Subclasses define `compute_thresholds`. An unfitted encoder has an empty `thresholds` buffer.
    """

    thresholds: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        if bits < 1:
            raise ConfigError(f"{type(self).__name__}: bits is {bits}; it must be at least 1")
        self.bits = bits
        self.register_buffer("thresholds", torch.empty(0, bits))

    @property
    def fitted(self) -> bool:
        """Whether `fit` was called or thresholds were loaded."""
        return self.thresholds.shape[0] > 0

    @property
    def features(self) -> int:
        """F, the number of features that the encoder was fitted on (0 before)."""
        return self.thresholds.shape[0]

    @property
    def output_width(self) -> int:
        """The number of bits that the encoder gives: F * bits."""
        return self.thresholds.numel()

    def compute_thresholds(self, x: Tensor) -> Tensor:
        """float32 (F, bits), ascending along the last axis, from training data float32 (N, F)."""
        raise NotImplementedError

    def fit(self, x: Tensor) -> Encoder:
        """Fit the thresholds on training data, floating (N, F); returns the encoder itself."""
        if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] == 0:
            raise DataError(
                f"{type(self).__name__}.fit: got data of shape {tuple(x.shape)}; expected (samples, "
                f"features) with at least one of each"
            )
        if not bool(torch.isfinite(x).all()):
            raise DataError(f"{type(self).__name__}.fit: the data contain NaN or infinity; remove or replace them")
        thresholds = self.compute_thresholds(x.to(torch.float32))
        if thresholds.shape != (x.shape[1], self.bits):
            raise ConfigError(
                f"{type(self).__name__}.compute_thresholds: gave shape {tuple(thresholds.shape)}; expected "
                f"(features, bits) = {(x.shape[1], self.bits)}"
            )
        self.thresholds = thresholds.to(self.thresholds.device).contiguous()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Encode float32 (N, F) to bool (N, F * bits); the bits of feature f are f*bits ... f*bits + bits - 1."""
        if not self.fitted:
            raise NotFittedError(f"{type(self).__name__} is not fitted; call fit(training_data) first")
        if x.ndim != 2 or x.shape[1] != self.features:  # one feature would broadcast silently
            raise InputShapeError(
                f"{type(self).__name__}: got numbers of shape {tuple(x.shape)}; expected (samples, {self.features}), the "
                f"features that it was fitted on"
            )
        bits: Tensor = encode(x.to(self.thresholds.dtype), self.thresholds)
        return bits.flatten(1)

    def extra_repr(self) -> str:
        return f"bits={self.bits}, features={self.features}"
