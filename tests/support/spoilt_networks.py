"""Spoilt files of networks of other libraries."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from foreign_gates import (
    difflogic_state,
    difflut_net_state,
    drawn_wires,
    llnn_state,
    silogic_state,
    with_indices,
)
from foreign_networks import dwn2rtl_dictionary, dwn_state, torch_bytes
from foreign_torchlogix import dense_state, drawn_circuit
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


def state_dicts() -> Iterator[tuple[str, bytes]]:
    """State dicts of libraries of gates and small tables, each with one entry replaced, renamed, or reshaped."""
    wires = drawn_wires(1, 12, [9, 6], 2)
    whole: dict[str, Any] = {
        "difflogic": with_indices(difflogic_state(1, [9, 6]), wires, [1, 2]),
        "llnn": with_indices(llnn_state(1, [9, 6], 2, ""), wires, [1, 2]),
        "difflut_net": difflut_net_state(1, 12, [9, 6], (0, 1)),
        "silogic": silogic_state(1, 12, [(9, 2, "gate16", "topk"), (6, 3, "walsh", "dense")]),
        "torchlogix": dense_state(1, 12, [9, 6], "raw", 2, learnable=[1]),
    }
    for name, good in whole.items():
        yield f"{name} itself", torch_bytes(good)
        for key, old in good.items():
            reshaped = [old.transpose(0, 1), old[:-1], old.flatten(), old.double(), old.int(), -old]
            for value in (*VALUES[:8], *TENSORS, *reshaped):
                if not isinstance(value, Tensor) or value.is_sparse or value.is_meta or value.numel() < 1 << 20:
                    yield f"{name}: {key} = {value!r:.40}", torch_bytes({**good, key: value})
            yield f"{name}: {key} renamed", torch_bytes({f"{k}x" if k == key else k: v for k, v in good.items()})
            yield f"{name}: {key} left out", torch_bytes({k: v for k, v in good.items() if k != key})


def circuits() -> Iterator[tuple[str, bytes]]:
    """A Circuit of torchlogix with each entry replaced and left out, those of its first gate and sum, too."""
    good = drawn_circuit(1, 12, 9)
    yield "itself", json.dumps(good).encode()
    for part, one in ((good, None), (good["gates"][0], "gates"), (good["sum_nodes"][0], "sum_nodes")):
        for key in part:
            without = {other: value for other, value in part.items() if other != key}
            for changed in (without, *({**part, key: value} for value in (*VALUES[::2], -(1 << 70), ["x"], [1 << 40]))):
                whole = changed if one is None else {**good, one: [changed, *good[one][1:]]}
                yield f"{one}.{key} = {changed.get(key)!r:.40}", json.dumps(whole).encode()


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
