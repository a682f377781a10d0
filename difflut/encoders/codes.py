"""Codes other than the thermometer: the level of a number, written in Gray code, one-hot, binary, sign and magnitude.

A number's *level* is how many of its feature's thresholds it is above. Each encoder here has a fixed code word for
every level; bit 0 of a word is the least significant one. A feature that is constant in the training data has equal
thresholds, so only the lowest and the highest level occur.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from difflut.encoders.base import Encoder
from difflut.encoders.circuit import CodeCircuit
from difflut.encoders.thermometer import uniform
from difflut.errors import ConfigError


class CodeEncoder(Encoder):
    """An encoder that gives the code word of a number's level, by lookups on its comparisons.

    Subclasses define `words` and, for levels other than equal parts of a feature's range, `compute_thresholds`.

    Attributes:
        circuit: the lookups of one feature; `circuit.luts` and `circuit.depth` say what they cost in hardware.
    """

    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        words = self.words()
        name, expected = type(self).__name__, (self.thresholds_per_feature + 1, bits)
        if words.shape != expected or words.dtype != torch.bool:
            raise ConfigError(
                f"{name}.words: gave {words.dtype} {tuple(words.shape)}; expected torch.bool (thresholds_per_feature "
                f"+ 1, bits) = {expected}"
            )
        constant = (words == words[0]).all(dim=0)
        if bool(constant.any()):
            raise ConfigError(f"{name}.words: bit {int(constant.nonzero()[0])} is the same in all levels; leave it out")
        self.circuit = CodeCircuit(words)

    def words(self) -> Tensor:
        """bool (thresholds_per_feature + 1, bits): the code word of every level; no bit is the same in all levels."""
        raise NotImplementedError

    def compute_thresholds(self, x: Tensor) -> Tensor:
        return uniform(x.amin(dim=0), x.amax(dim=0), self.thresholds_per_feature)

    def code_bits(self, comparisons: Tensor) -> Tensor:
        bits: Tensor = self.circuit(comparisons.flatten(0, 1))
        return bits.reshape(*comparisons.shape[:2], self.bits)


class OneHot(CodeEncoder):
    """One-hot code: bit k says that the number is in level k, out of `bits` levels of equal width.

    Bit k is comparison k - 1 without comparison k: one lookup of two inputs; the last bit is a comparison as it is.
    Source: the state encoding of Harris and Harris, "Digital Design and Computer Architecture", section 3.4.
    """

    least_bits = 2

    @property
    def thresholds_per_feature(self) -> int:
        return self.bits - 1

    def words(self) -> Tensor:
        return torch.eye(self.bits, dtype=torch.bool)


class _DenseCode(CodeEncoder):
    """A code with a word for each of 2**bits levels."""

    most_bits: ClassVar[int] = 16  # of an input code; more levels than input codes cannot differ

    def __init__(self, bits: int) -> None:
        if bits > self.most_bits:
            raise ConfigError(
                f"{type(self).__name__}: bits is {bits}; it must be at most {self.most_bits}, the width of the widest "
                f"input code"
            )
        super().__init__(bits)

    @property
    def thresholds_per_feature(self) -> int:
        return (1 << self.bits) - 1


class Binary(_DenseCode):
    """Binary code: the level, out of 2**bits of equal width, as an unsigned integer.

    It is the parity of a number's Gray code bits from the most significant one down. Source: Knuth, "The Art of
    Computer Programming", volume 2, section 4.1.
    """

    def words(self) -> Tensor:
        return integers_to_bits(torch.arange(1 << self.bits), self.bits)


class Gray(_DenseCode):
    """Reflected Gray code of the level, out of 2**bits of equal width: neighbouring levels differ in one bit.

    Source: Gray, "Pulse Code Communication", US patent 2,632,058, 1953.
    """

    def words(self) -> Tensor:
        levels = torch.arange(1 << self.bits)
        return integers_to_bits(levels ^ (levels >> 1), self.bits)


class SignMagnitude(_DenseCode):
    """Sign and magnitude: the last bit says that the number is negative, the others are |x|'s level in binary.

    The magnitude has 2**(bits - 1) levels of equal width from 0 to the largest |x| of the feature, so x and -x differ
    in the sign alone, and zero is positive. Made for features of both signs; without negative numbers the sign
    bit is constant. Numbers between zero and the smallest normal float32 count as zero. Source: Knuth, "The Art of
    Computer Programming", volume 2, section 4.1.
    """

    least_bits = 2

    def compute_thresholds(self, x: Tensor) -> Tensor:
        count = (1 << (self.bits - 1)) - 1
        highest = x.abs().amax(dim=0)
        above = uniform(torch.zeros_like(highest), highest, count)
        # -x > t where x < -t, that is not x > the next number below -t. Subnormal numbers, which hardware may flush to
        # zero, are not used as thresholds.
        below = torch.nextafter(-above.flip(1), torch.tensor(-torch.inf, device=x.device))
        sign = -torch.finfo(torch.float32).tiny
        return torch.cat([below.clamp(max=sign), torch.full_like(highest, sign)[:, None], above], dim=1)

    def words(self) -> Tensor:
        magnitudes = integers_to_bits(torch.arange(1 << (self.bits - 1)), self.bits - 1)
        negative = torch.arange(1 << self.bits) < len(magnitudes)
        return torch.cat([torch.cat([magnitudes.flip(0), magnitudes]), negative[:, None]], dim=1)


def integers_to_bits(integers: Tensor, bits: int) -> Tensor:
    """bool (..., bits) from non-negative integers (...), least significant bit first."""
    return (integers[..., None] >> torch.arange(bits) & 1).bool()
