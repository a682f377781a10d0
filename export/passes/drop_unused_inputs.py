"""Keep only the inputs that a table depends on."""

from __future__ import annotations

from difflut.export.circuit import tables as tt
from difflut.export.circuit.netlist import CONST0, Netlist
from difflut.export.passes.rewriter import Rewriter, Rewritten


def drop_unused_inputs(netlist: Netlist) -> Rewritten:
    """Disconnect inputs whose value never changes a LUT's output.

    Exact, as both halves of the table are equal there. A constant LUT keeps one input, which reads net 0.
    """
    rewriter = Rewriter(netlist)
    rewriter.fanin[~tt.support(rewriter.tables)] = CONST0
    return rewriter.finish()
