"""Arrays in an npz file, as `from_tables` takes them.

`connections_0`, `tables_0`, `connections_1`, ...; `thresholds`, `mean` and `scale`, `permutation`; `classes` and `tau`,
numbers. What is left out the user says.
"""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.importers.contents import Content, array_of, read_content
from difflut.importers.importer import Importer
from difflut.importers.network import Network
from difflut.importers.said import Said, network_of

_LAYER = re.compile(r"(connections|tables)_(0|[1-9][0-9]{0,4})")
_WIRES = re.compile(r"connections_(0|[1-9][0-9]{0,4})")
_BESIDE = ("thresholds", "mean", "scale", "permutation")
_NUMBERS = ("classes", "tau")


def recognises(content: Content) -> bool:
    """Whether an npz file has a first layer."""
    return content.container == "npz" and "connections_0" in content.value


def read(content: Content, said: Said) -> Network:
    """The network of an npz file."""
    arrays = _known(content, (*_BESIDE, *_NUMBERS), _LAYER)
    count = sum(name.startswith("connections_") for name in arrays)
    for number in range(count):
        for what in ("connections", "tables"):
            if f"{what}_{number}" not in arrays:
                raise content.refuse(f"has no {what}_{number}; expected connections_I and tables_I from 0 on")
    if len(arrays) - len(set(arrays) & {*_BESIDE, *_NUMBERS}) != 2 * count:
        raise content.refuse("has more arrays of tables than of connections")
    connections, tables = (
        tuple(arrays[f"{what}_{number}"] for number in range(count)) for what in ("connections", "tables")
    )
    for number, wires in enumerate(connections):
        if wires.dtype.kind not in "iu":
            raise content.refuse(f"connections_{number} holds {wires.dtype}; expected integers")
    return network_of(
        content,
        said,
        (connections, tables),
        classes=_number(content, arrays, "classes", "iu", int),
        tau=_number(content, arrays, "tau", "iuf", float),
        **_beside(content, arrays),
    )


def beside(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What an npz file says beside a network: `thresholds`, `scaler` (of its mean and scale), `permutation`, and
    `connections` of connections_0, connections_1, ...

    Raises:
        NetworkFileError: it has other arrays, or cannot be read.
    """
    content = read_content(path)
    if content.container != "npz":
        raise content.refuse("is no npz file; expected one with thresholds, mean and scale, or permutation")
    arrays = _known(content, _BESIDE, _WIRES)
    found = {**_beside(content, arrays), "connections": _connections(content, arrays)}
    return {name: value for name, value in found.items() if value is not None}


def _connections(content: Content, arrays: dict[str, npt.NDArray[Any]]) -> tuple[npt.NDArray[Any], ...] | None:
    count = sum(name.startswith("connections_") for name in arrays)
    for number in range(count):
        if f"connections_{number}" not in arrays:
            raise content.refuse(f"has no connections_{number}; expected connections_I from 0 on")
        if arrays[f"connections_{number}"].dtype.kind not in "iu" or arrays[f"connections_{number}"].ndim != 2:
            raise content.refuse(f"connections_{number} is no array of integers (nodes, inputs)")
    return tuple(arrays[f"connections_{number}"].astype(np.int64) for number in range(count)) or None


def _known(content: Content, names: tuple[str, ...], layers: re.Pattern[str]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file, which has no others than these."""
    for name in content.value:
        if name not in names and not layers.fullmatch(name):
            expected = ", ".join((*(("connections_I", "tables_I") if layers is _LAYER else ("connections_I",)), *names))
            raise content.refuse(f"has an array {name!a:.80}; expected only {expected}")
    return {name: array_of(content, name, value) for name, value in content.value.items()}


def _beside(content: Content, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    if ("mean" in arrays) != ("scale" in arrays):
        raise content.refuse("has one of mean and scale; expected both or neither")
    for name in ("thresholds", "mean", "scale", "permutation"):
        kinds = "iu" if name == "permutation" else "f"
        if name in arrays and arrays[name].dtype.kind not in kinds:
            expected = "integers" if kinds == "iu" else "floating numbers"
            raise content.refuse(f"{name} holds {arrays[name].dtype}; expected {expected}")
    return {
        "thresholds": arrays.get("thresholds"),
        "scaler": (arrays["mean"], arrays["scale"]) if "mean" in arrays else None,
        "permutation": arrays.get("permutation"),
    }


def _number(content: Content, arrays: dict[str, npt.NDArray[Any]], name: str, kinds: str, make: Any) -> Any:
    if name not in arrays:
        return None
    if arrays[name].shape not in ((), (1,)) or arrays[name].dtype.kind not in kinds:
        raise content.refuse(f"{name} is {arrays[name].dtype} {arrays[name].shape}; expected one number")
    return make(np.asarray(arrays[name]).reshape(-1)[0])


IMPORTER = Importer("arrays of from_tables in an npz file", recognises, read)
