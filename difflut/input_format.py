"""What the hardware receives for one feature, and which number the model sees for it. Imports torch where needed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from difflut.codes import LEAST_DIVISOR, MOST, CodeRange, nearest_codes
from difflut.errors import ConfigError, DataError
from difflut.shown import Brief

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]
PerFeature = float | tuple[float, ...]
MOST_BITS = 16


@dataclass(frozen=True, repr=False)
class InputFormat(Brief, CodeRange):
    """Integer codes of `width_bits` bits; code c stands for the number offset + c / divisor, computed in float32.

    The default is an 8-bit pixel: x = code / 255. `divisor = 2**k` gives a fixed-point format with k fraction bits.
    Divisor and offset may be one number for all features or one for each, in the order of the flattened sample;
    `InputFormat.fit` takes them from training data.

    Attributes:
        width_bits: of a code, 1 to 16.
        signed: whether codes are two's complement.
        divisor: what a code is divided by, 2**-126 to 2**127.
        offset: the number of code 0, at most 2**127.

    Raises:
        ConfigError: for a value outside its range, or divisors and offsets of different numbers of features.
    """

    width_bits: int = 8
    signed: bool = False
    divisor: PerFeature = 255.0
    offset: PerFeature = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.width_bits <= MOST_BITS:
            raise ConfigError(f"InputFormat: width_bits is {self.width_bits}; it must be from 1 to {MOST_BITS}")
        for name in ("divisor", "offset"):
            given = getattr(self, name)
            if np.ndim(given):
                object.__setattr__(self, name, tuple(float(value) for value in given))
        for divisor in _each(self.divisor):
            if not divisor > 0:
                raise ConfigError(f"InputFormat: divisor is {divisor}; it must be positive")
            if not LEAST_DIVISOR <= divisor <= MOST:  # else float32 has no such number, or not with all its digits
                raise ConfigError(f"InputFormat: divisor is {divisor}; it must be from 2**-126 to 2**127")
        for offset in _each(self.offset):
            if not abs(offset) <= MOST:
                raise ConfigError(f"InputFormat: offset is {offset}; it must be from -2**127 to 2**127")
        counts = {len(value) for value in (self.divisor, self.offset) if isinstance(value, tuple)}
        if len(counts) > 1 or 0 in counts:
            raise ConfigError(
                f"InputFormat: {len(_each(self.divisor))} divisors and {len(_each(self.offset))} offsets; expected one "
                "for all features or one for each"
            )

    @classmethod
    def fit(cls, data: Tensor | npt.NDArray[Any], bits: int = 8, *, shared: bool = False) -> InputFormat:
        """Unsigned codes that divide the range of training data, floating (N, ...), into 2**bits - 1 equal steps.

        Args:
            data: the training samples.
            bits: of a code.
            shared: one range for all features, as for the pixels of an image, and not one for each.

        Raises:
            DataError: if there are no data, or they are not finite floating numbers of a range that float32 has.
            ConfigError: if there are no codes of so many bits.
        """
        cls(bits)  # there are such codes
        numbers = np.asarray(data if isinstance(data, np.ndarray) else data.detach().cpu().numpy())
        if numbers.dtype.kind != "f" or numbers.ndim < 2 or 0 in numbers.shape:
            raise DataError(
                f"InputFormat.fit: got {numbers.dtype} {numbers.shape}; expected floating numbers (samples, ...). "
                "Integers are codes already"
            )
        numbers = numbers.reshape(1, -1, 1) if shared else numbers.reshape(len(numbers), -1)
        low, high = numbers.min(axis=1 if shared else 0), numbers.max(axis=1 if shared else 0)
        low, high = (end.ravel().astype(np.float32).astype(np.float64) for end in (low, high))
        if not (np.isfinite(low) & np.isfinite(high)).all():
            raise DataError("InputFormat.fit: the data contain NaN or infinity; remove or replace them")
        with np.errstate(divide="ignore"):
            # A constant needs no resolution.
            divisor = np.where(high > low, ((1 << bits) - 1) / (high - low), 1.0)
        bad = np.flatnonzero((divisor < LEAST_DIVISOR) | (divisor > MOST) | (abs(low) > MOST))
        if len(bad):
            where = "the data" if shared else f"feature {bad[0]}"
            raise DataError(
                f"InputFormat.fit: {where} of {low[bad[0]]:g} to {high[bad[0]]:g}: float32 does not have its steps; "
                "scale the data"
            )
        # As float32 has them, so that they are the same in every language.
        divisors, offsets = divisor.astype(np.float32).tolist(), low.tolist()
        return cls(bits, False, *((divisors[0], offsets[0]) if shared else (tuple(divisors), tuple(offsets))))

    @property
    def features(self) -> int | None:
        """For how many features it is made; None if it is the same for any number."""
        return max(len(value) for value in _both(self)) if self.per_feature else None

    @property
    def per_feature(self) -> bool:
        """Whether features may differ in divisor or offset."""
        return isinstance(self.divisor, tuple) or isinstance(self.offset, tuple)

    def of_feature(self, feature: int) -> InputFormat:
        """The format of one feature."""
        divisor, offset = (value[feature if len(value) > 1 else 0] for value in _both(self))
        return replace(self, divisor=divisor, offset=offset)

    @cached_property
    def scaling(self) -> tuple[Floats, Floats]:
        """Divisors and offsets, float32 (features,) or (1,)."""
        divisor, offset = (np.array(value, np.float32) for value in _both(self))
        return divisor, offset

    def tensors(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """`scaling` as tensors, where `like` is.

        Tensors, because a GPU divides by a Python number with its reciprocal, which may differ in the last bit.
        """
        import torch

        divisor, offset = (torch.from_numpy(part).to(like.device) for part in self.scaling)
        return divisor, offset

    def _rows(self, samples: Any) -> Any:
        """A view of samples (N, ...) as rows of features, if features differ."""
        if not self.per_feature:
            return samples
        count = math.prod(samples.shape[1:])
        if samples.ndim < 2 or count != self.features:
            raise DataError(
                f"got samples of shape {tuple(samples.shape)}; the input format is made for {self.features} features: "
                "expected (samples, ...) with so many a sample"
            )
        return samples.reshape(len(samples), count)

    def values(self, codes: Tensor) -> Tensor:
        """The numbers, float32, that integer `codes` stand for; the same shape, (N, ...) if features differ.

        Raises:
            DataError: if a code is outside the format, or the number of features is another one.
        """
        import torch

        self._check_codes(codes)
        divisor, offset = self.tensors(codes)
        numbers: Tensor = self._rows(codes).to(torch.float32) / divisor + offset
        return numbers.reshape(codes.shape)

    def _check_codes(self, codes: Tensor) -> None:
        import torch

        held = torch.iinfo(codes.dtype)
        if (held.min < self.lowest or held.max > self.highest) and codes.numel():
            low, high = (int(end) for end in torch.aminmax(codes.long()))  # not every unsigned dtype has aminmax
            if low < self.lowest or high > self.highest:
                raise DataError(
                    f"got integer codes from {low} to {high}; the input format has {self.width_bits} bits, codes from "
                    f"{self.lowest} to {self.highest}"
                )

    def all_codes(self) -> Tensor:
        """int64 (2**width_bits,): every code, ascending."""
        import torch

        return torch.arange(self.lowest, self.highest + 1)

    def quantize(self, x: Tensor) -> Tensor:
        """The codes, int32, of floating numbers by the rule of `nearest_codes`; integers are codes already.

        Raises:
            DataError: if `x` contains NaN, a code is outside the format, or the number of features is another one.
        """
        import torch

        if not x.is_floating_point():
            self._check_codes(x)
            return x.to(torch.int32)
        return torch.from_numpy(self.codes_of(x.detach().to(torch.float32).cpu().numpy())).to(x.device)

    def codes_of(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """`quantize` of floating NumPy arrays."""
        return nearest_codes(self._rows(numbers), self, *self.scaling).reshape(numbers.shape)

    def rounded(self, x: Tensor) -> Tensor:
        """The numbers, float32, that the codes of floating numbers `x` stand for: what the model computes with.

        Raises:
            DataError: as `quantize`.
        """
        from difflut.functional import nearest_numbers

        numbers: Tensor = nearest_numbers(self._rows(x).float(), *self.tensors(x), self.lowest, self.highest)
        return numbers.reshape(x.shape)

    def ends(self) -> tuple[Floats, Floats]:
        """The numbers, float32 (features,) or (1,), of the lowest and of the highest code."""
        divisor, offset = self.scaling
        low, high = (np.float32(code) / divisor + offset for code in (self.lowest, self.highest))
        return low, high

    @property
    def meaning(self) -> str:
        """What number the model sees for a code, in words."""
        if self.per_feature:
            return "the model sees offset + code / divisor, which differ between features"
        offset = "" if self.offset == 0 else f"{self.offset:g} + "
        return f"the model sees {offset}code / {self.divisor:g}"

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def _each(value: PerFeature) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def _both(form: InputFormat) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return _each(form.divisor), _each(form.offset)
