"""LLNN (0.1): the state dict of its LUTNN, or of an `nn.Sequential` of its LUT layers, with their wiring.

Source: llnn 0.1.4, its modules lutlayer and lutnn. An entry of a table is 1 where the softmax of w and w_comp
rounds to 1 for w; half rounds to 0. Input 0 of a node is the most significant one. `indices` (n, nodes) is a
plain attribute and in no state dict.
"""

from __future__ import annotations

import numpy as np
import torch

from difflut.importers.contents import Content
from difflut.importers.importer import Importer
from difflut.importers.network import Network
from difflut.importers.said import Said, network_of
from difflut.importers.sequential import floats, keys_of, not_said, numbered, wiring


def recognises(content: Content) -> bool:
    """Whether a file is a mapping with tables and their complements."""
    return any(key.endswith(".w_comp") for key in keys_of(content))


def read(content: Content, said: Said) -> Network:
    """The network of a file of a state dict."""
    modules = numbered(content, "w|w_comp|indices", "LLNN")
    connections, tables = [], []
    for (number, parts), wires in zip(modules, wiring(content, said, modules), strict=True):
        ones = floats(content, f"{number}.w", parts.get("w"), None, None)
        zeros = floats(content, f"{number}.w_comp", parts.get("w_comp"), *ones.shape)
        if wires is None:
            raise not_said(content, "LLNN")
        if 1 << wires.shape[1] != ones.shape[1] or len(wires) != len(ones):
            raise content.refuse(f"connections of layer {number} are {wires.shape}, its tables {ones.shape}")
        both = torch.softmax(torch.from_numpy(np.stack([ones, zeros])), dim=0)
        connections.append(np.ascontiguousarray(wires[:, ::-1]))
        tables.append(both[0].round().bool().numpy())
    return network_of(content, said, (tuple(connections), tuple(tables)), whole_groups=True)


IMPORTER = Importer("state dict of LLNN, with the wiring", recognises, read)
