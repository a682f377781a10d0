"""Fully connected models for 28 x 28 pixel images (MNIST, Fashion-MNIST)."""

from __future__ import annotations

from typing import Any, ClassVar

from difflut.models.fully_connected import FullyConnected


class MNISTFullyConnected(FullyConnected):
    """`FullyConnected` of 28 x 28 pixels; the zoo's names make it, so that its checkpoints have no kind.

    Args:
        name: the model's name.
        widths: nodes per layer; the last is raised to a multiple of num_classes.
        num_classes: the number of classes.
        options: further arguments of `FullyConnected`.
    """

    kind: ClassVar[str | None] = None

    def __init__(
        self, name: str, widths: tuple[int, ...] = (4000, 4000), *, num_classes: int = 10, **options: Any
    ) -> None:
        super().__init__(name, (28, 28), num_classes, widths, **options)


class MNISTLinearSmall(MNISTFullyConnected):
    """`mnist_fc_8k_linear`: 2 x 4,000 linear LUT nodes with six inputs."""

    def __init__(self, name: str = "mnist_fc_8k_linear", *, num_classes: int = 10) -> None:
        connections: tuple[dict[str, Any], ...] = ({"connections": "learnable", "candidates": 196}, {})
        super().__init__(name, family="linear", connections=connections, num_classes=num_classes)


class MNISTDWNSmall(MNISTFullyConnected):
    """`mnist_fc_8k_dwn`: 2 x 4,000 DWN stable nodes with six inputs."""

    def __init__(self, name: str = "mnist_fc_8k_dwn", grid_bits: int | None = 4, *, num_classes: int = 10) -> None:
        connections: tuple[dict[str, Any], ...] = ({"connections": "learnable", "candidates": 588}, {})
        super().__init__(name, grid_bits=grid_bits, connections=connections, num_classes=num_classes)
