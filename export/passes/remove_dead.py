"""Drop the cells that cannot influence a score."""

from __future__ import annotations

from difflut.export.circuit.analysis import live_nets
from difflut.export.circuit.netlist import FIRST_NET, Netlist


def remove_dead(netlist: Netlist) -> Netlist:
    """Drop comparators and LUTs from which no path leads to the head; the others keep their order."""
    live = live_nets(netlist)[FIRST_NET:]
    return netlist if live.all() else netlist.keep_cells(live)
