"""The front: for each accuracy a network in few LUTs, encoder and head counted (docs/FRONT.md).

One layer whose tables and connections sweeps choose (`difflut.training.descent`). With one thermometer bit on a grid of
one bit the encoder is the top bit of each code and costs nothing; with two bits on a grid of two a comparison reads two
bits of a code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from difflut.models.base_model import BaseModel
from difflut.models.mnist import MNISTFullyConnected

# By name: the data set, nodes, thermometer bits (and bits of their grid), temperature of the group sum.
_POINTS = {
    "mnist_96": ("mnist", 250, 1, 2.5),
    "mnist_97": ("mnist", 370, 1, 2.5),
    "mnist_97_5": ("mnist", 500, 1, 2.5),
    "mnist_98": ("mnist", 820, 2, 3.5),
    "mnist_98_5": ("mnist", 2500, 2, 6.0),
}


def _front(name: str, nodes: int, bits: int, tau: float, *, num_classes: int = 10) -> BaseModel:
    return MNISTFullyConnected(name, (nodes,), bits=bits, grid_bits=bits, tau=tau, num_classes=num_classes)


# Each model's maker, data set and one line about it.
FRONT_MODELS: dict[str, tuple[Callable[..., BaseModel], str, str]] = {
    name: (
        partial(_front, name, nodes, bits, tau),
        dataset,
        f"{nodes:,} nodes, 6 inputs, {bits} threshold{'s' if bits > 1 else ''} a pixel; swept",
    )
    for name, (dataset, nodes, bits, tau) in _POINTS.items()
}
