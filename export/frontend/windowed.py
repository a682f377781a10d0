"""From a recording to a circuit with window layers: what reads whole maps becomes kernels, the rest the body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from difflut.export.circuit.circuit import Circuit, EncodedImage, MapSize, WindowLayer
from difflut.export.circuit.filter_kernel import filter_kernel
from difflut.export.circuit.netlist import CONST1, FIRST_NET, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.errors import TraceError
from difflut.export.frontend.recording import Convolution, Ids, Lookups, Recording, refusal


def build_circuit(recording: Recording) -> Circuit:
    """The circuit of a recorded model of images, each kernel once; unoptimised, all in stage 0.

    Raises:
        TraceError: a convolution reads something else than one whole map, or there is none.
    """
    circuit = _Maps(recording).circuit()
    check(circuit)
    return circuit


class _Maps:
    """The maps of a recording: which bits they have, and who reads them."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        shape = recording.shape
        if len(shape) not in (2, 3):
            raise TraceError(
                f"model {recording.name!r}: its input_shape is {shape}; an image has the shape (colours, rows, "
                "columns) or (rows, columns)"
            )
        self.size = MapSize(*(1,) * (3 - len(shape)), *shape)
        self.filtered = self.size._replace(
            channels=self.size.channels + sum(some.size.channels for some in recording.sums)
        )
        self.kernels = [layer for layer in recording.layers if isinstance(layer, Convolution)]
        self.lookups = [layer for layer in recording.layers if isinstance(layer, Lookups)]
        none = np.full(FIRST_NET, -1, np.int64)  # of the constants
        self.feature = np.concatenate([none, *(some.features for some in recording.comparisons)])
        self.threshold = np.concatenate([none, *(some.thresholds for some in recording.comparisons)])
        self.encoded: dict[tuple[int, int], int] = {}  # colour or sum, threshold -> channel of the encoded image

    def circuit(self) -> Circuit:
        sources = [self._source(kernel) for kernel in self.kernels]
        if not sources:
            raise TraceError(
                f"model {self.recording.name!r} has no convolution (ConvLUTLayer) on its image; export it with --conv "
                "unrolled"
            )
        read = [lookup.fanin.reshape(-1) for lookup in self.lookups]
        number, body_bits = self._body_bits(np.unique(np.concatenate([*read, *self.recording.groups])))
        form = self.recording.input
        image, front = self._image()
        channels = [len(self.encoded), *(kernel.result.channels for kernel in self.kernels)]
        layers = [
            self._layer(place, source + len(front), read_channels, channels[source])
            for place, (source, read_channels) in enumerate(sources, 1)
        ]
        return Circuit(
            name=self.recording.name,
            input=form,
            image=image,
            layers=(*front, *layers),
            body=self._body(number, body_bits),
            body_bits=body_bits + (image.map_size.bits if front else 0),
        )

    def _image(self) -> tuple[EncodedImage, list[WindowLayer]]:
        """The encoded image; behind filters that is what a first layer makes of the bits of all codes, map 0."""
        form, colours = self.recording.input, self.size.channels
        encoded = np.array(list(self.encoded), np.int64)
        if not self.recording.sums:
            # Beyond the codes' range every threshold means the same, and it must fit int32.
            levels = encoded[:, 1].clip(form.lowest, form.highest + 1)
            return EncodedImage(self.size, encoded[:, 0].astype(np.int32), levels.astype(np.int32)), []
        pixel = replace(form, features=colours)
        bits = pixel.number(np.arange(colours)[:, None], np.arange(form.width_bits)).reshape(-1).astype(np.int32)
        weights = self._weights()
        window = weights.shape[2], weights.shape[3]
        kernel = filter_kernel(f"{self.recording.name}_filter", pixel, weights, list(self.encoded))
        front = WindowLayer(0, kernel, window, (1, 1), (window[0] // 2, window[1] // 2))
        return EncodedImage(self.size, bits, np.ones(len(bits), np.int32)), [front]

    def _weights(self) -> Ids:
        """int64 (colours and sums, colours, rows, columns): what each channel of the filtered image is a sum of."""
        colours = self.size.channels
        for sums in self.recording.sums:
            if not np.array_equal(sums.source.reshape(-1), np.arange(self.size.bits)) or len(sums.source) != colours:
                raise TraceError(
                    f"model {self.recording.name!r}: a filter does not read the image as it is; in a stream it takes "
                    "all pixels and colours in their order: leave them so, or export it with --conv unrolled"
                )
        window = [max(sums.window[axis] for sums in self.recording.sums) for axis in (0, 1)]
        parts = [np.eye(colours, dtype=np.int64)[:, :, None, None], *(sums.weights for sums in self.recording.sums)]
        margins = [[(side - part.shape[2 + axis]) // 2 for axis, side in enumerate(window)] for part in parts]
        return np.concatenate(
            [np.pad(part, ((0, 0), (0, 0), (y, y), (x, x))) for part, (y, x) in zip(parts, margins, strict=True)]
        )

    def _source(self, kernel: Convolution) -> tuple[int, Ids]:
        """The number of the map that a convolution reads, 0 for the encoded image, and which of its channels."""
        if len(kernel.source) != 1:
            raise self._refusal(kernel, ": a convolution in a stream reads the map of one image")
        ids = kernel.source[0]
        if ids.min() >= FIRST_NET and ids.max() < len(self.feature):
            feature, threshold = self.feature[ids], self.threshold[ids]
            colours = _channels(feature, self.filtered)
            if colours is not None and (threshold == threshold[:, :1, :1]).all():
                found = zip(colours.tolist(), threshold[:, 0, 0].tolist(), strict=True)
                return 0, np.array([self._channel(colour, level) for colour, level in found])
        for number, other in enumerate(self.kernels, 1):
            channels = _channels(ids - other.first_id, other.result)
            if channels is not None:
                return number, channels
        raise self._refusal(
            kernel,
            ": a convolution in a stream reads one whole map, as it is: the encoded image, with thresholds that all "
            "pixels of a colour share, or the result of one convolution or pooling",
        )

    def _refusal(self, kernel: Convolution, why: str) -> TraceError:
        return refusal(self.recording.name, kernel.operator, "bits", why, kernel.place)

    def _channel(self, colour: int, threshold: int) -> int:
        """The channel of the encoded image that compares a colour, or a sum, with a threshold."""
        return self.encoded.setdefault((colour, threshold), len(self.encoded))

    def _body_bits(self, read: Ids) -> tuple[Ids, Ids]:
        """For each id the number of its bit among the bits of all maps from the encoded image on, -1 for others; the
        numbers of the ids `read`.
        """
        pixels = self.size.pixels
        number = np.full(self.recording.next_id, -1, np.int64)
        for one in read[(read >= FIRST_NET) & (read < len(self.feature))].tolist():
            channel = self._channel(int(self.feature[one]) // pixels, int(self.threshold[one]))
            number[one] = channel * pixels + self.feature[one] % pixels
        offset = len(self.encoded) * pixels
        for kernel in self.kernels:
            bits = kernel.result.bits
            number[kernel.first_id : kernel.first_id + bits] = offset + np.arange(bits)
            offset += bits
        numbers = np.unique(number[read])
        numbers = numbers[numbers >= 0]
        return number, numbers if len(numbers) else np.zeros(1, np.int64)  # a netlist has at least one feature

    def _layers_before(self, stop: Convolution) -> int:
        """How many layers of the model come before a convolution; each level of trees is one."""
        before = self.recording.layers[: self.recording.layers.index(stop)]
        return sum(len(layer.connections) if isinstance(layer, Convolution) else layer.of_model for layer in before)

    def _layer(self, place: int, source: int, read: Ids, channels: int) -> WindowLayer:
        """The layer of a kernel, which reads some of the channels that its source has in all."""
        kernel = self.kernels[place - 1]
        area = kernel.window[0] * kernel.window[1]
        form = InputFormat(channels * area, 1)
        builder = NetlistBuilder(f"{self.recording.name}_map{place}", form, self._layers_before(kernel))
        nets = builder.add_comparators(np.arange(form.features), 1).reshape(channels, area)[read].reshape(-1)
        for connections, tables in zip(kernel.connections, kernel.tables, strict=True):
            nets = builder.add_layer(nets[connections], tables)
        built = builder.finish(Head(np.arange(len(nets) + 1), nets))
        return WindowLayer(source, built, kernel.window, kernel.stride, kernel.padding)

    def _body(self, number: Ids, body_bits: Ids) -> Netlist:
        form, last = InputFormat(len(body_bits), 1), self.kernels[-1]
        before = self._layers_before(last) + len(last.connections)
        builder = NetlistBuilder(f"{self.recording.name}_dense", form, before)
        nets = np.zeros(self.recording.next_id, np.int32)
        nets[CONST1] = CONST1
        bits = builder.add_comparators(np.arange(form.features), 1)
        known = np.flatnonzero(number >= 0)
        place = np.searchsorted(body_bits, number[known]).clip(max=len(body_bits) - 1)
        of_feature = body_bits[place] == number[known]
        nets[known[of_feature]] = bits[place[of_feature]]
        for lookup in self.lookups:
            added = builder.add_layer(nets[lookup.fanin], lookup.tables, of_model=lookup.of_model)
            nets[lookup.first_id : lookup.first_id + len(added)] = added
        return builder.finish(self.recording.head(nets))


def _channels(bits: Ids, size: MapSize) -> Ids | None:
    """Which channels of a map of `size` int64 (channels, rows, columns) holds the bits of, by number; None: not whole
    ones.
    """
    places = np.arange(size.pixels).reshape(size[1:])
    whole = (
        bits.shape[1:] == size[1:]
        and bits.min() >= 0
        and bits.max() < size.bits
        and (bits == bits[:, :1, :1] + places).all()
        and (bits[:, 0, 0] % size.pixels == 0).all()
    )
    return bits[:, 0, 0] // size.pixels if whole else None
