"""From a model to a `Circuit`: the walk of `difflut.export.frontend.trace`, with maps of bits in place of nets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx

from difflut.export.circuit.circuit import Circuit, EncodedImage, MapSize, Pair, WindowLayer
from difflut.export.circuit.netlist import CONST1, FIRST_NET, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.errors import TraceError
from difflut.export.frontend.trace import Bits, Tracer, walk
from difflut.models.base_model import BaseModel

Ids = npt.NDArray[np.int64]


def trace_circuit(model: BaseModel) -> Circuit:
    """The circuit of a fitted convolutional model, each kernel once.

    Args:
        model: a model of images, `input_shape` (colours, rows, columns) or (rows, columns), of which each convolution and
            pooling reads one whole map: the encoded image, where all pixels of a colour have the same thresholds, or
            what another convolution or pooling gave. Its time and memory do not grow with the positions of a kernel.

    Raises:
        NotFittedError: if the model is not fitted.
        TraceError: if the forward uses anything that has no circuit, or the model is of another kind.
    """
    netlist: Circuit = walk(model, _MapTracer)
    return netlist


@dataclass(frozen=True)
class _Kernel:
    """A convolution as it was met: the source map, which of its channels are read, and the levels of the trees."""

    source: int
    channels: Ids
    connections: list[Ids]
    tables: list[npt.NDArray[np.bool_]]
    window: Pair
    stride: Pair
    padding: Pair
    first_id: int
    layers_before: int


@dataclass(frozen=True)
class _Lookup:
    """A layer of LUTs that is no convolution, as it was met."""

    fanin: Ids
    tables: npt.NDArray[np.bool_]
    of_model: bool
    first_id: int


class _MapTracer(Tracer):
    """Gives an id to every comparison, every bit of a map and every other LUT, in the order in which they are met."""

    def __init__(self, model: BaseModel, program: torch.export.ExportedProgram) -> None:
        super().__init__(model, program)
        if len(model.input_shape) not in (2, 3):
            raise TraceError(
                f"model {model.name!r}: its input_shape is {model.input_shape}; an image has the shape (colours, rows, "
                f"columns) or (rows, columns)"
            )
        self.size = MapSize(*(1,) * (3 - len(model.input_shape)), *model.input_shape)
        self.kernels: list[_Kernel] = []
        self.lookups: list[_Lookup] = []
        self.feature: Ids = np.full(FIRST_NET, -1, np.int64)  # of each comparison, by id
        self.threshold: Ids = np.full(FIRST_NET, -1, np.int64)
        self.encoded: dict[tuple[int, int], int] = {}  # colour, threshold -> channel of map 0
        self.sizes: list[MapSize] = [self.size]  # of map 0 only rows and columns
        self.next_id = FIRST_NET
        self.layers = 0

    def _new_ids(self, count: int) -> Ids:
        ids = np.arange(self.next_id, self.next_id + count)
        self.next_id += count
        return ids

    def _compare(self, features: Tensor, thresholds: Any) -> Tensor:
        feature, threshold = np.broadcast_arrays(features.numpy(), thresholds)
        self.feature = np.concatenate([self.feature, feature.reshape(-1)])
        self.threshold = np.concatenate([self.threshold, threshold.reshape(-1)])
        return torch.from_numpy(self._new_ids(feature.size).reshape(feature.shape))

    def _add_layer(self, fanin: Tensor, tables: Tensor, of_model: bool) -> Tensor:
        self.lookups.append(_Lookup(fanin.numpy(), tables.numpy(), of_model, self.next_id))
        self.layers += of_model
        return torch.from_numpy(self._new_ids(len(fanin)))

    def _add_kernels(
        self, node: fx.Node, bits: Bits, connections: Any, tables: Any, window: Any, stride: Any, padding: Any
    ) -> Tensor:
        if len(bits.ids) != 1:
            raise self._refuse(node, [bits], ": a convolution in a stream reads the map of one image")
        source, channels = self._whole_map(node, bits)
        kernel = _Kernel(
            source=source,
            channels=channels,
            connections=[value.numpy() for value in connections],
            tables=[value.numpy() for value in tables],
            window=(window[0], window[1]),
            stride=(stride[0], stride[1]),
            padding=(padding[0], padding[1]),
            first_id=self.next_id,
            layers_before=self.layers,
        )
        self.kernels.append(kernel)
        self.layers += len(connections)
        size = MapSize(*node.meta["val"].shape[1:])
        self.sizes.append(size)
        return torch.from_numpy(self._new_ids(size.bits))

    def _whole_map(self, node: fx.Node, bits: Bits) -> tuple[int, Ids]:
        """The map whose bits a tensor (1, channels, rows, columns) holds, and which of its channels."""
        ids = bits.ids[0].numpy()
        rows, columns = ids.shape[1:]
        places = np.arange(rows * columns).reshape(rows, columns)
        comparisons = len(self.feature)
        if ids.min() >= FIRST_NET and ids.max() < comparisons:
            feature, threshold = self.feature[ids], self.threshold[ids]
            if (
                (rows, columns) == self.size[1:]
                and (feature == feature[:, :1, :1] + places).all()
                and (feature[:, 0, 0] % self.size.pixels == 0).all()
                and (threshold == threshold[:, :1, :1]).all()
            ):
                colours = (feature[:, 0, 0] // self.size.pixels).tolist()
                found = zip(colours, threshold[:, 0, 0].tolist(), strict=True)
                return 0, np.array([self._encoded(colour, level) for colour, level in found])
        for number, kernel in enumerate(self.kernels, 1):
            offset = ids - kernel.first_id
            size = self.sizes[number]
            if (
                (rows, columns) == size[1:]
                and offset.min() >= 0
                and offset.max() < size.bits
                and (offset == offset[:, :1, :1] + places).all()
                and (offset[:, 0, 0] % size.pixels == 0).all()
            ):
                return number, offset[:, 0, 0] // size.pixels
        raise self._refuse(
            node,
            [bits],
            ": a convolution in a stream reads one whole map, as it is: the encoded image, with thresholds that all pixels "
            "of a colour share, or the result of one convolution or pooling",
        )

    def _encoded(self, colour: int, threshold: int) -> int:
        return self.encoded.setdefault((colour, threshold), len(self.encoded))

    def _finish(self, groups: Tensor) -> Circuit:
        if not self.kernels:
            raise TraceError(
                f"model {self.model.name!r} has no convolution (ConvLUTLayer) on its image; export it with --conv unrolled"
            )
        head = groups.numpy()
        number, dense_bits = self._dense_bits(np.unique(np.concatenate([
            *(lookup.fanin.reshape(-1) for lookup in self.lookups), head.reshape(-1)
        ])))  # fmt: skip
        encoded = np.array(list(self.encoded), np.int64)
        channels = [len(encoded), *(size.channels for size in self.sizes[1:])]
        netlist = Circuit(
            name=self.model.name,
            input=self.builder.input,
            # Beyond the codes' range every threshold means the same, and it must fit int32.
            image=EncodedImage(
                self.size,
                encoded[:, 0].astype(np.int32),
                encoded[:, 1].clip(self.builder.input.lowest, self.builder.input.highest + 1),
            ),
            layers=tuple(
                self._layer(place, kernel, channels[kernel.source]) for place, kernel in enumerate(self.kernels, 1)
            ),
            body=self._dense(head, number, dense_bits),
            body_bits=dense_bits,
        )
        check(netlist)
        return netlist

    def _dense_bits(self, read: Ids) -> tuple[Ids, Ids]:
        """For each id the number of its bit among the bits of all maps, -1 for others; the numbers of the ids `read`."""
        pixels = self.size.pixels
        number = np.full(self.next_id, -1, np.int64)
        compared = read[(read >= FIRST_NET) & (read < len(self.feature))]
        for one in compared.tolist():
            channel = self._encoded(int(self.feature[one]) // pixels, int(self.threshold[one]))
            number[one] = channel * pixels + self.feature[one] % pixels
        offset = len(self.encoded) * pixels
        for kernel, size in zip(self.kernels, self.sizes[1:], strict=True):
            number[kernel.first_id : kernel.first_id + size.bits] = offset + np.arange(size.bits)
            offset += size.bits
        bits = np.unique(number[read])
        bits = bits[bits >= 0]
        return number, bits if len(bits) else np.zeros(1, np.int64)  # a netlist has at least one feature

    def _layer(self, place: int, kernel: _Kernel, channels: int) -> WindowLayer:
        """The layer of a kernel, whose source has so many channels in all."""
        area = kernel.window[0] * kernel.window[1]
        form = InputFormat(channels * area, 1)
        builder = NetlistBuilder(f"{self.model.name}_map{place}", form, kernel.layers_before)
        bits = builder.add_comparators(np.arange(form.features), 1).reshape(channels, area)
        nets = bits[kernel.channels].reshape(-1)
        for sources, tables in zip(kernel.connections, kernel.tables, strict=True):
            nets = builder.add_layer(nets[sources], tables)
        built = builder.finish(Head(np.arange(len(nets) + 1), nets))
        return WindowLayer(kernel.source, built, kernel.window, kernel.stride, kernel.padding)

    def _dense(self, head: Ids, number: Ids, dense_bits: Ids) -> Netlist:
        form = InputFormat(len(dense_bits), 1)
        before = self.kernels[-1].layers_before + len(self.kernels[-1].connections)
        builder = NetlistBuilder(f"{self.model.name}_dense", form, before)
        nets = np.zeros(self.next_id, np.int32)
        nets[CONST1] = CONST1
        bits = builder.add_comparators(np.arange(form.features), 1)
        known = np.flatnonzero(number >= 0)
        place = np.searchsorted(dense_bits, number[known]).clip(max=len(dense_bits) - 1)
        of_feature = dense_bits[place] == number[known]
        nets[known[of_feature]] = bits[place[of_feature]]
        for lookup in self.lookups:
            added = builder.add_layer(nets[lookup.fanin], lookup.tables, of_model=lookup.of_model)
            nets[lookup.first_id : lookup.first_id + len(added)] = added
        return builder.finish(nets[head])
