"""The intermediate representation of a whole model: window layers, each kernel once, and the body behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from difflut.export.circuit.netlist import InputFormat, IntArray, Netlist, OffsetArray, frozen
from difflut.export.errors import NetlistError
from difflut.shown import Brief

Pair = tuple[int, int]

BODY = "body"


def kernel_name(layer: int) -> str:
    """What `Circuit.parts` calls the kernel of a layer, counted from 1."""
    return f"kernel {layer}"


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


@dataclass(frozen=True, eq=False, repr=False)
class EncodedImage(Brief):
    """Images as inputs, and the comparisons that make bits of each pixel.

    Attributes:
        size: colours, rows and columns of an image.
        compare_channel: int32 (channels,), the colour that each channel of map 0 compares, or the number of a bit of it
            (see `Netlist`; the features are the colours of one pixel).
        compare_threshold: int32 (channels,), what it compares with.
    """

    size: MapSize
    compare_channel: IntArray
    compare_threshold: IntArray

    def __post_init__(self) -> None:
        for field in ("compare_channel", "compare_threshold"):
            object.__setattr__(self, field, frozen(field, getattr(self, field), np.int32))

    @property
    def map_size(self) -> MapSize:
        """The size of map 0."""
        return MapSize(len(self.compare_channel), self.size.rows, self.size.columns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EncodedImage):
            return NotImplemented
        return (
            self.size == other.size
            and np.array_equal(self.compare_channel, other.compare_channel)
            and np.array_equal(self.compare_threshold, other.compare_threshold)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, repr=False)
class WindowLayer(Brief):
    """A kernel at every position of a map: a convolution of LUT trees, or a pooling.

    Attributes:
        source: the number of the map that it reads.
        kernel: a `Netlist` on features of one bit, unsigned: feature (c * window[0] + i) * window[1] + j is element (i,
            j) of channel c of the window. Its score k counts one net, which is output channel k.
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


@dataclass(frozen=True, eq=False, repr=False)
class Circuit(Brief):
    """A circuit from codes to scores and a class index, with each kernel once. This docstring is its specification.

    **Whole samples.** A circuit without `layers` has no `image` and no `body_bits`. Its `body` is all of it: it reads
    the codes themselves and has the circuit's name and input.

    **Images.** With `layers`, `input` has `image.size.bits` features, where `image.size` gives the colours, rows and
    columns of an image: feature (c * rows + y) * columns + x is the code of colour c at pixel (y, x).

    **Maps.** Map 0 is the encoded image: its channel e at pixel (y, x) is 1 exactly when the code of colour
    `image.compare_channel[e]` there is >= `image.compare_threshold[e]`; a threshold beyond the codes' range makes a
    constant. A number beyond the colours is a bit of one, as in a netlist: behind an integer filter map 0 is the bits
    of all codes, and the kernel of a first layer compares sums of the codes in its window. Map m >= 1 is what
    `layers[m-1]` makes of its source, a map with a smaller number. `maps` gives all sizes.

    **Body.** Behind layers, `body` is a `Netlist` on features of one bit, unsigned. The bits of all maps are numbered:
    map after map, in a map channel after channel, in a channel row after row. Feature f is the bit with the number
    `body_bits[f]`; the numbers ascend strictly. The scores and the class are those of `body`.

    **Stages** of the body and of the kernels have the meaning that they have in a netlist of its own.

    `difflut.export.circuit.unroll` makes the one `Netlist` that computes the same, a kernel for every position.
    Circuits are checked by `difflut.export.circuit.rules.check`, and compared by value with `==`.
    """

    name: str
    input: InputFormat
    image: EncodedImage | None
    layers: tuple[WindowLayer, ...]
    body: Netlist
    body_bits: OffsetArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "body_bits", frozen("body_bits", self.body_bits, np.int64))

    @classmethod
    def of(cls, netlist: Netlist) -> Circuit:
        """The circuit of whole samples that a netlist is."""
        return cls(netlist.name, netlist.input, None, (), netlist, np.zeros(0, np.int64))

    def parts(self) -> tuple[tuple[str, Netlist], ...]:
        """Every netlist in the circuit with its name: "kernel 1", "kernel 2", ..., "body"."""
        kernels = ((kernel_name(number), layer.kernel) for number, layer in enumerate(self.layers, 1))
        return (*kernels, (BODY, self.body))

    def map_parts(self, function: Callable[[str, Netlist], Netlist]) -> Circuit:
        """The circuit with each part replaced by what `function` makes of its name and itself, in the order of
        `parts`.
        """
        layers = tuple(
            replace(layer, kernel=function(kernel_name(number), layer.kernel))
            for number, layer in enumerate(self.layers, 1)
        )
        body = function(BODY, self.body)
        if not layers:
            return Circuit.of(body)
        return replace(self, layers=layers, body=body)

    @property
    def size(self) -> MapSize:
        """Colours, rows and columns of an image."""
        return self._encoded().size

    @property
    def compare_channel(self) -> IntArray:
        """int32 (channels of map 0,): see `EncodedImage`."""
        return self._encoded().compare_channel

    @property
    def compare_threshold(self) -> IntArray:
        """int32 (channels of map 0,): see `EncodedImage`."""
        return self._encoded().compare_threshold

    @property
    def pixel_format(self) -> InputFormat:
        """The codes of one pixel."""
        return replace(self.input, features=self._encoded().size.channels)

    def _encoded(self) -> EncodedImage:
        if self.image is None:
            raise NetlistError(f"circuit {self.name!r} takes whole samples; expected one of images, with window layers")
        return self.image

    @cached_property
    def maps(self) -> tuple[MapSize, ...]:
        """The size of every map, the encoded image first; none in a circuit of whole samples."""
        if self.image is None:
            return ()
        sizes = [self.image.map_size]
        for layer in self.layers:
            sizes.append(layer.output_size(sizes[layer.source]))
        return tuple(sizes)

    @property
    def map_offsets(self) -> OffsetArray:
        """int64 (maps + 1,): the number of the first bit of each map, and of all bits."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum([size.bits for size in self.maps], dtype=np.int64)])

    @property
    def collected(self) -> tuple[int, ...]:
        """The numbers of the maps of which the body reads bits."""
        return tuple(np.unique(np.searchsorted(self.map_offsets, self.body_bits, side="right") - 1).tolist())

    @property
    def luts(self) -> int:
        """LUTs of all parts, each kernel once."""
        return sum(part.luts for _, part in self.parts())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Circuit):
            return NotImplemented
        return (
            (self.name, self.input, self.image, self.layers, self.body)
            == (other.name, other.input, other.image, other.layers, other.body)
        ) and np.array_equal(self.body_bits, other.body_bits)

    __hash__ = None  # type: ignore[assignment]


def as_circuit(circuit: Circuit | Netlist) -> Circuit:
    """A netlist as the circuit of whole samples that it is; a circuit as it is."""
    return Circuit.of(circuit) if isinstance(circuit, Netlist) else circuit
