"""Which LUTs share a dual-output LUT.

A LUT6_2 gives two functions of the same five inputs (its sixth pin is tied to 1). So two LUTs can share one if they
read at most five nets together. Only LUTs of one stage and one level in it are paired, so that no path leads from one
to the other, and none from a pair to itself by way of others.

Pairs are looked for by how many nets they must have in common, the most first: the widest LUTs are the hardest to
place.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.analysis import stage_levels
from difflut.export.circuit.netlist import IntArray, Netlist
from difflut.export.families.family import Family

KeyArray = npt.NDArray[np.uint64]
RowArray = npt.NDArray[np.int64]

_MIX = np.uint64(0x9E3779B97F4A7C15)


def pair_luts(netlist: Netlist, family: Family) -> IntArray:
    """int32 (L,): the LUT that each LUT shares a dual-output LUT with; -1 where it has one to itself.

    None where the family's primitives are not instantiated: pairing is left to the tool then. Greedy, so not the
    largest possible set of pairs; the same netlist gives the same pairs.
    """
    partner = np.full(netlist.luts, -1, np.int32)
    if family.dual_output and family.has_primitives and netlist.luts:
        _Pairing(netlist, family.lut_inputs - 1, partner).run()
    return partner


def _sizes(most: int) -> Iterator[tuple[int, int, int]]:
    """The numbers of inputs of two LUTs, the larger first, and how many these must share to fit into `most`."""
    for common in range(most, -1, -1):
        for large in range(most, 0, -1):
            for small in range(min(large, most), max(common, 1) - 1, -1):
                if max(large + small - most, 0) == common:
                    yield large, small, common


class _Pairing:
    def __init__(self, netlist: Netlist, most: int, partner: IntArray) -> None:
        self.most = most
        self.partner = partner
        small = netlist.lut_inputs <= most
        last = np.iinfo(np.int32).max
        nets: IntArray = np.full((netlist.luts, most), last, np.int32)
        nets[(np.arange(most) < netlist.lut_inputs[:, None]) & small[:, None]] = netlist.lut_fanin[
            np.repeat(small, netlist.lut_inputs)
        ]
        nets.sort(axis=1)
        nets[:, 1:][nets[:, 1:] == nets[:, :-1]] = last
        nets.sort(axis=1)
        # The different nets that a small LUT reads, ascending; -1 beyond, and everywhere for others.
        self.nets: IntArray = np.where(nets == last, -1, nets).astype(np.int32)
        self.inputs = (self.nets >= 0).sum(axis=1)
        place = netlist.stage[netlist.comparators :].astype(np.uint64) << np.uint64(32)
        self.place: KeyArray = place | stage_levels(netlist).astype(np.uint64)

    def run(self) -> None:
        for large, small, common in _sizes(self.most):
            while self._pair(large, small, common):
                pass

    def _pair(self, large: int, small: int, common: int) -> int:
        """Pair some LUTs of two sizes that share nets; how many pairs were made."""
        first, keys = self._records(large, common)
        if large == small:
            order = np.argsort(keys, kind="stable")
            first, keys = first[order], keys[order]
            even = _rank(keys) % 2 == 0
            follows = np.flatnonzero(even[:-1] & (keys[1:] == keys[:-1]))
            a, b = first[follows], first[follows + 1]
        else:
            a, b = _joined(first, keys, *self._records(small, common))
        fits = (a != b) & (self._together(a, b) <= self.most)
        a, b = a[fits], b[fits]
        # Of proposals that share a LUT the first one in a scattered order wins.
        order = np.argsort(_mixed(a.astype(np.uint64) << np.uint64(32) | b.astype(np.uint64)), kind="stable")
        a, b = a[order], b[order]
        winner = np.full(len(self.partner), len(a), np.int64)
        turn = np.arange(len(a))
        np.minimum.at(winner, a, turn)
        np.minimum.at(winner, b, turn)
        wins = (winner[a] == turn) & (winner[b] == turn)
        self.partner[a[wins]], self.partner[b[wins]] = b[wins], a[wins]
        return int(np.count_nonzero(wins))

    def _records(self, size: int, common: int) -> tuple[RowArray, KeyArray]:
        """The free LUTs of a size, once for each set of `common` nets that they read, and a key of the set."""
        rows = np.flatnonzero((self.partner < 0) & (self.inputs == size))
        keys = []
        for chosen in combinations(range(size), common):
            key = self.place[rows]
            for i in chosen:
                key = _mixed(key ^ self.nets[rows, i].astype(np.uint64))
            keys.append(key)
        return np.tile(rows, len(keys)), np.concatenate(keys)

    def _together(self, a: RowArray, b: RowArray) -> RowArray:
        """How many nets two LUTs read together; too many if their keys were equal by accident."""
        count = self.inputs[a].copy()
        for i in range(self.most):
            net = self.nets[b, i : i + 1]
            count += (net[:, 0] >= 0) & (self.nets[a] != net).all(axis=1)
        return np.where(self.place[a] == self.place[b], count, self.most + 1)


def _mixed(keys: KeyArray) -> KeyArray:
    mixed = keys * _MIX
    result: KeyArray = mixed ^ mixed >> np.uint64(29)
    return result


def _rank(keys: KeyArray) -> RowArray:
    """The position of each of sorted keys among its equals."""
    starts = np.ones(len(keys), np.bool_)
    starts[1:] = keys[1:] != keys[:-1]
    at = np.arange(len(keys))
    rank: RowArray = at - np.maximum.accumulate(np.where(starts, at, 0))
    return rank


def _joined(a: RowArray, a_keys: KeyArray, b: RowArray, b_keys: KeyArray) -> tuple[RowArray, RowArray]:
    """The n-th of `a` with a key beside the n-th of `b` with that key."""
    a_order, b_order = np.argsort(a_keys, kind="stable"), np.argsort(b_keys, kind="stable")
    a, a_keys, b, b_keys = a[a_order], a_keys[a_order], b[b_order], b_keys[b_order]
    at = np.searchsorted(b_keys, a_keys, side="left") + _rank(a_keys)
    inside = np.minimum(at, max(len(b) - 1, 0))
    found = (at < len(b)) & (b_keys[inside] == a_keys) if len(b) else np.zeros(len(a), np.bool_)
    return a[found], b[inside[found]]
