"""Cover networks of small nodes, as of two-input gates, with LUTs of the target."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from difflut.export.circuit import tables as tt
from difflut.export.circuit.analysis import levels
from difflut.export.circuit.bits import WordArray
from difflut.export.circuit.netlist import CONST0, CONST1, FIRST_NET, IntArray, Netlist
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.passes.collapse_cones import collapse_cones
from difflut.export.passes.rewriter import BoolArray, Rewriter, Rewritten, RowArray, unchanged

CUTS = 8  # kept of each node
MERGED = 32  # kept while those of a third and further inputs are added
FLOW_ROUNDS = 2
AREA_ROUNDS = 2
# Tables of so many nodes of cones are computed at once.
BLOCK_ROWS = 1 << 16

Cut = frozenset[int]


def map_luts(netlist: Netlist, family: Family = GENERIC) -> Rewritten:
    """Replace the LUTs by cones of them, each of at most as many inputs as a LUT of the target has.

    Exact: a LUT gets the table that its cone computes. Priority cuts (A. Mishchenko et al., "Combinational and
    sequential mapping with priority cuts", ICCAD 2007): the least depth first, then area flow and exact local area
    within that depth. Logic may be duplicated. Where `collapse_cones` alone leaves fewer LUTs, and where most nodes are
    so wide that no cone of several fits, nothing is changed; nor where two small LUTs share one of the target, as wide
    cones share none.
    """
    if family.dual_output:
        return unchanged(netlist)
    small = netlist.lut_inputs * 2 <= family.lut_inputs
    if 2 * np.count_nonzero(small) < netlist.luts or netlist.luts == 0:
        return unchanged(netlist)
    mapped = _Cover(netlist, family.lut_inputs).mapped()
    left = [collapse_cones(one, family).netlist for one in (mapped.netlist, netlist)]
    sizes = [(one.luts, int(levels(one).max(initial=0))) for one in left]
    return mapped if sizes[0] < sizes[1] else unchanged(netlist)


class _Cover:
    """The state of a mapping, by net; a net that no LUT drives has the arrival 0 and no cut but itself.

    Attributes:
        best: the cut chosen for each net.
        cuts: the cuts that are kept of each net, without the one that is the net itself.
        arrival: levels of LUTs up to a net.
        required: the arrival that must not be exceeded.
        readers: how many LUTs of the cover, and outputs, read a net.
    """

    def __init__(self, netlist: Netlist, lut_inputs: int) -> None:
        self.netlist = netlist
        self.k = lut_inputs
        self.first = netlist.first_lut_net
        starts, fanin = netlist.lut_offsets.tolist(), netlist.lut_fanin.tolist()
        self.fanin = [frozenset(fanin[low:high]) - {0, 1} for low, high in pairwise(starts)]
        nets = netlist.nets
        self.outputs = sorted({net for net in netlist.head.nets.tolist() if net >= self.first})
        self.best: list[Cut] = [frozenset()] * nets
        self.cuts: list[list[Cut]] = [[] for _ in range(nets)]
        self.arrival = [0] * nets
        self.required = [nets] * nets
        self.flow = [0.0] * nets
        counted = np.bincount(netlist.lut_fanin, minlength=nets) + np.bincount(netlist.head.nets, minlength=nets)
        self.weight = np.maximum(counted, 1).astype(np.float64).tolist()
        self.readers = [0] * nets
        self.depth = 0

    def mapped(self) -> Rewritten:
        """Choose the cuts, and put the netlist together."""
        self._enumerate(by_depth=True)
        self.depth = max((self.arrival[net] for net in self.outputs), default=0)
        for number in range(FLOW_ROUNDS):
            self._count()
            if number:
                self.weight = [(old + 2 * max(1, new)) / 3 for old, new in zip(self.weight, self.readers, strict=True)]
            self._enumerate(by_depth=False)
        self._count()
        for _ in range(AREA_ROUNDS):
            self._recover_area()
            self._require()
        return self._finish()

    def _enumerate(self, by_depth: bool) -> None:
        """Find the cuts of every node, best first, and choose the best."""
        arrival, flow = self.arrival, self.flow
        arrival_of, flow_of = arrival.__getitem__, flow.__getitem__
        offered: list[list[Cut]] = [[frozenset([net])] for net in range(self.first)]
        for lut, fanin in enumerate(self.fanin):
            net = self.first + lut
            limit = self.required[net] - 1
            ranked: list[tuple[float, float, float, int, Cut]] = []
            for number, cut in enumerate(self._merged(fanin, offered, self.best[net])):
                late, cost = max(map(arrival_of, cut), default=0), sum(map(flow_of, cut))
                rank = (late, cost, len(cut)) if by_depth else (late > limit, cost, late)
                ranked.append((*rank, number, cut))
            ranked.sort()
            kept: list[Cut] = []
            for *_, cut in ranked:
                if not any(map(cut.issuperset, kept)):
                    kept.append(cut)
                    if len(kept) == CUTS:
                        break
            self.cuts[net] = kept
            best = self.best[net] = kept[0]
            arrival[net] = 1 + max(map(arrival_of, best), default=0)
            flow[net] = (1 + ranked[0][1]) / self.weight[net]
            own = frozenset([net])
            offered.append([*kept, own] if len(fanin) <= self.k else [own])

    def _merged(self, fanin: Cut, offered: list[list[Cut]], chosen: Cut) -> set[Cut]:
        """Cuts of a node of cuts of its fan-in: its fan-in itself and the one chosen before among them."""
        k = self.k
        if len(fanin) > k:
            return {fanin}
        found: set[Cut] = {frozenset()}
        for feed in fanin:
            found = {union for one in found for other in offered[feed] if len(union := one | other) <= k}
            if len(found) > MERGED and len(fanin) > 2:
                found = set(sorted(found, key=len)[:MERGED])
        found.add(fanin)
        if chosen:
            found.add(chosen)
        return found

    def _count(self) -> None:
        """Count who reads what in the cover, and what each net's arrival may be."""
        self.readers = [0] * len(self.readers)
        for net in self.outputs:
            self.readers[net] += 1
        for net in range(len(self.readers) - 1, self.first - 1, -1):
            if self.readers[net]:
                for leaf in self.best[net]:
                    self.readers[leaf] += 1
        self._require()

    def _require(self) -> None:
        required = self.required = [len(self.readers)] * len(self.readers)
        for net in self.outputs:
            required[net] = self.depth
        for net in range(len(required) - 1, self.first - 1, -1):
            if self.readers[net]:
                early = required[net] - 1
                for leaf in self.best[net]:
                    required[leaf] = min(required[leaf], early)

    def _recover_area(self) -> None:
        """Choose for each LUT of the cover the cut that adds the fewest LUTs to what others need anyway."""
        arrival = self.arrival
        for net in range(self.first, len(self.readers)):
            if self.readers[net]:
                self._release(self.best[net])
                least: tuple[int, int, float] | None = None
                chosen = self.best[net]
                for cut in self.cuts[net]:
                    late = 1 + max((arrival[leaf] for leaf in cut), default=0)
                    if late > self.required[net] and cut != self.best[net]:
                        continue
                    area = self._take(cut)
                    self._release(cut)
                    rank = (area, late, len(cut))
                    if least is None or rank < least:
                        least, chosen = rank, cut
                self.best[net] = chosen
                self._take(chosen)
            arrival[net] = 1 + max((arrival[leaf] for leaf in self.best[net]), default=0)

    def _take(self, cut: Cut) -> int:
        """Let one more LUT read a cut; the number of LUTs that it and what it needs are."""
        readers, first = self.readers, self.first
        area, todo = 1, [cut]
        while todo:
            for leaf in todo.pop():
                readers[leaf] += 1
                if readers[leaf] == 1 and leaf >= first:
                    area += 1
                    todo.append(self.best[leaf])
        return area

    def _release(self, cut: Cut) -> None:
        """Undo `_take`."""
        readers, first = self.readers, self.first
        todo = [cut]
        while todo:
            for leaf in todo.pop():
                readers[leaf] -= 1
                if readers[leaf] == 0 and leaf >= first:
                    todo.append(self.best[leaf])

    def _finish(self) -> Rewritten:
        rewriter = Rewriter(self.netlist)
        used = np.array(self.readers[self.first :]) > 0
        rows = np.flatnonzero(used)
        leaves = np.full((len(rows), rewriter.k), CONST0, np.int32)
        for place, row in enumerate(rows.tolist()):
            cut = sorted(self.best[self.first + row])
            leaves[place, : len(cut)] = cut
        blocks = [slice(at, at + BLOCK_ROWS) for at in range(0, len(rows), BLOCK_ROWS)]
        tables = [_cone_tables(rewriter, rows[some], leaves[some]) for some in blocks]
        if tables:
            rewriter.tables[rows], rewriter.fanin[rows] = np.concatenate(tables), leaves
        rewriter.drop(np.flatnonzero(~used))
        return rewriter.finish()


def _cone_tables(rewriter: Rewriter, roots: RowArray, leaves: IntArray) -> WordArray:
    """The functions of cones, wide form (B, W), of their leaves int32 (B, K), net 0 where there are fewer.

    A net in a cone is a *place*; the places are sorted by cone, then net.
    """
    nets, first = rewriter.netlist.nets, rewriter.netlist.first_lut_net
    cones = np.arange(len(roots), dtype=np.int64)
    constant = cones[:, None] * nets + np.arange(FIRST_NET)
    leaf = np.unique(np.concatenate([(cones[:, None] * nets + leaves).reshape(-1), constant.reshape(-1)]))
    inner = front = cones * nets + first + roots
    while len(front):
        feeds = np.unique(front[:, None] // nets * nets + rewriter.fanin[front % nets - first])
        front = feeds[~_among(feeds, leaf) & ~_among(feeds, inner)]
        inner = np.union1d(inner, front)
    places = np.union1d(leaf, inner)
    values = np.zeros((len(places), rewriter.tables.shape[1]), np.uint64)
    values[np.searchsorted(places, constant[:, CONST1])] = ~np.uint64(0)
    for i in range(rewriter.k):
        some = np.flatnonzero(leaves[:, i] != CONST0)
        at = np.searchsorted(places, some * nets + leaves[some, i])
        values[at] = tt.projection(i, values.shape[1])
    own = np.searchsorted(places, inner)
    rows = inner % nets - first
    feeds = np.searchsorted(places, inner[:, None] // nets * nets + rewriter.fanin[rows])
    known = np.ones(len(places), np.bool_)
    known[own] = False
    todo = np.arange(len(inner))
    while len(todo):
        ready = known[feeds[todo]].all(axis=1)
        some = todo[ready]
        used = max(1, int((rewriter.fanin[rows[some]] != CONST0).any(axis=0).nonzero()[0].max(initial=0)) + 1)
        values[own[some]] = tt.composed(rewriter.tables[rows[some]], values[feeds[some, :used]].swapaxes(0, 1))
        known[own[some]] = True
        todo = todo[~ready]
    return values[np.searchsorted(places, cones * nets + first + roots)]


def _among(keys: RowArray, ascending: RowArray) -> BoolArray:
    """bool: which keys are among ascending ones."""
    at = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    return np.asarray(ascending[at] == keys)
