"""Graphs of nodes as models: they compute what a walk over the nodes does, and are models like others."""

from __future__ import annotations

import json
import random
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tools import require_icarus, require_prover

import difflut
from difflut import InputFormat
from difflut.errors import CheckpointError, ConfigError, NetworkFileError
from difflut.models import NetlistNetwork

Graph = dict[str, Any]


def drawn(seed: int, width: int = 9, nodes: int = 40, most: int = 8) -> Graph:
    """A graph whose nodes stand in no order, some without inputs, and outputs of unequal sizes, one of none."""
    chance = random.Random(seed)
    order = chance.sample(range(nodes), nodes)
    inputs = [chance.randint(0, most) for _ in range(nodes)]
    before = {node: order[:place] for place, node in enumerate(order)}
    reads = [
        [chance.choice([0, 1, *range(2, 2 + width), *(2 + width + one for one in before[node][-6:])]) for _ in range(n)]
        for node, n in enumerate(inputs)
    ]
    tables = [[chance.randint(0, 1) for _ in range(1 << n)] for n in inputs]
    outputs = [[chance.randrange(2 + width + nodes) for _ in range(size)] for size in (7, 0, 12, 1)]
    return {"order": order, "reads": reads, "tables": tables, "outputs": outputs, "width": width}


def arguments(graph: Graph) -> tuple[Any, ...]:
    reads, tables = graph["reads"], graph["tables"]
    offsets = np.cumsum([0, *map(len, reads)])
    return offsets, np.array([*chain(*reads)], int), np.array([*chain(*tables)]), graph["outputs"]


def scores(graph: Graph, row: list[int]) -> list[int]:
    """Node by node, in the order in which they were drawn."""
    nets: dict[int, int] = dict(enumerate([0, 1, *row]))
    for node in graph["order"]:
        address = sum(nets[source] << i for i, source in enumerate(graph["reads"][node]))
        nets[2 + graph["width"] + node] = graph["tables"][node][address]
    return [sum(nets[net] for net in result) for result in graph["outputs"]]


@pytest.mark.parametrize("seed", range(8))
def test_scores(tmp_path: Path, seed: int) -> None:
    graph = drawn(seed)
    model = difflut.from_netlist(*arguments(graph), features=9, options={"tau": 2.0})
    bits = torch.randint(0, 2, (60, 9), generator=torch.Generator().manual_seed(seed))
    expected = [scores(graph, row) for row in bits.tolist()]
    assert (model(bits) * 2).tolist() == expected
    model.save_checkpoint(tmp_path / "net.safetensors", frozen=bool(seed % 2))
    again = difflut.load_model(str(tmp_path / "net.safetensors"))
    assert type(again) is NetlistNetwork and again.node_count == sum(map(bool, graph["reads"]))
    assert (again(bits) * 2).tolist() == expected


def test_thermometer_and_scaler() -> None:
    graph = drawn(1)
    thresholds = np.array([[0.4, 0.1, 0.2], [0.9, 0.8, 0.7], [0.5, 0.3, 0.6]])  # in no order
    model = difflut.from_netlist(
        *arguments(graph),
        head="numbers",
        options={"scale": 0.5, "offset": 1.0},
        thresholds=thresholds,
        scaler=(np.zeros(3), np.full(3, 2.0)),
        input_format=InputFormat(6, divisor=20.0),
    )
    codes = torch.randint(0, 64, (60, 3))
    rows = [[int(np.float32(c) / 40 > t) for c, row in zip(one, thresholds, strict=True) for t in row] for one in codes]
    assert model(codes).tolist() == [[1 + 0.5 * score for score in scores(graph, row)] for row in rows]


def test_many_levels_and_none() -> None:
    """As deep as adders are; and a circuit without a node."""
    depth = 3000
    offsets, last = np.arange(depth + 1) * 2, np.arange(depth) + 4
    wires = np.stack([np.where(np.arange(depth) == 0, 2, last - 1), np.full(depth, 3)], axis=1).reshape(-1)
    model = difflut.from_netlist(offsets, wires, np.tile([0, 1, 1, 0], depth), [[depth + 3]], features=2)
    assert model(torch.tensor([[1, 0], [1, 1], [0, 1]])).tolist() == [[1], [1], [0]]  # an even number of XORs
    bare = difflut.from_netlist([0], np.zeros(0, int), np.zeros(0, int), [[2, 1, 3], [3]], features=2)
    assert bare(torch.tensor([[1, 0], [1, 1]])).tolist() == [[2, 0], [3, 1]]
    assert difflut.trace(bare).luts == 0


def test_builds_are_verified_and_proved(tmp_path: Path) -> None:
    require_icarus()
    require_prover()
    model = difflut.from_netlist(*arguments(drawn(3)), features=9)
    build = difflut.export_model(model, tmp_path / "net")
    assert build.info.model.nodes == model.node_count
    assert difflut.verify(build, simulator="icarus").ok
    assert difflut.prove(build).ok


def test_it_is_not_trained() -> None:
    with pytest.raises(ConfigError) as caught:
        difflut.from_netlist(*arguments(drawn(3)), features=9).unfreeze()
    assert str(caught.value) == (
        "model 'network' is a netlist, whose nodes are given and cannot be trained; networks of LUT layers can"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"connections": [11, 3, 10, 2]}, "nodes in a loop, or behind one: 0, 1; expected a graph without loops"),
        ({"connections": [10, 3, 2, 2]}, "nodes in a loop, or behind one: 0; expected a graph without loops"),
        ({"connections": [2, 3, 12, 2]}, "connections from 2 to 12; the nets are 0 to 11"),
        ({"connections": [2, 3, -1, 2]}, "connections from -1 to 3; the nets are 0 to 11"),
        ({"outputs": [[10], [12]]}, "outputs from 12 to 12; the nets are 0 to 11"),
        ({"outputs": []}, "there are no outputs; expected at least one"),
        ({"offsets": [0, 3, 2]}, "offsets do not ascend from 0 to the 4 connections"),
        ({"offsets": [1, 2, 4]}, "offsets do not ascend from 0 to the 4 connections"),
        ({"offsets": np.zeros(0, int)}, "offsets do not ascend from 0 to the 4 connections"),
        ({"tables": [0, 1]}, "tables have 2 entries; expected 8"),
        ({"tables": [0, 1, 2, 0, 0, 0, 0, 0]}, "tables have other values than 0 and 1"),
        (
            {"offsets": [0, 9], "connections": [2] * 9, "tables": [0] * 512},
            "nodes have up to 9 inputs; at most 8 are supported",
        ),
        ({"head": "x"}, "model 'network': head 'x'; expected one of classes, numbers, bits"),
        ({"options": {"tau": -1.0}}, "GroupSum: tau is -1.0; it must be positive"),
    ],
)
def test_what_is_no_graph(changes: Graph, message: str) -> None:
    # node 0 reads bits 0 and 1, node 1 reads node 0 and bit 0
    good: Graph = {"offsets": [0, 2, 4], "connections": [2, 3, 10, 2], "tables": [0, 1, 1, 0] * 2, "outputs": [[11]]}
    assert difflut.from_netlist(**good, features=8).node_count == 2
    with pytest.raises(NetworkFileError) as caught:
        difflut.from_netlist(**good | changes, features=8)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("graph.connections", 49, "connections of step 1 point outside the 11 nets before it"),
        ("graph.connections", -1, "connections of step 1 point outside the 11 nets before it"),
        ("graph.outputs", 1 << 20, "outputs point outside the"),
        ("steps", [[1 << 26, 2]], "its arguments claim 67108"),
        ("steps", [[2, 9]], "its arguments make no network (model 'network': n is 9; expected an integer from 1 to 8"),
        ("outputs", 5, "its arguments make no network (model 'network': 5 outputs; expected a multiple of 4 results"),
        ("outputs", 4, "the checkpoint does not fit model 'network'"),
        ("head", "x", "its arguments make no network (model 'network': head 'x'; expected one of classes, "),
        ("options", {"x": 1}, "its arguments make no network ("),
        ("options", 3, "its arguments make no network ("),
    ],
)
def test_spoilt_checkpoints(tmp_path: Path, key: str, value: Any, part: str) -> None:
    path = tmp_path / "net.safetensors"
    difflut.from_netlist(*arguments(drawn(3)), features=9).save_checkpoint(path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["difflut"])
    tensors = load_file(path)
    if key in tensors:
        tensors[key][0] = value
    else:
        header["arguments"]["kwargs"][key] = value
    save_file(tensors, path, {"difflut": json.dumps(header)})
    with pytest.raises(CheckpointError) as caught:
        difflut.load_model(str(path))
    assert str(caught.value).startswith(f"{path}: ") and part in str(caught.value)
