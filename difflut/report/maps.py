"""What the report says of a streaming circuit's maps: their sizes, how each is made, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.circuit import Circuit, MapSize, Pair, WindowLayer


@dataclass(frozen=True, eq=False)
class MapFacts:
    """One map of a streaming circuit.

    Attributes:
        number: 0 for the encoded image.
        size: its channels, rows and columns.
        source: the map that its kernel's windows lie in; None for the encoded image, as are the next three.
        window, stride, padding: rows and columns.
        luts: LUTs of its kernel, 0 for the encoded image.
        line_buffer_bits: of the rows that its windows span above the newest one.
        kept: int64 (rows, columns), how many of its bits at each pixel the dense part reads.
    """

    number: int
    size: MapSize
    source: int | None
    window: Pair | None
    stride: Pair | None
    padding: Pair | None
    luts: int
    line_buffer_bits: int
    kept: npt.NDArray[np.int64]

    @property
    def name(self) -> str:
        """For people."""
        return f"map {self.number}"

    @property
    def kept_bits(self) -> int:
        """How many of its bits the dense part reads."""
        return int(self.kept.sum())

    @property
    def made(self) -> str:
        """How it is made, in words."""
        if self.window is None or self.stride is None or self.padding is None:
            return "the encoded image"
        padding = f", padding {times(self.padding)}" if any(self.padding) else ""
        return f"{times(self.window)} windows of map {self.source}, stride {times(self.stride)}{padding}"


def times(pair: Pair) -> str:
    """Rows and columns for people."""
    return f"{pair[0]} × {pair[1]}"


def read_maps(netlist: Circuit) -> tuple[MapFacts, ...]:
    """Every map of a circuit, the encoded image first; none of one that takes whole samples."""
    bits = np.zeros(int(netlist.map_offsets[-1]), np.int64)
    bits[netlist.body_bits] = 1
    parts = np.split(bits, netlist.map_offsets[1:-1])
    layers: list[WindowLayer | None] = [None, *netlist.layers]
    return tuple(
        MapFacts(
            number=number,
            size=size,
            source=layer.source if layer else None,
            window=layer.window if layer else None,
            stride=layer.stride if layer else None,
            padding=layer.padding if layer else None,
            luts=layer.kernel.luts if layer else 0,
            line_buffer_bits=_line_buffer_bits(layer, netlist.maps[layer.source]) if layer else 0,
            kept=part.reshape(size).sum(axis=0),
        )
        for number, (size, layer, part) in enumerate(zip(netlist.maps, layers, parts, strict=False))
    )


def _line_buffer_bits(layer: WindowLayer, source: MapSize) -> int:
    return (layer.window[0] - 1) * source.columns * source.channels
