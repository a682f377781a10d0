"""Which addresses of a LUT can never occur, because several of its inputs depend on one input code.

A feature's comparators cut its codes into intervals, within which all of them are constant. A net that depends on one
feature only (a comparator, a LUT of an encoder that turns a thermometer into another code) is therefore a row of bits,
one an interval: its *profile*. Inputs of a LUT that depend on the same feature take only the combinations of bits that
stand above each other in their profiles: of `x >= 3` and `x >= 5` never the second without the first, of a one-hot
group never two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.export.circuit import tables as tt
from difflut.export.circuit.bits import WordArray, pack, unpack
from difflut.export.circuit.netlist import CONST1, FIRST_NET, IntArray, Netlist
from difflut.export.passes.rewriter import BoolArray, Rewriter, RowArray

MIXED = -1
# Bits of all profiles together; LUTs beyond it are taken as depending on several features, which is always safe.
PROFILE_BITS = 1 << 28
BLOCK_ROWS = 1 << 14


@dataclass(frozen=True, eq=False)
class Profiles:
    """Nets of one feature.

    Attributes:
        feature: int32 (nets,), the feature that a net depends on; `MIXED` for several, and for constants.
        row: int32 (nets,), the net's row in `bits`; meaningless where `feature` is `MIXED`.
        bits: bool (rows, intervals), the value in each interval of the feature, in ascending order of codes; shorter
            features repeat their last interval.
    """

    feature: IntArray
    row: IntArray
    bits: BoolArray


def profiles(netlist: Netlist) -> Profiles:
    """The profiles of the comparators and of the LUTs that depend on one feature."""
    count = netlist.comparators
    feature = np.full(netlist.nets, MIXED, np.int32)
    feature[FIRST_NET : FIRST_NET + count] = netlist.compare_feature
    row = np.zeros(netlist.nets, np.int32)
    row[FIRST_NET : FIRST_NET + count] = np.arange(count)

    order = np.lexsort((netlist.compare_threshold, netlist.compare_feature))
    features, thresholds = netlist.compare_feature[order], netlist.compare_threshold[order]
    new_feature = np.ones(count, np.bool_)
    new_feature[1:] = features[1:] != features[:-1]
    steps = np.ones(count, np.int64)
    steps[1:] = new_feature[1:] | (thresholds[1:] != thresholds[:-1])
    step = np.cumsum(steps)
    first = np.maximum.accumulate(np.where(new_feature, step - 1, 0)) if count else step
    # Comparator c is 1 from interval `start` of its feature on.
    start = np.empty(count, np.int64)
    start[order] = step - first
    intervals = 1 + int(start.max(initial=0))
    if count * intervals > PROFILE_BITS:
        return Profiles(np.full(netlist.nets, MIXED, np.int32), row, np.zeros((0, 1), np.bool_))
    parts = [np.arange(intervals) >= start[:, None]]
    rows = count
    rewriter = Rewriter(netlist)
    for luts in rewriter.by_level():
        fanin = rewriter.fanin[luts]
        of = np.where(fanin >= FIRST_NET, feature[fanin], -2)
        real = of > -2
        lead = of.max(axis=1)
        single = (lead >= 0) & (~real | (of == lead[:, None])).all(axis=1)
        some = luts[single]
        if len(some) == 0 or (rows + len(some)) * intervals > PROFILE_BITS:
            continue
        bits = parts[0] if len(parts) == 1 else np.concatenate(parts)
        parts = [bits]
        nets = netlist.first_lut_net + some
        feature[nets], row[nets] = lead[single], np.arange(rows, rows + len(some))
        address = np.zeros((len(some), intervals), np.int64)
        for i in range(rewriter.k):
            net = rewriter.fanin[some, i]
            value = np.where((net >= FIRST_NET)[:, None], bits[row[net]], (net == CONST1)[:, None])
            address |= value.astype(np.int64) << i
        parts.append(np.take_along_axis(unpack(rewriter.tables[some]), address, axis=1))
        rows += len(some)
    return Profiles(feature, row, np.concatenate(parts))


def care_tables(fanin: IntArray, known: Profiles) -> tuple[RowArray, WordArray]:
    """The LUTs with two inputs of one feature, and 1 at each address that can occur as far as features tell.

    Args:
        fanin: int32 (L, K) as in `Rewriter`.
        known: the profiles of the nets.

    Returns:
        int64 (B,), the LUTs; uint64 (B, W), their care tables in wide form.
    """
    of = known.feature[fanin]
    of.sort(axis=1)
    luts = np.flatnonzero(((of[:, 1:] == of[:, :-1]) & (of[:, 1:] != MIXED)).any(axis=1))
    blocks = [_care(fanin[luts[at : at + BLOCK_ROWS]], known) for at in range(0, len(luts), BLOCK_ROWS)]
    return luts, np.concatenate([np.zeros((0, 1 << (fanin.shape[1] - tt.WORD_INPUTS)), np.uint64), *blocks])


def _care(fanin: IntArray, known: Profiles) -> WordArray:
    rows, k = fanin.shape
    words = 1 << (k - tt.WORD_INPUTS)
    feature, profile = known.feature[fanin], known.row[fanin]
    care = np.full((rows, words), ~np.uint64(0))
    for lead in range(k - 1):
        member = (feature == feature[:, lead : lead + 1]) & (feature != MIXED)
        some = np.flatnonzero((member.argmax(axis=1) == lead) & (member.sum(axis=1) > 1))
        if len(some) == 0:
            continue
        group = member[some]
        address: npt.NDArray[np.int64] = np.zeros((len(some), known.bits.shape[1]), np.int64)
        for i in range(k):
            address |= (known.bits[profile[some, i]] & group[:, i : i + 1]).astype(np.int64) << i
        seen = np.zeros((len(some), 1 << k), np.bool_)
        np.put_along_axis(seen, address, True, axis=1)
        table = pack(seen)
        for i in range(k):
            outside = ~group[:, i]
            table[outside] = tt.exists(table[outside], i)
        care[some] &= table
    return care
