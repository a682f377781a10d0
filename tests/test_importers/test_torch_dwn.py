"""State dicts of torch_dwn compute here what an evaluator written from the definition computes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_networks import dwn_scores, dwn_state, thermometer_rows, torch_bytes
from safetensors.torch import save
from torch import Tensor, nn

import difflut
from difflut import InputFormat
from difflut.errors import NetworkFileError
from difflut.models import BaseModel


def scores(model: BaseModel, codes: Tensor) -> list[list[int]]:
    with torch.no_grad():
        logits = model(codes)
    found: list[list[int]] = (logits.double() * model.head.tau).round().long().tolist()  # type: ignore[union-attr, operator]
    return found


def drawn(seed: int) -> dict[str, Any]:
    """Layers of a network: sometimes many, sometimes learnable, sometimes not divided by the classes."""
    chance = random.Random(seed)
    layers = [(chance.randrange(3, 14), chance.randrange(1, 7)) for _ in range(chance.choice((1, 2, 3, 12)))]
    learnable = [number for number in range(len(layers)) if chance.random() < 0.5]
    first = chance.choice((0, 1))
    return {"layers": layers, "learnable": learnable, "first": first, "classes": chance.randrange(1, 5)}


@pytest.mark.parametrize("seed", range(24))
def test_scores(tmp_path: Path, seed: int) -> None:
    net = drawn(seed)
    state = dwn_state(seed, 12, net["layers"], learnable=net["learnable"], first=net["first"])
    chosen = random.Random(seed).sample(range(net["layers"][-1][0]), net["layers"][-1][0]) if seed % 3 == 0 else None
    path = tmp_path / "net.file"  # known by its content
    path.write_bytes(save(state) if seed % 2 else torch_bytes(state))
    thresholds = torch.rand(4, 3, generator=torch.Generator().manual_seed(seed)).sort(dim=1).values
    model = difflut.load_network(
        path,
        classes=net["classes"],
        tau=2.5,
        thresholds=thresholds,
        permutation=chosen,
        input_format=InputFormat(6, divisor=63.0),
    )
    codes = torch.randint(0, 64, (40, 4))
    rows = thermometer_rows(thresholds.tolist(), (codes.float() / 63).tolist())
    assert scores(model, codes) == dwn_scores(state, rows, net["classes"], chosen)
    assert model.name == "net" and model.info == {"imported": {"format": "torch_dwn", "file": "net.file"}}


def test_inputs_that_are_bits(tmp_path: Path) -> None:
    state = dwn_state(1, 9, [(12, 3)])
    path = tmp_path / "net.pt"
    path.write_bytes(torch_bytes(state))
    model = difflut.load_network(path, classes=3, tau=1, binary_inputs=9)
    bits = torch.randint(0, 2, (60, 9))
    assert scores(model, bits) == dwn_scores(state, bits.tolist(), 3)


def test_half_precision_and_a_prefix(tmp_path: Path) -> None:
    state = dwn_state(2, 9, [(12, 3), (6, 2)], learnable=[1])
    path = tmp_path / "net.safetensors"
    whole = {f"module.{key}": value.bfloat16() if value.is_floating_point() else value for key, value in state.items()}
    path.write_bytes(save(whole))
    model = difflut.load_network(path, classes=3, tau=1, binary_inputs=9)
    bits = torch.randint(0, 2, (60, 9))
    assert scores(model, bits) == dwn_scores(state, bits.tolist(), 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"classes": 3, "tau": 1.0},
            (
                "does not hold the thermometer, which is no part of the module; give --arrays FILE.npz with "
                "`thresholds` (features, bits per feature), thresholds= in Python, or --binary-inputs N where N bits "
                "are the inputs"
            ),
        ),
        ({"tau": 1.0, "binary_inputs": 9}, "does not say classes; give --classes (classes= in Python)"),
        (
            {"classes": 3, "binary_inputs": 9},
            "does not say tau, which changes logits and training, and no circuit; give --tau (tau= in Python)",
        ),
        (
            {"classes": 3, "tau": 1.0, "thresholds": [[0.5]] * 9},
            (
                "the integer codes that hardware gets are not known; give --input-bits with --divisor and --offset, or "
                "with --data (input_format= in Python)"
            ),
        ),
        (
            {"classes": 3, "tau": 1.0, "binary_inputs": 4},
            "layer 0: connections from 0 to 8; its 4 input bits are 0 to 3",
        ),
        ({"classes": 3, "tau": 0.0, "binary_inputs": 9}, "tau is 0.0; expected a finite number above 0"),
        (
            {"classes": 3, "tau": 1.0, "binary_inputs": 9, "permutation": [0, 0, 1]},
            "permutation (3,): expected different nodes of the last layer, which has 0 to 11",
        ),
        (
            {"classes": 3, "tau": 1.0, "binary_inputs": 9, "thresholds": [[0.5]] * 9},
            "has thresholds, and its inputs are said to be bits; say one of both",
        ),
        (
            {"classes": 3, "tau": 1.0, "binary_inputs": 9, "input_format": InputFormat()},
            "the network's inputs are bits, which have no scaler and no input format",
        ),
    ],
)
def test_what_is_not_said(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    path = tmp_path / "net.pt"
    state = dwn_state(1, 9, [(12, 3)])
    state["0.mapping"].view(-1)[:2] = torch.tensor([0, 8])
    path.write_bytes(torch_bytes(state))
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path, **given)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"2.weight": torch.zeros(3)}, "the key '2.weight' is none of an nn.Sequential of torch_dwn's layers"),
        ({"first.luts": torch.zeros(3, 4)}, "the key 'first.luts' is none of an nn.Sequential"),
        ({"a.0.luts": torch.zeros(3, 4)}, "has LUT layers of 2 modules; expected those of one nn.Sequential"),
        ({"0.luts": torch.zeros(12, 6)}, "0.luts is float32 (12, 6); expected floating (nodes, 2**n)"),
        ({"0.luts": torch.zeros(12, 8, dtype=torch.int32)}, "0.luts is int32 (12, 8); expected floating"),
        ({"0.luts": torch.full((12, 8), torch.nan)}, "'0.luts' has NaN or infinity, which no trained network has"),
        ({"0.luts": torch.zeros(1).expand(12, 8)}, "'0.luts' claims (12, 8) numbers, more than the file holds"),
        ({"0.mapping": torch.zeros(12, 2).int()}, "0.mapping is int32 (12, 2); expected integers (12, 3)"),
        ({"0.mapping": torch.zeros(12, 3)}, "0.mapping is float32 (12, 3); expected integers (12, 3)"),
        ({"0.mapping": torch.full((12, 3), -1)}, "layer 0: connections from -1 to -1; its 9 input bits are 0 to 8"),
        ({"0.mapping.weights": torch.zeros(9, 36)}, "layer 0 has ['luts', 'mapping', 'mapping.weights']; expected"),
        ({"1.luts": torch.zeros(4, 2)}, "layer 1 has ['luts']; expected luts, and mapping or mapping.weights"),
        (
            {"1.luts": torch.zeros(4, 2), "1.mapping.weights": torch.zeros(9, 4)},
            "layer 1 is made for 9 bits, the layer before it gives 12",
        ),
        (
            {"1.luts": torch.zeros(4, 2), "1.mapping.weights": torch.zeros(12, 5)},
            "1.mapping.weights is float32 (12, 5); expected floating (bits, 4)",
        ),
        (
            {"1.luts": torch.zeros(4, 512), "1.mapping": torch.zeros(4, 9).int()},
            "layer 1: nodes have 9 inputs; at most 8 are supported",
        ),
    ],
)
def test_state_dicts_that_are_none(tmp_path: Path, changes: dict[str, Tensor], part: str) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(torch_bytes({**dwn_state(1, 9, [(12, 3)]), **changes}))
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path, classes=3, tau=1, binary_inputs=9)
    assert str(caught.value).startswith(f"{path}: {part}")


class Layer(nn.Module):
    """A module with the parameters of torch_dwn's layer."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.luts = nn.Parameter(state["0.luts"])
        self.mapping = nn.Parameter(state["0.mapping"], requires_grad=False)


class Encoder:
    """As torch_dwn's thermometers: no module."""

    def __init__(self, thresholds: Tensor) -> None:
        self.thresholds = thresholds


@pytest.mark.parametrize("whole", [False, True])
def test_pickled_modules_are_refused_with_the_lines_that_help(tmp_path: Path, whole: bool) -> None:
    state = dwn_state(1, 9, [(12, 3)])
    model = nn.Sequential(Layer(state))
    path = tmp_path / "net.pt"
    torch.save({"model": model, "thermometer": Encoder(torch.rand(3, 3))} if whole else model, path)
    with pytest.raises(NetworkFileError) as caught:
        difflut.load_network(path)
    first, *lines = str(caught.value).split("\n")
    assert first.startswith(
        f"{path}: holds pickled Python objects (torch.nn.modules.container.Sequential), which could"
    )
    assert len(lines) == 2
    saved = tmp_path / "saved.pt"
    exec("\n".join(line.strip() for line in lines).replace("state.pt", str(saved)), {"torch": torch})  # noqa: S102 (the lines of our own message)
    beside: dict[str, Any] = {"input_format": InputFormat()} if whole else {"binary_inputs": 9}
    imported = difflut.load_network(saved, classes=3, tau=1, **beside)
    bits = torch.randint(0, 2, (20, 9))
    if not whole:
        assert scores(imported, bits) == dwn_scores(state, bits.tolist(), 3)
    assert [layer.out_width for _, layer in imported.lut_layers()] == [12]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01.", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.pt"
    with pytest.raises(NetworkFileError, match="no such file"):
        difflut.load_network(path)
    path.write_bytes(content)
    with pytest.raises(NetworkFileError, match=r"net.pt: "):
        difflut.load_network(path)
