"""A netlist as a program of `kernel.c`: nodes by level and kind, and a row of memory for a value while it is needed.

A node of one or two inputs is one of 16 functions. A table of n >= 3 inputs is, by its algebraic normal form in inputs
2 to n-1, 2^(n-2) functions of inputs 0 and 1: f = low ^ x & high, for every input x from the last one down. That takes
two operations where a multiplexer takes three, and one on machines with operations of three inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.netlist import FIRST_NET, Head, InputFormat, Netlist

# Kinds of runs, as in kernel.c.
LOOKUP, COUNT = 13, 22
# Elements behind the operands that the kernel may read, to fetch the rows of nodes to come.
OPERANDS_BEHIND = 128
# Nodes that only a score reads are computed just before it, about so many at a time.
SECTION = 256

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Program:
    """What the kernel reads. Row 0 is constant 0, row 1 constant 1.

    Attributes:
        input: the codes.
        dtype: of the codes that the kernel takes: little-endian integers of 1, 2 or 4 bytes.
        rows: rows of memory.
        compare_byte: int32 (C,), the first byte of the code that is compared, ascending.
        compare_row: int32 (C,), the row that a comparison gives.
        compare_threshold: uint32 (C,), what it compares with, of codes whose sign is flipped.
        run_kind: int32 (R,), of each run of nodes that do not read each other the function, bit a + 2 * b being its
            value, or `LOOKUP` + n of tables of n inputs; `COUNT` of what gives the binary digits of a score.
        run_count: int32 (R,), its nodes, or what a score counts.
        operands: int32, of each node the row that it writes and the rows that it reads; of a score the row of its
            lowest digit, others follow.
        leaves: uint8, of each table of n inputs 2^(n-2) functions of two bits, times 8.
        tables: uint8, of each table of n inputs its 2^n bits.
        score_row, score_digits: int32 (S,), where the digits of a score are, and how many.
        decision_sizes, decision_places: int32 (D,): among how many scores each decision is taken, and its bit in the
            class word.
    """

    input: InputFormat
    dtype: np.dtype[np.integer]
    rows: int
    compare_byte: Ints
    compare_row: Ints
    compare_threshold: npt.NDArray[np.uint32]
    run_kind: Ints
    run_count: Ints
    operands: Ints
    leaves: Octets
    tables: Octets
    score_row: Ints
    score_digits: Ints
    decision_sizes: Ints
    decision_places: Ints

    @property
    def sign(self) -> int:
        """What the highest byte of a code is flipped by."""
        return 0x80 if self.input.signed else 0


def code_dtype(form: InputFormat) -> np.dtype[np.integer]:
    """The smallest type of 1, 2 or 4 bytes that has all codes."""
    octets = next(octets for octets in (1, 2, 4) if form.width_bits <= 8 * octets)
    return np.dtype(f"<{'i' if form.signed else 'u'}{octets}")


def bits_as_features(netlist: Netlist) -> tuple[Netlist, Longs]:
    """The netlist with the bits of codes that it compares as further features, and their numbers, int64."""
    features = netlist.input.features
    of_bit = netlist.compare_feature >= features
    bits, place = np.unique(netlist.compare_feature[of_bit].astype(np.int64), return_inverse=True)
    if not len(bits):
        return netlist, bits
    compared = netlist.compare_feature.copy()
    compared[of_bit] = features + place
    return netlist.with_(input=replace(netlist.input, features=features + len(bits)), compare_feature=compared), bits


def program_of(netlist: Netlist) -> Program:
    """The program of a netlist that `difflut.export.circuit.rules.check` accepts and that compares no bits of codes."""
    dtype, head = code_dtype(netlist.input), netlist.head
    when, counted = _times(netlist)
    row, rows = _rows(netlist, when, counted)
    digits = np.frexp(np.diff(head.offsets))[1].astype(np.int32)
    score_row = (rows + np.cumsum(digits) - digits).astype(np.int32)
    runs = sorted([*_lookups(netlist, when, row), *_counts(head, counted, row, score_row)], key=lambda run: run.order)
    by_feature = np.argsort(netlist.compare_feature, kind="stable")
    decided = head.decisions > 1
    return Program(
        input=netlist.input,
        dtype=dtype,
        rows=rows + int(digits.sum()),
        compare_byte=netlist.compare_feature[by_feature] * np.int32(dtype.itemsize),
        compare_row=row[FIRST_NET : netlist.first_lut_net][by_feature],
        compare_threshold=_flipped(netlist.compare_threshold[by_feature], dtype),
        run_kind=np.array([run.order[1] for run in runs], np.int32),
        run_count=np.array([run.length for run in runs], np.int32),
        operands=np.concatenate([*(run.operands for run in runs), np.zeros(OPERANDS_BEHIND, np.int32)]),
        leaves=np.concatenate([run.leaves for run in runs]),
        tables=np.concatenate([run.tables for run in runs]),
        score_row=score_row,
        score_digits=digits,
        decision_sizes=head.decisions,
        decision_places=np.where(decided, (np.cumsum(decided) - 1) * head.class_width_bits, 0).astype(np.int32),
    )


class _Run(NamedTuple):
    """Nodes of one kind, or a score.

    Attributes:
        order: when it is computed, and its kind.
        length, operands, leaves, tables: as in `Program`.
    """

    order: tuple[int, int]
    length: int
    operands: Ints
    leaves: Octets = np.zeros(0, np.uint8)
    tables: Octets = np.zeros(0, np.uint8)


def _flipped(thresholds: Ints, dtype: np.dtype[np.integer]) -> npt.NDArray[np.uint32]:
    lowest = np.iinfo(dtype).min
    return (thresholds.astype(np.int64) - lowest).astype(np.uint32)


def _times(netlist: Netlist) -> tuple[Ints, Ints]:
    """When each LUT, int32 (L,), and each score, int32 (S,), is computed: level after level, then score after score
    with the LUTs that it alone reads.
    """
    head, luts = netlist.head, slice(netlist.first_lut_net, None)
    when = levels(netlist)[netlist.comparators :].copy()
    score = np.repeat(np.arange(head.classes), np.diff(head.offsets))
    first, last = np.full(netlist.nets, head.classes), np.full(netlist.nets, -1)
    np.minimum.at(first, head.nets, score)
    np.maximum.at(last, head.nets, score)
    first[netlist.lut_fanin] = -2  # a LUT reads it
    alone = np.flatnonzero((first == last)[luts])
    before = np.cumsum(np.bincount(first[luts][alone], minlength=head.classes))
    counted = (int(when.max(initial=0)) + 1 + before // SECTION).astype(np.int32)
    when[alone] = counted[first[luts][alone]]
    return when, counted


def _rows(netlist: Netlist, when: Ints, counted: Ints) -> tuple[Ints, int]:
    """The row of each net, int32 (nets,), and how many there are: a row is written again once it was read last."""
    last = np.zeros(netlist.nets, np.int32)
    last[netlist.first_lut_net :] = when
    np.maximum.at(last, netlist.lut_fanin, np.repeat(when, netlist.lut_inputs))
    np.maximum.at(last, netlist.head.nets, np.repeat(counted, np.diff(netlist.head.offsets)))
    end = int(counted[-1]) + 1
    last[:FIRST_NET] = end
    row = np.zeros(netlist.nets, np.int32)
    row[: netlist.first_lut_net] = np.arange(netlist.first_lut_net)
    rows, free = netlist.first_lut_net, np.zeros(0, np.int32)
    by_last, by_time = np.argsort(last, kind="stable"), np.argsort(when, kind="stable")
    dead = np.searchsorted(last[by_last], np.arange(end + 1))
    made = np.searchsorted(when[by_time], np.arange(end + 1))
    for now in range(end):
        nets = netlist.first_lut_net + by_time[made[now] : made[now + 1]]
        fresh = max(0, len(nets) - len(free))
        row[nets] = np.concatenate([free[: len(nets)], np.arange(rows, rows + fresh, dtype=np.int32)])
        rows += fresh
        free = np.concatenate([free[len(nets) :], row[by_last[dead[now] : dead[now + 1]]]])
    return row, rows


def _counts(head: Head, counted: Ints, row: Ints, score_row: Ints) -> Iterator[_Run]:
    """The scores."""
    for score, (first, last) in enumerate(pairwise(head.offsets.tolist())):
        operands = np.concatenate([score_row[score : score + 1], row[head.nets[first:last]]])
        yield _Run((int(counted[score]), COUNT), last - first, operands)


def _lookups(netlist: Netlist, when: Ints, row: Ints) -> Iterator[_Run]:
    """The LUTs."""
    inputs = netlist.lut_inputs
    words = netlist.lut_tables[netlist.table_offsets[:-1]]
    of_one = (words & np.uint64(3)) * np.uint64(5)  # whatever the second input is
    function = np.where(inputs == 1, of_one, words & np.uint64(15)).astype(np.int32)
    kind = np.where(inputs <= 2, function, LOOKUP + inputs).astype(np.int32)
    order = np.lexsort((kind, when))
    cuts = np.flatnonzero(np.diff(when[order]) | np.diff(kind[order])) + 1
    for luts in np.split(order, cuts) if len(order) else []:
        yield _Run((int(when[luts[0]]), int(kind[luts[0]])), len(luts), *_nodes(netlist, luts, row))


def _nodes(netlist: Netlist, luts: Longs, row: Ints) -> tuple[Ints, Octets, Octets]:
    """Operands, leaves and tables of LUTs of one kind."""
    inputs, first = netlist.lut_inputs[luts], netlist.lut_offsets[luts]
    n = max(2, int(inputs.max()))
    # Of a function of one input the second is any that is there.
    places = np.minimum(np.arange(n), inputs[:, None] - 1) if n == 2 else np.arange(n)
    read = row[netlist.lut_fanin[first[:, None] + places]]
    operands = np.column_stack([row[netlist.first_lut_net + luts], read]).reshape(-1)
    if n == 2:
        return operands, np.zeros(0, np.uint8), np.zeros(0, np.uint8)
    words = netlist.lut_tables[netlist.table_offsets[luts][:, None] + np.arange(max(1, (1 << n) // 64))]
    tables = np.ascontiguousarray(words.astype("<u8", copy=False).view(np.uint8)[:, : (1 << n) // 8])
    leaves = np.stack([tables & 15, tables >> 4], axis=2).reshape(len(luts), -1)
    for place in range(n - 2):
        low_and_high = leaves.reshape(len(luts), -1, 2, 1 << place)
        low_and_high[:, :, 1] ^= low_and_high[:, :, 0]
    return operands, (leaves * np.uint8(8)).reshape(-1), tables.reshape(-1)
