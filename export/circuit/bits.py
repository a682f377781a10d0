"""Bits packed into words: bit i of a row is bit i % 64 of its word i // 64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WordArray = npt.NDArray[np.uint64]


def pack(bits: npt.NDArray[Any]) -> WordArray:
    """Pack rows of bits, bool or integers 0 and 1 (rows, n), into uint64 (rows, ceil(n / 64)); bits after the last are
    0.
    """
    octets = np.packbits(bits, axis=1, bitorder="little")
    packed = np.zeros((len(bits), -(-bits.shape[1] // 64) * 8), np.uint8)
    packed[:, : octets.shape[1]] = octets
    return packed.view("<u8").astype(np.uint64, copy=False)


def unpack(words: WordArray, count: int | None = None) -> npt.NDArray[np.bool_]:
    """The first `count` bits, by default all, of rows of words uint64 (rows, words): bool (rows, count)."""
    octets = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, count=count, bitorder="little").view(np.bool_)
