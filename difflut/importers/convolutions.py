"""A network with convolutions of LUT trees, and the model that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut.errors import NetworkFileError
from difflut.importers.network import Ints, LayerNetwork, checked_layers
from difflut.models.convolutions import ConvolutionNetwork
from difflut.models.given import GivenNetwork


@dataclass(frozen=True, eq=False)
class Convolution:
    """Trees of nodes at every position of a map.

    Attributes:
        connections, tables: of each level int64 (nodes, n) and bool (nodes, 2**n); the first one reads bit (c * rows +
            i) * columns + j of the window, level l >= 1 node k * n + i of the level before, or those in another order.
        window, stride: rows and columns.
        padding: rows and columns of zeros around the map.
    """

    connections: tuple[Ints, ...]
    tables: tuple[npt.NDArray[np.bool_], ...]
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: int

    @property
    def sizes(self) -> tuple[Any, ...]:
        """As `ConvolutionNetwork` takes it."""
        kernels, n = len(self.tables[-1]), self.connections[0].shape[1]
        return ("conv", kernels, *self.window, *self.stride, self.padding, len(self.tables), n)


@dataclass(frozen=True)
class Pooling:
    """The OR of windows."""

    window: int
    stride: int
    padding: int

    @property
    def sizes(self) -> tuple[Any, ...]:
        """As `ConvolutionNetwork` takes it."""
        return ("pool", self.window, self.stride, self.padding)


@dataclass(frozen=True, eq=False, kw_only=True)
class ConvolvedNetwork(LayerNetwork):
    """Convolutions and poolings before the LUT layers, which read the last map: channel, row, column.

    Attributes:
        image: colours, rows and columns of a sample; bit (c * z + t) of a pixel is threshold t of colour c.
        stages: one behind the other.
        width: bits of the last map.
    """

    image: tuple[int, int, int]
    stages: tuple[Convolution | Pooling, ...]
    width: int

    def model(self, places: Ints, **front: Any) -> ConvolutionNetwork:
        """As of `Network`."""
        connections, _ = checked_layers(self, np.arange(self.width))
        self._channels(places)
        del front["input_size"]
        return ConvolutionNetwork(
            image=self.image,
            classes=self.classes,
            stages=[stage.sizes for stage in self.stages],
            layers=[(one.shape[0], one.shape[1]) for one in connections],
            tau=self.checked_tau,
            offset=self.beta,
            **front,
        )

    def fill(self, model: GivenNetwork, places: Ints) -> None:
        """As of `Network`."""
        connections: list[Ints] = []
        tables: list[npt.NDArray[np.bool_]] = []
        channels: Ints | None = self._channels(places)
        for stage in self.stages:
            if isinstance(stage, Convolution):
                first, *further = stage.connections
                if channels is not None:
                    size = stage.window[0] * stage.window[1]
                    first = channels[first // size] * size + first % size
                connections += [first, *further]
                tables += stage.tables
                channels = None
            elif channels is not None:
                raise NetworkFileError("a pooling stands before the first convolution; expected one behind it")
        dense, entries = checked_layers(self, np.arange(self.width))
        state = model.state_dict()  # views of what is in the model
        for (layer, _), wires, table in zip(
            model.lut_layers(), [*connections, *dense], [*tables, *entries], strict=True
        ):
            state[f"{layer}.wiring.connections"].copy_(torch.from_numpy(np.ascontiguousarray(wires)))
            state[f"{layer}.nodes.tables"].copy_(torch.from_numpy(np.ascontiguousarray(table)))

    def _channels(self, places: Ints) -> Ints:
        """int64 (colours * z,): which channel of the model's first map each of the network's is."""
        bits = len(places) // self.features
        channels = places.reshape(self.image[0], bits, -1) % bits + np.arange(self.image[0])[:, None, None] * bits
        if (channels != channels[:, :, :1]).any():
            raise NetworkFileError("thresholds of a colour's pixels differ, and a convolution follows")
        return channels[:, :, 0].reshape(-1)
