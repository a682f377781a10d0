"""What passes that rewrite LUTs share: the LUTs as two matrices, and the bookkeeping of which net replaces which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit import tables as tt
from difflut.export.circuit.analysis import levels
from difflut.export.circuit.bits import WordArray
from difflut.export.circuit.netlist import CONST0, FIRST_NET, IntArray, Netlist
from difflut.export.errors import NetlistError

RowArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rewritten:
    """The result of a pass, with what is needed to prove it net by net.

    Attributes:
        netlist: the new netlist.
        source: int32 (netlist.nets,): the net of the old netlist that each net of the new one equals for every input
            code; -1 for a net that the pass invented.
        inverted: bool (netlist.nets,): where the new net is the complement of that old net.
    """

    netlist: Netlist
    source: IntArray
    inverted: BoolArray


def unchanged(netlist: Netlist) -> Rewritten:
    """The result of a pass that found nothing to do."""
    return Rewritten(netlist, np.arange(netlist.nets, dtype=np.int32), np.zeros(netlist.nets, np.bool_))


class Rewriter:
    """A netlist taken apart: a pass edits the matrices and replaces nets, `finish` puts it together again.

    Every LUT is written as a function of K inputs, K = 6 or the largest number of inputs in the netlist. An input that
    a LUT does not use reads net 0, and its table ignores it.

    A pass that replaces nets visits the LUTs level by level and calls `update` for each level first: the rows then
    read nets that stay, and the tables have absorbed the complements.

    Attributes:
        fanin: int32 (L, K), may be edited.
        tables: uint64 (L, W) in the wide form of `difflut.export.circuit.tables`, may be edited.
        layer, node: int32 (L,), the origin of each LUT, may be edited.
        in_head: bool (nets,), whether the head reads a net.
    """

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        inputs = netlist.lut_inputs
        k = max(tt.WORD_INPUTS, int(inputs.max(initial=0)))
        self.fanin: IntArray = np.full((netlist.luts, k), CONST0, np.int32)
        self.fanin[np.arange(k) < inputs[:, None]] = netlist.lut_fanin
        self.tables: WordArray = tt.wide(netlist.lut_tables, inputs, k)
        self.layer, self.node = netlist.lut_layer.copy(), netlist.lut_node.copy()
        self.in_head = np.zeros(netlist.nets, np.bool_)
        self.in_head[netlist.head.nets] = True
        self._replacement = np.arange(netlist.nets, dtype=np.int32)
        self._inverted = np.zeros(netlist.nets, np.bool_)
        self._for_head: IntArray = np.full(netlist.nets, -1, np.int32)
        self._updated = np.zeros(netlist.luts, np.bool_)
        self._complemented = np.zeros(netlist.luts, np.bool_)
        self._before = self.fanin.copy(), self.tables.copy()

    @property
    def k(self) -> int:
        """The number of inputs of every row."""
        return int(self.fanin.shape[1])

    def by_level(self) -> Iterator[RowArray]:
        """The LUTs of each level, int64, ascending; no LUT of a level reads another of it."""
        level = levels(self.netlist)[self.netlist.comparators :]
        order = np.argsort(level, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(level[order])) + 1):
            if len(rows):
                yield rows

    def update(self, rows: RowArray) -> None:
        """Make LUTs, whose fan-ins are settled, read the replacements of the nets that they read. Once for each LUT."""
        nets = self.fanin[rows]
        inverted = self._inverted[nets]
        self.fanin[rows] = self._replacement[nets]
        for i in np.flatnonzero(inverted.any(axis=0)).tolist():
            some = rows[inverted[:, i]]
            self.tables[some] = tt.flip(self.tables[some], i)
        self._updated[rows] = True

    def replace(self, luts: RowArray, nets: npt.ArrayLike, inverted: npt.ArrayLike = False) -> None:
        """From now on, whoever reads the nets of `luts` reads `nets` (complemented where `inverted`) instead.

        The replacing nets must be smaller and settled. A LUT whose complement replaces it stays where the head reads
        it, as only a LUT can absorb a complement.
        """
        own = self.netlist.first_lut_net + luts
        self._replacement[own] = nets
        self._inverted[own] = inverted

    def replace_in_head(self, luts: RowArray, nets: npt.ArrayLike) -> None:
        """Let the head read `nets` instead of those of `luts`; by default it follows `replace` if not complemented."""
        self._for_head[self.netlist.first_lut_net + luts] = nets

    def complement(self, luts: RowArray) -> None:
        """Let LUTs that the head does not read compute the complement; readers absorb it."""
        self.tables[luts] = ~self.tables[luts]
        self._complemented[luts] = True
        self._inverted[self.netlist.first_lut_net + luts] ^= True

    def drop(self, luts: RowArray) -> None:
        """Leave out LUTs that neither a LUT that stays nor the head reads any more."""
        self._replacement[self.netlist.first_lut_net + luts] = CONST0

    def finish(self) -> Rewritten:
        """Put the netlist together; `unchanged` if nothing was edited."""
        netlist = self.netlist
        first = netlist.first_lut_net
        self.update(np.flatnonzero(~self._updated))
        own = np.arange(netlist.nets, dtype=np.int32)
        if (self.in_head[first:] & self._complemented).any():
            raise NetlistError("a pass complemented a LUT that the head reads; this is a bug of the pass")
        in_head = np.where(self._inverted, own, self._replacement)
        in_head = np.where(self._for_head >= 0, self._for_head, in_head)[netlist.head.nets]
        keep = self._replacement == own
        keep[in_head] = True
        keep = keep[FIRST_NET:]
        same_head = np.array_equal(in_head, netlist.head.nets)
        fanin_before, tables_before = self._before
        same_luts = np.array_equal(fanin_before, self.fanin) and np.array_equal(tables_before, self.tables)
        if keep.all() and same_head and same_luts:
            return unchanged(netlist)

        lut = np.flatnonzero(keep[netlist.comparators :])
        used = self.fanin[lut] != CONST0
        used |= tt.support(self.tables[lut])
        fanin, tables, inputs = _compacted(self.fanin[lut], self.tables[lut], used)
        renumbered = np.full(netlist.nets, -1, np.int32)
        old = np.concatenate([np.arange(FIRST_NET), FIRST_NET + np.flatnonzero(keep)]).astype(np.int32)
        renumbered[old] = np.arange(len(old))
        result = netlist.with_(
            compare_feature=netlist.compare_feature[keep[: netlist.comparators]],
            compare_threshold=netlist.compare_threshold[keep[: netlist.comparators]],
            lut_offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(inputs, dtype=np.int64)]),
            lut_fanin=renumbered[fanin[np.arange(self.k) < inputs[:, None]]],
            lut_tables=tt.narrow(tables, inputs),
            stage=netlist.stage[keep],
            lut_layer=self.layer[lut],
            lut_node=self.node[lut],
            head=replace(netlist.head, nets=renumbered[in_head]),
        )
        inverted = np.zeros(netlist.nets, np.bool_)
        inverted[first:] = self._complemented
        return Rewritten(result, old, inverted[old])


def _compacted(fanin: IntArray, tables: WordArray, used: BoolArray) -> tuple[IntArray, WordArray, npt.NDArray[Any]]:
    """Move the used inputs to the front, in their order; also int64 (L,), how many there are, at least 1."""
    k = fanin.shape[1]
    inputs = np.maximum(used.sum(axis=1), 1)
    holes = np.flatnonzero((~used[:, :-1] & used[:, 1:]).any(axis=1))
    sub_fanin, sub_tables, sub_used = fanin[holes], tables[holes], used[holes]
    for low in range(k - 1):
        for high in range(low + 1, k):
            rows = np.flatnonzero(~sub_used[:, low] & sub_used[:, high])
            if len(rows) == 0:
                continue
            sub_fanin[rows, low], sub_fanin[rows, high] = sub_fanin[rows, high], CONST0
            sub_tables[rows] = tt.swap(sub_tables[rows], low, high)
            sub_used[rows, low], sub_used[rows, high] = True, False
    fanin[holes], tables[holes] = sub_fanin, sub_tables
    return fanin, tables, inputs
