"""One node of a netlist and what it is computed from: finding it by name, its cone, its readers, all in the model's words.

A node is called L<layer>.<node>, as timing reports, mismatches and `build.json` call it. Cells that the encoder or a pass made
have no name of the model and are called by their position.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.errors import UnknownNameError
from difflut.export.circuit.analysis import independent_runs
from difflut.export.circuit.netlist import CONST1, FIRST_NET, Netlist

_NAME = re.compile(r"L(\d{1,9})\.(\d{1,9})")


def net_name(netlist: Netlist, net: int, shape: Sequence[int] = ()) -> str:
    """A net in the model's words: a node, a comparison of an input, or a constant.

    Args:
        netlist: the netlist.
        net: one of its nets.
        shape: of one sample; with two dimensions inputs are pixels (row, column), with more their indices.
    """
    if net < FIRST_NET:
        return f"constant {int(net == CONST1)}"
    if net < netlist.first_lut_net:
        cell = net - FIRST_NET
        return f"{input_name(int(netlist.compare_feature[cell]), shape)} >= {netlist.compare_threshold[cell]}"
    lut = net - netlist.first_lut_net
    layer = int(netlist.lut_layer[lut])
    return f"L{layer}.{netlist.lut_node[lut]}" if layer > 0 else f"LUT {lut} of the export"


def input_name(feature: int, shape: Sequence[int] = ()) -> str:
    """An input: `pixel (row, column)` of an image, `input (c, row, column)` of more dimensions, else `feature i`."""
    if len(shape) < 2:
        return f"feature {feature}"
    place = ", ".join(str(index) for index in np.unravel_index(feature, tuple(shape)))
    return f"{'pixel' if len(shape) == 2 else 'input'} ({place})"


def find_node(netlist: Netlist, name: str) -> int:
    """The LUT of the node called `name`.

    Raises:
        UnknownNameError: there is no such node; says which there are.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UnknownNameError(
            f"node {name!r}: expected L<layer>.<node>, such as {_example(netlist)}; {_known(netlist)}"
        )
    layer, node = int(match[1]), int(match[2])
    of_layer = np.flatnonzero(netlist.lut_layer == layer)
    if len(of_layer) == 0:
        raise UnknownNameError(f"node {name!r}: there is no layer {layer}; {_known(netlist)}")
    found = of_layer[netlist.lut_node[of_layer] == node]
    if len(found) == 0:
        nodes = np.sort(netlist.lut_node[of_layer])
        if node > nodes[-1]:
            raise UnknownNameError(f"node {name!r}: layer {layer} has no node {node}; {_known(netlist)}")
        near = ", ".join(f"L{layer}.{other}" for other in nodes[np.argsort(np.abs(nodes - node), kind="stable")[:3]])
        raise UnknownNameError(
            f"node {name!r} is not in the circuit: the passes removed it, as a wire, a constant, equal to another, unread or absorbed; "
            f"nearest: {near}"
        )
    return int(found[0])


def _example(netlist: Netlist) -> str:
    named = np.flatnonzero(netlist.lut_layer > 0)
    return net_name(netlist, netlist.first_lut_net + int(named[0])) if len(named) else "L1.0"


def _known(netlist: Netlist) -> str:
    layers = []
    for layer in np.unique(netlist.lut_layer[netlist.lut_layer > 0]).tolist():
        nodes = netlist.lut_node[netlist.lut_layer == layer]
        layers.append(f"L{layer}.{nodes.min()} to L{layer}.{nodes.max()} ({len(nodes)} nodes)")
    return f"there are {'; '.join(layers)}" if layers else "the circuit has no node"


@dataclass(frozen=True)
class Cone:
    """What a node is computed from.

    Attributes:
        node: its net.
        columns: nets by their distance from the node, the node first; a net stands in the column of its largest distance.
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
