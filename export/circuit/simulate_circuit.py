"""The reference semantics of a convolutional netlist: map after map, each kernel on the windows of its source."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.circuit import ConvolutionalNetlist
from difflut.export.circuit.simulate import Outputs, simulate
from difflut.export.circuit.windows import as_map, windows

IMAGES = 64  # evaluated at once; bounds the memory for windows


def simulate_convolution(netlist: ConvolutionalNetlist, codes: npt.ArrayLike) -> Outputs:
    """Compute scores and class index of each image.

    Args:
        netlist: one that `difflut.export.circuit.circuit.check` accepts.
        codes: integer (N, features), each within the netlist's input format; N may be 0.

    Raises:
        CodesError: `codes` has the wrong type, shape or range.
    """
    checked = netlist.input.check_codes(codes)
    parts = [simulate(netlist.dense, _dense_codes(netlist, checked[:0]))]
    for start in range(0, len(checked), IMAGES):
        parts.append(simulate(netlist.dense, _dense_codes(netlist, checked[start : start + IMAGES])))
    return Outputs(np.concatenate([part.scores for part in parts]), np.concatenate([part.classes for part in parts]))


def simulate_maps(netlist: ConvolutionalNetlist, codes: npt.NDArray[np.integer]) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield map 0, 1, ... of images with checked codes: uint8 (N, channels, rows, columns), 0 or 1."""
    images = codes.reshape(len(codes), *netlist.size)[:, netlist.compare_channel]
    maps = [(images >= netlist.compare_threshold[:, None, None]).astype(np.uint8)]
    yield maps[0]
    for layer, size in zip(netlist.layers, netlist.maps[1:], strict=True):
        rows = windows(maps[layer.source], layer)
        scores = simulate(layer.kernel, rows.reshape(-1, rows.shape[2])).scores.astype(np.uint8)
        maps.append(as_map(scores.reshape(len(codes), size.pixels, size.channels), size))
        yield maps[-1]


def _dense_codes(netlist: ConvolutionalNetlist, codes: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    bits = [
        bits.reshape(len(codes), size.bits)
        for bits, size in zip(simulate_maps(netlist, codes), netlist.maps, strict=True)
    ]
    return np.concatenate(bits, axis=1)[:, netlist.dense_bits]
