"""Fully connected models for 28 x 28 pixel images (MNIST, Fashion-MNIST)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from difflut.encoders import DistributiveThermometer
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models.base_model import BaseModel


def divisible(widths: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
    """The widths, the last one raised to a multiple of the number of classes."""
    return (*widths[:-1], -(-widths[-1] // num_classes) * num_classes) if widths and num_classes > 0 else widths


class MNISTFullyConnected(BaseModel):
    """Thermometer encoder, LUT layers, group sum.

    Args:
        name: the model's name.
        widths: nodes per layer; the last is raised to a multiple of num_classes.
        family: the node family of every layer.
        n: inputs per node.
        bits: thermometer bits per pixel.
        grid_bits: thresholds are multiples of 2**(8 - grid_bits) in the pixel's codes; None for thresholds anywhere.
        tau: temperature of the group sum.
        connections: per layer, the arguments of `LUTLayer` about connections.
        num_classes: the number of classes.
    """

    def __init__(
        self,
        name: str,
        widths: tuple[int, ...] = (4000, 4000),
        *,
        family: str = "dwn_stable",
        n: int = 6,
        bits: int = 3,
        grid_bits: int | None = None,
        tau: float = 10.0,
        connections: tuple[dict[str, Any], ...] = (),
        num_classes: int = 10,
    ) -> None:
        super().__init__(name, input_size=784, num_classes=num_classes, input_shape=(28, 28))
        self.widths, self.family, self.n = divisible(widths, num_classes), family, n
        self.layer_connections = connections or ({},) * len(widths)
        self.encoder = DistributiveThermometer(bits, grid_bits=grid_bits)
        self.layers = nn.ModuleList()
        self.head = GroupSum(num_classes, tau)

    def _build_layers(self) -> None:
        in_width = self.encoder.output_width
        self.layers = nn.ModuleList()
        for width, connections in zip(self.widths, self.layer_connections, strict=True):
            self.layers.append(LUTLayer(in_width, width, self.n, self.family, **connections))
            in_width = width

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(torch.flatten(x, 1))
        for layer in self.layers:
            bits = layer(bits)
        logits: Tensor = self.head(bits)
        return logits


class MNISTLinearSmall(MNISTFullyConnected):
    """`mnist_fc_8k_linear`: 2 x 4,000 linear LUT nodes with six inputs."""

    def __init__(self, name: str = "mnist_fc_8k_linear", *, num_classes: int = 10) -> None:
        connections: tuple[dict[str, Any], ...] = ({"connections": "learnable", "candidates": 196}, {})
        super().__init__(name, family="linear", connections=connections, num_classes=num_classes)


class MNISTDWNSmall(MNISTFullyConnected):
    """`mnist_fc_8k_dwn`: 2 x 4,000 DWN stable nodes with six inputs."""

    def __init__(self, name: str = "mnist_fc_8k_dwn", grid_bits: int | None = 4, *, num_classes: int = 10) -> None:
        connections: tuple[dict[str, Any], ...] = ({"connections": "learnable", "candidates": 588}, {})
        super().__init__(name, grid_bits=grid_bits, connections=connections, num_classes=num_classes)
