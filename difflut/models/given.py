"""What networks have in common whose tables, connections and thresholds are given and not trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from difflut.encoders import DistributiveThermometer
from difflut.errors import ConfigError
from difflut.input_format import InputFormat
from difflut.models.base_model import BaseModel

MOST = {"input_size": 1 << 24, "classes": 1 << 16, "bits": 1 << 16, "nodes": 1 << 26, "n": 8}


class GivenNetwork(BaseModel):
    """A thermometer, perhaps behind a scaler, and what a subclass makes of its bits.

    Args:
        name: of the model.
        input_size: features F.
        classes: the number of classes, or of other results.
        shape: nodes, and inputs per node, of each layer or step.
        bits: thresholds per feature.
        scaled: whether the encoder gets `(x - mean) / scale`, computed in float64 and rounded to float32, and not x.
        input_format: what the codes stand for, before they are scaled.
        input_shape: of one sample.

    Attributes:
        shape: as above.
        mean, scale: float64 (F,), if `scaled`.

    Raises:
        ConfigError: there is no such network.
    """

    kind: ClassVar[str]
    encoder: DistributiveThermometer
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        name: str,
        input_size: int,
        classes: int,
        shape: Sequence[tuple[int, int]],
        *,
        bits: int,
        scaled: bool,
        input_format: InputFormat,
        input_shape: Sequence[int] | None = None,
    ) -> None:
        shape = [(nodes, n) for nodes, n in shape]
        sizes = [("input_size", input_size), ("classes", classes), ("bits", bits)]
        for what, size in (*sizes, *(pair for layer in shape for pair in zip(("nodes", "n"), layer, strict=True))):
            if type(size) is not int or not 1 <= size <= MOST[what]:
                raise ConfigError(f"model {name!r}: {what} is {size!r}; expected an integer from 1 to {MOST[what]}")
        super().__init__(name, input_size, classes, input_format=input_format, input_shape=input_shape)
        self.shape = shape
        self.scaled = scaled
        self.encoder = DistributiveThermometer(bits)
        if scaled:
            self.register_buffer("mean", torch.zeros(input_size, dtype=torch.float64))
            self.register_buffer("scale", torch.ones(input_size, dtype=torch.float64))

    @property
    def result_kind(self) -> str:
        """What the results are: classes, numbers."""
        return ", ".join(head.kind for head in self.output_heads.by_name.values())

    @property
    def structure(self) -> str:
        """The layers, in words."""
        return ", ".join(f"{nodes} nodes of {n} inputs" for nodes, n in self.shape)

    @property
    def claims(self) -> int:
        """A number of bytes that a checkpoint has more of: the nodes."""
        return sum(nodes for nodes, _ in self.shape)

    def _build(self) -> None:
        if self.encoder.features != self.input_size:
            raise ConfigError(
                f"model {self.name!r}: thresholds of {self.encoder.features} features; expected {self.input_size}"
            )
        super()._build()

    def _encoded(self, x: Tensor) -> Tensor:
        """The thermometer's bits (N, F * bits) of numbers (N, F)."""
        if self.scaled:
            x = ((x.double() - self.mean) / self.scale).float()
        bits: Tensor = self.encoder(x)
        return bits
