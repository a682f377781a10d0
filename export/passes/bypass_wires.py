"""Drop LUTs that repeat or invert one net."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit import tables as tt
from difflut.export.circuit.netlist import Netlist
from difflut.export.passes.rewriter import Rewriter, Rewritten


def bypass_wires(netlist: Netlist) -> Rewritten:
    """Let readers of a LUT that is a wire read the net behind it, and absorb the inversion of one that is an inverter.

    Exact, as the reader's table is permuted accordingly. An inverter that the head reads stays for the head alone.
    """
    rewriter = Rewriter(netlist)
    for rows in rewriter.by_level():
        rewriter.update(rows)
        words = rewriter.tables[rows]
        for i in range(rewriter.k):
            wire = tt.projection(i, words.shape[1])
            for inverted, function in ((False, wire), (True, ~wire)):
                some = np.flatnonzero((words == function).all(axis=1))
                rewriter.replace(rows[some], rewriter.fanin[rows[some], i], inverted)
    return rewriter.finish()
