"""Shrink LUTs by addresses that never occur."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit import tables as tt
from difflut.export.circuit.bits import WordArray
from difflut.export.circuit.netlist import CONST0, Netlist
from difflut.export.passes.dont_cares import BLOCK_ROWS, care_tables, profiles
from difflut.export.passes.rewriter import BoolArray, Rewriter, Rewritten


def use_dont_cares(netlist: Netlist) -> Rewritten:
    """Remove as many inputs as possible of LUTs that read several bits of one feature.

    Exact for every input code: a table changes only at addresses that no code produces
    (`difflut.export.passes.dont_cares`). A set of inputs can be removed if no two addresses that differ in these inputs
    only need different outputs; all sets are tried, so the largest is found. What no address needs becomes 0. LUTs that
    keep all inputs keep their table.
    """
    rewriter = Rewriter(netlist)
    luts, care = care_tables(rewriter.fanin, profiles(netlist))
    for at in range(0, len(luts), BLOCK_ROWS):
        some, cares = luts[at : at + BLOCK_ROWS], care[at : at + BLOCK_ROWS]
        used = rewriter.fanin[some] != CONST0
        removed, table = smallest(rewriter.tables[some], cares, used)
        better = removed.any(axis=1)
        some = some[better]
        rewriter.tables[some] = table[better]
        rewriter.fanin[some] = np.where(removed[better], CONST0, rewriter.fanin[some])
    return rewriter.finish()


def smallest(tables: WordArray, care: WordArray, used: BoolArray) -> tuple[BoolArray, WordArray]:
    """The largest set of used inputs that incompletely specified functions can do without.

    Args:
        tables, care: uint64 (B, W) in wide form: the functions, and the addresses at which they matter.
        used: bool (B, K), inputs worth removing.

    Returns:
        bool (B, K), the inputs to remove, of several largest sets the first in binary order; uint64 (B, W), the
        functions without them.
    """
    rows, k = used.shape
    weights = np.int64(1) << np.arange(k)
    wanted = used @ weights
    best = np.zeros(rows, np.int64)
    best_size = np.zeros(rows, np.int64)
    result = tables.copy()
    must: dict[int, tuple[WordArray, WordArray]] = {0: (tables & care, ~tables & care)}
    for chosen in range(1, 1 << k):
        low = (chosen & -chosen).bit_length() - 1
        on, off = must[chosen & (chosen - 1)]
        on, off = must[chosen] = tt.exists(on, low), tt.exists(off, low)
        better = (chosen.bit_count() > best_size) & ((wanted & chosen) == chosen)
        better &= ((on & off) == 0).all(axis=1)
        best[better], best_size[better] = chosen, chosen.bit_count()
        result[better] = on[better]
    return (best[:, None] & weights) != 0, result
