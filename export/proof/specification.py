"""What a netlist says, as nodes of a graph, and inputs that tell different functions apart."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.bits import pack
from difflut.export.circuit.netlist import InputFormat, Netlist
from difflut.export.proof.graph import FALSE, TRUE, Graph, Words

CODES = "in_codes"
Codes = npt.NDArray[np.integer[Any]]


def add_netlist(graph: Graph, netlist: Netlist, time: int) -> list[int]:
    """Add a netlist's cells; inputs are (in_codes, bit, time). Returns the node of each net."""
    form = netlist.input
    width = form.width_bits
    nodes = [FALSE, TRUE]
    features, bits = (part.tolist() for part in form.features_and_bits(netlist.compare_feature))
    for feature, single, threshold in zip(features, bits, netlist.compare_threshold.tolist(), strict=True):
        if single >= 0:
            nodes.append(graph.input((CODES, feature * width + single, time)))
            continue
        code = [graph.input((CODES, feature * width + bit, time)) for bit in range(width)]
        if form.signed:
            code[-1] = graph.not_(code[-1])
        bound = threshold - form.lowest
        nodes.append(graph.greater(code, [bound >> bit & 1 for bit in range(width)], or_equal=TRUE))
    offsets, words = netlist.table_offsets.tolist(), netlist.lut_tables.tolist()
    starts, fanin = netlist.lut_offsets.tolist(), netlist.lut_fanin.tolist()
    for lut in range(netlist.luts):
        table = sum(word << 64 * i for i, word in enumerate(words[offsets[lut] : offsets[lut + 1]]))
        nodes.append(graph.add([nodes[net] for net in fanin[starts[lut] : starts[lut + 1]]], table))
    return nodes


def comparison_tables(netlist: Netlist) -> Words:
    """What `code >= threshold`, or a bit, is for every code, straight from the definition, uint64 (C, words).

    Bit c of a row is the value for the code whose bits are those of c.
    """
    form = netlist.input
    pattern = np.arange(1 << form.width_bits)
    code = np.where(pattern > form.highest, pattern - (1 << form.width_bits), pattern)
    if len(code) < 64:
        code = np.tile(code, 64 // len(code))
    bit = form.features_and_bits(netlist.compare_feature)[1][:, None]
    return pack(np.where(bit < 0, code >= netlist.compare_threshold[:, None], code >> np.maximum(bit, 0) & 1))


def sample_codes(netlist: Netlist, samples: int, seed: int = 0) -> Codes:
    """Codes int32 (samples, features) that reach many functions' both values.

    A quarter each of: uniform codes; codes at and next to the thresholds; the two ends of the range, with a density of
    the sample's own; a mixture of all.
    """
    random = np.random.default_rng(seed)
    form, features = netlist.input, netlist.input.features
    quarter = -(-samples // 4)
    thresholds = netlist.compare_threshold[netlist.compare_feature < features]
    edges = np.unique(np.concatenate([[form.lowest, form.highest], thresholds, thresholds - 1])).astype(np.int32)

    def ends(rows: int) -> npt.NDArray[np.int32]:
        ones = random.random((rows, features), np.float32) < random.random((rows, 1))
        return np.where(ones, np.int32(form.highest), np.int32(form.lowest))

    def uniform(rows: int) -> npt.NDArray[np.int32]:
        return random.integers(form.lowest, form.highest + 1, (rows, features), np.int32)

    def near(rows: int) -> npt.NDArray[np.int32]:
        return edges.take(random.integers(0, len(edges), (rows, features), np.uint32))

    mixed = uniform(quarter)
    kind = random.integers(0, 3, mixed.shape, np.uint8)
    mixed = np.where(kind == 1, near(quarter), np.where(kind == 2, ends(quarter), mixed))
    return np.concatenate([uniform(quarter), near(quarter), ends(quarter), mixed])[:samples]


def code_rows(form: InputFormat, codes: npt.NDArray[Any]) -> Words:
    """Codes (samples, features) as the bits of the port in_codes, uint64 (features * width_bits, words)."""
    width = form.width_bits
    unsigned = (codes & ((1 << width) - 1)).astype(np.uint32).T
    rows = np.empty((form.features, width, -(-len(codes) // 64)), np.uint64)
    for bit in range(width):
        rows[:, bit] = pack(unsigned >> np.uint32(bit) & np.uint32(1))
    return rows.reshape(form.features * width, -1)


def input_rows(graph: Graph, form: InputFormat, codes: npt.NDArray[Any], seed: int = 0) -> dict[int, Words]:
    """Values for all inputs of a graph: the codes at whatever time; other inputs are random."""
    rows = code_rows(form, codes)
    random = np.random.default_rng(seed)
    values: dict[int, Words] = {}
    for key, node in graph.inputs.items():
        port, bit, _ = key
        values[node] = rows[bit] if port == CODES else random.integers(0, 1 << 64, rows.shape[1], np.uint64)
    return values


def codes_of_model(form: InputFormat, graph: Graph, model: dict[int, bool], base: npt.NDArray[Any]) -> Codes:
    """The codes int64 (features,) that a solver's model gives; `base` for what it leaves open."""
    width = form.width_bits
    codes = base.astype(np.int64) & ((1 << width) - 1)  # a copy
    for key, node in graph.inputs.items():
        port, bit, _ = key
        if port == CODES and node in model:
            feature, position = divmod(bit, width)
            codes[feature] = codes[feature] & ~(1 << position) | int(model[node]) << position
    result: Codes = np.where(codes > form.highest, codes - (1 << width), codes)
    return result


def nets_in_head(netlist: Netlist) -> list[list[int]]:
    """The nets that each score counts."""
    offsets, nets = netlist.head.offsets.tolist(), netlist.head.nets.tolist()
    return [nets[first:last] for first, last in pairwise(offsets)]
