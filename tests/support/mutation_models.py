"""Models of builds that are mutated, as classes that a checkpoint can name."""

from __future__ import annotations

from convolutions import Stack
from pixel_builds import SHAPES


class Words(Stack):
    """The model of the shape "words"."""

    def __init__(self) -> None:
        super().__init__(SHAPES["words"][0])


class Folded(Stack):
    """The model of the shape "folded"."""

    def __init__(self) -> None:
        super().__init__(SHAPES["folded"][0])
