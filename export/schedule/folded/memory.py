"""Where the bits that a program reads lie: banks of memory words, and the address of each bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Bank:
    """A memory of words, of which every input of every lane has a copy.

    Attributes:
        name: what makes its signals' names different from those of other banks.
        width_bits: bits of a word.
        words: words of one half.
        halves: 2 where one sample's words are written while those of another are read, else 1.
    """

    name: str
    width_bits: int
    words: int
    halves: int

    @property
    def place_bits(self) -> int:
        """Address bits of a bit in its word."""
        return max(1, (self.width_bits - 1).bit_length())

    @property
    def word_bits(self) -> int:
        """Address bits of a word in its half."""
        return max(1, (self.words - 1).bit_length())

    @property
    def bits(self) -> int:
        """Bits of a copy, all halves."""
        return self.halves * self.words * self.width_bits


@dataclass(frozen=True, eq=False)
class Layout:
    """The banks, and the address of each bit that a `Program` numbers.

    An address holds, least significant first, the place in the word, the word, and, from bit `bank_bit` on, the number
    of the bank. How many bits place and word have depends on the bank.

    Attributes:
        banks: the memories.
        addresses: int64 (bits,); 0 for a bit that is nowhere, because nothing reads it.
    """

    banks: tuple[Bank, ...]
    addresses: npt.NDArray[np.int64]

    @property
    def bank_bit(self) -> int:
        """Where the number of the bank starts."""
        return max(bank.place_bits + bank.word_bits for bank in self.banks)

    @property
    def address_bits(self) -> int:
        """Bits of an address."""
        return self.bank_bit + (len(self.banks) - 1).bit_length()

    @property
    def copy_bits(self) -> int:
        """Bits of all banks, each once."""
        return sum(bank.bits for bank in self.banks)


def make_layout(banks: Sequence[Bank], places: npt.NDArray[np.int64]) -> Layout:
    """Lay bits out.

    Args:
        banks: the memories, at least one.
        places: int64 (bits, 3), the bank, the word and the place in it of each bit; the bank -1 for a bit that is
            nowhere.
    """
    layout = Layout(tuple(banks), np.zeros(0, np.int64))
    bank, word, place = places.T
    shifts = np.array([one.place_bits for one in banks])[bank]
    addresses = (bank << layout.bank_bit) | (word << shifts) | place
    addresses[bank < 0] = 0
    return Layout(tuple(banks), addresses)
