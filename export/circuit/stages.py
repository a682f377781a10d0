"""What happens within one pipeline stage."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit.netlist import IntArray, Netlist


def stage_levels(netlist: Netlist) -> IntArray:
    """int32 (L,): 0 for a LUT that reads no LUT of its own stage, else one more than the largest level that it reads."""
    level = np.zeros(netlist.luts, np.int32)
    stage = netlist.stage[netlist.comparators :]
    stage_of_net = np.concatenate([np.full(netlist.first_lut_net, -1, np.int32), stage])
    inside = stage_of_net[netlist.lut_fanin] == np.repeat(stage, netlist.lut_inputs)
    if not inside.any():
        return level
    source = np.where(inside, netlist.lut_fanin - netlist.first_lut_net, 0)
    while True:
        deeper = np.maximum.reduceat(np.where(inside, level[source] + 1, 0), netlist.lut_offsets[:-1])
        if np.array_equal(deeper, level):
            return level
        level = deeper.astype(np.int32)
