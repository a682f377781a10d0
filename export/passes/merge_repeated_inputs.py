"""Read every net once."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from difflut.export.circuit import tables as tt
from difflut.export.circuit.netlist import CONST0, FIRST_NET, Netlist
from difflut.export.passes.rewriter import Rewriter, Rewritten


def merge_repeated_inputs(netlist: Netlist) -> Rewritten:
    """Where a LUT reads one net at several inputs, keep the first of them.

    Exact, as addresses at which inputs that read one net differ never occur.
    """
    rewriter = Rewriter(netlist)
    for i, j in combinations(range(rewriter.k), 2):
        fanin = rewriter.fanin
        rows = np.flatnonzero((fanin[:, i] == fanin[:, j]) & (fanin[:, i] >= FIRST_NET))
        words = rewriter.tables[rows]
        rewriter.tables[rows] = tt.multiplex(i, tt.cofactor(words, j, 1), tt.cofactor(words, j, 0))
        rewriter.fanin[rows, j] = CONST0
    return rewriter.finish()
