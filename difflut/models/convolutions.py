"""Convolutions of LUT trees whose tables and connections are given: what importers of such networks make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from difflut.errors import ConfigError
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import ConvLUTLayer, LayerConfig, LUTLayer, OrPool
from difflut.models.given import MOST, GivenNetwork

_SIZES = {"conv": 8, "pool": 3}


class ConvolutionNetwork(GivenNetwork):
    """A thermometer of images, convolutions and OR poolings, LUT layers behind them, and a group sum.

    Args:
        name, bits, scaled, input_format: as of `GivenNetwork`.
        image: colours, rows and columns of a sample. Channel c * bits + t of the first map is threshold t of colour c.
        classes: C.
        stages: one behind the other, "conv" with kernels, rows and columns of the window, rows and columns of the
            stride, padding, depth and inputs per node of a `ConvLUTLayer`; or "pool" with window, stride and padding.
        layers: nodes, and inputs per node, of each LUT layer, the first of which reads the last map's bits.
        tau, offset: of the group sum.

    Raises:
        ConfigError: there is no such network.
    """

    kind: ClassVar[str] = "convolutions"

    def __init__(
        self,
        name: str,
        image: tuple[int, int, int],
        classes: int,
        stages: Sequence[tuple[Any, ...]],
        layers: Sequence[tuple[int, int]],
        *,
        bits: int = 1,
        tau: float = 1.0,
        offset: float = 0.0,
        scaled: bool = False,
        input_format: InputFormat,
    ) -> None:
        checked = [_checked(name, stage) for stage in stages]
        colours, rows, columns = image
        if min(image) < 1 or max(image) > 1 << 12:
            raise ConfigError(
                f"model {name!r}: an image of {image}; expected colours, rows and columns up to {1 << 12}"
            )
        levels = [
            (kernels * n**level, n)
            for kind, (kernels, *_, depth, n) in checked
            if kind == "conv"
            for level in reversed(range(depth))
        ]
        super().__init__(
            name,
            colours * rows * columns,
            classes,
            [*levels, *layers],
            bits=bits,
            scaled=scaled,
            input_format=input_format,
            input_shape=(colours, rows, columns),
        )
        self.stage_sizes = checked
        self.layer_sizes = [(nodes, n) for nodes, n in layers]
        self.tau, self.offset = tau, offset

    def _build_layers(self) -> None:
        channels, rows, columns = self.input_shape
        channels *= self.encoder.bits
        self.stages = nn.ModuleList()
        for kind, sizes in self.stage_sizes:
            if kind == "conv":
                kernels, high, wide, down, right, padding, depth, n = sizes
                config = LayerConfig(n=n, family="fixed")
                convolution = ConvLUTLayer(
                    channels, kernels, (high, wide), stride=(down, right), padding=padding, depth=depth, config=config
                )
                rows, columns = convolution.output_size(rows, columns)
                channels = kernels
                self.stages.append(convolution)
            else:
                pooling = OrPool(*sizes)
                rows, columns = pooling.output_size(rows, columns)
                self.stages.append(pooling)
        width = channels * rows * columns
        self.layers = nn.ModuleList()
        for nodes, n in self.layer_sizes:
            self.layers.append(LUTLayer(width, nodes, n, family="fixed"))
            width = nodes
        self.head = GroupSum(self.num_classes, self.tau, self.offset)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self._encoded(x.flatten(1)).reshape(*x.shape, self.encoder.bits)
        images = bits.permute(0, 1, 4, 2, 3).flatten(1, 2)
        for stage in self.stages:
            images = stage(images)
        bits = images.flatten(1)
        for layer in self.layers:
            bits = layer(bits)
        logits: Tensor = self.head(bits)
        return logits


def _checked(name: str, stage: Sequence[Any]) -> tuple[str, tuple[int, ...]]:
    """The kind of a stage and its sizes."""
    kind, *sizes = stage
    good = kind in _SIZES and len(sizes) == _SIZES[kind] and all(type(size) is int for size in sizes)
    if good and kind == "conv":
        good = min(sizes[:5]) >= 1 and sizes[5] >= 0 and 1 <= sizes[6] <= 12 and 1 <= sizes[7] <= MOST["n"]
    if not good or max(sizes) > MOST["classes"] or (kind == "pool" and (min(sizes[:2]) < 1 or sizes[2] < 0)):
        raise ConfigError(f"model {name!r}: a stage {stage!r:.80}; expected sizes of a convolution or a pooling")
    return kind, tuple(sizes)
