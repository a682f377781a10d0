"""A convolutional model for 32 x 32 pixel colour images (CIFAR-10)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from difflut.encoders import Encoder
from difflut.errors import ConfigError
from difflut.heads import GroupSum
from difflut.layers import ConvLUTLayer, LayerConfig, LUTLayer, OrPool
from difflut.models.base_model import BaseModel
from difflut.models.fully_connected import divisible


class ChannelThermometer(Encoder):
    """Distributive thermometer whose thresholds are shared by all pixels of a channel, as a convolution needs it.

    Threshold t of a channel is its value at position floor(V * (t + 1) / (bits + 1)) of its V sorted training values;
    see `DistributiveThermometer`. At most `MAX_VALUES` evenly spaced values a channel are sorted.

    Args:
        bits: thermometer bits per feature.
        channels: the features are this many channels of equal size, one after the other.
    """

    MAX_VALUES = 1_000_000

    def __init__(self, bits: int, channels: int) -> None:
        super().__init__(bits)
        if channels < 1:
            raise ConfigError(f"ChannelThermometer: channels is {channels}; it must be at least 1")
        self.channels = channels

    def compute_thresholds(self, x: Tensor) -> Tensor:
        samples, features = x.shape
        if features % self.channels:
            raise ConfigError(
                f"ChannelThermometer: {features} features do not split into {self.channels} equal channels"
            )
        pixels = features // self.channels
        # Whole samples are skipped, not pixels, so that every pixel counts alike.
        values = x[:: -(-samples * pixels // self.MAX_VALUES)].view(-1, self.channels, pixels)
        ordered = values.transpose(0, 1).reshape(self.channels, -1).sort(dim=1).values
        places = torch.tensor([ordered.shape[1] * (t + 1) // (self.bits + 1) for t in range(self.bits)])
        return ordered[:, places].repeat_interleave(pixels, dim=0)


class CIFAR10Conv(BaseModel):
    """Thermometer per channel, stages of a 3 x 3 convolution and 2 x 2 OR pooling, LUT layers, group sum.

    The fully connected part reads the outputs of all stages, not of the last one only. The first convolution and the
    first LUT layer learn their connections.

    Args:
        name: the model's name.
        image_size: rows and columns of an image, a multiple of 2**stages.
        bits: thermometer bits per colour and pixel.
        kernels: kernels of each convolution, one stage each.
        depths: levels of the kernels' trees, per stage.
        widths: nodes of each fully connected layer; the last is raised to a multiple of num_classes.
        candidates: how many of the stages' bits each node of the first fully connected layer may choose from; at most
            all of them.
        config: the nodes' options in all layers; by default six inputs, DWN stable nodes. Its initializer is that of
            the convolutions, by default "residual": a kernel starts by passing its input 0 through.
        tau: temperature of the group sum.
        num_classes: the number of classes.
    """

    COLOURS = 3

    def __init__(
        self,
        name: str = "cifar10_conv",
        *,
        image_size: int = 32,
        bits: int = 3,
        kernels: tuple[int, ...] = (32, 96),
        depths: tuple[int, ...] = (1, 1),
        widths: tuple[int, ...] = (4000,),
        candidates: int = 512,
        config: LayerConfig | None = None,
        tau: float = 20.0,
        num_classes: int = 10,
    ) -> None:
        shape = (self.COLOURS, image_size, image_size)
        super().__init__(name, input_size=self.COLOURS * image_size**2, num_classes=num_classes, input_shape=shape)
        if len(kernels) != len(depths):
            raise ConfigError(f"model {name!r}: kernels {kernels} and depths {depths} must have one entry a stage each")
        if image_size < 1 or image_size % (1 << len(kernels)):
            raise ConfigError(
                f"model {name!r}: image_size is {image_size}; {len(kernels)} stages of pooling need a multiple of "
                f"{1 << len(kernels)}"
            )
        self.image_size, self.kernels, self.depths = image_size, kernels, depths
        self.widths = divisible(widths, num_classes)
        self.candidates = candidates
        self.config = config or LayerConfig(initializer="residual")
        self.encoder = ChannelThermometer(bits, self.COLOURS)
        self.stages = nn.ModuleList()
        self.classifier = nn.Sequential()
        self.head = GroupSum(num_classes, tau)

    def _build_layers(self) -> None:
        self.stages, self.classifier = nn.ModuleList(), nn.Sequential()
        learnable = replace(self.config, connections="learnable", candidates=None)
        channels, size, width = self.COLOURS * self.encoder.bits, self.image_size, 0
        for stage, (kernels, depth) in enumerate(zip(self.kernels, self.depths, strict=True)):
            config = self.config if stage else learnable
            convolution = ConvLUTLayer(channels, kernels, 3, padding=1, depth=depth, config=config)
            self.stages.append(nn.Sequential(convolution, OrPool(2)))
            channels, size = kernels, size // 2
            width += channels * size**2
        # Random tables: passed through, the stages' bits would reach the scores one by one and nothing would mix them.
        plain = replace(self.config, initializer=None)
        for layer, nodes in enumerate(self.widths):
            chosen = replace(plain, connections="learnable", candidates=min(self.candidates, width))
            self.classifier.append(LUTLayer(width, nodes, **(plain if layer else chosen).keywords()))
            width = nodes

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(x.flatten(1)).reshape(*x.shape, self.encoder.bits)  # (N, colours, H, W, bits)
        images = bits.permute(0, 1, 4, 2, 3).flatten(1, 2)
        features = []
        for stage in self.stages:
            images = stage(images)
            features.append(images.flatten(1))
        logits: Tensor = self.head(self.classifier(torch.cat(features, dim=1)))
        return logits
