"""What can be learned of a netlist without changing it: levels, and which nets matter.

All functions take a netlist that `difflut.export.circuit.rules.check` accepts. None has a Python loop per LUT.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import FIRST_NET, IntArray, Netlist


def independent_runs(netlist: Netlist) -> Iterator[slice]:
    """Cut the LUTs, in their order, into maximal runs of which no LUT reads another; yield the LUT ranges.

    A netlist in layer order gives one run a layer. The worst case, one run a LUT, is a chain.
    """
    if netlist.luts == 0:
        return
    latest_read = np.maximum.accumulate(np.maximum.reduceat(netlist.lut_fanin, netlist.lut_offsets[:-1]))
    start = 0
    while start < netlist.luts:
        stop = int(np.searchsorted(latest_read, netlist.first_lut_net + start, side="left"))
        yield slice(start, stop)
        start = stop


def levels(netlist: Netlist) -> IntArray:
    """int32 (C + L,): the level of each cell: 1 for a comparator, for a LUT 1 + the largest level of its fan-in.

    Constants have the level 0, so a LUT that reads only constants has the level 1.
    """
    level = np.zeros(netlist.nets, np.int32)
    level[FIRST_NET : netlist.first_lut_net] = 1
    offsets = netlist.lut_offsets
    for run in independent_runs(netlist):
        first, last = offsets[run.start], offsets[run.stop]
        fanin_level = level[netlist.lut_fanin[first:last]]
        own = slice(netlist.first_lut_net + run.start, netlist.first_lut_net + run.stop)
        level[own] = 1 + np.maximum.reduceat(fanin_level, offsets[run] - first)
    return level[FIRST_NET:]


def live_nets(netlist: Netlist) -> npt.NDArray[np.bool_]:
    """bool (nets,): the nets from which a path leads to the head."""
    live = np.zeros(netlist.nets, np.bool_)
    live[netlist.head.nets] = True
    for run in reversed(list(independent_runs(netlist))):
        first, last = netlist.lut_offsets[run.start], netlist.lut_offsets[run.stop]
        own = live[netlist.first_lut_net + run.start : netlist.first_lut_net + run.stop]
        read = netlist.lut_fanin[first:last][np.repeat(own, netlist.lut_inputs[run])]
        live[read] = True
    return live


def features_read(netlist: Netlist) -> IntArray:
    """int32, ascending: the features from which a path leads to the head."""
    live = live_nets(netlist)[FIRST_NET : netlist.first_lut_net]
    return np.unique(netlist.compare_feature[live])


def stage_levels(netlist: Netlist) -> IntArray:
    """int32 (L,), levels within a stage: 0 for a LUT that reads no LUT of its own stage, else 1 + the largest that it
    reads.
    """
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
