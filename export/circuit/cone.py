"""One node of a netlist and what it is computed from: its cone, its readers, the classes that it counts for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.analysis import independent_runs
from difflut.export.circuit.netlist import Netlist


@dataclass(frozen=True)
class Cone:
    """What a node is computed from.

    Attributes:
        node: its net.
        columns: nets by their distance from the node, the node first; a net stands in the column of its largest
            distance.
        inside: the nets whose own inputs are in the cone too; the others are where it was cut, or inputs.
    """

    node: int
    columns: tuple[tuple[int, ...], ...]
    inside: frozenset[int]


def find_cone(netlist: Netlist, lut: int, depth: int) -> Cone:
    """The cone of a LUT, `depth` >= 0 LUT levels deep: with 1 the nets that it reads."""
    node = netlist.first_lut_net + lut
    distance = {node: 0}
    frontier = [node]
    for step in range(1, depth + 1):
        reached: dict[int, None] = {}
        for net in frontier:
            if net >= netlist.first_lut_net:
                reached |= dict.fromkeys(netlist.fanin(net - netlist.first_lut_net).tolist())
        distance |= dict.fromkeys(reached, step)
        frontier = list(reached)
    inside = frozenset(
        net
        for net in distance
        if net >= netlist.first_lut_net
        and all(other in distance for other in netlist.fanin(net - netlist.first_lut_net).tolist())
    )
    # A net that is read at several distances stands left of all its readers.
    for net in sorted(inside, reverse=True):
        for other in netlist.fanin(net - netlist.first_lut_net).tolist():
            distance[other] = max(distance[other], distance[net] + 1)
    columns: list[list[int]] = [[] for _ in range(max(distance.values()) + 1)]
    for net, place in distance.items():
        columns[place].append(net)
    return Cone(node, tuple(map(tuple, columns)), inside)


def readers(netlist: Netlist, net: int) -> list[int]:
    """The nets of the LUTs that read a net, ascending."""
    positions = np.flatnonzero(netlist.lut_fanin == net)
    luts = np.unique(np.searchsorted(netlist.lut_offsets, positions, side="right") - 1)
    return (luts + netlist.first_lut_net).tolist()  # type: ignore[no-any-return]


def votes(netlist: Netlist, net: int) -> npt.NDArray[np.int64]:
    """int64 (classes,): how often each score counts a net."""
    group = np.repeat(np.arange(netlist.head.classes), np.diff(netlist.head.offsets))
    return np.bincount(group[netlist.head.nets == net], minlength=netlist.head.classes)


def reached_classes(netlist: Netlist, net: int) -> npt.NDArray[np.int64]:
    """int64 (classes,): how many counted bits of each score depend on a net, itself among them."""
    reached = np.zeros(netlist.nets, np.bool_)
    reached[net] = True
    for run in independent_runs(netlist):
        first, last = netlist.lut_offsets[run.start], netlist.lut_offsets[run.stop]
        reads = np.logical_or.reduceat(reached[netlist.lut_fanin[first:last]], netlist.lut_offsets[run] - first)
        reached[netlist.first_lut_net + run.start : netlist.first_lut_net + run.stop] |= reads
    group = np.repeat(np.arange(netlist.head.classes), np.diff(netlist.head.offsets))
    return np.bincount(group[reached[netlist.head.nets]], minlength=netlist.head.classes)
