"""The shape of the pipelined head: adder trees per class, then a tree of comparisons.

Every register rank holds the result of one LUT or one carry chain, like the LUT layers in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNT_BITS = 6  # the first rank counts the ones of this many bits: a LUT per bit of the count
ADD_TERMS = 3  # the ranks after it add this many terms: what one carry chain of common FPGAs adds


@dataclass(frozen=True)
class AdderLevel:
    """One register rank of an adder tree that counts ones.

    Attributes:
        number: the level, counted from 1.
        terms, term_bits: how many terms it reads and their width, after padding with zero terms.
        pad_bits: how many zero bits complete the vector of the level before.
        sums, sum_bits: how many sums it registers and their width.
    """

    number: int
    terms: int
    term_bits: int
    pad_bits: int
    sums: int
    sum_bits: int

    @property
    def fan_in(self) -> int:
        """How many terms a sum adds; 1 for a plain delay."""
        return self.terms // self.sums


def adder_levels(size: int, levels: int) -> list[AdderLevel]:
    """The adder tree over `size` bits; `levels` may exceed what the size needs, which adds plain delays."""
    result: list[AdderLevel] = []
    terms, term_bits, bound = size, 1, 1
    for number in range(1, levels + 1):
        fan_in = COUNT_BITS if number == 1 else min(ADD_TERMS, terms)
        sums = -(-terms // fan_in)
        bound = min(size, bound * fan_in)
        result.append(
            AdderLevel(
                number=number,
                terms=sums * fan_in,
                term_bits=term_bits,
                pad_bits=(sums * fan_in - terms) * term_bits,
                sums=sums,
                sum_bits=bound.bit_length(),
            )
        )
        terms, term_bits = sums, bound.bit_length()
    return result


def adder_depth(size: int) -> int:
    """The number of levels that counting `size` bits takes, at least 1."""
    terms, levels = -(-size // COUNT_BITS), 1
    while terms > 1:
        terms, levels = -(-terms // ADD_TERMS), levels + 1
    return levels


def count_table(bit: int) -> int:
    """The table of bit `bit` of the number of ones among COUNT_BITS address bits."""
    return sum((address.bit_count() >> bit & 1) << address for address in range(1 << COUNT_BITS))


@dataclass(frozen=True)
class ArgmaxLevel:
    """One register rank of the argmax tree: neighbours meet in pairs, a last odd one passes.

    Attributes:
        number: the level, counted from 1.
        candidates: how many candidates it reads.
        pairs: how many pairs meet.
        index_bits: the width of a candidate's index after this level.
    """

    number: int
    candidates: int
    pairs: int
    index_bits: int

    @property
    def winners(self) -> int:
        """How many candidates it registers."""
        return self.candidates - self.pairs

    @property
    def odd(self) -> bool:
        """Whether the last candidate has no partner."""
        return self.candidates % 2 == 1


def argmax_levels(classes: int) -> list[ArgmaxLevel]:
    """The tree over `classes` scores; empty for one class."""
    result: list[ArgmaxLevel] = []
    while classes > 1:
        result.append(ArgmaxLevel(len(result) + 1, classes, classes // 2, len(result) + 1))
        classes -= classes // 2
    return result
