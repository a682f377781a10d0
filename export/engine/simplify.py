"""What is worth removing before a netlist is computed: every node costs the same time, whatever its table."""

from __future__ import annotations

from difflut.export.circuit.netlist import Netlist
from difflut.export.passes import pipelines
from difflut.export.passes.remove_dead import remove_dead
from difflut.export.passes.share_comparators import share_comparators

# Not those that fit nodes to LUTs of an FPGA: small nodes are the cheapest here.
PASSES = (share_comparators, remove_dead, *pipelines.SIMPLIFY, remove_dead)


def simplified(netlist: Netlist) -> Netlist:
    """The same function with fewer nodes.

    Raises:
        NetlistError: the netlist breaks its specification.
    """
    return pipelines.run(netlist, PASSES)[0]
