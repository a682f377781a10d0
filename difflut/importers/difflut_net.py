"""DiffLUT-Net: the state dict of an `nn.Sequential` of its layers of six-input LUTs.

Source: the repository DiffLUT-Network, its modules difflut_net and verilog_seperate. An entry of a table is 1 where it
is above 1/2; input 0 of a node is the most significant one. A learned mapping has, slot by slot, a column for each
node: slot s of node j is column s * nodes + j, the first of the largest. The `indices` of layers with another mapping
are a plain attribute and in no state dict.
"""

from __future__ import annotations

import numpy as np

from difflut.importers.contents import Content
from difflut.importers.importer import Importer
from difflut.importers.network import Network
from difflut.importers.said import Said, network_of
from difflut.importers.sequential import floats, keys_of, not_said, numbered, wiring

_INPUTS = 6


def recognises(content: Content) -> bool:
    """Whether a file is a mapping with weights of 64 entries."""
    return any(
        key.endswith(".weights")
        and not key.endswith(".mapping.weights")
        and getattr(content.value[key], "shape", (0,))[-1:] == (1 << _INPUTS,)
        for key in keys_of(content)
    )


def read(content: Content, said: Said) -> Network:
    """The network of a file of a state dict."""
    modules = numbered(content, r"weights|mapping\.weights|indices", "DiffLUT-Net")
    connections, tables = [], []
    before: int | None = None
    for (number, parts), given in zip(modules, wiring(content, said, modules), strict=True):
        entries = floats(content, f"{number}.weights", parts.get("weights"), None, 1 << _INPUTS)
        nodes, wires = len(entries), given
        if "mapping.weights" in parts:
            weights = floats(content, f"{number}.mapping.weights", parts["mapping.weights"], before, nodes * _INPUTS)
            wires = weights.argmax(axis=0).reshape(_INPUTS, nodes).T
        if wires is None:
            raise not_said(content, "DiffLUT-Net")
        if wires.shape != (nodes, _INPUTS):
            raise content.refuse(f"connections of layer {number} are {wires.shape}; expected {(nodes, _INPUTS)}")
        connections.append(np.ascontiguousarray(wires[:, ::-1]))
        tables.append(entries > 0.5)
        before = nodes
    return network_of(content, said, (tuple(connections), tuple(tables)), whole_groups=True)


IMPORTER = Importer("state dict of DiffLUT-Net", recognises, read)
