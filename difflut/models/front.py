"""The front: for each accuracy a network in few LUTs, encoder and head counted (docs/FRONT.md).

One layer whose tables and connections sweeps choose (`difflut.training.descent`). With one thermometer bit on a grid of
one bit the encoder is the top bit of each code and costs nothing; with two bits on a grid of two a comparison reads two
bits of a code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from difflut.models.base_model import BaseModel
from difflut.models.mnist import MNISTFullyConnected


@dataclass(frozen=True)
class _Point:
    """One layer.

    Attributes:
        nodes: with six inputs each.
        tau: temperature of the group sum.
        bits, grid_bits, encoder: see `FullyConnected`.
        dataset: of 28 x 28 pixels and ten classes.
    """

    nodes: int
    tau: float
    bits: int = 1
    grid_bits: int = 1
    encoder: str = "distributive"
    dataset: str = "mnist"

    def make(self, name: str, *, num_classes: int = 10) -> BaseModel:
        options: dict[str, Any] = {"bits": self.bits, "grid_bits": self.grid_bits, "encoder": self.encoder}
        return MNISTFullyConnected(name, (self.nodes,), tau=self.tau, num_classes=num_classes, **options)


_POINTS = {
    "mnist_96": _Point(250, 2.5),
    "mnist_97": _Point(340, 2.5),
    "mnist_97_5": _Point(500, 2.5),
    "mnist_98": _Point(820, 3.5, bits=3, grid_bits=2, encoder="thermometer"),
    "mnist_98_5": _Point(1850, 5.0, bits=3, grid_bits=2, encoder="thermometer"),
    "mnist_99": _Point(4600, 8.0, bits=3, grid_bits=2, encoder="thermometer"),
    "fashion_89": _Point(2700, 6.0, bits=3, grid_bits=4, dataset="fashion_mnist"),
}

# Each model's maker, data set and one line about it.
FRONT_MODELS: dict[str, tuple[Callable[..., BaseModel], str, str]] = {
    name: (
        partial(point.make, name),
        point.dataset,
        f"{point.nodes:,} nodes, 6 inputs, {point.bits} threshold{'s' if point.bits > 1 else ''} a pixel; swept",
    )
    for name, point in _POINTS.items()
}
