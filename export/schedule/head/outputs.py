"""Which results a circuit puts out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from difflut.errors import ConfigError


@dataclass(frozen=True)
class Outputs:
    """The output ports.

    Attributes:
        scores: whether there is `out_scores`, every score.
        best: whether there is `out_class`, the class of the largest score.
        top: how many classes `out_top` names, those of the largest scores in descending order; 0 for no such port.
            Of equal scores the lower index comes first.
    """

    scores: bool = True
    best: bool = True
    top: int = 0

    @property
    def name(self) -> str:
        """What `parse_outputs` takes."""
        if self.top:
            return f"top-{self.top}"
        return "both" if self.scores and self.best else "scores" if self.scores else "class"

    @property
    def ranked(self) -> int:
        """How many classes must be found: the best `ranked` ones."""
        return self.top or int(self.best)


def parse_outputs(text: str, classes: int) -> Outputs:
    """`both`, `scores`, `class`, or `top-K` with K from 1 to the number of classes.

    Raises:
        ConfigError: if it is none of these.
    """
    simple = {"both": Outputs(), "scores": Outputs(best=False), "class": Outputs(scores=False)}
    if text in simple:
        return simple[text]
    match = re.fullmatch(r"top-([1-9]\d{0,5})", text)
    if match is None:
        raise ConfigError(f"unknown outputs {text!r}; expected both, scores, class, or top-K such as top-3")
    if int(match[1]) > classes:
        raise ConfigError(f"outputs {text!r}: the model has {classes} classes; give a K from 1 to {classes}")
    return Outputs(scores=False, best=False, top=int(match[1]))
