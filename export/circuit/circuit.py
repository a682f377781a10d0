"""The intermediate representation of a convolutional network: each kernel once, with its geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from difflut.export.circuit.netlist import InputFormat, IntArray, Netlist, OffsetArray, frozen
from difflut.export.circuit.rules import check as check_netlist
from difflut.export.errors import NetlistError

Pair = tuple[int, int]


class MapSize(NamedTuple):
    """How many channels of bits a map has, and how many rows and columns of pixels."""

    channels: int
    rows: int
    columns: int

    @property
    def pixels(self) -> int:
        """Pixels of the map."""
        return self.rows * self.columns

    @property
    def bits(self) -> int:
        """Bits of the map."""
        return self.channels * self.pixels


@dataclass(frozen=True, eq=False)
class WindowLayer:
    """A kernel at every position of a map: a convolution of LUT trees, or an OR pooling.

    Attributes:
        source: the number of the map that it reads.
        kernel: a `Netlist` on features of one bit, unsigned: feature (c * window[0] + i) * window[1] + j is element (i, j)
            of channel c of the window. Its score k counts one net, which is output channel k.
        window: rows and columns of the window.
        stride: rows and columns from one position to the next.
        padding: rows and columns of zeros on each side of the map; window element (i, j) of position (y, x) is pixel
            (y * stride[0] + i - padding[0], x * stride[1] + j - padding[1]).
    """

    source: int
    kernel: Netlist
    window: Pair
    stride: Pair
    padding: Pair

    def output_size(self, size: MapSize) -> MapSize:
        """The size of the map that the layer makes of one of `size`."""
        rows, columns = (
            (size[1 + axis] + 2 * self.padding[axis] - self.window[axis]) // self.stride[axis] + 1 for axis in (0, 1)
        )
        return MapSize(self.kernel.head.classes, rows, columns)


@dataclass(frozen=True, eq=False)
class ConvolutionalNetlist:
    """A circuit from images to scores and a class index, with each kernel once. This docstring is its specification.

    **Input.** `input` has `size.bits` features, where `size` gives the colours, rows and columns of an image: feature
    (c * rows + y) * columns + x is the code of colour c at pixel (y, x).

    **Maps.** Map 0 is the encoded image: its channel e at pixel (y, x) is 1 exactly when the code of colour
    `compare_channel[e]` there is >= `compare_threshold[e]`; a threshold beyond the codes' range makes a constant. Map m >=
    1 is what `layers[m-1]` makes of its source, a map with a smaller number. `maps` gives all sizes.

    **Dense part.** `dense` is a `Netlist` on features of one bit, unsigned. The bits of all maps are numbered: map after
    map, in a map channel after channel, in a channel row after row. Feature f is the bit with the number `dense_bits[f]`;
    the numbers ascend strictly. The scores and the class are those of `dense`.

    **Stages** of `dense` and of the kernels have the meaning that they have in a netlist of its own.

    `difflut.export.circuit.unroll` makes the `Netlist` that computes the same, a kernel for every position.
    """

    name: str
    input: InputFormat
    size: MapSize
    compare_channel: IntArray
    compare_threshold: IntArray
    layers: tuple[WindowLayer, ...]
    dense: Netlist
    dense_bits: OffsetArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "compare_channel", frozen("compare_channel", self.compare_channel, np.int32))
        object.__setattr__(self, "compare_threshold", frozen("compare_threshold", self.compare_threshold, np.int32))
        object.__setattr__(self, "dense_bits", frozen("dense_bits", self.dense_bits, np.int64))

    @property
    def maps(self) -> tuple[MapSize, ...]:
        """The size of every map, the encoded image first."""
        sizes = [MapSize(len(self.compare_channel), self.size.rows, self.size.columns)]
        for layer in self.layers:
            sizes.append(layer.output_size(sizes[layer.source]))
        return tuple(sizes)

    @property
    def map_offsets(self) -> OffsetArray:
        """int64 (maps + 1,): the number of the first bit of each map, and of all bits."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum([size.bits for size in self.maps], dtype=np.int64)])

    @property
    def collected(self) -> tuple[int, ...]:
        """The numbers of the maps of which the dense part reads bits."""
        return tuple(np.unique(np.searchsorted(self.map_offsets, self.dense_bits, side="right") - 1).tolist())

    @property
    def luts(self) -> int:
        """LUTs of all kernels and of the dense part, each kernel once."""
        return sum(layer.kernel.luts for layer in self.layers) + self.dense.luts

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConvolutionalNetlist):
            return NotImplemented
        return (
            (self.name, self.input, self.size) == (other.name, other.input, other.size)
            and np.array_equal(self.compare_channel, other.compare_channel)
            and np.array_equal(self.compare_threshold, other.compare_threshold)
            and np.array_equal(self.dense_bits, other.dense_bits)
            and len(self.layers) == len(other.layers)
            and all(_equal(mine, theirs) for mine, theirs in zip(self.layers, other.layers, strict=True))
            and self.dense == other.dense
        )

    __hash__ = None  # type: ignore[assignment]


def _equal(mine: WindowLayer, theirs: WindowLayer) -> bool:
    fields = ("source", "kernel", "window", "stride", "padding")
    return all(getattr(mine, field) == getattr(theirs, field) for field in fields)


def check(netlist: ConvolutionalNetlist) -> None:
    """Raise `NetlistError` naming the first part that breaks the specification, what is there and what is expected."""
    problem = _image(netlist) or _layers(netlist) or _dense(netlist)
    if problem is not None:
        raise NetlistError(f"convolutional netlist {netlist.name!r}: {problem}")


def _image(netlist: ConvolutionalNetlist) -> str | None:
    if min(netlist.size) < 1 or netlist.input.features != netlist.size.bits:
        return (
            f"the input has {netlist.input.features} features; expected {tuple(netlist.size)}, colours, rows, columns"
        )
    channel = netlist.compare_channel
    if channel.shape != netlist.compare_threshold.shape or not channel.size:
        return (
            f"{channel.shape} channels and {netlist.compare_threshold.shape} thresholds; expected one each, at least 1"
        )
    if int(channel.min()) < 0 or int(channel.max()) >= netlist.size.channels:
        return f"comparisons read colours {channel.min()} to {channel.max()}; expected 0 to {netlist.size.channels - 1}"
    return None


def _layers(netlist: ConvolutionalNetlist) -> str | None:
    if not netlist.layers:
        return "it has no layer; expected at least one"
    for number, layer in enumerate(netlist.layers, 1):
        if not 0 <= layer.source < number:
            return f"layer {number} reads map {layer.source}; expected 0 to {number - 1}"
        if min(*layer.window, *layer.stride) < 1 or min(layer.padding) < 0:
            return (
                f"layer {number} has the window {layer.window}, stride {layer.stride} and padding {layer.padding}; "
                f"expected at least 1, 1 and 0"
            )
        check_netlist(layer.kernel)
        source = netlist.maps[layer.source]
        wanted = InputFormat(source.channels * layer.window[0] * layer.window[1], 1)
        if layer.kernel.input != wanted:
            return f"the kernel of layer {number} has the input {layer.kernel.input}; expected {wanted}"
        if bool((np.diff(layer.kernel.head.offsets) != 1).any()):
            return f"the kernel of layer {number} has a score of several nets; expected one net each"
        if min(layer.output_size(source)) < 1:
            return f"layer {number} has no position on a map of {source.rows} x {source.columns} pixels"
    return None


def _dense(netlist: ConvolutionalNetlist) -> str | None:
    check_netlist(netlist.dense)
    bits, count = netlist.dense_bits, int(netlist.map_offsets[-1])
    if netlist.dense.input != InputFormat(len(bits), 1):
        return f"the dense part has the input {netlist.dense.input}; expected {InputFormat(len(bits), 1)}"
    if bool((np.diff(bits) <= 0).any()) or int(bits[0]) < 0 or int(bits[-1]) >= count:
        return f"dense_bits runs from {bits[0]} to {bits[-1]}; expected numbers from 0 to {count - 1}, ascending"
    return None
