"""Networks of other libraries, written and evaluated from the definitions of their formats; nothing of difflut is used.

The evaluators go node by node in plain Python, so that they share nothing with the importers: docs/import.md says where
each definition is from.
"""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

State = dict[str, Tensor]


def dwn_state(
    seed: int, width: int, layers: Sequence[tuple[int, int]], *, learnable: Sequence[int] = (), first: int = 0
) -> State:
    """A state dict as torch_dwn's modules in an `nn.Sequential` give it.

    Args:
        seed: of what is drawn: tables with 0, -0.0 and equal numbers, mapping weights with ties.
        width: input bits.
        layers: nodes and inputs per node of each.
        learnable: which layers learn their mapping.
        first: place of the first layer in the nn.Sequential.
    """
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for number, (nodes, n) in enumerate(layers):
        key = f"{number + first}"
        luts = (torch.randint(-3, 4, (nodes, 1 << n), generator=generator) / 3).float()
        state[f"{key}.luts"] = torch.where(luts == 0, luts * -1.0, luts)
        if number in learnable:
            state[f"{key}._LUTLayer__dummy_mapping"] = torch.arange(nodes * n).reshape(nodes, n).int()
            state[f"{key}.mapping.weights"] = torch.randint(0, 5, (width, nodes * n), generator=generator).float()
        else:
            state[f"{key}.mapping"] = torch.randint(0, width, (nodes, n), generator=generator).int()
        width = nodes
    return state


def dwn_scores(
    state: Mapping[str, Tensor], rows: Sequence[Sequence[int]], classes: int, chosen: Sequence[int] | None = None
) -> list[list[int]]:
    """Scores of torch_dwn's modules, before the division by tau.

    Args:
        state: the state dict.
        rows: samples of bits.
        classes: k of the GroupSum.
        chosen: its randperm.
    """
    numbers = sorted(int(key.split(".")[0]) for key in state if key.endswith(".luts"))
    results = []
    for row in rows:
        bits = list(row)
        for number in numbers:
            luts = state[f"{number}.luts"].tolist()
            wires = _dwn_wires(state, number, len(luts))
            outputs = []
            for entries, reads in zip(luts, wires, strict=True):
                address = sum(bits[source] << slot for slot, source in enumerate(reads))
                outputs.append(1 if entries[address] > 0 else 0)
            bits = outputs
        if chosen is not None:
            bits = [bits[index] for index in chosen]
        while len(bits) % classes:
            bits.append(0)
        size = len(bits) // classes
        results.append([sum(bits[group * size : (group + 1) * size]) for group in range(classes)])
    return results


def _dwn_wires(state: Mapping[str, Tensor], number: int, nodes: int) -> list[list[int]]:
    weights = state.get(f"{number}.mapping.weights")
    if weights is None:
        found: list[list[int]] = state[f"{number}.mapping"].tolist()
        return found
    columns = list(zip(*weights.tolist(), strict=True))
    chosen = [column.index(max(column)) for column in columns]
    n = len(chosen) // nodes
    return [chosen[node * n : (node + 1) * n] for node in range(nodes)]


def thermometer_rows(thresholds: Sequence[Sequence[float]], numbers: Sequence[Sequence[float]]) -> list[list[int]]:
    """Bits of samples of numbers, feature by feature."""
    return [
        [int(number > threshold) for number, each in zip(row, thresholds, strict=True) for threshold in each]
        for row in numbers
    ]


def scaled_rows(mean: Sequence[float], scale: Sequence[float], numbers: np.ndarray[Any, Any]) -> list[list[float]]:
    """What a StandardScaler gives of float32 numbers, as float32."""
    rows = [[(value - m) / s for value, m, s in zip(row, mean, scale, strict=True)] for row in numbers.tolist()]
    result: list[list[float]] = np.array(rows, np.float64).astype(np.float32).tolist()
    return result


def table_scores(
    connections: Sequence[Any], tables: Sequence[Any], rows: Sequence[Sequence[int]], classes: int
) -> list[list[int]]:
    """Scores of the arrays of `from_tables`."""
    results = []
    for row in rows:
        bits = list(row)
        for wires, entries in zip(connections, tables, strict=True):
            bits = [
                int(entries[node][sum(bits[source] << i for i, source in enumerate(reads))])
                for node, reads in enumerate(wires.tolist())
            ]
        bits += [0] * (-len(bits) % classes)
        size = len(bits) // classes
        results.append([sum(bits[group * size : (group + 1) * size]) for group in range(classes)])
    return results


def dwn2rtl_dictionary(seed: int = 0, *, classes: int = 3, scaler: bool = True) -> dict[str, Any]:
    """A dictionary as dwn2rtl saves it, of 4 features of 3 thresholds."""
    chance = random.Random(seed)
    thresholds = torch.tensor([sorted(chance.uniform(-1, 1) for _ in range(3)) for _ in range(4)])
    return {
        "config": {"n": 4, "num_classes": classes, "layers": [10, 3 * classes], "thermometer_bits": 3},
        "state_dict": dwn_state(seed, 12, [(10, 4), (3 * classes, 4)], learnable=[0]),
        "thermometer": {"thresholds": thresholds},
        "results": {"accuracy": 0.5},
        "run_name": "unnamed",
        "scaler": {"mean": [0.5, 0.4, 0.51, 0.3], "scale": [0.3, 0.21, 0.4, 0.7]} if scaler else None,
    }


def torch_bytes(value: Any) -> bytes:
    """As torch.save writes it."""
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def on_cuda(content: bytes) -> bytes:
    """A file of torch.save whose tensors say that they were on a GPU."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name.endswith("data.pkl"):
                assert b"X\x03\x00\x00\x00cpu" in part
                part = part.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            new.writestr(name, part)
    return file.getvalue()
