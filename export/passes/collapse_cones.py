"""Absorb small LUTs into all that read them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from difflut.export.circuit import tables as tt
from difflut.export.circuit.netlist import CONST0, Netlist
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.passes.rewriter import Rewriter, Rewritten, RowArray

# LUTs with more readers are not looked at: they hardly ever fit into all of them.
MAX_READERS = 8
BLOCK_ROWS = 1 << 14
_UNKNOWN, _TOO_MANY = 0, 127
_MIX = 0x9E3779B1

SizeArray = npt.NDArray[np.int8]


def collapse_cones(netlist: Netlist, family: Family = GENERIC) -> Rewritten:
    """Drop LUTs that fit into each of their readers: no reader then has more inputs than before or than a LUT offers.

    Exact: a reader's table takes in that of the LUT. The head absorbs nothing, so what it reads stays. A fan-out-free
    cone whose inputs fit becomes one LUT. Of LUTs that exclude each other those that add the fewest inputs go first; in
    one round a LUT absorbs at most one other, and the rounds end when nothing fits any more.
    """
    cones = _Cones(netlist, family.lut_inputs)
    while cones.collapse():
        pass
    return cones.rewriter.finish()


class _Cones:
    """The state between rounds; `size[b, i]` is how many inputs LUT b has once it has absorbed the LUT at input i."""

    def __init__(self, netlist: Netlist, lut_inputs: int) -> None:
        self.rewriter = Rewriter(netlist)
        fanin, tables = self.rewriter.fanin, self.rewriter.tables
        for i in range(self.rewriter.k):  # net 0 is to mean an unused input, and nothing else
            rows = np.flatnonzero((fanin[:, i] == CONST0) & tt.depends(tables, i))
            tables[rows] = tt.cofactor(tables[rows], i, 0)
        self.limit = min(lut_inputs, self.rewriter.k)
        self.alive = np.ones(netlist.luts, np.bool_)
        self.size: SizeArray = np.full(fanin.shape, _UNKNOWN, np.int8)

    def collapse(self) -> bool:
        """One round; whether anything was absorbed."""
        readers, positions, sources = self._edges()
        score = self._scores(readers, positions, sources)
        # A LUT is absorbed if it comes before its readers, all that these read, and all that it reads itself.
        best = score.copy()
        np.maximum.at(best, readers, score[sources])
        chosen = (score > 0) & (best == score)
        chosen[sources[best[readers] != score[sources]]] = False
        edges = np.flatnonzero(chosen[sources])
        for at in range(0, len(edges), BLOCK_ROWS):
            some = edges[at : at + BLOCK_ROWS]
            self._absorb(readers[some], positions[some], sources[some])
        self.alive &= ~chosen
        self.rewriter.drop(np.flatnonzero(chosen))
        changed = np.zeros(self.rewriter.netlist.nets, np.bool_)
        changed[self.rewriter.netlist.first_lut_net + readers[edges]] = True
        self.size[changed[self.rewriter.netlist.first_lut_net :]] = _UNKNOWN
        self.size[changed[self.rewriter.fanin]] = _UNKNOWN
        return len(edges) > 0

    def _edges(self) -> tuple[RowArray, RowArray, RowArray]:
        """Who reads, at which input, which LUT: of LUTs that have few readers, the head not among them."""
        first = self.rewriter.netlist.first_lut_net
        fanin = self.rewriter.fanin
        readers, positions = np.nonzero((fanin >= first) & self.alive[:, None])
        sources = fanin[readers, positions].astype(np.int64) - first
        fits = np.bincount(sources, minlength=len(fanin)) <= MAX_READERS
        fits &= ~self.rewriter.in_head[first:]
        few = fits[sources]
        return readers[few], positions[few], sources[few]

    def _scores(self, readers: RowArray, positions: RowArray, sources: RowArray) -> npt.NDArray[np.int64]:
        """int64 (L,): 0 for a LUT that does not fit; else the larger, the fewer inputs it adds; no two alike."""
        unknown = np.flatnonzero(self.size[readers, positions] == _UNKNOWN)
        for at in range(0, len(unknown), BLOCK_ROWS):
            some = unknown[at : at + BLOCK_ROWS]
            self.size[readers[some], positions[some]] = self._united(readers[some], sources[some])
        size = self.size[readers, positions].astype(np.int64)
        luts = len(self.alive)
        fits = np.zeros(luts, np.bool_)
        fits[sources] = True
        fits[sources[size == _TOO_MANY]] = False
        inputs = (self.rewriter.fanin != CONST0).sum(axis=1)
        added = np.bincount(sources, weights=size - inputs[readers], minlength=luts).astype(np.int64)
        added = np.clip(added, -MAX_READERS * self.rewriter.k, None)
        spread = np.arange(luts, dtype=np.int64) * _MIX & 0xFFFF_FFFF  # neighbours in a chain must not queue up
        result: npt.NDArray[np.int64] = np.where(fits, (256 - added) << 32 | spread, 0)
        return result

    def _united(self, readers: RowArray, sources: RowArray) -> SizeArray:
        own, added = self.rewriter.fanin[readers], self.rewriter.fanin[sources]
        inputs = (own != CONST0).sum(axis=1)
        count = inputs - 1
        for i in range(self.rewriter.k):
            net = added[:, i : i + 1]
            new = (net[:, 0] != CONST0) & (own != net).all(axis=1)
            count += new & (added[:, :i] != net).all(axis=1)
        source = self.rewriter.netlist.first_lut_net + sources[:, None]
        twice = (own == source).sum(axis=1) > 1
        return np.where(twice | (count > np.maximum(self.limit, inputs)), _TOO_MANY, count).astype(np.int8)

    def _absorb(self, readers: RowArray, positions: RowArray, sources: RowArray) -> None:
        """Put the tables of `sources` into those of `readers`, which are distinct, at their inputs `positions`."""
        fanin, tables = self.rewriter.fanin[readers], self.rewriter.tables[readers]
        rows, k = np.arange(len(readers)), self.rewriter.k
        high, low = np.empty_like(tables), np.empty_like(tables)
        for i in range(k):
            some = positions == i
            high[some], low[some] = tt.cofactor(tables[some], i, 1), tt.cofactor(tables[some], i, 0)
        fanin[rows, positions] = CONST0
        slots = np.zeros((len(readers), k), np.int64)
        for i in range(k):
            net = self.rewriter.fanin[sources, i]
            present = fanin == net[:, None]
            slots[:, i] = np.where(present.any(axis=1), present.argmax(axis=1), (fanin == CONST0).argmax(axis=1))
            used = net != CONST0
            fanin[rows[used], slots[used, i]] = net[used]
        inner = tt.rearranged(self.rewriter.tables[sources], slots)
        tables = low ^ (inner & (low ^ high))
        fanin[~tt.support(tables)] = CONST0
        self.rewriter.fanin[readers], self.rewriter.tables[readers] = fanin, tables
