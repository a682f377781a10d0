"""Spoilt files of networks of other libraries."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from foreign_networks import dwn2rtl_dictionary, dwn_state, torch_bytes
from safetensors.torch import save
from spoilt import VALUES, byte_mutants
from torch import Tensor

# Besides those of JSON: tensors that are none of a network, and sizes that no memory has.
TENSORS: tuple[Any, ...] = (
    torch.zeros(0),
    torch.zeros(()),
    torch.zeros(3, 0),
    torch.zeros(1).expand(1 << 20, 1 << 20),
    torch.zeros(2, 2, dtype=torch.complex64),
    torch.zeros(2, 2).to_sparse(),
    torch.empty(2, 2, device="meta"),
    torch.full((4, 3), torch.nan),
    torch.full((12, 8), 1 << 40),
    torch.zeros(12, 8, dtype=torch.bool),
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield (*place, key)
            yield from _places(entry, (*place, key))


def _changed(content: Any, place: tuple[Any, ...], value: Any, *, drop: bool = False) -> Any:
    result = copy.deepcopy(content)
    inner = result
    for key in place[:-1]:
        inner = inner[key]
    old = inner.pop(place[-1])
    if not drop:
        inner[place[-1]] = value
    else:
        inner[f"{place[-1]}\x1b[2J"] = old
    return result


def dictionaries() -> Iterator[tuple[str, bytes]]:
    """A dictionary of dwn2rtl with each entry replaced and renamed; whole files of other values."""
    good = dwn2rtl_dictionary()
    for place in _places(good):
        name = ".".join(place)
        for value in (*VALUES, *TENSORS):
            shown = tuple(value.shape) if isinstance(value, Tensor) else value
            yield f"{name} = {shown!r:.40}", torch_bytes(_changed(good, place, value))
        yield f"{name} renamed", torch_bytes(_changed(good, place, None, drop=True))
    for value in (*VALUES, *TENSORS):
        yield f"all {value!r:.40}", torch_bytes(value)


def damaged() -> Iterator[tuple[str, bytes]]:
    """Files of every kind with bytes changed, cut off and put in."""
    file = io.BytesIO()
    arrays = {"connections_0": np.zeros((3, 2), int), "tables_0": np.ones((3, 4), bool), "classes": 3, "tau": 1.0}
    np.savez(file, **arrays, thresholds=np.zeros((4, 3)))
    state = dwn_state(1, 12, [(12, 3)], learnable=[0])
    whole = {
        "dwn2rtl": torch_bytes(dwn2rtl_dictionary()),
        "state dict": torch_bytes(state),
        "safetensors": save(state),
        "npz": file.getvalue(),
    }
    for number, (name, content) in enumerate(whole.items()):
        for label, spoilt in byte_mutants(content, number, 60):
            yield f"{name}: {label}", spoilt
