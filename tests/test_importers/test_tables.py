"""Arrays become the network that they say, from Python and from npz files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_networks import scaled_rows, table_scores, thermometer_rows

import difflut
from difflut import InputFormat
from difflut.errors import NetworkFileError
from difflut.importers import IMPORTERS


def arrays(seed: int, width: int, layers: list[tuple[int, int]]) -> tuple[list[Any], list[Any]]:
    chance = np.random.default_rng(seed)
    connections, tables = [], []
    for nodes, n in layers:
        connections.append(chance.integers(0, width, (nodes, n)))
        tables.append(chance.integers(0, 2, (nodes, 1 << n)))
        width = nodes
    return connections, tables


@pytest.mark.parametrize("seed", range(10))
def test_scores(seed: int) -> None:
    """Thresholds in any order, of float64; a last layer that the classes do not divide; a scaler."""
    chance = np.random.default_rng(seed)
    connections, tables = arrays(seed, 12, [(9, 3), (7, int(chance.integers(1, 9)))])
    thresholds = chance.random((3, 4))
    scaler = (chance.random(3), chance.random(3) + 0.1) if seed % 2 else None
    model = difflut.from_tables(
        connections, tables, 3, thresholds=thresholds, scaler=scaler, input_format=InputFormat(5, divisor=31.0)
    )
    codes = torch.randint(0, 32, (60, 3))
    numbers = (codes.float() / 31).numpy()
    rows = scaled_rows(*(part.tolist() for part in scaler), numbers) if scaler else numbers.tolist()
    assert model(codes).long().tolist() == table_scores(
        connections, tables, thermometer_rows(thresholds.tolist(), rows), 3
    )


def test_thresholds_between_float32_numbers() -> None:
    """`x > t` of float64 t is the same for every float32 x, below, at and above t."""
    numbers = torch.arange(8).float() / 7
    exact = numbers.double().numpy()
    thresholds = np.stack([exact, np.nextafter(exact, -1), np.nextafter(exact, 2), -exact - 1e-12]).reshape(1, -1)
    width = thresholds.size
    model = difflut.from_tables(
        [np.arange(width)[:, None]],
        [[[0, 1]] * width],
        width,
        thresholds=thresholds,
        input_format=InputFormat(3, divisor=7.0),
    )
    found = model(torch.arange(8)[:, None]).long().tolist()
    assert found == thermometer_rows(thresholds.tolist(), [[float(x)] for x in exact])


def test_a_permutation_may_leave_nodes_out() -> None:
    connections, tables = arrays(3, 6, [(8, 2)])
    model = difflut.from_tables(connections, tables, 2, features=6, permutation=[7, 0, 3, 4])
    bits = torch.randint(0, 2, (40, 6))
    kept = [connections[0][[7, 0, 3, 4]]], [tables[0][[7, 0, 3, 4]]]
    assert model(bits).long().tolist() == table_scores(*kept, bits.tolist(), 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": None}, "features is None; expected the number of input bits, or of rows of thresholds"),
        ({"tables": []}, "1 arrays of connections and 0 of tables; expected as many"),
        ({"connections": [], "tables": []}, "model 'network': has no LUT layer; expected at least one"),
        ({"connections": [[[0.5, 1]]]}, "connections 0: holds float64; expected integers or unsigned integers"),
        ({"connections": [[[0, 6]]]}, "layer 0: connections from 0 to 6; its 6 input bits are 0 to 5"),
        ({"connections": [[0, 1]]}, "layer 0: connections (2,) and tables (1, 4); expected (nodes, n) and"),
        ({"tables": [[[0, 1]]]}, "layer 0: tables are (1, 2); expected (1, 4)"),
        ({"tables": [[[0, 1, 2, 0]]]}, "layer 0: tables have other values than 0 and 1"),
        ({"tables": [[[0, 1], [2]]]}, "tables 0: no array of numbers ("),
        ({"tables": [[["a"] * 4]]}, "tables 0: holds <U1; expected bool or integers or unsigned integers or floating"),
        ({"classes": 0}, "model 'network': classes is 0; expected an integer from 1 to 65536"),
        ({"classes": 2.0}, "model 'network': classes is 2.0; expected an integer from 1 to 65536"),
        ({"features": -1}, "the network has -1 inputs; expected 1 to 16777216"),
        ({"features": 10**12}, "the network has 1000000000000 inputs; expected 1 to 16777216"),
        ({"tau": float("nan")}, "tau is nan; expected a finite number above 0"),
        ({"thresholds": [0.5] * 6}, "thresholds are (6,); expected (features, thresholds per feature)"),
        ({"thresholds": [[1e39]] * 6}, "thresholds: some are beyond float32's numbers; scale the features"),
        ({"thresholds": [[np.nan]] * 6}, "thresholds: holds NaN or infinity, which no trained network has"),
        ({"thresholds": [[0.5]] * 5}, "features is 6; expected the number of input bits, or of rows of thresholds"),
        ({"scaler": ([0.0] * 6, [1.0] * 6)}, "the network's inputs are bits, which have no scaler"),
        ({"permutation": [0.0]}, "permutation: holds float64; expected integers"),
        ({"permutation": [[0]]}, "permutation (1, 1): expected different nodes of the last layer"),
    ],
)
def test_arrays_that_are_no_network(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"connections": [[[0, 1]]], "tables": [[[0, 1, 1, 0]]], "classes": 1, "features": 6}
    with pytest.raises(NetworkFileError) as caught:
        difflut.from_tables(**{**given, **change})
    assert str(caught.value).startswith(message)


def written(path: Path, **change: Any) -> dict[str, Any]:
    connections, tables = arrays(5, 12, [(9, 3), (6, 2)])
    content: dict[str, Any] = {f"connections_{i}": one for i, one in enumerate(connections)}
    content |= {f"tables_{i}": one for i, one in enumerate(tables)}
    content |= {"thresholds": np.random.default_rng(5).random((4, 3)), "classes": 2, "tau": 3.0}
    content |= {"mean": np.full(4, 0.25), "scale": np.full(4, 0.5), "permutation": np.arange(6)[::-1], **change}
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return content


def test_npz_files(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    content = written(path)
    model = difflut.load_network(path, input_format=InputFormat(4, divisor=15.0))
    codes = torch.randint(0, 16, (60, 4))
    rows = scaled_rows(content["mean"].tolist(), content["scale"].tolist(), (codes.float() / 15).numpy())
    wires = [content["connections_0"], content["connections_1"][::-1]]
    tables = [content["tables_0"], content["tables_1"][::-1]]
    expected = table_scores(wires, tables, thermometer_rows(content["thresholds"].tolist(), rows), 2)
    assert (model(codes) * 3).round().long().tolist() == expected
    assert model.info["imported"]["format"] == "tables"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"x": np.zeros(3)}, "has an array 'x'; expected only connections_I, tables_I, thresholds, mean, scale"),
        ({"tables_1": None}, "has no tables_1; expected connections_I and tables_I from 0 on"),
        ({"connections_1": None}, "has more arrays of tables than of connections"),
        ({"connections_0": np.zeros((9, 3))}, "connections_0 holds float64; expected integers"),
        ({"classes": np.zeros(2, int)}, "classes is int64 (2,); expected one number"),
        ({"classes": 2.0}, "classes is float64 (); expected one number"),
        ({"classes": None}, "does not say classes; give --classes"),
        ({"scale": None}, "has one of mean and scale; expected both or neither"),
        ({"permutation": np.zeros(6)}, "permutation holds float64; expected integers"),
        ({"thresholds": np.zeros((4, 3), int)}, "thresholds holds int64; expected floating numbers"),
        ({"tau": np.array("x")}, "not a readable npz file (tau: it holds <U1; numbers expected)"),
        ({"tau": np.array([None])}, "not a readable npz file (tau: it holds object; numbers expected)"),
        ({"connections_0": None}, "a file of npz with no network of a known format; known: "),
    ],
)
def test_npz_files_that_are_none(tmp_path: Path, change: dict[str, Any], part: str) -> None:
    path = tmp_path / "net.npz"
    written(path, **change)
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path, input_format=InputFormat())
    assert str(caught.value).startswith(f"{path}: {part}")


def test_every_format_says_what_it_is() -> None:
    assert {"dwn2rtl", "tables", "torch_dwn"} < set(IMPORTERS)
    assert all(IMPORTERS[name].description for name in IMPORTERS)
