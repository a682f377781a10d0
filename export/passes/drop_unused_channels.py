"""Drop the channels of maps that nobody reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.analysis import features_read
from difflut.export.circuit.circuit import Circuit, EncodedImage, MapSize, WindowLayer
from difflut.export.circuit.netlist import Head, InputFormat, Netlist
from difflut.export.passes.circuit_pass import CircuitPass
from difflut.export.passes.remove_dead import remove_dead

Indices = npt.NDArray[np.int64]


@CircuitPass
def drop_unused_channels(circuit: Circuit) -> Circuit:
    """Drop outputs of kernels, comparisons of pixels and bits of maps that neither a later layer nor the body needs.

    Exact, as nothing that is dropped has a path to a score. A map keeps at least one channel, the body at least one
    bit.
    """
    if circuit.image is None:
        return circuit
    body = remove_dead(circuit.body)
    bits = circuit.body_bits[_at_least_one(features_read(body))]
    needed = _channels_of_bits(circuit, bits)
    layers: list[WindowLayer] = []
    for number, layer in reversed(list(enumerate(circuit.layers, 1))):
        kernel = layer.kernel
        nets = kernel.head.nets[_at_least_one(np.flatnonzero(needed[number]))]
        kernel = remove_dead(kernel.with_(head=Head(np.arange(len(nets) + 1), nets)))
        needed[layer.source][features_read(kernel) // _area(layer)] = True
        layers.insert(0, replace(layer, kernel=kernel))
    kept = [_at_least_one(np.flatnonzero(channels)) for channels in needed]
    image = EncodedImage(
        circuit.image.size, circuit.image.compare_channel[kept[0]], circuit.image.compare_threshold[kept[0]]
    )
    return replace(
        circuit,
        image=image,
        layers=tuple(replace(layer, kernel=_reading(layer, kept[layer.source])) for layer in layers),
        body=_renumbered(body, np.searchsorted(circuit.body_bits, bits)),
        body_bits=_renumbered_bits(circuit, bits, kept),
    )


def _at_least_one(indices: npt.NDArray[np.integer]) -> Indices:
    return indices.astype(np.int64) if len(indices) else np.zeros(1, np.int64)


def _area(layer: WindowLayer) -> int:
    return layer.window[0] * layer.window[1]


def _channels_of_bits(circuit: Circuit, bits: Indices) -> list[npt.NDArray[np.bool_]]:
    """For each map bool (channels,): whether it has one of the bits with these numbers."""
    has = np.zeros(int(circuit.map_offsets[-1]), np.bool_)
    has[bits] = True
    maps = np.split(has, circuit.map_offsets[1:-1])
    return [np.any(some.reshape(size.channels, -1), axis=1) for some, size in zip(maps, circuit.maps, strict=True)]


def _reading(layer: WindowLayer, channels: Indices) -> Netlist:
    """The kernel of a layer whose source has only these of its channels."""
    area = _area(layer)
    return _renumbered(layer.kernel, (channels[:, None] * area + np.arange(area)).reshape(-1))


def _renumbered(part: Netlist, features: Indices) -> Netlist:
    """A part on these of its features only, ascending; it reads no other."""
    place = np.searchsorted(features, part.compare_feature)
    return part.with_(input=InputFormat(len(features), 1), compare_feature=place)


def _renumbered_bits(circuit: Circuit, bits: Indices, kept: list[Indices]) -> Indices:
    """The numbers of bits among those of maps with only the `kept` channels."""
    sizes = [MapSize(len(channels), *size[1:]) for channels, size in zip(kept, circuit.maps, strict=True)]
    numbers = np.full(int(circuit.map_offsets[-1]), -1, np.int64)
    first = 0
    for offset, channels, size in zip(circuit.map_offsets, kept, sizes, strict=False):
        old = offset + channels[:, None] * size.pixels + np.arange(size.pixels)
        numbers[old.reshape(-1)] = first + np.arange(size.bits)
        first += size.bits
    return numbers[bits]
