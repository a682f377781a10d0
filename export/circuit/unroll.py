"""Unrolling: a circuit as one netlist, with a copy of each kernel for every position."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from difflut.export.circuit.analysis import independent_runs
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import CONST1, FIRST_NET, IntArray, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.circuit.windows import as_map, windows
from difflut.export.errors import NetlistError

MOST_LUTS = 1 << 23  # about a gigabyte while it is made


def unroll(circuit: Circuit) -> Netlist:
    """The netlist that computes the same scores for all images: all its cells are in stage 0; that of whole samples is
    the body as it is.

    Raises:
        NetlistError: the circuit breaks its specification, or has more than `MOST_LUTS` at all positions.
    """
    check(circuit)
    if not circuit.layers:
        return circuit.body
    luts = sum(layer.kernel.luts * size.pixels for layer, size in zip(circuit.layers, circuit.maps[1:], strict=True))
    if max(luts, circuit.maps[0].bits) > MOST_LUTS:
        raise NetlistError(
            f"unrolled, {circuit.name} has {luts:,} LUTs behind {circuit.maps[0].bits:,} bits of its image; at most "
            f"{MOST_LUTS:,} of each are put side by side"
        )
    builder = NetlistBuilder(circuit.name, circuit.input)
    maps = [_encode(builder, circuit)]
    for layer, size in zip(circuit.layers, circuit.maps[1:], strict=True):
        fed = windows(maps[layer.source][None], layer.window, layer.stride, layer.padding)[0]
        maps.append(as_map(instantiate(builder, layer.kernel, fed)[None, :, layer.kernel.head.nets], size)[0])
    bits = np.concatenate([nets.reshape(-1) for nets in maps])
    nets = instantiate(builder, circuit.body, bits[circuit.body_bits][None])[0]
    return builder.finish(replace(circuit.body.head, nets=nets[circuit.body.head.nets]))


def _encode(builder: NetlistBuilder, circuit: Circuit) -> IntArray:
    """Add the comparators of map 0; their nets, int32 (channels, rows, columns)."""
    colour, bit = circuit.pixel_format.features_and_bits(circuit.compare_channel)
    pixels = np.arange(circuit.size.bits, dtype=np.int64).reshape(circuit.size)
    nets = np.zeros(circuit.maps[0], np.int32)
    whole = bit < 0
    nets[whole] = builder.add_comparators(pixels[colour[whole]], circuit.compare_threshold[whole, None, None])
    nets[~whole] = builder.add_bits(pixels[colour[~whole]], bit[~whole, None, None])
    return nets


def instantiate(builder: NetlistBuilder, part: Netlist, fed: IntArray) -> IntArray:
    """Add copies of a netlist on features of one bit; int32 (copies, nets of the part): where its nets went.

    Args:
        fed: int (copies, features), the net that each feature of each copy is.
    """
    copies = len(fed)
    nets = np.zeros((copies, part.nets), np.int32)
    nets[:, CONST1] = CONST1
    # The only comparison of a code of one bit that is not constant is with 1: it is the code.
    nets[:, FIRST_NET : part.first_lut_net] = fed[:, part.compare_feature]
    for run in independent_runs(part):
        luts = np.arange(run.start, run.stop)
        # LUTs of a layer go in one call, so that they keep their place in it.
        keys = np.stack([part.lut_inputs[luts], part.lut_layer[luts] > 0], axis=1)
        for n, of_model in np.unique(keys, axis=0).tolist():
            some = luts[(keys == [n, of_model]).all(axis=1)]
            fanin = nets[:, part.lut_fanin[part.lut_offsets[some][:, None] + np.arange(n)]]
            tables = np.tile(part.tables_of(some, n), (copies, 1))
            added = builder.add_layer(fanin.reshape(-1, n), tables, of_model=bool(of_model))
            nets[:, part.first_lut_net + some] = added.reshape(copies, len(some))
    return nets
