"""Networks whose tables, connections and thresholds are given and not trained: what importers make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from difflut.encoders import DistributiveThermometer
from difflut.errors import ConfigError
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import LUTLayer
from difflut.models.base_model import BaseModel

MOST = {"input_size": 1 << 24, "classes": 1 << 16, "bits": 1 << 16, "nodes": 1 << 26, "n": 8}


class TableNetwork(BaseModel):
    """A thermometer, LUT layers one behind the other, and a group sum.

    `difflut.importers.from_tables` makes one with its values; `unfreeze()` makes it trainable.

    Args:
        name: of the model.
        input_size: features F.
        classes: C. The last layer's outputs are filled up with zeros behind them until C divides their number.
        layers: nodes, and inputs per node, of each LUT layer.
        bits: thresholds per feature.
        tau: temperature of the group sum.
        scaled: whether the encoder gets `(x - mean) / scale`, computed in float64 and rounded to float32, and not x.
        input_format: what the codes stand for, before they are scaled.

    Attributes:
        mean, scale: float64 (F,), if `scaled`.

    Raises:
        ConfigError: there is no such network.
    """

    kind: ClassVar[str] = "tables"
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        name: str,
        input_size: int,
        classes: int,
        layers: Sequence[tuple[int, int]],
        *,
        bits: int = 1,
        tau: float = 1.0,
        scaled: bool = False,
        input_format: InputFormat,
    ) -> None:
        if not layers:
            raise ConfigError(f"model {name!r}: has no LUT layer; expected at least one")
        shape = [(nodes, n) for nodes, n in layers]
        sizes = [("input_size", input_size), ("classes", classes), ("bits", bits)]
        for what, size in (*sizes, *(pair for layer in shape for pair in zip(("nodes", "n"), layer, strict=True))):
            if type(size) is not int or not 1 <= size <= MOST[what]:
                raise ConfigError(f"model {name!r}: {what} is {size!r}; expected an integer from 1 to {MOST[what]}")
        super().__init__(name, input_size, classes, input_format=input_format)
        self.shape = shape
        self.tau = tau
        self.scaled = scaled
        self.padding = -shape[-1][0] % classes
        self.encoder = DistributiveThermometer(bits)
        if scaled:
            self.register_buffer("mean", torch.zeros(input_size, dtype=torch.float64))
            self.register_buffer("scale", torch.ones(input_size, dtype=torch.float64))

    def _build_layers(self) -> None:
        width = self.encoder.output_width
        self.layers = nn.ModuleList()
        for nodes, n in self.shape:
            self.layers.append(LUTLayer(width, nodes, n, family="fixed"))
            width = nodes
        self.head = GroupSum(self.num_classes, self.tau)

    def _forward_impl(self, x: Tensor) -> Tensor:
        if self.scaled:
            x = ((x.double() - self.mean) / self.scale).float()
        bits = self.encoder(x)
        for layer in self.layers:
            bits = layer(bits)
        if self.padding:
            bits = nn.functional.pad(bits, (0, self.padding))
        logits: Tensor = self.head(bits)
        return logits
