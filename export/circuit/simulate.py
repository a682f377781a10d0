"""The reference semantics: what a circuit computes, netlist by netlist, 64 samples in one uint64 word.

The maps of images are computed one after the other, each kernel on the windows of its source. Within a netlist sample s
of a block is bit s % 64 of word s // 64. A LUT is evaluated for a whole block of samples and many LUTs at once: the 16
functions of its inputs 0 and 1 are computed, its table picks one of them for every setting of the other inputs (four
table bits name the function), and multiplexers on inputs n-1 down to 2 select among those. docs/adr/0002-simulate.md
compares this with the alternatives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.bits import WordArray, pack, unpack
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import CONST1, FIRST_NET, MAX_INPUTS, Head, IntArray, Netlist
from difflut.export.circuit.windows import as_map, windows

Codes = npt.NDArray[np.integer]
IndexArray = npt.NDArray[np.int64]

ALL_ONES = ~np.uint64(0)
SAMPLES_PER_WORD = 64
# Words of net values held at once, and of intermediate results of one call to `_lookup`: the first bounds the memory
# for large netlists, the second keeps the working set in a core's own cache.
VALUE_WORDS = 1 << 23
SCRATCH_WORDS = 1 << 17
MAX_BLOCK_WORDS = 256
IMAGES = 64  # of a circuit with layers, evaluated at once; bounds the memory for windows


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the circuit puts out.

    Attributes:
        scores: int64 (N, classes), the number of ones in each group.
        classes: int64 (N,), the class word: the position of the largest score, of equal ones the lowest; or a field for
            each decision, see `difflut.export.circuit.netlist.Head`.
    """

    scores: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]


def simulate(circuit: Circuit | Netlist, codes: npt.ArrayLike) -> Outputs:
    """Compute scores and class index of each sample.

    Args:
        circuit: one that `difflut.export.circuit.rules.check` accepts.
        codes: integer (N, features), each within the circuit's input format; N may be 0.

    Raises:
        CodesError: `codes` has the wrong type, shape or range.
    """
    checked = circuit.input.check_codes(codes)
    if isinstance(circuit, Netlist):
        scores = np.zeros((len(checked), circuit.head.classes), np.int64)
        for rows, values in _blocks(circuit, checked):
            scores[rows] = _scores(circuit.head, values, rows.stop - rows.start)
        return Outputs(scores, decide(circuit.head, scores))
    if not circuit.layers:
        return simulate(circuit.body, checked)
    starts = range(0, max(1, len(checked)), IMAGES)
    parts = [simulate(circuit.body, _body_codes(circuit, checked[start : start + IMAGES])) for start in starts]
    return Outputs(np.concatenate([part.scores for part in parts]), np.concatenate([part.classes for part in parts]))


def decide(head: Head, scores: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """int64 (N,): the class words of scores (N, classes)."""
    word, place, first = np.zeros(len(scores), np.int64), 0, 0
    for count in head.decisions.tolist():
        if count > 1:
            word |= scores[:, first : first + count].argmax(axis=1) << place
            place += head.class_width_bits
        first += count
    return word


def simulate_maps(circuit: Circuit, codes: Codes) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield map 0, 1, ... of images with checked codes: uint8 (N, channels, rows, columns), 0 or 1."""
    colour, bit = circuit.pixel_format.features_and_bits(circuit.compare_channel)
    images = _values(codes.reshape(len(codes), *circuit.size)[:, colour], bit[:, None, None])
    maps = [(images >= circuit.compare_threshold[:, None, None]).astype(np.uint8)]
    yield maps[0]
    for layer, size in zip(circuit.layers, circuit.maps[1:], strict=True):
        rows = windows(maps[layer.source], layer.window, layer.stride, layer.padding)
        scores = simulate(layer.kernel, rows.reshape(-1, rows.shape[2])).scores.astype(np.uint8)
        maps.append(as_map(scores.reshape(len(codes), size.pixels, size.channels), size))
        yield maps[-1]


def _body_codes(circuit: Circuit, codes: Codes) -> npt.NDArray[np.uint8]:
    bits = [
        bits.reshape(len(codes), size.bits)
        for bits, size in zip(simulate_maps(circuit, codes), circuit.maps, strict=True)
    ]
    return np.concatenate(bits, axis=1)[:, circuit.body_bits]


def simulate_nets(netlist: Netlist, codes: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Compute every net: bool (N, nets), column i is net i. Arguments and errors are those of `simulate`."""
    checked = netlist.input.check_codes(codes)
    nets = np.zeros((netlist.nets, len(checked)), np.bool_)
    for rows, values in _blocks(netlist, checked):
        nets[:, rows] = unpack(values, rows.stop - rows.start)
    return nets.T


@dataclass(frozen=True, eq=False)
class _LutGroup:
    """LUTs of one level and one number of inputs, so none reads another.

    Attributes:
        nets: int64 (B,), the nets that the LUTs drive.
        fanin: int32 (n, B) with n >= 2, the nets that feed input 0, 1, ...
        functions: int64 (2**(n-2), B), for each setting of inputs 2 to n-1 the four table bits at inputs 0 and 1.
    """

    nets: IndexArray
    fanin: IntArray
    functions: IndexArray


def _groups(netlist: Netlist) -> list[_LutGroup]:
    """The LUTs in an order in which they can be evaluated."""
    level = levels(netlist)[netlist.comparators :].astype(np.int64)
    inputs = netlist.lut_inputs
    key = level * (MAX_INPUTS + 1) + inputs
    order = np.argsort(key, kind="stable")
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    return [_group(netlist, luts, int(inputs[luts[0]])) for luts in np.split(order, cuts) if len(luts)]


def _group(netlist: Netlist, luts: IndexArray, n: int) -> _LutGroup:
    fanin = netlist.lut_fanin[netlist.lut_offsets[luts] + np.arange(n)[:, None]]
    words = netlist.lut_tables[netlist.table_offsets[luts] + np.arange(max(1, (1 << n) // 64))[:, None]]
    if n == 1:  # a second input that is constant 0 never reaches the upper half of the table
        fanin = np.concatenate([fanin, np.zeros_like(fanin)])
    nibbles = np.right_shift(words[:, None, :], np.arange(0, 64, 4, dtype=np.uint64)[:, None]) & np.uint64(15)
    functions = nibbles.reshape(-1, len(luts))[: max(1, (1 << n) // 4)].astype(np.int64)
    return _LutGroup(netlist.first_lut_net + luts, fanin, functions)


def _blocks(netlist: Netlist, codes: Codes) -> Iterator[tuple[slice, WordArray]]:
    """Evaluate blocks of samples; yield their rows and uint64 (nets, words), valid until the next block."""
    groups = _groups(netlist)
    words = min(max(1, VALUE_WORDS // netlist.nets), MAX_BLOCK_WORDS, -(-len(codes) // SAMPLES_PER_WORD))
    values = np.zeros((netlist.nets, words), np.uint64)
    values[CONST1] = ALL_ONES
    for start in range(0, len(codes), max(1, words) * SAMPLES_PER_WORD):
        rows = slice(start, min(start + words * SAMPLES_PER_WORD, len(codes)))
        used = values[:, : -(-(rows.stop - start) // SAMPLES_PER_WORD)]
        _compare(netlist, codes[rows], used[FIRST_NET : netlist.first_lut_net])
        for group in groups:
            _evaluate(group, used)
        yield rows, used


def _compare(netlist: Netlist, codes: Codes, out: WordArray) -> None:
    """Write the comparators' values, uint64 (C, words), for codes (samples, features)."""
    small = np.min_scalar_type(-1 - netlist.input.highest if netlist.input.signed else netlist.input.highest)
    by_feature = np.ascontiguousarray(codes.T, dtype=small)
    thresholds = netlist.compare_threshold.astype(small)
    feature, bit = netlist.input.features_and_bits(netlist.compare_feature)
    step = max(1, SCRATCH_WORDS * 8 // max(1, by_feature[:1].nbytes * 2))
    for start in range(0, netlist.comparators, step):
        some = slice(start, start + step)
        out[some] = pack(_values(by_feature[feature[some]], bit[some, None]) >= thresholds[some, None])


def _values(codes: Codes, bits: IndexArray) -> Codes:
    """Codes, or where `bits` is from 0 on that bit of them; both of one shape in the end."""
    if not bool((bits >= 0).any()):
        return codes
    return np.where(bits < 0, codes, codes >> np.maximum(bits, 0).astype(codes.dtype) & codes.dtype.type(1))


def _evaluate(group: _LutGroup, values: WordArray) -> None:
    """Write the values of the group's LUTs into `values`, uint64 (nets, words)."""
    words = values.shape[1]
    step = max(1, SCRATCH_WORDS // ((16 + len(group.functions)) * words))
    for start in range(0, len(group.nets), step):
        some = slice(start, start + step)
        values[group.nets[some]] = _lookup(values, group.fanin[:, some], group.functions[:, some])


def _lookup(values: WordArray, fanin: IntArray, functions: IndexArray) -> WordArray:
    """uint64 (B, words): the outputs of B LUTs; `fanin` and `functions` as in `_LutGroup`."""
    inputs = values.take(fanin, axis=0, mode="clip")
    luts = fanin.shape[1]
    choices = _two_input_functions(inputs[0], inputs[1]).reshape(16 * luts, -1)
    selected = choices.take(functions * luts + np.arange(luts), axis=0, mode="clip")
    for select in inputs[:1:-1]:
        low, high = np.split(selected, 2)
        high ^= low
        high &= select
        low ^= high
        selected = low
    return selected[0]  # type: ignore[no-any-return]


def _two_input_functions(a: WordArray, b: WordArray) -> WordArray:
    """uint64 (16, *a.shape): all functions of two bits; bit a + 2*b of the first index is the function's value."""
    result = np.empty((16, *a.shape), np.uint64)
    result[0b0000] = 0
    result[0b1010] = a
    result[0b1100] = b
    np.bitwise_and(a, b, out=result[0b1000])
    np.bitwise_or(a, b, out=result[0b1110])
    np.bitwise_xor(a, b, out=result[0b0110])
    np.bitwise_xor(a, result[0b1000], out=result[0b0010])
    np.bitwise_xor(b, result[0b1000], out=result[0b0100])
    for function in (0b0000, 0b1010, 0b1100, 0b1000, 0b1110, 0b0110, 0b0010, 0b0100):
        np.invert(result[function], out=result[0b1111 - function])
    return result


def _scores(head: Head, values: WordArray, samples: int) -> npt.NDArray[np.int64]:
    """int64 (samples, classes)."""
    scores = np.zeros((head.classes, samples), np.int64)
    for score, first, last in zip(scores, head.offsets[:-1], head.offsets[1:], strict=True):
        for weight, plane in enumerate(_count(values[head.nets[first:last]])):
            score += np.left_shift(unpack(plane[None], samples)[0], weight, dtype=np.int64)
    return scores.T


def _count(rows: WordArray) -> Iterator[WordArray]:
    """Yield the binary digits, least significant first, of the number of ones in each bit position of (G, words)."""
    while len(rows):
        carries = []
        while len(rows) >= 3:
            third = len(rows) // 3
            a, b, c = rows[:third], rows[third : 2 * third], rows[2 * third : 3 * third]
            half = a ^ b
            carries.append(a & b | half & c)
            rows = np.concatenate([half ^ c, rows[3 * third :]])
        if len(rows) == 2:
            carries.append(rows[:1] & rows[1:])
            rows = rows[:1] ^ rows[1:]
        yield rows[0]
        rows = np.concatenate([rows[:0], *carries])
