"""What the hardware receives for one feature, and which number the model sees for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from difflut.codes import CodeRange, nearest_codes
from difflut.errors import ConfigError, DataError


@dataclass(frozen=True)
class InputFormat(CodeRange):
    """Integer codes of `width_bits` bits; code c stands for the number float32(c) / float32(divisor).

    The default is an 8-bit pixel: x = code / 255. `divisor = 2**k` gives a fixed-point format with k fraction bits.
    """

    width_bits: int = 8
    signed: bool = False
    divisor: float = 255.0

    def __post_init__(self) -> None:
        if not 1 <= self.width_bits <= 16:
            raise ConfigError(f"InputFormat: width_bits is {self.width_bits}; it must be from 1 to 16")
        if not self.divisor > 0:
            raise ConfigError(f"InputFormat: divisor is {self.divisor}; it must be positive")
        if not 2.0**-126 <= self.divisor <= 2.0**127:  # else float32 has no such number, or not with all its digits
            raise ConfigError(f"InputFormat: divisor is {self.divisor}; it must be from 2**-126 to 2**127")

    def values(self, codes: Tensor) -> Tensor:
        """The numbers, float32, that integer `codes` stand for; the same shape.

        Raises:
            DataError: if a code is outside the format.
        """
        self._check_codes(codes)
        # A tensor, because a GPU divides by a Python number with its reciprocal, which may differ in the last bit.
        return codes.to(torch.float32) / torch.tensor(self.divisor, dtype=torch.float32, device=codes.device)

    def _check_codes(self, codes: Tensor) -> None:
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
        return torch.arange(self.lowest, self.highest + 1)

    def quantize(self, x: Tensor) -> Tensor:
        """The codes, int32, of floating numbers by the rule of `nearest_codes`; integers are codes already.

        Raises:
            DataError: if `x` contains NaN, or a code is outside the format.
        """
        if not x.is_floating_point():
            self._check_codes(x)
            return x.to(torch.int32)
        numbers = x.detach().to(torch.float32).cpu().numpy()
        return torch.from_numpy(nearest_codes(numbers, self, self.divisor)).to(x.device)

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)
