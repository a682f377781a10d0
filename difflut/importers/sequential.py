"""State dicts of modules in an `nn.Sequential`, whose keys have the module's number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.errors import NetworkFileError
from difflut.importers.contents import SAVE_INDICES, Content, array_of, mapping_of
from difflut.importers.network import Ints
from difflut.importers.said import Said

Tables = npt.NDArray[np.bool_]
Layers = tuple[tuple[Ints, ...], tuple[Tables, ...]]


def keys_of(content: Content) -> list[str]:
    """The keys of a file that is a dictionary with texts as keys; of others none."""
    value = content.value
    if content.container not in ("torch", "safetensors") or not isinstance(value, Mapping):
        return []
    return [key for key in value if isinstance(key, str)]


def numbered(content: Content, parts: str, library: str) -> list[tuple[int, dict[str, Any]]]:
    """The modules of a state dict in their order, each with its parts.

    Args:
        content: the file.
        parts: a pattern of what may follow the number and a dot; "0.weights" has the part "weights".
        library: whose modules these are, for messages.

    Raises:
        NetworkFileError: there are other keys, or modules of several nn.Sequentials.
    """
    pattern = re.compile(rf"((?:.*\.)?)(\d{{1,9}})\.({parts})")
    found: dict[int, dict[str, Any]] = {}
    prefixes = set()
    for key, value in mapping_of(content, "the state dict", content.value).items():
        match = pattern.fullmatch(key)
        if match is None:
            raise content.refuse(
                f"the key {key!a:.80} is none of an nn.Sequential of {library}'s layers; other modules have no "
                "circuit here, and the order of named ones is not known"
            )
        prefixes.add(match[1])
        found.setdefault(int(match[2]), {})[match[3]] = value
    if len(prefixes) != 1:
        raise content.refuse(f"has layers of {len(prefixes)} modules; expected those of one nn.Sequential")
    return sorted(found.items())  # as numbers: safetensors has 10 before 2


def wiring(content: Content, said: Said, modules: list[tuple[int, dict[str, Any]]]) -> list[Ints | None]:
    """Connections (nodes, n) that a library keeps in a plain attribute: `indices` (n, nodes) of the file's own lines,
    or those that are given; None for a module that has none.

    Raises:
        NetworkFileError: there are both, or another number of them.
    """
    held = [number for number, parts in modules if "indices" in parts]
    if said.connections is None:
        return [integers(content, f"{n}.indices", p["indices"], 2).T if "indices" in p else None for n, p in modules]
    if held:
        raise content.refuse(f"has connections of its own, {held[0]}.indices; leave those given out")
    without = [number for number, parts in modules if not any(part.startswith("mapping") for part in parts)]
    if len(said.connections) != len(without):
        raise content.refuse(
            f"has {len(without)} layers without connections, and {len(said.connections)} arrays of them are given"
        )
    given = dict(zip(without, said.connections, strict=True))
    return [given.get(number) for number, _ in modules]


def integers(content: Content, what: str, value: Any, dimensions: int) -> Ints:
    """An array of integers of so many dimensions, int64.

    Raises:
        NetworkFileError: it is none.
    """
    array = array_of(content, what, value)
    if array.dtype.kind not in "iu" or array.ndim != dimensions or 0 in array.shape:
        raise content.refuse(f"{what} is {array.dtype} {array.shape}; expected integers of {dimensions} dimensions")
    return array.astype(np.int64)


def floats(content: Content, what: str, value: Any, *shape: int | None) -> npt.NDArray[Any]:
    """An array of floating numbers of a shape, where None stands for any size.

    Raises:
        NetworkFileError: it is none.
    """
    array = array_of(content, what, value)
    fits = len(array.shape) == len(shape) and all(s in (None, a) for s, a in zip(shape, array.shape, strict=True))
    if array.dtype.kind != "f" or not fits or 0 in array.shape:
        expected = tuple("any" if size is None else size for size in shape)
        raise content.refuse(f"{what} is {array.dtype} {array.shape}; expected floating {expected}")
    return array


def gate_tables(ids: npt.NDArray[Any]) -> Tables:
    """bool (..., 4): the tables of the sixteen gates of two inputs; gate g gives at address 2 * a + b bit 3 - (2 * a +
    b) of g.
    """
    found: Tables = (ids[..., None] >> np.arange(3, -1, -1) & 1).astype(np.bool_)
    return found


def not_said(content: Content, library: str) -> NetworkFileError:
    """The error about a file without wiring."""
    return content.refuse(
        f"does not hold the connections, which {library} keeps outside of its state dict; where you have the module, "
        "save them with it:\n"
        f"  {SAVE_INDICES}\n"
        "or give --arrays FILE.npz with connections_0, connections_1, ... (nodes, inputs), connections= in Python"
    )
