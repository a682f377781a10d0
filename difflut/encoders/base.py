"""What every encoder has in common."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError, DataError, InputShapeError, NotFittedError
from difflut.functional import encode
from difflut.input_format import InputFormat


class Encoder(nn.Module):
    """Turns each of F numbers into `bits` bits by comparison with fitted thresholds.

    The comparisons `x > threshold` of a feature, in the ascending order of its thresholds, are a thermometer code:
    ones, then zeros. That is the output unless a subclass turns it into another code (see
    `difflut.encoders.codes.CodeEncoder`). So every encoder takes any number: below the lowest threshold the code is the
    lowest one, above the highest threshold (infinity included) the highest one, NaN is a `DataError`. In hardware it
    takes every input code of every `InputFormat`.

    Subclasses define `compute_thresholds`. An unfitted encoder has an empty `thresholds` buffer.

    Args:
        bits: the number of bits per feature.
    """

    thresholds: Tensor
    least_bits: ClassVar[int] = 1

    def __init__(self, bits: int) -> None:
        super().__init__()
        if bits < self.least_bits:
            raise ConfigError(f"{type(self).__name__}: bits is {bits}; it must be at least {self.least_bits}")
        self.bits = bits
        self.register_buffer("thresholds", torch.empty(0, self.thresholds_per_feature))

    @property
    def thresholds_per_feature(self) -> int:
        """The number of comparisons made with one feature; it distinguishes one level more."""
        return self.bits

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
        return self.features * self.bits

    def compute_thresholds(self, x: Tensor) -> Tensor:
        """float32 (F, thresholds_per_feature), ascending along the last axis, from training data float32 (N, F)."""
        raise NotImplementedError

    def fit(self, x: Tensor, input_format: InputFormat | None = None) -> Encoder:
        """Fit the thresholds on training data, floating (N, F); returns the encoder itself.

        Args:
            x: the data.
            input_format: the codes that hardware gets for such numbers, 8-bit pixels by default; for encoders that
                choose thresholds by what is cheap in hardware.

        Raises:
            DataError: if there are no data, they contain NaN or infinity, or the encoder cannot represent them.
        """
        name = type(self).__name__
        if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] == 0:
            raise DataError(
                f"{name}.fit: got data of shape {tuple(x.shape)}; expected (samples, features) with at least one of "
                "each"
            )
        if not bool(torch.isfinite(x).all()):
            raise DataError(f"{name}.fit: the data contain NaN or infinity; remove or replace them")
        thresholds = self.compute_thresholds(x.to(torch.float32))
        if thresholds.shape != (x.shape[1], self.thresholds_per_feature):
            raise ConfigError(
                f"{name}.compute_thresholds: gave shape {tuple(thresholds.shape)}; expected (features, "
                f"thresholds_per_feature) = {(x.shape[1], self.thresholds_per_feature)}"
            )
        if not bool(torch.isfinite(thresholds).all()):
            raise DataError(
                f"{name}.fit: the data's range of {x.min():g} to {x.max():g} overflows float32; scale the data"
            )
        if bool((thresholds.diff(dim=1) < 0).any()):
            raise ConfigError(f"{name}.compute_thresholds: gave thresholds that descend; sort them along the last axis")
        self.thresholds = thresholds.to(self.thresholds.device).contiguous()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Encode float32 (N, F) to bool (N, F * bits); the bits of feature f are f*bits ... f*bits + bits - 1."""
        if not self.fitted:
            raise NotFittedError(f"{type(self).__name__} is not fitted; call fit(training_data) first")
        if x.ndim != 2 or x.shape[1] != self.features:  # one feature would broadcast silently
            raise InputShapeError(
                f"{type(self).__name__}: got numbers of shape {tuple(x.shape)}; expected (samples, {self.features}), "
                "the features that it was fitted on"
            )
        # In float32 whatever `model.half()` or `model.double()` did: a circuit compares with these very thresholds.
        comparisons: Tensor = encode(x.float(), self.thresholds.float())
        return self.code_bits(comparisons).flatten(1)

    def code_bits(self, comparisons: Tensor) -> Tensor:
        """bool (N, F, bits) from the comparisons, bool (N, F, thresholds_per_feature); the same unless overridden."""
        return comparisons

    def extra_repr(self) -> str:
        return f"bits={self.bits}, features={self.features}"
