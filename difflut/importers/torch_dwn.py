"""torch_dwn (versions 1.1): the state dict of an `nn.Sequential` of its modules.

Source: torch_dwn 1.1.1, its modules lut_layer, mapping and utils. A node's slot l weighs 2**l in the address of its
table, an entry is 1 where it is above 0. A learnable mapping chooses the first of the largest weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from difflut.importers.contents import Content, array_of, mapping_of
from difflut.importers.importer import Importer
from difflut.importers.network import Ints, Network
from difflut.importers.said import Said, network_of

_KEY = re.compile(r"((?:.*\.)?)(\d+)\.(luts|mapping|mapping\.weights|_LUTLayer__dummy_mapping)")
Layers = tuple[tuple[Ints, ...], tuple[npt.NDArray[np.bool_], ...]]


def recognises(content: Content) -> bool:
    """Whether a file is a mapping of tensors with tables of torch_dwn in it."""
    value = content.value
    return (
        content.container != "npz" and isinstance(value, Mapping) and any(str(key).endswith(".luts") for key in value)
    )


def read(content: Content, said: Said) -> Network:
    """The network of a file of a state dict."""
    return network_of(content, said, layers_of(content, mapping_of(content, "the state dict", content.value)))


def layers_of(content: Content, state: Mapping[str, Any]) -> Layers:
    """Connections and tables, layer by layer, of a state dict.

    Raises:
        NetworkFileError: it has other modules than LUT layers, or they do not fit together.
    """
    found: dict[int, dict[str, Any]] = {}
    prefixes = set()
    for key, value in state.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise content.refuse(
                f"the key {key!a:.80} is none of an nn.Sequential of torch_dwn's layers, as 0.luts and 0.mapping are; "
                "other modules have no circuit here, and the order of named ones is not known"
            )
        prefixes.add(match[1])
        found.setdefault(int(match[2]), {})[match[3]] = value
    if len(prefixes) != 1:
        raise content.refuse(f"has LUT layers of {len(prefixes)} modules; expected those of one nn.Sequential")
    connections, tables = [], []
    before = None
    for number in sorted(found):  # as numbers: safetensors has 10 before 2
        wires, entries, width = _layer(content, number, found[number])
        if width is not None and before is not None and width != before:
            raise content.refuse(f"layer {number} is made for {width} bits, the layer before it gives {before}")
        connections.append(wires)
        tables.append(entries)
        before = len(entries)
    return tuple(connections), tuple(tables)


def input_width(content: Content, state: Mapping[str, Any]) -> int | None:
    """How many bits the first layer is made for; None where only its connections are kept."""
    first = min((int(match[2]), key) for key in state if (match := _KEY.fullmatch(key)) and match[3] == "luts")[1]
    weights = state.get(first.removesuffix("luts") + "mapping.weights")
    return len(array_of(content, first, weights)) if isinstance(weights, Tensor) and weights.ndim else None


def _layer(content: Content, number: int, parts: Mapping[str, Any]) -> tuple[Ints, npt.NDArray[np.bool_], int | None]:
    """Connections, tables and, where it is known, the number of input bits of a layer."""
    if "luts" not in parts or ("mapping" in parts) == ("mapping.weights" in parts):
        raise content.refuse(f"layer {number} has {sorted(parts)}; expected luts, and mapping or mapping.weights")
    luts = array_of(content, f"{number}.luts", parts["luts"])
    entries = luts.shape[1] if luts.ndim == 2 else 0
    n = entries.bit_length() - 1
    if luts.dtype.kind != "f" or 0 in luts.shape or n < 1 or 1 << n != entries:
        raise content.refuse(f"{number}.luts is {luts.dtype} {luts.shape}; expected floating (nodes, 2**n)")
    nodes = len(luts)
    if "mapping" in parts:
        wires, width = array_of(content, f"{number}.mapping", parts["mapping"]), None
        if wires.dtype.kind not in "iu" or wires.shape != (nodes, n):
            raise content.refuse(f"{number}.mapping is {wires.dtype} {wires.shape}; expected integers {(nodes, n)}")
    else:
        weights = array_of(content, f"{number}.mapping.weights", parts["mapping.weights"])
        if weights.dtype.kind != "f" or weights.ndim != 2 or weights.shape[1] != nodes * n or not len(weights):
            raise content.refuse(
                f"{number}.mapping.weights is {weights.dtype} {weights.shape}; expected floating (bits, {nodes * n})"
            )
        wires, width = weights.argmax(axis=0).reshape(nodes, n), len(weights)
    return wires.astype(np.int64), luts > 0, width


TAKES = "outputs are bits (ste=True), and GroupSum has no randperm unless a permutation is given"
IMPORTER = Importer("state dict of torch_dwn, by torch.save or safetensors", recognises, read, TAKES)
