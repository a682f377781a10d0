"""The plain network of any data set: a thermometer, LUT layers one behind the other, a group sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from difflut.encoders import ENCODERS
from difflut.encoders.thermometer import GridEncoder
from difflut.errors import ConfigError
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import LUTLayer
from difflut.models.base_model import BaseModel
from difflut.models.given import MOST

MOST_LAYERS = 64
MOST_WEIGHTS = 1 << 30  # that choose a layer's connections: 4 GiB, and thrice that while Adam trains them


def divisible(widths: Sequence[int], num_classes: int) -> tuple[int, ...]:
    """The widths, the last one raised to a multiple of the number of classes."""
    widths = tuple(widths)
    return (*widths[:-1], -(-widths[-1] // num_classes) * num_classes) if widths and num_classes > 0 else widths


class FullyConnected(BaseModel):
    """Thermometer encoder, LUT layers, group sum; of images all pixels, of tables all features.

    Its checkpoints need no `--model`: they keep the arguments, of which `load_model` makes it again.

    Args:
        name: the model's name.
        input_shape: of one sample, such as (28, 28) or (13,).
        num_classes: the number of classes.
        widths: nodes per layer; the last is raised to a multiple of num_classes.
        family: the node family of every layer.
        n: inputs per node.
        bits: thermometer bits per feature.
        encoder: where thresholds are, a name of `ENCODERS` that makes a `GridEncoder`: "distributive" (quantiles),
            "thermometer" (equal distances), ...
        grid_bits: thresholds are multiples of 2**(width_bits - grid_bits) in the input's codes; None for thresholds
            anywhere. With bits=1 and grid_bits=1 the one bit is the code's top bit, which costs no hardware.
        tau: temperature of the group sum.
        connections: per layer, the arguments of `LUTLayer` about connections; random ones by default.
        input_format, input_bits: as of `BaseModel`.

    Raises:
        ConfigError: there is no such network.
    """

    kind: ClassVar[str | None] = "fully_connected"

    def __init__(
        self,
        name: str,
        input_shape: Sequence[int],
        num_classes: int,
        widths: Sequence[int],
        *,
        family: str = "dwn_stable",
        n: int = 6,
        bits: int = 3,
        grid_bits: int | None = None,
        encoder: str = "distributive",
        tau: float = 10.0,
        connections: Sequence[dict[str, Any]] = (),
        input_format: InputFormat | None = None,
        input_bits: int | None = None,
    ) -> None:
        shape = tuple(input_shape)
        self._check(name, shape, num_classes, tuple(widths), bits)
        connections = tuple(connections) or ({},) * len(widths)
        if len(connections) != len(widths):
            raise ConfigError(
                f"model {name!r}: {len(connections)} layers have connections, {len(widths)} have widths; give the "
                "arguments of each layer, or none at all"
            )
        super().__init__(
            name, math.prod(shape), num_classes, input_shape=shape, input_format=input_format, input_bits=input_bits
        )
        self.widths, self.family, self.n = divisible(widths, num_classes), family, n
        self.layer_connections = connections
        made = ENCODERS.find(encoder)
        if not issubclass(made, GridEncoder):
            raise ConfigError(
                f"model {name!r}: encoder {encoder!r} is no thermometer; give one whose thresholds lie on a grid"
            )
        self.encoder = made(bits, grid_bits=grid_bits)
        self.layers = nn.ModuleList()
        self.head = GroupSum(num_classes, tau)

    @staticmethod
    def _check(name: str, shape: tuple[int, ...], num_classes: int, widths: tuple[int, ...], bits: int) -> None:
        if not 1 <= len(widths) <= MOST_LAYERS or not shape:
            raise ConfigError(
                f"model {name!r}: {len(widths)} LUT layers and input shape {shape}; expected from 1 to {MOST_LAYERS} "
                "layers, and a shape of at least one dimension"
            )
        sizes = [("num_classes", num_classes, "classes"), ("bits", bits, "bits")]
        sizes += [("an element of input_shape", size, "input_size") for size in shape]
        sizes += [("a width", width, "nodes") for width in widths]
        for what, size, limit in sizes:
            if type(size) is not int or not 1 <= size <= MOST[limit]:
                raise ConfigError(f"model {name!r}: {what} is {size!r}; expected an integer from 1 to {MOST[limit]}")

    @property
    def claims(self) -> int:
        """A number of bytes that a checkpoint has more of: the nodes."""
        return sum(self.widths)

    def _build_layers(self) -> None:
        in_width = self.encoder.output_width
        self.layers = nn.ModuleList()
        for width, connections in zip(self.widths, self.layer_connections, strict=True):
            self._check_weights(in_width, width, connections)
            self.layers.append(LUTLayer(in_width, width, self.n, self.family, **connections))
            in_width = width

    def _check_weights(self, in_width: int, width: int, connections: dict[str, Any]) -> None:
        """Refuse connections that no memory has room for, whatever a file asks for."""
        offered = min(connections.get("candidates") or in_width, in_width)
        if connections.get("connections") == "learnable" and width * self.n * offered > MOST_WEIGHTS:
            raise ConfigError(
                f"model {self.name!r}: {width} nodes that choose {self.n} inputs each among {offered} take "
                f"{width * self.n * offered:,} weights; at most {MOST_WEIGHTS:,}: give fewer candidates"
            )

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(torch.flatten(x, 1))
        for layer in self.layers:
            bits = layer(bits)
        logits: Tensor = self.head(bits)
        return logits
