"""Compressors: small circuits that turn bits with weights into fewer bits with the same weighted sum.

A *chain* is a generalised parallel counter on a carry chain, after M. Kumm and P. Zipf, "Efficient high speed
compression trees on Xilinx FPGAs" (MBMV 2014) and "Pipelined compressor tree optimization using integer linear
programming" (FPL 2014), where (6,0,6;5) is the best one; T. Preusser, "Generic and universal parallel matrix summation
with a flexible compression goal for Xilinx FPGAs" (FPL 2017), cuts them into pieces that can be joined at will and
uses the carry input for one more bit. The truth tables here are derived from the arithmetic.

Position i of a chain adds a digit of 0, 1 or 2 and the carry: its LUT says whether the digit is 1 (S) and, where it is
not, whether it is 2 (DI). One position alone takes one or two bits of its column. Two neighbours take n bits of the
lower column, 3 <= n <= 6: the lower position adds the parity of n - 1 of them and the last one; the upper one adds
half of the count of the n - 1, which is 0 to 2 for n > 4, and for n <= 4 leaves room for one bit of its own column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Compressor:
    """A circuit whose outputs have the same weighted sum as its inputs.

    Attributes:
        name: unique for its kind and shape; part of a Verilog identifier.
        inputs: the weight of each input, as a power of two: bit i counts 2**inputs[i].
        outputs: likewise of the outputs.
        luts: the LUTs that it takes on a family it is planned for.
        carries: carry primitives.
        delay: what a signal passes: "lut", "chain" (a LUT and a carry chain) or "adder" (a carry chain of the tool's
            making).
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    luts: int
    carries: int
    delay: str

    def evaluate(self, bits: Bits) -> Bits:
        """bool (N, outputs) from bool (N, inputs)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Table(Compressor):
    """Bits of one weight, counted by one table for each bit of the count."""

    def evaluate(self, bits: Bits) -> Bits:
        """bool (N, outputs) from bool (N, inputs)."""
        addresses = bits.astype(np.int64) @ (1 << np.arange(len(self.inputs)))
        tables: Bits = np.array([[t >> a & 1 for a in range(1 << len(self.inputs))] for t in self.tables], np.bool_)
        outputs: Bits = tables[:, addresses].transpose()
        return outputs

    @property
    def tables(self) -> tuple[int, ...]:
        """For each output its table: bit a is the output at address a."""
        return tuple(
            sum((a.bit_count() >> bit & 1) << a for a in range(1 << len(self.inputs)))
            for bit in range(len(self.outputs))
        )


def table_counter(bits: int, weight: int, luts: int) -> Table:
    """The counter of `bits` bits of one weight, 2 <= bits <= 6."""
    outputs = tuple(range(weight, weight + bits.bit_length()))
    return Table(f"ones{bits}", (weight,) * bits, outputs, luts, 0, "lut")


@dataclass(frozen=True)
class Adder(Compressor):
    """Words added by the synthesis tool's own `+`.

    Attributes:
        words: for each word the number of its bits; the inputs are these words, each least significant bit first.
    """

    words: tuple[int, ...] = ()

    def evaluate(self, bits: Bits) -> Bits:
        """bool (N, outputs) from bool (N, inputs)."""
        base = min(self.inputs)
        total = bits.astype(np.int64) @ (1 << (np.array(self.inputs) - base))
        result: Bits = (total[:, None] >> (np.array(self.outputs) - base) & 1).astype(np.bool_)
        return result


def adder(words: Sequence[int], total_bits: int, weight: int, luts: int, carries: int) -> Adder:
    """The sum of words that begin at one weight, as a word of `total_bits` bits."""
    inputs = tuple(weight + bit for word in words for bit in range(word))
    name = "add" + "_".join(str(word) for word in words)
    return Adder(name, inputs, tuple(range(weight, weight + total_bits)), luts, carries, "adder", tuple(words))


@dataclass(frozen=True)
class Position:
    """One position of a carry chain.

    Attributes:
        inputs: indices of the chain's inputs that the LUT reads, its input 0 first; at most 6.
        init: the table of a LUT6_2 with O6 = S and O5 = DI; with fewer than 6 inputs, I5 is tied to 1.
    """

    inputs: tuple[int, ...]
    init: int


@dataclass(frozen=True)
class Chain(Compressor):
    """Bits added on one carry chain.

    Attributes:
        columns: how many bits each position brings, least significant first, the carry input left out.
        carry_in: whether one more bit of the lowest weight enters by the carry input; it is the last input.
    """

    columns: tuple[int, ...] = ()
    carry_in: bool = False

    @cached_property
    def positions(self) -> tuple[Position, ...]:
        """The LUTs, least significant first."""
        first = np.concatenate([[0], np.cumsum(self.columns)]).tolist()
        result: list[Position] = []
        column = 0
        while column < len(self.columns):
            own = tuple(range(first[column], first[column + 1]))
            if len(own) <= 2:
                result.append(_position(own, lambda a: sum(a), lambda a: a[0]))
                column += 1
                continue
            above = tuple(range(first[column + 1], first[column + 2]))
            counted = len(own) - 1
            result.append(_position(own, lambda a: sum(a[:-1]) % 2 + a[-1], lambda a: sum(a[:-1]) % 2))
            result.append(_position((*own[:-1], *above), lambda a, n=counted: sum(a[:n]) // 2 + sum(a[n:])))  # type: ignore[misc]
            column += 2
        return tuple(result)

    def evaluate(self, bits: Bits) -> Bits:
        """bool (N, outputs) from bool (N, inputs): LUT by LUT along the chain, as the hardware does it."""
        carry = bits[:, -1] if self.carry_in else np.zeros(len(bits), np.bool_)
        sums = []
        for position in self.positions:
            lower = np.zeros(len(bits), np.int64)
            for i, index in enumerate(position.inputs):
                lower += bits[:, index].astype(np.int64) << i
            upper = lower if len(position.inputs) == 6 else lower + 32
            table = np.array([position.init >> a & 1 for a in range(64)], np.bool_)
            select, data = table[upper], table[lower % 32]
            sums.append(select ^ carry)
            carry = np.where(select, carry, data)
        return np.stack([*sums, carry], axis=1)[:, : len(self.outputs)]


Digit = Callable[[Sequence[int]], int]


def _position(inputs: tuple[int, ...], digit: Digit, data: Digit | None = None) -> Position:
    """The position that adds `digit`, 0 to 2; `data` is DI where the digit is 0 or 2 and must then be half of it."""
    init = 0
    for address in range(32):
        bits = [address >> i & 1 for i in range(len(inputs))]
        value = digit(bits[:6])
        below = (data(bits) if data else int(value == 2)) if inputs else 0
        init |= below << address
        if len(inputs) < 6:
            init |= int(value == 1) << address + 32
    if len(inputs) == 6:  # O5 is the lower half of O6's table: the digit must be such that this is DI
        for address in range(64):
            bits = [address >> i & 1 for i in range(6)]
            init |= int(digit(bits) == 1) << address
    return Position(inputs, init)


def chain(columns: Sequence[int], carry_in: bool, weight: int, carry_bits: int) -> Chain:
    """The chain of the given columns whose lowest has `weight`."""
    inputs = [weight + position for position, bits in enumerate(columns) for _ in range(bits)]
    inputs += [weight] if carry_in else []
    highest = sum(1 << w - weight for w in inputs)
    outputs = tuple(weight + i for i in range(max(len(columns), highest.bit_length())))
    name = "chain" + "_".join(str(bits) for bits in reversed(columns)) + ("c" if carry_in else "")
    read = sum(bool(bits) for bits in columns) + sum(
        bits > 2 and not columns[i + 1] for i, bits in enumerate(columns) if i + 1 < len(columns)
    )
    return Chain(name, tuple(inputs), outputs, read, -(-len(columns) // carry_bits), "chain", tuple(columns), carry_in)
