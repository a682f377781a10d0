"""From a recording to one netlist, with cells of its own for every position of a convolution."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit.netlist import CONST1, IntArray, Netlist, NetlistBuilder
from difflut.export.circuit.windows import as_map, windows
from difflut.export.frontend.recording import Convolution, Recording


def build_netlist(recording: Recording) -> Netlist:
    """The netlist of a recorded model; unoptimised, all in stage 0."""
    builder = NetlistBuilder(recording.name, recording.input)
    nets = np.zeros(recording.next_id, np.int32)
    nets[CONST1] = CONST1
    for compared in recording.comparisons:
        _put(nets, compared.first_id, builder.add_comparators(compared.features, compared.thresholds))
    for layer in recording.layers:
        if isinstance(layer, Convolution):
            _put(nets, layer.first_id, _convolve(builder, layer, nets[layer.source]))
        else:
            added = builder.add_layer(nets[layer.fanin], layer.tables, of_model=layer.of_model)
            _put(nets, layer.first_id, added)
    return builder.finish(recording.head(nets))


def _put(nets: IntArray, first: int, some: IntArray) -> None:
    nets[first : first + some.size] = some.reshape(-1)


def _convolve(builder: NetlistBuilder, layer: Convolution, source: IntArray) -> IntArray:
    """Add the LUTs of every position; their nets int32 (N, *result) for those of the maps (N, channels, rows,
    columns).
    """
    fed = windows(source, layer.window, layer.stride, layer.padding)  # zeros are the net of constant 0
    bits = fed.reshape(-1, fed.shape[2])
    for connections, tables in zip(layer.connections, layer.tables, strict=True):
        fanin = bits[:, connections].reshape(-1, connections.shape[1])
        added = builder.add_layer(fanin, np.tile(tables, (len(bits), 1)))
        bits = added.reshape(len(bits), len(connections))
    return as_map(bits.reshape(len(source), layer.result.pixels, layer.result.channels), layer.result)
