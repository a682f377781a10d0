"""Models of tables of numbers, whose input format is fitted."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from difflut.encoders import make_encoder
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel


class Table(BaseModel):
    """One layer on a table of numbers; the format is fitted unless one is given."""

    def __init__(self, features: int, classes: int, *, encoder: str = "distributive", **format_options: Any) -> None:
        super().__init__("table", features, classes, **(format_options or {"input_bits": 8}))
        self.encoder = make_encoder(encoder, 3)

    def _build_layers(self) -> None:
        self.first = LUTLayer(self.encoder.output_width, 40 * self.num_classes, n=4)
        self.head = GroupSum(self.num_classes, tau=3.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.first(self.encoder(torch.flatten(x, 1))))


class Cancer(Table):
    """For `--model`."""

    def __init__(self) -> None:
        super().__init__(30, 2)
