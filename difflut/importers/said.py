"""What the user says of a network beside its file, and how it is settled with what the file says."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
        beta: what is added to every sum before it is divided by tau.
        connections: integers (nodes, n) of each layer that has none in the file, inputs in the library's order.
        nodes: what the parameters of nodes stand for, a word of the format.
        image_size: colours, rows and columns of a sample.
        bit_order: "features" or "planes", see `Network.planes`.
        geometry: of convolutions and poolings, see `difflut.importers.torchlogix`.
        softplus_temperature: of learned thresholds.
        numbers: which output bits of a Boolean circuit are numbers, see `difflut.importers.logic.words_of`.
    """

    classes: int | None = None
    tau: float | None = None
    thresholds: npt.NDArray[Any] | None = None
    binary: int | None = None
    scaler: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None
    permutation: Ints | None = None
    beta: float | None = None
    connections: tuple[Ints, ...] | None = None
    nodes: str | None = None
    image_size: tuple[int, int, int] | None = None
    bit_order: str | None = None
    geometry: str | None = None
    softplus_temperature: float | None = None
    numbers: str | None = None


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
    planes: int | None = None,
    whole_groups: bool = False,
) -> LayerNetwork:
    """The network of layers that a file holds, of what else it holds, and of what the user says.

    Args:
        content, said: as they are.
        layers: connections and tables.
        classes, tau, thresholds, scaler, permutation: what the file holds.
        planes: see `Network`.
        whole_groups: whether the library's group sum refuses nodes that the classes do not divide.

    Raises:
        NetworkFileError: something is not known, or said twice.
    """
    if permutation is not None and said.permutation is not None:
        raise content.refuse("holds permutation of its own; leave those given out")
    classes = settled(content, "classes", classes, said.classes)
    nodes = len(layers[1][-1]) if layers[1] else 0
    if whole_groups and nodes % classes:
        raise content.refuse(f"its last layer has {nodes} nodes, which do not split into {classes} classes")
    return LayerNetwork(
        connections=layers[0],
        tables=layers[1],
        classes=classes,
        tau=settled(content, "tau", tau, said.tau, ", which changes logits and training, and no circuit"),
        beta=said.beta or 0.0,
        permutation=said.permutation if permutation is None else permutation,
        **front(content, said, thresholds=thresholds, scaler=scaler, planes=planes),
    )


def front(
    content: Content,
    said: Said,
    *,
    thresholds: npt.NDArray[Any] | None = None,
    scaler: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
    planes: int | None = None,
) -> dict[str, Any]:
    """The fields of `Network`, of what the file holds and what the user says.

    Raises:
        NetworkFileError: something is not known, or said twice.
    """
    for what, value in (("thresholds", thresholds), ("scaler", scaler)):
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
    return {
        "thresholds": thermometer,
        "features": int(features or 0),
        "scaler": said.scaler if scaler is None else scaler,
        "planes": planes,
    }


def reached(said: Said) -> Said:
    """The same for bits x >= t of float32 numbers x: thresholds that are the next numbers below."""
    if said.thresholds is None or not (np.abs(said.thresholds) <= np.finfo(np.float32).max).all():
        return said  # beyond float32 they are refused later
    below = said.thresholds.astype(np.float32)
    above = np.where(below < said.thresholds, np.nextafter(below, np.float32(np.inf)), below)
    return replace(said, thresholds=np.nextafter(above, np.float32(-np.inf)))
