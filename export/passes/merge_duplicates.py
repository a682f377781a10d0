"""Build equal and complementary functions once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from difflut.export.circuit import tables as tt
from difflut.export.circuit.bits import WordArray
from difflut.export.circuit.netlist import CONST0, IntArray, Netlist
from difflut.export.passes.rewriter import BoolArray, Rewriter, Rewritten, RowArray


def merge_duplicates(netlist: Netlist) -> Rewritten:
    """Merge LUTs of one pipeline stage that compute the same function of the same nets, or complements of it.

    Exact. LUTs are compared in a canonical form: inputs sorted by net, the table permuted with them, and complemented
    if its bit 0 is 1. The first LUT of a class replaces the others, readers absorb complements. The head cannot: if it
    reads another LUT of the class and not the first, the first takes that LUT's polarity; if it reads both
    polarities, one LUT of each stays. One sweep suffices, as fan-ins are merged before their readers are compared.
    """
    rewriter = Rewriter(netlist)
    stage = netlist.stage[netlist.comparators :]
    for rows in rewriter.by_level():
        rewriter.update(rows)
        nets, words, complemented = canonical(rewriter.fanin[rows], rewriter.tables[rows])
        key = np.column_stack([nets.astype(np.uint64), words, stage[rows].astype(np.uint64)])
        leader = first_equal(key)
        _merge(rewriter, rows, leader, complemented)
    return rewriter.finish()


def _merge(rewriter: Rewriter, rows: RowArray, leader: RowArray, complemented: BoolArray) -> None:
    """Replace each of `rows` by its leader, both given as positions in `rows`."""
    in_head = rewriter.in_head[rewriter.netlist.first_lut_net + rows]
    opposite = complemented != complemented[leader]
    # Leaders that the head does not read, of which it reads a complement: the first such member gives them its
    # polarity.
    wanted = np.flatnonzero(in_head & opposite & ~in_head[leader])
    turned, which = np.unique(leader[wanted], return_index=True)
    same = np.zeros(len(rows), np.bool_)
    same[leader[in_head & ~opposite]] = True
    turned, which = turned[~same[turned]], wanted[which[~same[turned]]]
    rewriter.layer[rows[turned]], rewriter.node[rows[turned]] = (
        rewriter.layer[rows[which]],
        rewriter.node[rows[which]],
    )
    flipped = np.zeros(len(rows), np.bool_)
    flipped[turned] = True
    rewriter.complement(rows[turned])

    inverted = opposite ^ flipped[leader]
    others = np.flatnonzero(leader != np.arange(len(rows)))
    own = rewriter.netlist.first_lut_net + rows
    rewriter.replace(rows[others], own[leader[others]], inverted[others])

    # Complements that the head reads: the first of a class stays for all of them.
    stay = np.flatnonzero(in_head & inverted & ~flipped)
    _, first, which = np.unique(leader[stay], return_index=True, return_inverse=True)
    rewriter.replace_in_head(rows[stay], own[stay[first]][which])


def canonical(fanin: IntArray, tables: WordArray) -> tuple[IntArray, WordArray, BoolArray]:
    """Fan-ins ascending, unused inputs (net 0) last, tables permuted alike and 0 at address 0; bool (B,):
    complemented.
    """
    last = np.iinfo(np.int32).max
    nets = np.where(fanin == CONST0, last, fanin)
    words = tables.copy()
    k = nets.shape[1]
    for start in range(k):  # odd-even transposition sort: k rounds of neighbours
        for i, j in pairwise(range(k)):
            if (i + start) % 2:
                continue
            rows = np.flatnonzero(nets[:, i] > nets[:, j])
            if len(rows):
                nets[rows, i], nets[rows, j] = nets[rows, j], nets[rows, i]
                words[rows] = tt.swap(words[rows], i, j)
    complemented = words[:, 0] & np.uint64(1) != 0
    words[complemented] = ~words[complemented]
    return nets, words, complemented


def first_equal(rows: npt.NDArray[np.uint64]) -> RowArray:
    """int64 (B,): the position of the first row that equals each row of uint64 (B, columns).

    Rows are grouped by a hash and compared with their neighbour in full: a collision costs a merger, never exactness.
    """
    hashed = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        hashed = (hashed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        hashed ^= hashed >> np.uint64(29)
    order = np.argsort(hashed, kind="stable")
    starts = np.ones(len(rows), np.bool_)
    starts[1:] = (rows[order[1:]] != rows[order[:-1]]).any(axis=1)
    leader = np.empty(len(rows), np.int64)
    leader[order] = order[starts][np.cumsum(starts) - 1]
    return leader
