"""Models that differ in one training aid each, so that its effect can be measured.

- `mnist_bitflip_P`: two layers, every node output flipped with a probability of P percent while training.
- `mnist_gradnorm_KIND`: a deep network, the gradient stabilised between its layers.
- `mnist_residual_init`: the same deep network, nodes that start by passing their input 0 through; compare it with
  `mnist_gradnorm_none`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from difflut.models.base_model import BaseModel
from difflut.models.mnist import MNISTFullyConnected

BIT_FLIP_PERCENT = (0, 5, 10, 20)
GRADIENT_KINDS = ("none", "layerwise", "batchwise", "layerwise_mean")

_TWO_LAYERS = (2000, 2000)
_DEEP = (1000,) * 6
_LEARNED = {"connections": "learnable", "candidates": 196}


class MNISTComparison(MNISTFullyConnected):
    """A fully connected network whose layers share the options of one training aid; the first learns its connections.

    Args:
        name: the model's name.
        widths: nodes per layer; the last is raised to a multiple of num_classes.
        num_classes: the number of classes.
        options: further arguments of every `LUTLayer`.
    """

    def __init__(self, name: str, widths: tuple[int, ...], *, num_classes: int = 10, **options: Any) -> None:
        per_layer = ({**_LEARNED, **options}, *({**options} for _ in widths[1:]))
        super().__init__(name, widths, connections=per_layer, num_classes=num_classes)


_MAKERS: dict[str, Callable[..., BaseModel]] = {
    **{
        f"mnist_bitflip_{percent}": partial(
            MNISTComparison, f"mnist_bitflip_{percent}", _TWO_LAYERS, bit_flip=percent / 100
        )
        for percent in BIT_FLIP_PERCENT
    },
    **{
        f"mnist_gradnorm_{kind}": partial(MNISTComparison, f"mnist_gradnorm_{kind}", _DEEP, gradient=kind)
        for kind in GRADIENT_KINDS
    },
    "mnist_residual_init": partial(MNISTComparison, "mnist_residual_init", _DEEP, initializer="residual"),
}


def _description(name: str) -> str:
    family, _, kind = name.removeprefix("mnist_").partition("_")
    widths = _TWO_LAYERS if family == "bitflip" else _DEEP
    aid = {
        "bitflip": f"{kind} % of node outputs flipped while training",
        "gradnorm": f"gradient stabilisation {kind}" if kind != "none" else "no gradient stabilisation",
        "residual": "nodes start by passing input 0 through",
    }[family]
    return f"{len(widths)} x {widths[0]:,} DWN stable nodes, {aid}"


# Each model's maker and one line about it.
COMPARISON_MODELS: dict[str, tuple[Callable[..., BaseModel], str]] = {
    name: (make, _description(name)) for name, make in _MAKERS.items()
}
