"""The name of a net, in the model's words: what timing reports, mismatches and proofs print is what `find_node` takes.

A node is called L<layer>.<node>, a comparison by its input and threshold. LUTs that the encoder or a pass made have no
name of the model and are called by their position.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from difflut.errors import UnknownNameError
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
        feature, bit = (int(part) for part in netlist.input.features_and_bits(netlist.compare_feature[cell]))
        name = input_name(feature, shape)
        return f"bit {bit} of {name}" if bit >= 0 else f"{name} >= {netlist.compare_threshold[cell]}"
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
            f"node {name!r} is not in the circuit: the passes removed it, as a wire, a constant, equal to another, "
            f"unread or absorbed; nearest: {near}"
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
