"""LUT layers whose tables and connections are given and not trained: what most importers make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from difflut.errors import ConfigError
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import LUTLayer
from difflut.models.given import GivenNetwork


class TableNetwork(GivenNetwork):
    """A thermometer, LUT layers one behind the other, and a group sum.

    `difflut.importers.from_tables` makes one with its values; `unfreeze()` makes it trainable.

    Args:
        name, input_size, bits, scaled, input_format: as of `GivenNetwork`.
        classes: C. The last layer's outputs are filled up with zeros behind them until C divides their number.
        layers: nodes, and inputs per node, of each LUT layer.
        tau, offset: of the group sum.

    Raises:
        ConfigError: there is no such network.
    """

    kind: ClassVar[str] = "tables"

    def __init__(
        self,
        name: str,
        input_size: int,
        classes: int,
        layers: Sequence[tuple[int, int]],
        *,
        bits: int = 1,
        tau: float = 1.0,
        offset: float = 0.0,
        scaled: bool = False,
        input_format: InputFormat,
    ) -> None:
        if not layers:
            raise ConfigError(f"model {name!r}: has no LUT layer; expected at least one")
        super().__init__(name, input_size, classes, layers, bits=bits, scaled=scaled, input_format=input_format)
        self.tau = tau
        self.offset = offset
        self.padding = -self.shape[-1][0] % classes

    def _build_layers(self) -> None:
        width = self.encoder.output_width
        self.layers = nn.ModuleList()
        for nodes, n in self.shape:
            self.layers.append(LUTLayer(width, nodes, n, family="fixed"))
            width = nodes
        self.head = GroupSum(self.num_classes, self.tau, self.offset)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self._encoded(x)
        for layer in self.layers:
            bits = layer(bits)
        if self.padding:
            bits = nn.functional.pad(bits, (0, self.padding))
        logits: Tensor = self.head(bits)
        return logits
