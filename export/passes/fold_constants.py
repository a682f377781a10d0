"""Propagate constants."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit import tables as tt
from difflut.export.circuit.netlist import CONST0, CONST1, Netlist
from difflut.export.passes.rewriter import Rewriter, Rewritten


def fold_constants(netlist: Netlist) -> Rewritten:
    """Restrict tables to what constant inputs leave of them, and drop LUTs whose table is constant.

    Exact, as an address that contradicts a constant never occurs. One sweep in topological order reaches the fixed
    point: when a LUT is visited, it is known of all its inputs whether they are constant.
    """
    rewriter = Rewriter(netlist)
    for rows in rewriter.by_level():
        rewriter.update(rows)
        fanin = rewriter.fanin[rows]
        for i in range(rewriter.k):
            for net, value in ((CONST0, 0), (CONST1, 1)):
                some = rows[fanin[:, i] == net]
                if len(some):
                    rewriter.tables[some] = tt.cofactor(rewriter.tables[some], i, value)
                    rewriter.fanin[some, i] = CONST0
        words = rewriter.tables[rows]
        constant = (words == words[:, :1]).all(axis=1) & ((words[:, 0] == 0) | (~words[:, 0] == 0))
        rewriter.replace(rows[constant], np.where(words[constant, 0] == 0, CONST0, CONST1))
    return rewriter.finish()
