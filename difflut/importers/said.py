"""What the user says of a network beside its file, and how it is settled with what the file says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from difflut.importers.contents import Content
from difflut.importers.network import Ints, LayerNetwork

T = TypeVar("T", int, float)


@dataclass(frozen=True, eq=False)
class Said:
    """Attributes as of `Network`; None for what is not said.

    Attributes:
        binary: the network's inputs are so many bits, with no thermometer.
    """

    classes: int | None = None
    tau: float | None = None
    thresholds: npt.NDArray[Any] | None = None
    binary: int | None = None
    scaler: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None
    permutation: Ints | None = None


def settled(content: Content, what: str, held: T | None, said: T | None, why: str = "") -> T:
    """A number that the file or the user says.

    Raises:
        NetworkFileError: neither does, or they say different things.
    """
    if held is not None and said is not None and held != said:
        raise content.refuse(f"says {what} {held}, and {said} is given; leave --{what} out")
    value = said if held is None else held
    if value is None:
        raise content.refuse(f"does not say {what}{why}; give --{what} ({what}= in Python)")
    return value


def network_of(
    content: Content,
    said: Said,
    layers: tuple[tuple[Ints, ...], tuple[npt.NDArray[np.bool_], ...]],
    *,
    classes: int | None = None,
    tau: float | None = None,
    thresholds: npt.NDArray[Any] | None = None,
    scaler: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
    permutation: Ints | None = None,
) -> LayerNetwork:
    """The network of layers that a file holds, of what else it holds, and of what the user says.

    Raises:
        NetworkFileError: something is not known, or said twice.
    """
    held = {"thresholds": thresholds, "scaler": scaler, "permutation": permutation}
    for what, value in held.items():
        if value is not None and getattr(said, what) is not None:
            raise content.refuse(f"holds {what} of its own; leave those given out")
    thermometer = said.thresholds if thresholds is None else thresholds
    if thermometer is not None and said.binary is not None:
        raise content.refuse("has thresholds, and its inputs are said to be bits; say one of both")
    if thermometer is None and said.binary is None:
        raise content.refuse(
            "does not hold the thermometer, which is no part of the module; give --arrays FILE.npz with `thresholds` "
            "(features, bits per feature), thresholds= in Python, or --binary-inputs N where N bits are the inputs"
        )
    features = said.binary if thermometer is None else len(thermometer) if thermometer.ndim else 0
    return LayerNetwork(
        connections=layers[0],
        tables=layers[1],
        classes=settled(content, "classes", classes, said.classes),
        tau=settled(content, "tau", tau, said.tau, ", which changes logits and training, and no circuit"),
        thresholds=thermometer,
        features=int(features or 0),
        scaler=said.scaler if scaler is None else scaler,
        permutation=said.permutation if permutation is None else permutation,
    )
