"""Truth tables of many LUTs at once, as words: the operations that passes are made of.

All functions take tables in *wide* form: uint64 (B, W), B functions of the same K = 6 + log2(W) inputs, bit a % 64 of
word a // 64 being the output at address a. A LUT with fewer inputs is written as a function of K inputs that ignores
the others, so its table repeats. `wide` and `narrow` convert from and to the tables of a netlist.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.bits import WordArray, pack, unpack

WORD_INPUTS = 6

# The projections x0 to x5: bit a of entry i is bit i of a.
_PROJECTIONS = (
    0xAAAA_AAAA_AAAA_AAAA,
    0xCCCC_CCCC_CCCC_CCCC,
    0xF0F0_F0F0_F0F0_F0F0,
    0xFF00_FF00_FF00_FF00,
    0xFFFF_0000_FFFF_0000,
    0xFFFF_FFFF_0000_0000,
)


def inputs_of(tables: WordArray) -> int:
    """K, the number of inputs of tables in wide form."""
    return WORD_INPUTS + int(tables.shape[1]).bit_length() - 1


def projection(i: int, words: int) -> WordArray:
    """uint64 (words,): the table of the function that is input i."""
    if i < WORD_INPUTS:
        return np.full(words, _PROJECTIONS[i], np.uint64)
    high = np.arange(words) >> (i - WORD_INPUTS) & 1
    return np.where(high, ~np.uint64(0), np.uint64(0))


def cofactor(tables: WordArray, i: int, value: int) -> WordArray:
    """The functions with input i set to `value`; they ignore input i."""
    if i < WORD_INPUTS:
        shift = np.uint64(1 << i)
        ones = np.uint64(_PROJECTIONS[i])
        if value:
            half = tables & ones
            return half | half >> shift
        half = tables & ~ones
        return half | half << shift
    step = 1 << (i - WORD_INPUTS)
    half = tables.reshape(len(tables), tables.shape[1] // (2 * step), 2, step)[:, :, value : value + 1]
    return np.repeat(half, 2, axis=2).reshape(tables.shape)


def multiplex(i: int, high: WordArray, low: WordArray) -> WordArray:
    """The functions that are `high` where input i is 1 and `low` where it is 0."""
    select = projection(i, high.shape[1])
    return low ^ (select & (low ^ high))


def flip(tables: WordArray, i: int) -> WordArray:
    """The functions of the complement of input i."""
    return multiplex(i, cofactor(tables, i, 0), cofactor(tables, i, 1))


def swap(tables: WordArray, i: int, j: int) -> WordArray:
    """The functions with inputs i and j exchanged."""
    words = tables.shape[1]
    differ = projection(i, words) ^ projection(j, words)
    return tables ^ (differ & (tables ^ flip(flip(tables, i), j)))


def exists(tables: WordArray, i: int) -> WordArray:
    """1 where the function is 1 for some value of input i."""
    return cofactor(tables, i, 0) | cofactor(tables, i, 1)


def depends(tables: WordArray, i: int) -> npt.NDArray[np.bool_]:
    """bool (B,): whether the function depends on input i."""
    changes: npt.NDArray[np.bool_] = (cofactor(tables, i, 0) != cofactor(tables, i, 1)).any(axis=1)
    return changes


def support(tables: WordArray) -> npt.NDArray[np.bool_]:
    """bool (B, K): the inputs that each function depends on."""
    return np.stack([depends(tables, i) for i in range(inputs_of(tables))], axis=1)


def rearranged(tables: WordArray, places: npt.NDArray[np.int64]) -> WordArray:
    """The functions with their input i moved to input `places[:, i]`, int64 (B, K).

    Two inputs at one place take the same value; what the place of an input that a function ignores is, does not matter.
    """
    address = np.arange(1 << inputs_of(tables))
    source = np.zeros((len(tables), len(address)), np.int64)
    for i, place in enumerate(places.T):
        source |= (address >> place[:, None] & 1) << i
    return pack(np.take_along_axis(unpack(tables), source, axis=1))


def composed(tables: WordArray, inputs: WordArray) -> WordArray:
    """The functions (B, W) of what functions of the first n inputs give of others: `inputs` is uint64 (n, B, W)."""
    bits = unpack(tables, 1 << len(inputs)).T
    rows: WordArray = np.where(bits[:, :, None], ~np.uint64(0), np.uint64(0))
    for select in inputs[::-1]:
        low, high = np.split(rows, 2)
        rows = low ^ (select & (low ^ high))
    result: WordArray = rows[0]
    return result


def wide(words: WordArray, lut_inputs: npt.NDArray[Any], k: int) -> WordArray:
    """The flat table words of LUTs with the given numbers of inputs, as functions of k >= 6 inputs."""
    counts = np.left_shift(1, np.maximum(lut_inputs - WORD_INPUTS, 0))
    result = np.zeros((len(lut_inputs), 1 << (k - WORD_INPUTS)), np.uint64)
    result[np.arange(result.shape[1]) < counts[:, None]] = words
    for i in range(k):
        rows = np.flatnonzero(lut_inputs <= i)
        if len(rows):
            result[rows] = cofactor(result[rows], i, 0)
    return result


def narrow(tables: WordArray, lut_inputs: npt.NDArray[Any]) -> WordArray:
    """Flat table words, as a netlist stores them, of functions of their first `lut_inputs` inputs."""
    counts = np.left_shift(1, np.maximum(lut_inputs - WORD_INPUTS, 0))
    bits = np.left_shift(1, np.minimum(lut_inputs, WORD_INPUTS)).astype(np.uint64)
    used = ~np.uint64(0) >> (np.uint64(64) - bits)
    words: WordArray = (tables & used[:, None])[np.arange(tables.shape[1]) < counts[:, None]]
    return words
