"""State dicts and circuits of torchlogix compute here what evaluators written from the definitions compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_networks import torch_bytes
from foreign_torchlogix import (
    circuit_values,
    convolution_state,
    convolved,
    dense_bits,
    dense_scores,
    dense_state,
    drawn_circuit,
    pooled,
    sums,
)
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from tools import require_icarus, require_prover

import difflut
from difflut import InputFormat
from difflut.errors import CheckpointError, NetworkFileError
from difflut.export.circuit.simulate import simulate

BITS = torch.randint(0, 2, (50, 12), generator=torch.Generator().manual_seed(1))
SAID: dict[str, Any] = {"classes": 3, "tau": 1.0, "binary_inputs": 12}


def written(tmp_path: Path, state: dict[str, Any], seed: int = 0) -> Path:
    path = tmp_path / "net.file"
    path.write_bytes(save(state) if seed % 2 else torch_bytes(state))
    return path


@pytest.mark.parametrize(("nodes", "rank"), [("raw", 2), *((n, r) for n in ("light", "warp") for r in (2, 4, 6))])
@pytest.mark.parametrize("learnable", [(), (0, 1)])
def test_layers(tmp_path: Path, nodes: str, rank: int, learnable: tuple[int, ...]) -> None:
    layers = [*[10] * 9, 6] if rank == 2 else [10, 6]
    state = dense_state(rank, 12, layers, nodes, rank, learnable=learnable, first=0)
    expected = dense_scores(state, nodes, BITS.tolist(), 3)
    for seed in (0, 1):
        model = difflut.load_network(written(tmp_path, state, seed), nodes=nodes, **SAID)
        assert model(BITS).long().tolist() == expected
    assert simulate(difflut.trace(model), BITS.numpy()).scores.tolist() == expected
    assert model.info["imported"]["format"] == "torchlogix"


CODES = torch.randint(0, 64, (40, 4), generator=torch.Generator().manual_seed(2))


def thermometer(tmp_path: Path, buffers: dict[str, torch.Tensor], cuts: Any, **said: Any) -> None:
    """The scores of a network behind a thermometer whose thresholds are cuts (F, T)."""
    state = dense_state(1, 12, [10, 6], "raw", 2)
    options = {"classes": 3, "tau": 1.0, "input_format": InputFormat(6, divisor=63.0), **said}
    model = difflut.load_network(written(tmp_path, {**buffers, **state}), **options)
    numbers = (CODES.float() / 63).tolist()
    rows = [[int(x > t) for x, each in zip(row, cuts, strict=True) for t in each] for row in numbers]
    assert model(CODES).long().tolist() == dense_scores(state, "raw", rows, 3)


def test_thermometers(tmp_path: Path) -> None:
    rows = torch.rand(4, 3, generator=torch.Generator().manual_seed(1))  # in no order
    thermometer(tmp_path, {"0.thresholds": rows}, rows.tolist())
    thermometer(tmp_path, {}, rows.tolist(), thresholds=rows)
    same = rows[0]
    for one in (same, same[None]):
        for image in ((1, 1, 4), (1, 2, 2)):
            said = {"image": image, "bit_order": "features"}
            thermometer(tmp_path, {"0.thresholds": one}, [same.tolist()] * 4, **said)
    colours = [rows[0].tolist()] * 2 + [rows[1].tolist()] * 2
    thermometer(tmp_path, {"0.thresholds": rows[:2]}, colours, image=(2, 1, 2), bit_order="features")


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_learned_thresholds(tmp_path: Path, temperature: float) -> None:
    """They are in the differences; the buffer is only what they started from."""
    differences = torch.tensor([[0.1, 0.2, 0.05], [0.3, -0.1, 0.1], [0.013, 0.4, -0.5], [-0.1, 0.3, 0.31]])
    scale = temperature + 1e-6
    rest = scale * torch.log1p(torch.exp(differences[:, 1:].double() / scale))
    thresholds = torch.cat([differences[:, :1].double(), rest], dim=1).cumsum(dim=1)
    assert (thresholds[..., None] * 63 - torch.arange(64)).abs().min() > 1e-4  # as float32 it is the same code
    buffers = {"0.raw_diffs": differences, "0.thresholds": torch.zeros(4, 3)}
    thermometer(tmp_path, buffers, thresholds.tolist(), softplus_temperature=temperature)


def test_planes(tmp_path: Path) -> None:
    """Bit (c * T + t) * pixels + p."""
    rows = torch.rand(2, 3, generator=torch.Generator().manual_seed(1))
    state = dense_state(1, 12, [10, 6], "raw", 2)
    path = written(tmp_path, {"0.thresholds": rows, **state})
    said = {"classes": 3, "tau": 1.0, "image": (2, 1, 2), "input_format": InputFormat(6, divisor=63.0)}
    with pytest.raises(NetworkFileError, match="does not say in which order an image's bits are; give --bit-order"):
        difflut.load_network(path, **said)
    model = difflut.load_network(path, bit_order="planes", **said)
    numbers = (CODES.float() / 63).tolist()
    bits = [[int(x[2 * c + p] > rows[c, t]) for c in (0, 1) for t in (0, 1, 2) for p in (0, 1)] for x in numbers]
    assert model(CODES).long().tolist() == dense_scores(state, "raw", bits, 3)


@pytest.mark.parametrize(("nodes", "rank", "depth"), [("raw", 2, 2), ("warp", 2, 1), ("light", 4, 2), ("warp", 6, 1)])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_convolutions(tmp_path: Path, nodes: str, rank: int, depth: int, stride: int, padding: int) -> None:
    size, window = (4, 5, 4), (3, 2)
    rows, columns = ((n + 2 * padding - w) // stride + 1 for n, w in zip(size[1:], window, strict=True))
    state = convolution_state(3, "1", nodes, rank, depth, 3, size, window, stride, padding)
    width = 3 * ((rows + 2 - 2) + 1) * ((columns + 2 - 2) + 1)
    layers = dense_state(4, width, [6], nodes, rank, first=4)
    thresholds = torch.tensor([[0.6, 0.3], [0.2, 0.5]])  # of colours, in no order
    model = difflut.load_network(
        written(tmp_path, {"0.thresholds": thresholds, **state, **layers}),
        nodes=nodes,
        classes=3,
        tau=1.0,
        image=(2, *size[1:]),
        geometry=f"conv+{padding} pool2/1+1",
        input_format=InputFormat(4, divisor=15.0),
    )
    codes = torch.randint(0, 16, (12, 2, *size[1:]), generator=torch.Generator().manual_seed(2))
    expected = []
    for sample in (codes.float() / 15).tolist():
        image = [[[int(x > t) for x in row] for row in sample[c]] for c in (0, 1) for t in thresholds[c].tolist()]
        maps = pooled(convolved(state, "1", nodes, image, padding, (rows, columns)), 2, 1, 1)
        bits = [bit for channel in maps for row in channel for bit in row]
        expected.append(sums(dense_bits(layers, nodes, bits), 3))
    assert model(codes.flatten(1)).long().tolist() == expected
    assert simulate(difflut.trace(model), codes.flatten(1).numpy()).scores.tolist() == expected
    whole = difflut.export.frontend.trace.trace_circuit(model)
    assert len(whole.layers) == 2


@pytest.mark.parametrize("seed", range(8))
def test_circuits(tmp_path: Path, seed: int) -> None:
    circuit = drawn_circuit(seed)
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps(circuit))
    model = difflut.load_network(path)
    bits = BITS[:, :9]
    assert torch.allclose(model(bits), torch.tensor([circuit_values(circuit, row) for row in bits.tolist()]), atol=1e-6)
    assert model.info["imported"]["format"] == "torchlogix_circuit"
    if seed == 0:
        require_icarus()
        require_prover()
        build = difflut.export_model(model, tmp_path / "net")
        assert difflut.verify(build, simulator="icarus").ok and difflut.prove(build).ok


def test_circuits_of_bits_and_behind_a_thermometer(tmp_path: Path) -> None:
    circuit = drawn_circuit(1)
    del circuit["sum_nodes"]
    circuit["outputs"] = [one["gate_id"] for one in circuit["gates"][-3:]] + [4]
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps(circuit))
    model = difflut.load_network(path)
    bits = BITS[:, :9]
    assert model(bits).tolist() == [circuit_values(circuit, row) for row in bits.tolist()]
    thresholds = np.array([[0.1, 0.5, 0.3], [0.6, 0.9, 0.2], [0.4, 0.8, 0.7]])
    model = difflut.load_network(path, thresholds=thresholds, input_format=InputFormat(5, divisor=31.0))
    codes = torch.randint(0, 32, (40, 3), generator=torch.Generator().manual_seed(2))
    rows = [[int(c / 31 > t) for c, each in zip(row, thresholds, strict=True) for t in each] for row in codes.tolist()]
    assert model(codes).tolist() == [circuit_values(circuit, row) for row in rows]


RAW = dense_state(1, 12, [10, 6], "raw", 2)
WARP = dense_state(1, 12, [10, 6], "warp", 4)
CONV = {**convolution_state(3, "0", "raw", 2, 2, 3, (3, 4, 4), (2, 2), 1, 0), **dense_state(4, 27, [6], "raw", 2)}


@pytest.mark.parametrize(
    ("state", "said", "part"),
    [
        (WARP, {}, "does not say what weights stand for; give --nodes light or warp (nodes= in Python)"),
        (dense_state(1, 12, [6], "warp", 2), {}, "does not say what weights stand for; give --nodes light or warp"),
        (WARP, {"nodes": "raw"}, "has nodes of 16 weights for 4 inputs, which are not raw"),
        (RAW, {"nodes": "warp"}, "has nodes of 16 weights for 2 inputs, which are not warp"),
        (RAW, {"nodes": "x"}, "nodes are said to be 'x'; expected raw, light or warp"),
        (RAW, {"bit_order": "planes"}, "bits are said to be planes of an image; give --image C,H,W"),
        (RAW, {"bit_order": "x"}, "the bit order is said to be 'x'; expected features or planes"),
        (RAW, {"classes": None}, "does not say classes; give --classes (classes= in Python)"),
        (RAW, {"classes": 4}, "its last layer has 6 nodes, which do not split into 4 classes"),
        ({**RAW, "2.weight": torch.zeros(10, 15)}, {}, "does not say what weights stand for"),
        ({**RAW, "4.bias": torch.zeros(3)}, {}, "the key '4.bias' is none of an nn.Sequential of torchlogix's layers"),
        ({**RAW, "2.connections.indices": torch.zeros(2, 9).long()}, {}, "2.connections.indices gives connections (2,"),
        ({**RAW, "2.connections.indices": torch.full((2, 10), 12)}, {}, "layer 0: connections from 12 to 12; its 12"),
        ({**RAW, "0.thresholds": torch.zeros(3)}, {"binary_inputs": None}, "thresholds are (3,), for all features"),
        (
            {**RAW, "0.raw_diffs": torch.zeros(4, 3)},
            {"binary_inputs": None},
            "has learned thresholds, and does not",
        ),
        (CONV, {"binary_inputs": 48}, "has convolutions, and does not say the size of an image, paddings"),
        (
            CONV,
            {"image": (3, 4, 4), "geometry": "conv conv"},
            "has 1 convolutions, and the geometry 'conv conv'",
        ),
        (CONV, {"image": (3, 4, 4), "geometry": "cnov"}, "the geometry has 'cnov'; expected a word for each"),
        (
            CONV,
            {"image": (3, 4, 4), "geometry": "conv pool2+2"},
            "the geometry has 'pool2+2'; a padding is at",
        ),
        (
            CONV,
            {"image": (3, 4, 4), "geometry": "conv pool5"},
            "the geometry leaves a map of 0 x 0",
        ),
        (CONV, {"image": (3, 4, 4), "geometry": "pool2 conv"}, "0.connections._indices_L0 reads row 1, column 1 and"),
        (
            CONV,
            {"image": (3, 3, 3), "geometry": "conv", "binary_inputs": 27},
            "0.connections._indices_L0 reads row 1, column 1",
        ),
        (CONV, {"image": (2, 4, 4), "geometry": "conv", "binary_inputs": 32}, "0.connections._indices_L0 reads row 1"),
        (CONV, {"image": (2, 4, 4), "geometry": "conv"}, "has 48 features, and images of (2, 4, 4); expected as many"),
    ],
)
def test_what_is_refused(tmp_path: Path, state: Any, said: dict[str, Any], part: str) -> None:
    path = written(tmp_path, state)
    inputs = 48 if "image" in said else 12
    given = {"classes": 3, "tau": 1.0, "binary_inputs": inputs, "input_format": None, **said}
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path, **given)
    assert str(caught.value).startswith(f"{path}: {part}")


def gate(**changes: Any) -> dict[str, Any]:
    return {"gate_id": 20, "op": "AND", "in0": 0, "in1": 1, **changes}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"n_inputs": 0}, "n_inputs is 0; expected 1 to 16777216"),
        ({"n_inputs": "x"}, "is no circuit of torchlogix (Expected `int`, got `str` - at `$.n_inputs`)"),
        ({"gates": [gate(op="MUX")]}, "gate 20 has the operator 'MUX'; expected one of torchlogix's"),
        ({"gates": [gate(in1=-1)]}, "gate 20 reads -1, which is no input and no gate before it"),
        ({"gates": [gate(in1=20)]}, "gate 20 reads 20, which is no input and no gate before it"),
        ({"gates": [gate(), gate()]}, "has two nodes of the number 20"),
        ({"gates": [gate(gate_id=3)]}, "has two nodes of the number 3"),
        ({"outputs": []}, "has no outputs; expected at least one"),
        ({"outputs": [20, 30]}, "has outputs that are sums and outputs that are bits; expected one kind"),
        ({"outputs": [77]}, "an output counts 77, which is no input and no gate"),
        ({"sum_nodes": [{"node_id": 30, "input_ids": [77]}]}, "an output counts 77, which is no input and no gate"),
        ({"sum_nodes": [{"node_id": 20, "input_ids": [1]}]}, "has sums and other nodes of the same number"),
        ({"sum_nodes": [{"node_id": 30, "input_ids": [1], "tau": 0.0}]}, "its sums have tau [0.0]; expected one above"),
        (
            {"sum_nodes": [{"node_id": 30, "input_ids": [1], "beta": 1e9}]},
            "its sums have beta [1000000000.0];",
        ),
        (
            {
                "outputs": [30, 31],
                "sum_nodes": [
                    {"node_id": 30, "input_ids": [1], "beta": b} | {"node_id": 30 + i}
                    for i, b in enumerate((0.5, 1.25))
                ],
            },
            "its sums have beta [0.5, 1.25]; expected differences that are whole numbers",
        ),
    ],
)
def test_circuits_that_are_none(tmp_path: Path, changes: dict[str, Any], part: str) -> None:
    path = tmp_path / "circuit.json"
    good = {"n_inputs": 9, "gates": [gate()], "outputs": [30], "sum_nodes": [{"node_id": 30, "input_ids": [20, 4]}]}
    path.write_text(json.dumps({**good, **changes}))
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path)
    assert str(caught.value).startswith(f"{path}: {part}")


def test_what_a_circuit_says_itself(tmp_path: Path) -> None:
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps(drawn_circuit(1)))
    for said, part in (
        ({"classes": 3}, "says classes itself; leave --classes out"),
        ({"beta": 1.0}, "says beta itself; leave --beta out"),
        ({"tau": 3.0}, "says tau 2.5, and 3.0 is given; leave --tau out"),
        ({"binary_inputs": 8}, "has 9 inputs, and 8 are given; leave --binary-inputs out"),
        ({"thresholds": np.zeros((2, 3))}, "has 9 inputs, and the thresholds that are given make 6 bits"),
    ):
        with pytest.raises(NetworkFileError) as caught:
            difflut.load_network(path, **said)  # type: ignore[arg-type]
        assert str(caught.value) == f"{path}: {part}"
    for content in (b"{", b"{}", b'{"n_inputs": 1, "gates": 1}', b'{"gates": []}'):
        path.write_bytes(content)
        with pytest.raises(NetworkFileError):
            difflut.load_network(path)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"image": [3, 4, 1 << 13]}, "its arguments make no network (model 'net': an image of [3, 4, 8192]; expected"),
        ({"image": [3, 4, 5]}, "the checkpoint does not fit model 'net'"),
        ({"stages": [["conv", 3, 2, 2, 1, 1, 0, 13, 2]]}, "its arguments make no network (model 'net': a stage"),
        ({"stages": [["pool", 2, 2, 2]]}, "the checkpoint does not fit model 'net'"),
        ({"stages": [["pool", 2, 0, 0]]}, "its arguments make no network (model 'net': a stage"),
        ({"stages": [["conv", 3, 2, 2, 1, 1, 0]]}, "its arguments make no network (model 'net': a stage"),
        ({"stages": [["x", 2]]}, "its arguments make no network (model 'net': a stage"),
        ({"stages": 3}, "its arguments make no network ("),
        ({"layers": [[1 << 26, 2]]}, "its arguments claim 671088"),
    ],
)
def test_spoilt_checkpoints_of_convolutions(tmp_path: Path, change: dict[str, Any], part: str) -> None:
    said = {"classes": 3, "tau": 1.0, "binary_inputs": 48, "image": (3, 4, 4), "geometry": "conv"}
    path = tmp_path / "net.safetensors"
    difflut.load_network(written(tmp_path, CONV), name="net", **said).save_checkpoint(path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["difflut"])
    header["arguments"]["kwargs"].update(change)
    save_file(load_file(path), path, {"difflut": json.dumps(header)})
    with pytest.raises(CheckpointError) as caught:
        difflut.load_model(str(path))
    assert str(caught.value).startswith(f"{path}: {part}")
