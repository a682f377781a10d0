"""Many samples' bits in an eighth of a byte each, to be read by bit or by sample."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.training.descent_library import library

BLOCK = 512  # bits: what widths and numbers of samples are filled up to, with zeros
_AT_ONCE = 8 * BLOCK  # rows

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class BitMatrix:
    """The bits of samples, packed: place i of a row is bit i % 64 of word i // 64.

    Attributes:
        samples, width: how many samples, and bits of each.
        columns: uint64 (width, samples / 64), both filled up to whole blocks.
        ones: int64 (width,): in how many samples each bit is 1.
    """

    samples: int
    width: int
    columns: Words
    ones: npt.NDArray[np.int64]

    @property
    def slots(self) -> int:
        """The number of samples, filled up."""
        return 64 * int(self.columns.shape[1])

    @classmethod
    def of(cls, parts: Iterable[npt.NDArray[np.uint8]], samples: int, width: int) -> BitMatrix:
        """Bits 0 and 1 that come in parts (n, width)."""
        rows = _zeros(filled_up(samples), filled_up(width))
        ones, place = np.zeros(width, np.int64), 0
        for part in parts:
            packed = np.packbits(part, axis=1, bitorder="little")
            rows.view(np.uint8)[place : place + len(part), : packed.shape[1]] = packed
            ones += part.sum(axis=0, dtype=np.int64)
            place += len(part)
        assert place == samples
        return cls(samples, width, transposed(_native(rows)), ones)

    def take(self, bits: npt.NDArray[np.int64]) -> BitMatrix:
        """These bits of all samples."""
        columns = _zeros(filled_up(len(bits)), 64 * self.columns.shape[1])
        np.take(self.columns, bits, axis=0, out=columns[: len(bits)])
        return BitMatrix(self.samples, len(bits), columns, self.ones[bits])

    def rows(self) -> Words:
        """uint64 (samples, width / 64), both filled up to whole blocks."""
        return transposed(self.columns)

    def unpacked(self) -> npt.NDArray[np.uint8]:
        """uint8 (width, samples)."""
        return _unpacked(self.columns[: self.width])[:, : self.samples]


def filled_up(count: int) -> int:
    """A number of bits or samples, raised to whole blocks."""
    return -(-count // BLOCK) * BLOCK


def transposed(words: Words) -> Words:
    """uint64 (m, n / 64) of uint64 (n, m / 64), n and m whole blocks."""
    rows, columns = words.shape[0], 64 * words.shape[1]
    result, compiled = _zeros(columns, rows), library()
    if compiled is not None:
        assert words.flags.c_contiguous
        compiled.transpose(
            *map(ctypes.c_int64, (rows, columns)), *(ctypes.c_void_p(a.ctypes.data) for a in (words, result))
        )
        return result
    for first in range(0, rows, _AT_ONCE):
        part = np.packbits(_unpacked(words[first : first + _AT_ONCE]).T, axis=1, bitorder="little")
        result.view(np.uint8)[:, first // 8 : first // 8 + part.shape[1]] = part
    return _native(result)


def _unpacked(words: Words) -> npt.NDArray[np.uint8]:
    return np.unpackbits(words.astype("<u8", copy=False).view(np.uint8), axis=1, bitorder="little")


def _native(words: Words) -> Words:
    """Words whose bytes were written lowest first."""
    return words.view("<u8").astype(np.uint64, copy=False)


def _zeros(rows: int, columns: int) -> Words:
    """uint64 (rows, columns / 64) from the begin of a cache line on, which a block would straddle elsewhere."""
    bytes_ = np.zeros(rows * columns // 8 + 64, np.uint8)
    first = -bytes_.ctypes.data % 64
    return bytes_[first : first + rows * columns // 8].view(np.uint64).reshape(rows, columns // 64)
