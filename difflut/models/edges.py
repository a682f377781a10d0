"""A convolutional model for colour images that sees edges: integer filters beside the colours, blocks of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from difflut.encoders import Encoder, Filter
from difflut.errors import ConfigError, UnknownNameError
from difflut.heads import GroupSum
from difflut.layers import POOLINGS, ConvLUTLayer, LayerConfig, LUTLayer
from difflut.models.base_model import BaseModel
from difflut.models.cifar10 import ChannelThermometer
from difflut.models.fully_connected import divisible
from difflut.training.recipes import Recipe


class EdgeConv(BaseModel):
    """Thermometers of colours and of their edges, blocks of 3 x 3 kernels and 2 x 2 pooling, LUT layers, group sum.

    Each input of a kernel chooses among a few bits of a few channels, see `ConvLUTLayer`. The LUT layers read the last
    map. No trained weights of it are shipped.

    Args:
        name: the model's name.
        image_size: rows and columns of an image, a multiple of 2**blocks.
        bits: thermometer bits per colour and pixel.
        edge_bits: of each colour and pixel for each filter.
        filters: kernels of `Filter`, on every colour by itself.
        kernels: kernels of each block.
        channels_per_kernel: of how many channels a kernel reads bits.
        candidates: among how many bits each input of a kernel chooses.
        pooling: behind each block, a name of `difflut.layers.POOLINGS`: "or", or "majority", which is 1 where two
            or more of the four bits are.
        widths: nodes of each LUT layer; the last is raised to a multiple of num_classes.
        width_candidates: among how many bits of the last map each input of the first LUT layer chooses; at most all.
        config: the nodes' options in all layers; by default six inputs, DWN stable nodes. Its initializer is that of
            the kernels, by default "residual": a kernel starts by passing its input 0 through.
        tau: temperature of the group sum.
        num_classes: the number of classes.
    """

    COLOURS = 3
    recipe: ClassVar[Recipe | None] = Recipe(
        epochs=70,
        batch_size=128,
        learning_rate=0.02,
        final_fraction=0.0,
        max_shift=4,
        border="reflect",
        flip=True,
        input_flips=0.05,
        weight_decay=2e-3,
    )

    def __init__(
        self,
        name: str = "edge_conv",
        *,
        image_size: int = 32,
        bits: int = 5,
        edge_bits: int = 4,
        filters: Sequence[str] = ("sobel_x", "sobel_y", "laplacian"),
        kernels: tuple[int, ...] = (64, 256, 1024),
        channels_per_kernel: int = 4,
        candidates: int = 8,
        pooling: str = "or",
        widths: tuple[int, ...] = (16000, 16000),
        width_candidates: int = 128,
        config: LayerConfig | None = None,
        tau: float = 12.0,
        num_classes: int = 10,
    ) -> None:
        shape = (self.COLOURS, image_size, image_size)
        super().__init__(name, input_size=self.COLOURS * image_size**2, num_classes=num_classes, input_shape=shape)
        if image_size < 1 or image_size % (1 << len(kernels)) or not kernels or not widths:
            raise ConfigError(
                f"model {name!r}: image_size is {image_size}, with {len(kernels)} blocks and {len(widths)} LUT layers; "
                f"expected at least one of each, and a multiple of {1 << len(kernels)}, as each block halves the size"
            )
        if pooling not in POOLINGS:
            raise UnknownNameError(f"model {name!r}: unknown pooling {pooling!r}; known: {', '.join(sorted(POOLINGS))}")
        self.kernels, self.widths, self.pooling = kernels, divisible(widths, num_classes), pooling
        self.channels_per_kernel, self.candidates = channels_per_kernel, candidates
        self.width_candidates = width_candidates
        self.config = config or LayerConfig(initializer="residual")
        self.encoder = ChannelThermometer(bits, self.COLOURS)
        self.filter = Filter(filters, self.COLOURS)
        self.edges = ChannelThermometer(edge_bits, self.filter.sums)
        self.blocks, self.classifier = nn.Sequential(), nn.Sequential()
        self.head = GroupSum(num_classes, tau)

    def _build_layers(self) -> None:
        self.blocks, self.classifier = nn.Sequential(), nn.Sequential()
        _, rows, columns = self.input_shape
        channels = self.COLOURS * self.encoder.bits + self.filter.sums * self.edges.bits
        chosen = replace(self.config, connections="learnable", candidates=self.candidates)
        for kernels in self.kernels:
            few = min(self.channels_per_kernel, channels)
            block = ConvLUTLayer(channels, kernels, 3, padding=1, channels_per_kernel=few, config=chosen)
            self.blocks.append(nn.Sequential(block, POOLINGS[self.pooling](2)))
            channels, rows, columns = kernels, rows // 2, columns // 2
        width, plain = channels * rows * columns, replace(self.config, initializer=None)
        for layer, nodes in enumerate(self.widths):
            first = replace(plain, connections="learnable", candidates=min(self.width_candidates, width))
            self.classifier.append(LUTLayer(width, nodes, **(plain if layer else first).keywords()))
            width = nodes

    def _forward_impl(self, x: Tensor) -> Tensor:
        colours = _bits(self.encoder, x)
        edges = _bits(self.edges, self.filter(x, self.input_format))
        images = self.blocks(torch.cat([colours, edges], dim=1))
        logits: Tensor = self.head(self.classifier(images.flatten(1)))
        return logits


def _bits(encoder: Encoder, numbers: Tensor) -> Tensor:
    """The map (N, channels * bits, H, W) of numbers (N, channels, H, W)."""
    bits: Tensor = encoder(numbers.flatten(1)).reshape(*numbers.shape, encoder.bits)
    return bits.permute(0, 1, 4, 2, 3).flatten(1, 2)
