"""torchlogix (0.2): the state dict of an `nn.Sequential` of its thermometer and layers.

Source: torchlogix 0.2.2, its modules parametrization, connections, layers and functional; what the modules compute in
eval mode. Input 0 of a node is the most significant one. A node's weights stand for: raw, the sixteen gates of two
inputs; light, the entries of its table, 1 above 0; warp, coefficients of products of -1 and 1, whose sum, taken one
after the other, is below 0 where the entry is 1. Learned connections are candidates and weights, the first
of the largest. Learned thresholds are in the differences; the buffer beside them is what they started from.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut.importers.contents import Content, array_of
from difflut.importers.convolutions import ConvolvedNetwork
from difflut.importers.importer import Importer
from difflut.importers.network import Ints, LayerNetwork, Network
from difflut.importers.said import Said, network_of
from difflut.importers.sequential import Tables, floats, gate_tables, integers, keys_of, numbered
from difflut.importers.thermometers import planes_of, thermometer
from difflut.importers.torchlogix_convolutions import geometry_of, stages_of

_PARTS = (
    r"weight|connections\.indices|connections\.weights|tree_weights\.\d{1,3}|connections\._indices_L\d{1,3}"
    r"|thresholds|raw_diffs|_export_lut_ids(?:_L\d{1,3})?|connections\._export_indices"
)
Modules = list[tuple[int, dict[str, Any]]]


def recognises(content: Content) -> bool:
    """Whether a file is a mapping with connections of torchlogix."""
    return any(key.endswith((".connections.indices", ".connections._indices_L0")) for key in keys_of(content))


def read(content: Content, said: Said) -> Network:
    """The network of a file of a state dict."""
    modules = numbered(content, _PARTS, "torchlogix")
    thresholds, modules = thresholds_of(content, said, modules)
    said = replace(said, nodes=kind_of_nodes(content, said, modules))
    trees = [(number, parts) for number, parts in modules if "tree_weights.0" in parts]
    layers = [dense(content, said, number, parts) for number, parts in modules if "tree_weights.0" not in parts]
    if trees:
        said = replace(said, bit_order="planes")  # a convolution reads maps
    network = network_of(
        content,
        replace(said, thresholds=None) if thresholds is not None else said,
        (tuple(wires for wires, _ in layers), tuple(entries for _, entries in layers)),
        thresholds=thresholds,
        planes=planes_of(content, said, thresholds) if said.geometry is not None or not trees else None,
        whole_groups=True,
    )
    return network if not trees else _convolved(content, said, trees, network, modules)


def _convolved(
    content: Content, said: Said, trees: Modules, network: LayerNetwork, modules: Modules
) -> ConvolvedNetwork:
    """With the convolutions that are before the layers of a network."""
    geometry = geometry_of(content, said, len(trees))
    assert said.image_size is not None
    if trees != modules[: len(trees)] or not network.tables:
        raise content.refuse("has convolutions behind layers, or no layer behind them; expected layers behind them")
    if network.features != math.prod(said.image_size):
        raise content.refuse(f"has {network.features} features, and images of {said.image_size}; expected as many")
    tables_of_levels = []
    for number, parts in trees:
        levels = sorted((part for part in parts if part.startswith("tree_weights.")), key=lambda key: int(key[13:]))
        entries = []
        for level, part in enumerate(levels):
            weights = array_of(content, f"{number}.{part}", parts[part])
            if weights.ndim != 3 or part != f"tree_weights.{level}":
                raise content.refuse(f"{number}.{part} is {weights.shape}; expected (nodes, kernels, weights)")
            rank = rank_of(content, number, parts)
            entries.append(tables(content, f"{number}.{part}", weights, rank, said).reshape(*weights.shape[:2], -1))
        tables_of_levels.append(entries)
    bits = 1 if network.thresholds is None else network.thresholds.shape[1]
    size = (said.image_size[0] * bits, *said.image_size[1:])
    stages, last = stages_of(content, geometry, list(trees), tables_of_levels, size)
    fields = {field.name: getattr(network, field.name) for field in dataclasses.fields(network)}
    return ConvolvedNetwork(**fields, image=said.image_size, stages=stages, width=math.prod(last))


def thresholds_of(content: Content, said: Said, modules: Modules) -> tuple[npt.NDArray[Any] | None, Modules]:
    """Thresholds (F, T) of the file or of what is given, and the modules behind the thermometer."""
    number, first = modules[0]
    if not {"thresholds", "raw_diffs"} & set(first):
        return thermometer(content, said, None), modules
    if said.thresholds is not None:
        raise content.refuse("holds thresholds of its own; leave those given out")
    if "raw_diffs" not in first:
        return thermometer(content, said, floats_of_thresholds(content, number, first["thresholds"])), modules[1:]
    differences = torch.from_numpy(floats_of_thresholds(content, number, first["raw_diffs"]).astype(np.float32))
    if differences.shape[-1] > 1:
        if said.softplus_temperature is None:
            raise content.refuse(
                "has learned thresholds, and does not say their temperature_softplus, 0.1 unless it was set; give "
                "--softplus-temperature (softplus_temperature= in Python)"
            )
        scale = said.softplus_temperature + 1e-6
        rest = scale * torch.nn.functional.softplus(differences[..., 1:] / scale)
        differences = torch.cat([differences[..., :1], rest], dim=-1).cumsum(dim=-1)
    return thermometer(content, said, differences.numpy()), modules[1:]


def floats_of_thresholds(content: Content, number: int, value: Any) -> npt.NDArray[Any]:
    """Floating numbers (T,) or (rows, T)."""
    array = array_of(content, f"{number}.thresholds", value)
    return floats(content, f"{number}.thresholds", value, *[None] * (1 if array.ndim == 1 else 2))


def kind_of_nodes(content: Content, said: Said, modules: Modules) -> str:
    """What the weights of all nodes stand for: raw, light or warp."""
    columns = set()
    for number, parts in modules:
        for part, value in parts.items():
            if part == "weight" or part.startswith("tree_weights."):
                shape = array_of(content, f"{number}.{part}", value).shape
                columns.add((rank_of(content, number, parts), shape[-1] if shape else 0))
    if said.nodes not in (None, "raw", "light", "warp"):
        raise content.refuse(f"nodes are said to be {said.nodes!a:.40}; expected raw, light or warp")
    raw = columns == {(2, 16)}
    if said.nodes is None and not raw:
        raise content.refuse("does not say what weights stand for; give --nodes light or warp (nodes= in Python)")
    if said.nodes is not None and raw != (said.nodes == "raw"):
        shown = ", ".join(f"{count} weights for {rank} inputs" for rank, count in sorted(columns))
        raise content.refuse(f"has nodes of {shown}, which are not {said.nodes}")
    return said.nodes or "raw"


def rank_of(content: Content, number: int, parts: Mapping[str, Any]) -> int:
    """Inputs of a node, of the connections' shape."""
    for part, axis in (("connections.indices", -2), ("connections._indices_L0", 0)):
        if part in parts:
            array = array_of(content, f"{number}.{part}", parts[part])
            if array.ndim < 2 or not 1 <= array.shape[axis] <= 8:
                raise content.refuse(f"{number}.{part} is {array.shape}; expected connections of 1 to 8 inputs a node")
            return int(array.shape[axis])
    raise content.refuse(f"module {number} has {sorted(parts)}; expected connections.indices")


def dense(content: Content, said: Said, number: int, parts: Mapping[str, Any]) -> tuple[Ints, Tables]:
    """Connections (nodes, n), input 0 the least significant one, and tables of a LogicDense."""
    rank = rank_of(content, number, parts)
    entries = tables(content, f"{number}.weight", parts.get("weight"), rank, said)
    if "connections.weights" in parts:
        candidates = integers(content, f"{number}.connections.indices", parts["connections.indices"], 3)
        weights = floats(content, f"{number}.connections.weights", parts["connections.weights"], *candidates.shape)
        wires: Ints = np.take_along_axis(candidates, weights.argmax(axis=0)[None], axis=0)[0]
    else:
        wires = integers(content, f"{number}.connections.indices", parts["connections.indices"], 2)
    if wires.shape != (rank, len(entries)):
        raise content.refuse(
            f"{number}.connections.indices gives connections {wires.shape}; expected {(rank, len(entries))}"
        )
    return np.ascontiguousarray(wires[::-1].T), entries


def tables(content: Content, what: str, value: Any, rank: int, said: Said) -> Tables:
    """bool (nodes, 2**rank) of weights (..., columns), all but the last axis flattened."""
    weights = array_of(content, what, value)
    columns = 16 if said.nodes == "raw" else 1 << rank
    if weights.dtype.kind != "f" or weights.ndim < 2 or 0 in weights.shape or weights.shape[-1] != columns:
        raise content.refuse(f"{what} is {weights.dtype} {weights.shape}; expected floating (nodes, {columns})")
    weights = weights.reshape(-1, columns)
    if said.nodes == "raw":
        return gate_tables(weights.argmax(axis=1))
    if said.nodes == "light":
        return weights > 0
    total = np.zeros_like(weights)
    addresses = np.arange(columns)
    for term in range(columns):
        odd = np.array([(term & address).bit_count() & 1 for address in addresses.tolist()])
        total += np.where(odd, -weights[:, term : term + 1], weights[:, term : term + 1])
    return total < 0


TAKES = "GroupSum adds no beta unless one is given"
IMPORTER = Importer("state dict of torchlogix", recognises, read, TAKES)
