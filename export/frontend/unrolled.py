"""From a recording to one netlist, with cells of its own for every position of a convolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from difflut.export.circuit.filter_kernel import filter_kernel
from difflut.export.circuit.netlist import CONST1, IntArray, Netlist, NetlistBuilder
from difflut.export.circuit.unroll import instantiate
from difflut.export.circuit.windows import as_map, windows
from difflut.export.frontend.recording import Convolution, Recording, Sums


def build_netlist(recording: Recording) -> Netlist:
    """The netlist of a recorded model; unoptimised, all in stage 0."""
    builder = NetlistBuilder(recording.name, recording.input)
    nets = np.zeros(recording.next_id, np.int32)
    nets[CONST1] = CONST1
    features = recording.input.features
    for compared in recording.comparisons:
        of_codes = np.flatnonzero(compared.features < features)
        added = builder.add_comparators(compared.features[of_codes], compared.thresholds[of_codes])
        nets[compared.first_id + of_codes] = added
    if recording.sums:
        width = recording.input.width_bits
        bits = builder.add_bits(np.arange(features)[:, None], np.arange(width))
        for sums in recording.sums:
            _compare_sums(builder, recording, sums, bits, nets)
    for layer in recording.layers:
        if isinstance(layer, Convolution):
            _put(nets, layer.first_id, _convolve(builder, layer, nets[layer.source]))
        else:
            added = builder.add_layer(nets[layer.fanin], layer.tables, of_model=layer.of_model)
            _put(nets, layer.first_id, added)
    return builder.finish(recording.head(nets))


def _put(nets: IntArray, first: int, some: IntArray) -> None:
    nets[first : first + some.size] = some.reshape(-1)


def _compare_sums(builder: NetlistBuilder, recording: Recording, sums: Sums, bits: IntArray, nets: IntArray) -> None:
    """Add the LUTs that compare sums of codes, of which `bits`, int32 (features, width_bits), are the nets of bits.

    Positions whose sums are compared with the same thresholds are alike.
    """
    size, form = sums.size, replace(recording.input, features=len(sums.source))
    wanted: list[dict[tuple[int, int], list[int]]] = [{} for _ in range(size.pixels)]
    for compared in recording.comparisons:
        inside = np.flatnonzero((compared.features >= sums.first) & (compared.features < sums.first + size.bits))
        of_sum, pixel = np.divmod(compared.features[inside] - sums.first, size.pixels)
        found = zip(pixel.tolist(), of_sum.tolist(), compared.thresholds[inside].tolist(), inside.tolist(), strict=True)
        for at, number, threshold, place in found:
            wanted[at].setdefault((number, threshold), []).append(compared.first_id + place)
    alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for at, some in enumerate(wanted):
        alike.setdefault(tuple(sorted(some)), []).append(at)
    source = bits[sums.source].transpose(0, 3, 1, 2).reshape(1, -1, size.rows, size.columns)
    fed = windows(source, sums.window, (1, 1), sums.padding)[0]
    for pairs, positions in alike.items():
        if pairs:
            kernel = filter_kernel(recording.name, form, sums.weights, pairs)
            made = instantiate(builder, kernel, fed[positions])[:, kernel.head.nets]
            for at, row in zip(positions, made, strict=True):
                for pair, net in zip(pairs, row.tolist(), strict=True):
                    nets[wanted[at][pair]] = net


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
