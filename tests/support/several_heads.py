"""Models with other heads than one class: labels, numbers, several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from difflut.encoders import Thermometer
from difflut.heads import GroupSum, Head, NumberSum, ThresholdSum
from difflut.layers import ConvLUTLayer, LayerConfig, LUTLayer, OrPool
from difflut.models import BaseModel
from difflut.models.cifar10 import ChannelThermometer

BITS = 24  # that each head counts


def make_head(kind: str, results: int) -> Head:
    """A head by its kind."""
    if kind == "classes":
        return GroupSum(results, tau=2.0)
    return ThresholdSum(results, tau=2.0) if kind == "labels" else NumberSum(results, scale=-0.25, offset=4)


class SeveralHeads(BaseModel):
    """A layer, and heads on neighbouring bits of it; `BITS` for each."""

    def __init__(self, heads: Sequence[tuple[str, int]] = (("classes", 3), ("labels", 2), ("numbers", 1))) -> None:
        super().__init__("several", 6, sum(count for _, count in heads))
        self.wanted = [tuple(head) for head in heads]
        self.encoder = Thermometer(3)

    def _build_layers(self) -> None:
        self.layer = LUTLayer(self.encoder.output_width, BITS * len(self.wanted), n=4)
        self.parts = nn.ModuleList(make_head(kind, count) for kind, count in self.wanted)

    def _forward_impl(self, x: Tensor) -> Any:
        bits = self.layer(self.encoder(x))
        results = [head(bits[:, BITS * k : BITS * (k + 1)]) for k, head in enumerate(self.parts)]
        return results[0] if len(results) == 1 else tuple(results)


class Detector(SeveralHeads):
    """One label."""

    def __init__(self) -> None:
        super().__init__((("labels", 1),))


class Regressor(SeveralHeads):
    """Two numbers."""

    def __init__(self) -> None:
        super().__init__((("numbers", 2),))


class ImageHeads(BaseModel):
    """A convolution, two labels and a number."""

    def __init__(self) -> None:
        super().__init__("pictures", 36, 3, input_shape=(1, 6, 6))
        self.encoder = ChannelThermometer(1, 1)

    def _build_layers(self) -> None:
        self.conv = ConvLUTLayer(1, 4, (3, 3), config=LayerConfig(n=4))
        self.pool = OrPool(2)
        self.layer = LUTLayer(16, 30, n=4)
        self.labels = ThresholdSum(2)
        self.size = NumberSum(1)

    def _forward_impl(self, x: Tensor) -> dict[str, Tensor]:
        maps = self.pool(self.conv(self.encoder(x.flatten(1)).reshape(len(x), -1, 6, 6)))
        bits = self.layer(maps.flatten(1))
        return {"labels": self.labels(bits[:, :20]), "size": self.size(bits[:, 20:])}


def fitted(model: BaseModel, seed: int = 0) -> BaseModel:
    """The model, fitted on codes drawn at random, in eval mode."""
    torch.manual_seed(seed)
    codes = torch.randint(0, 256, (200, model.input_size), dtype=torch.uint8)
    return model.fit_encoder(codes).eval()
