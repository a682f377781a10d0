"""State dicts of difflogic, LLNN, DiffLUT-Net and silogic compute here what their definitions say."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from foreign_gates import (
    difflogic_scores,
    difflogic_state,
    difflut_net_scores,
    difflut_net_state,
    drawn_wires,
    llnn_scores,
    llnn_state,
    silogic_scores,
    silogic_state,
    with_indices,
)
from foreign_networks import torch_bytes
from safetensors.torch import save
from torch import Tensor, nn

import difflut
from difflut import InputFormat
from difflut.errors import NetworkFileError
from difflut.export.circuit.simulate import simulate
from difflut.models import BaseModel

WIDTH, CLASSES = 9, 3
BITS = torch.randint(0, 2, (60, WIDTH), generator=torch.Generator().manual_seed(1))


def written(tmp_path: Path, state: dict[str, Tensor], seed: int = 0) -> Path:
    path = tmp_path / "net.file"  # known by its content
    path.write_bytes(
        save({key: value.contiguous() for key, value in state.items()}) if seed % 2 else torch_bytes(state)
    )
    return path


def agrees(model: BaseModel, expected: list[list[int]], tau: float = 1.0) -> bool:
    """The model's logits, and the scores of its circuit."""
    simulated = simulate(difflut.trace(model), BITS.numpy()).scores.tolist()
    return bool((model(BITS) * tau).round().long().tolist() == expected == simulated)


def sizes(seed: int) -> list[int]:
    chance = random.Random(seed)
    return [*(chance.randrange(5, 14) for _ in range(chance.choice((0, 1, 2, 11)))), CLASSES * chance.randrange(1, 5)]


@pytest.mark.parametrize("seed", range(6))
def test_difflogic(tmp_path: Path, seed: int) -> None:
    layers = sizes(seed)
    state, wires = difflogic_state(seed, layers), drawn_wires(seed, WIDTH, layers, 2)
    expected = difflogic_scores(state, wires, BITS.tolist(), CLASSES)
    said: dict[str, Any] = {"classes": CLASSES, "tau": 10.0, "binary_inputs": WIDTH}
    path = written(tmp_path, with_indices(state, wires, range(1, len(layers) + 1)), seed)
    model = difflut.load_network(path, **said)
    assert agrees(model, expected, 10.0) and model.info["imported"]["format"] == "difflogic"
    given = difflut.load_network(written(tmp_path, state, seed), connections=wires, **said)
    assert agrees(given, expected, 10.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [2, 4, 6])
def test_llnn(tmp_path: Path, seed: int, n: int) -> None:
    layers, prefix = sizes(seed), "model." if seed % 2 else ""
    state, wires = llnn_state(seed, layers, n, prefix), drawn_wires(seed, WIDTH, layers, n)
    path = written(tmp_path, with_indices(state, wires, range(1, len(layers) + 1), prefix), seed // 2)
    model = difflut.load_network(path, classes=CLASSES, tau=1.0, binary_inputs=WIDTH)
    assert agrees(model, llnn_scores(state, wires, BITS.tolist(), CLASSES, prefix))
    assert model.info["imported"]["format"] == "llnn"


@pytest.mark.parametrize("learned", [(0, 1), (0,), (1,)])
def test_difflut_net(tmp_path: Path, learned: tuple[int, ...]) -> None:
    layers = [10, 6]
    state, wires = difflut_net_state(3, WIDTH, layers, learned), drawn_wires(3, WIDTH, layers, 6)
    fixed = [number for number in (0, 1) if number not in learned]
    path = written(tmp_path, with_indices(state, [wires[number] for number in fixed], fixed))
    said: dict[str, Any] = {"classes": CLASSES, "tau": 1.0, "binary_inputs": WIDTH}
    model = difflut.load_network(path, **said)
    expected = difflut_net_scores(state, wires, BITS.tolist(), CLASSES)
    assert agrees(model, expected) and model.info["imported"]["format"] == "difflut_net"
    if fixed:
        given = difflut.load_network(written(tmp_path, state), connections=[wires[n] for n in fixed], **said)
        assert agrees(given, expected)


SILOGIC = [
    [(8, 2, "gate16", "topk"), (6, 2, "gate16", "fixed")],
    [(8, 4, "multilinear", "topk"), (9, 3, "multilinear", "dense"), (6, 5, "multilinear", "fixed")],
    [(8, 2, "walsh", "topk"), (12, 3, "walsh", "dense"), (6, 5, "walsh", "fixed")],
    [(8, 4, "linear", "topk"), (6, 6, "linear", "fixed")],
    [(8, 4, "polynomial", "topk"), (6, 3, "polynomial", "fixed")],
    [*[(8, 2, "gate16", "fixed")] * 11, (6, 4, "walsh", "topk")],
]


@pytest.mark.parametrize("layers", SILOGIC)
def test_silogic(tmp_path: Path, layers: list[tuple[int, int, str, str]]) -> None:
    state = silogic_state(len(layers), WIDTH, layers)
    for seed in (0, 1):
        path = written(tmp_path, state, seed)
        model = difflut.load_network(path, classes=CLASSES, tau=1.0, binary_inputs=WIDTH)
        assert agrees(model, silogic_scores(state, layers, BITS.tolist(), CLASSES))
    assert model.info["imported"]["format"] == "silogic"


def test_silogic_compares_by_reaching_and_plane_by_plane(tmp_path: Path) -> None:
    """Bit t * features + f is x[f] >= t."""
    layers = [(8, 2, "gate16", "fixed"), (6, 2, "gate16", "topk")]
    state = silogic_state(5, 6, layers)
    thresholds = np.array([[3 / 8, 0.1], [0.7, 5 / 8], [0.5, 0.25]])
    model = difflut.load_network(
        written(tmp_path, state), classes=3, tau=1.0, thresholds=thresholds, input_format=InputFormat(4, divisor=8.0)
    )
    codes = torch.randint(0, 8, (80, 3), generator=torch.Generator().manual_seed(2))
    rows = [[int(code / 8 >= thresholds[f, t]) for t in (0, 1) for f, code in enumerate(one)] for one in codes.tolist()]
    assert model(codes).long().tolist() == silogic_scores(state, layers, rows, 3)


def test_silogic_nodes_of_one_input(tmp_path: Path) -> None:
    layers = [(6, 1, "linear", "fixed")]
    state = silogic_state(5, WIDTH, layers)
    said: dict[str, Any] = {"classes": CLASSES, "tau": 1.0, "binary_inputs": WIDTH}
    path = written(tmp_path, state)
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path, **said)
    assert str(caught.value) == f"{path}: layer 0 may have walsh or linear nodes; give --nodes (nodes= in Python)"
    model = difflut.load_network(path, nodes="linear", **said)
    assert agrees(model, silogic_scores(state, layers, BITS.tolist(), CLASSES))


def test_they_train_on(tmp_path: Path) -> None:
    state, wires = difflogic_state(1, [8, 6]), drawn_wires(1, WIDTH, [8, 6], 2)
    path = written(tmp_path, with_indices(state, wires, [1, 2]))
    model = difflut.load_network(path, classes=CLASSES, tau=2.0, beta=0.5, binary_inputs=WIDTH)
    scores = difflogic_scores(state, wires, BITS.tolist(), CLASSES)
    assert model(BITS).tolist() == [[(score + 0.5) / 2 for score in row] for row in scores]
    model.unfreeze().train()
    torch.nn.functional.cross_entropy(model(BITS), torch.arange(60) % 3).backward()
    assert any(bool(one.grad.abs().sum() > 0) for one in model.parameters() if one.grad is not None)


GOOD = with_indices(difflogic_state(1, [8, 6]), drawn_wires(1, WIDTH, [8, 6], 2), [1, 2])
LLNN = with_indices(llnn_state(1, [8, 6], 2), drawn_wires(1, WIDTH, [8, 6], 2), [1, 2], "model.")
NET = difflut_net_state(1, WIDTH, [8, 6], (0, 1))
SI = silogic_state(1, WIDTH, [(8, 3, "multilinear", "topk"), (6, 3, "walsh", "topk")])


@pytest.mark.parametrize(
    ("state", "changes", "part"),
    [
        (GOOD, {"1.indices": None}, "does not hold the connections, which difflogic keeps outside of its state dict"),
        (GOOD, {"1.indices": torch.zeros(3, 8).long()}, "connections of layer 1 are (8, 3); expected (8, 2)"),
        (GOOD, {"1.indices": torch.zeros(2, 8)}, "1.indices is float32 (2, 8); expected integers of 2 dimensions"),
        (GOOD, {"1.indices": torch.full((2, 8), 9)}, "layer 0: connections from 9 to 9; its 9 input bits are 0 to 8"),
        (GOOD, {"0.weight": torch.zeros(3)}, "the key '0.weight' is none of an nn.Sequential of difflogic's layers"),
        (GOOD, {"1.weights": torch.full((8, 16), torch.nan)}, "'1.weights' has NaN or infinity"),
        (GOOD, {"2.weights": torch.zeros(7, 16), "2.indices": torch.zeros(2, 7).long()}, "its last layer has 7 nodes"),
        (GOOD, {"3.indices": torch.zeros(2, 7).long()}, "'3.weights' is a NoneType; expected a tensor"),
        (LLNN, {"model.1.w": torch.zeros(8, 3)}, "1.w_comp is float32 (8, 4); expected floating (8, 3)"),
        (LLNN, {"model.1.indices": torch.zeros(3, 8).int()}, "connections of layer 1 are (8, 3), its tables (8, 4)"),
        (LLNN, {"model.2.indices": None}, "does not hold the connections, which LLNN keeps outside"),
        (NET, {"0.mapping.weights": torch.zeros(9, 47)}, "0.mapping.weights is float32 (9, 47); expected floating"),
        (NET, {"1.mapping.weights": torch.zeros(9, 36)}, "1.mapping.weights is float32 (9, 36); expected floating (8"),
        (NET, {"1.mapping.weights": None}, "does not hold the connections, which DiffLUT-Net keeps outside"),
        (SI, {"head.dec.weight": torch.zeros(3)}, "has a learned decoder, 'head.dec.weight', which has no circuit"),
        (SI, {"blocks.0.conn": torch.zeros(3)}, "has convolutional blocks, which are not read"),
        (SI, {"layers.0._conn.bn.0.weight": torch.zeros(3)}, "the key 'layers.0._conn.bn.0.weight' is none of an"),
        (SI, {"layers.0._conn.cand": torch.zeros(8, 3, 2).long()}, "layer 0 has candidates (8, 3, 2) and weights"),
        (SI, {"layers.0.node.logits": None}, "layer 0 has ['_conn.cand', '_conn.cand_i32', '_conn.conn', "),
        (SI, {"layers.0.node.logits": torch.zeros(8, 4)}, "0.node.logits is float32 (8, 4); expected floating"),
        (SI, {"layers.1.node.theta": torch.zeros(6, 5)}, "1.node.theta is (6, 5); expected 2**n or n + 1 columns"),
        (SI, {"layers.1.node.mono_mask": torch.ones(8, 3)}, "1.node.mono_mask is (8, 3); expected all products"),
    ],
)
def test_state_dicts_that_are_none(tmp_path: Path, state: Any, changes: dict[str, Any], part: str) -> None:
    changed = {key: value for key, value in {**state, **changes}.items() if value is not None}
    path = written(tmp_path, changed)
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path, classes=CLASSES, tau=1.0, binary_inputs=WIDTH)
    assert str(caught.value).startswith(f"{path}: {part}")


def test_connections_given_twice_or_too_few(tmp_path: Path) -> None:
    wires = drawn_wires(1, WIDTH, [8, 6], 2)
    said: dict[str, Any] = {"classes": CLASSES, "tau": 1.0, "binary_inputs": WIDTH}
    with pytest.raises(NetworkFileError, match=r"has connections of its own, 1\.indices; leave those given out"):
        difflut.load_network(written(tmp_path, GOOD), connections=wires, **said)
    bare = {key: value for key, value in GOOD.items() if "weights" in key}
    with pytest.raises(NetworkFileError, match="has 2 layers without connections, and 1 arrays of them are given"):
        difflut.load_network(written(tmp_path, bare), connections=wires[:1], **said)


class LogicLayer(nn.Module):
    """As difflogic's: its wiring is a tuple."""

    def __init__(self, weights: Tensor, wires: list[list[int]]) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)
        self.indices = tuple(torch.tensor(wires).t())


LogicLayer.__module__ = "difflogic.difflogic"


def test_pickled_modules_are_refused_with_the_line_that_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    for name in ("difflogic", "difflogic.difflogic"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["difflogic.difflogic"], "LogicLayer", LogicLayer, raising=False)
    state, wires = difflogic_state(1, [8, 6]), drawn_wires(1, WIDTH, [8, 6], 2)
    layers = [LogicLayer(state[f"{number}.weights"], wires[number - 1]) for number in (1, 2)]
    path = tmp_path / "net.pt"
    torch.save(nn.Sequential(nn.Flatten(), *layers), path)
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path)
    _, *lines = str(caught.value).split("\n")
    saved = tmp_path / "saved.pt"
    exec("\n".join(line.strip() for line in lines).replace("state.pt", str(saved)), {"torch": torch})  # noqa: S102 (the lines of our own message)
    model = difflut.load_network(saved, classes=CLASSES, tau=1.0, binary_inputs=WIDTH)
    assert agrees(model, difflogic_scores(state, wires, BITS.tolist(), CLASSES))


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`difflut export` on the file itself gives the build that import and export give."""
    monkeypatch.chdir(tmp_path)
    state, wires = difflogic_state(1, [8, 6]), drawn_wires(1, WIDTH, [8, 6], 2)
    Path("net.pt").write_bytes(torch_bytes(state))
    np.savez("wires.npz", connections_0=wires[0], connections_1=wires[1])
    said = ("--classes", 3, "--tau", 2, "--binary-inputs", WIDTH, "--arrays", "wires.npz")
    status, out, _ = run(capsys, "import", "net.pt", "--out", "net.safetensors", *said, "--beta", 1)
    assert status == 0
    assert out.splitlines() == [
        "net.pt (difflogic) -> net.safetensors: net",
        "  9 features of 1 bits, 1 thresholds each; 8 nodes of 2 inputs, 6 nodes of 2 inputs; 3 classes",
        "next: difflut export net.safetensors",
    ]
    assert run(capsys, "export", "net.safetensors", "--out", "a")[0] == 0
    assert run(capsys, "export", "net.pt", *said, "--out", "b")[0] == 0
    made = [{path.name: path.read_bytes() for path in Path(build).glob("rtl/*.v")} for build in "ab"]
    assert made[0] and made[0] == made[1]
    status, _, err = run(capsys, "export", "net.pt", "--out", "c")
    assert status == 2 and err.startswith("error: net.pt: does not hold the connections, which difflogic keeps")
    status, _, err = run(capsys, "export", "net.pt", *said, "--model", "x:Y")
    assert status == 2
    assert err == "error: --model makes the model of a checkpoint; a network of another library has its own\n"
    status, _, err = run(capsys, "export", "net.safetensors", *said)
    assert status == 2 and err == "error: net.safetensors: is a checkpoint of difflut already; use it as it is\n"
