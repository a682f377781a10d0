"""The faults that spoilt inputs showed once, one test a kind; `test_spoilt.py` looks for more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spoilt
import torch
from command_line import run
from safetensors.torch import load, save

from difflut import reading
from difflut.errors import ConfigError
from difflut.training.recipes import Recipe

DATA = ("--data", "d.npz", "--dataset", "npz")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.safetensors").write_bytes(spoilt.checkpoint(True))
    Path("d.npz").write_bytes(spoilt.npz(**spoilt.data_arrays()))


def with_build(**changes: bytes) -> None:
    for name, content in spoilt.folder_of(spoilt.builds()["plain"], changes).items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)


def refused(capsys: pytest.CaptureFixture[str], message: str, *arguments: object) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "") and message in err, err


@pytest.mark.parametrize("command", ["evaluate", "verify"])
def test_labels_beyond_the_classes(capsys: pytest.CaptureFixture[str], command: str) -> None:
    arrays = spoilt.data_arrays()
    Path("d.npz").write_bytes(spoilt.npz(**{**arrays, "y_test": arrays["y_test"] + 4}))
    with_build()
    place: tuple[str, ...] = ("c.safetensors",) if command == "evaluate" else ("net", "--simulator", "none")
    refused(capsys, "class indices from 4 to 7; model 'chain' has 4 classes", command, *place, *spoilt.MODEL, *DATA)


def test_codes_that_would_wrap(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = spoilt.data_arrays()
    Path("d.npz").write_bytes(spoilt.npz(**{**arrays, "x_test": arrays["x_test"].astype(np.int64) + (1 << 62)}))
    with_build()
    refused(capsys, "got integer codes from", "verify", "net", "--simulator", "none", *spoilt.MODEL, *DATA)


def test_a_netlist_goes_through_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    text = spoilt.builds()["plain"].text("verify/netlist.txt").replace(": lut 2 ", ": lut 999999 ", 1)
    assert "999999" in text
    with_build(**{"verify/netlist.txt": text.encode()})
    refused(capsys, "breaks the rule fanin-order", "show", "net", "--node", "L1.0")


def test_a_compressed_file_unpacks_to_little(capsys: pytest.CaptureFixture[str]) -> None:
    with_build(**{"verify/traced.txt.xz": spoilt.bomb()})
    refused(capsys, "unpacks to more than", "show", "net", "--node", "L1.0")


def test_arrays_have_what_they_claim(tmp_path: Path) -> None:
    for name, content in spoilt.claims():
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"."):
            reading.read_npy(tmp_path / "x.npy")
        (tmp_path / "x.npz").write_bytes(spoilt.zipped({"x": content}))
        with pytest.raises(ValueError, match=r"^x: "):
            reading.read_npz(tmp_path / "x.npz", ["x"])
        assert name


def spoilt_tensor(key: str, change: Any) -> None:
    content = Path("c.safetensors").read_bytes()
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    tensors = load(content)
    Path("c.safetensors").write_bytes(save({**tensors, key: change(tensors[key]).contiguous()}, metadata))


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("encoder.thresholds", lambda x: x * float("nan"), "encoder.thresholds has values that are not finite"),
        ("encoder.thresholds", lambda x: x.flip(1), "encoder.thresholds descend"),
        ("encoder.thresholds", lambda x: x.to(torch.float16), "encoder.thresholds is torch.float16"),
        ("layers.0.connections", lambda x: x.to(torch.float16), "layers.0.connections is torch.float16"),
    ],
)
def test_values_of_a_checkpoint(capsys: pytest.CaptureFixture[str], key: str, change: Any, message: str) -> None:
    spoilt_tensor(key, change)
    refused(capsys, message, "evaluate", "c.safetensors", *spoilt.MODEL, *DATA)


def test_nan_in_the_header(capsys: pytest.CaptureFixture[str]) -> None:
    content = Path("c.safetensors").read_bytes()
    Path("c.safetensors").write_bytes(content.replace(b'\\"test_accuracy\\": 0.5', b'\\"test_accuracy\\": NaN'))
    refused(capsys, "its difflut header is damaged", "evaluate", "c.safetensors", *spoilt.MODEL, *DATA)


def test_a_terminal_shows_texts_and_obeys_none(capsys: pytest.CaptureFixture[str]) -> None:
    content = Path("c.safetensors").read_bytes()
    Path("c.safetensors").write_bytes(content.replace(b"made up", b"\\\\u009b"))  # of seven bytes, too
    for more in ((), ("--json",)):
        status, out, err = run(capsys, "evaluate", "c.safetensors", *spoilt.MODEL, *DATA, *more)
        assert status == 0 and "9b" in out and "\x9b" not in out + err
        assert not more or json.loads(out)["trained"]["data"] == "\x9b"
    status, _, err = run(capsys, "evaluate", "x\x1b]0;y\x07")
    assert status == 2 and "x\\x1b]0;y\\x07" in err and "\x1b" not in err


@pytest.mark.parametrize(
    "options",
    [
        ("--seed", 1 << 64),
        ("--seed", -1),
        ("--threads", 0),
        ("--threads", 100_000),
        ("--learning-rate", "nan"),
        ("--learning-rate", "inf"),
        ("--epochs", 10**30),
        ("--out", "."),
        ("--out", "x" * 300),
    ],
)
def test_options_of_a_training(capsys: pytest.CaptureFixture[str], options: tuple[object, ...]) -> None:
    given = {"--out": "new", "--validation": 10, "--epochs": 1, "--batch-size": 10, options[0]: options[1]}
    words = [word for pair in given.items() for word in pair]
    status, out, err = run(capsys, "train", spoilt.MODEL[1], *DATA, *words)
    assert (status, out) == (2, "") and err.startswith(("error: ", "Usage: ")), err
    assert not Path("new").exists()


@pytest.mark.parametrize("changes", [{"learning_rate": float("nan")}, {"seed": 1 << 64}, {"final_fraction": -1.0}])
def test_recipes(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^recipe"):
        Recipe(**changes)
