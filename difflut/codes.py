"""Integer codes of so many bits, and the one rule by which numbers become codes. Free of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.errors import DataError

# What float32 multiplies and divides by without losing digits.
LEAST_DIVISOR, MOST = 2.0**-126, 2.0**127


class CodeRange:
    """What formats of input codes share: `width_bits` bits each, two's complement if `signed`."""

    width_bits: int
    signed: bool

    @property
    def lowest(self) -> int:
        """The smallest code."""
        return -(1 << (self.width_bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The largest code."""
        return (1 << (self.width_bits - 1)) - 1 if self.signed else (1 << self.width_bits) - 1


def nearest_codes(
    numbers: npt.NDArray[Any], codes: CodeRange, divisor: npt.ArrayLike, offset: npt.ArrayLike = 0.0
) -> npt.NDArray[np.int32]:
    """The codes, int32, whose numbers offset + code / divisor are nearest; halves go to the even code, numbers out of
    range clamp.

    Numbers, floating of any width, divisor and offset are rounded to float32 first, in which difference and product
    are computed: the same on every machine. Infinities clamp.

    Raises:
        DataError: `numbers` contains NaN.
    """
    if bool(np.isnan(numbers).any()):
        raise DataError("cannot quantize NaN; replace missing values first")
    with np.errstate(over="ignore"):
        nearest = np.rint(
            (numbers.astype(np.float32) - np.asarray(offset, np.float32)) * np.asarray(divisor, np.float32)
        )
    if codes.width_bits > 24:  # float32 does not have all codes, and its nearest to the highest may be beyond it
        nearest = nearest.astype(np.float64)
    within: npt.NDArray[np.int32] = nearest.clip(codes.lowest, codes.highest).astype(np.int32)
    return within
