"""difflogic (0.1): the state dict of an `nn.Sequential` of its logic layers, with their wiring.

Source: difflogic 0.1.0, its modules difflogic and functional. A node is the gate with the largest weight, the first of
equal ones; of its two inputs a is the more significant. `indices`, two rows of connections, is a plain attribute of a
layer and in no state dict.
"""

from __future__ import annotations

import numpy as np

from difflut.importers.contents import Content
from difflut.importers.importer import Importer
from difflut.importers.network import Network
from difflut.importers.said import Said, network_of
from difflut.importers.sequential import floats, gate_tables, keys_of, not_said, numbered, wiring


def recognises(content: Content) -> bool:
    """Whether a file is a mapping with weights of sixteen gates, and no mapping of DiffLUT-Net."""
    keys = keys_of(content)
    weights = [key for key in keys if key.endswith(".weights") and not key.endswith(".mapping.weights")]
    return bool(weights) and all(getattr(content.value[key], "shape", (0,))[-1:] == (16,) for key in weights)


def read(content: Content, said: Said) -> Network:
    """The network of a file of a state dict."""
    modules = numbered(content, "weights|indices", "difflogic")
    connections, tables = [], []
    for (number, parts), wires in zip(modules, wiring(content, said, modules), strict=True):
        weights = floats(content, f"{number}.weights", parts.get("weights"), None, 16)
        if wires is None:
            raise not_said(content, "difflogic")
        if wires.shape != (len(weights), 2):
            raise content.refuse(f"connections of layer {number} are {wires.shape}; expected {(len(weights), 2)}")
        connections.append(np.ascontiguousarray(wires[:, ::-1]))
        tables.append(gate_tables(weights.argmax(axis=1)))
    return network_of(content, said, (tuple(connections), tuple(tables)), whole_groups=True)


IMPORTER = Importer("state dict of difflogic, with the wiring", recognises, read)
