"""Counters in Verilog: the range and the literals of a register that counts from 0 to a number."""

from __future__ import annotations

from dataclasses import dataclass

from difflut.export.verilog import names


@dataclass(frozen=True)
class Counter:
    """A counter from 0 to `count` - 1."""

    count: int

    @property
    def width_bits(self) -> int:
        """Bits of the register."""
        return max(1, (self.count - 1).bit_length())

    @property
    def range(self) -> str:
        """The range of its declaration."""
        return names.vector(self.width_bits)

    @property
    def zero(self) -> str:
        """The literal 0."""
        return f"{self.width_bits}'d0"

    @property
    def one(self) -> str:
        """The literal 1."""
        return f"{self.width_bits}'d1"

    @property
    def last(self) -> str:
        """The literal of `count` - 1."""
        return self.literal(self.count - 1)

    def literal(self, value: int) -> str:
        """The literal of a value that it can have."""
        return names.literal(value, self.width_bits)
