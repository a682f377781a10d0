"""An imported network is a model like others: checkpoints, builds, proofs, training; and `difflut import` itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from foreign_networks import dwn2rtl_dictionary, dwn_state, torch_bytes
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tools import require_icarus, require_prover

import difflut
from difflut import InputFormat
from difflut.errors import CheckpointError, NetworkFileError
from difflut.models.tables import TableNetwork


def network(name: str = "net", nodes: int = 14) -> TableNetwork:
    """Scaled, with zeros behind the last layer."""
    chance = np.random.default_rng(1)
    return difflut.from_tables(
        [chance.integers(0, 12, (20, 4)), chance.integers(0, 20, (nodes, 3))],
        [chance.integers(0, 2, (20, 16)), chance.integers(0, 2, (nodes, 8))],
        3,
        tau=2.0,
        thresholds=np.sort(chance.normal(size=(4, 3)), axis=1),
        scaler=(chance.random(4), chance.random(4) + 0.2),
        input_format=InputFormat(6, divisor=40.0, offset=-0.2),
        name=name,
    )


def codes(count: int = 100) -> torch.Tensor:
    return torch.randint(0, 64, (count, 4), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("frozen", [True, False])
def test_checkpoints_make_it_again(tmp_path: Path, frozen: bool) -> None:
    model = network()
    model.save_checkpoint(tmp_path / "net.safetensors", frozen=frozen)
    again = difflut.load_model(str(tmp_path / "net.safetensors"))
    assert type(again) is TableNetwork and again.name == "net"
    assert torch.equal(again(codes()), model(codes()))
    assert again.checkpoint_bytes(frozen=True) == model.checkpoint_bytes(frozen=True)


def test_names_of_the_zoo_are_taken() -> None:
    with pytest.raises(NetworkFileError) as caught:
        network("mnist_fc_8k_dwn")
    assert str(caught.value) == (
        "'mnist_fc_8k_dwn' is the name of a model of the zoo; give another one with --name (name=)"
    )


def test_it_trains_on(tmp_path: Path) -> None:
    model = network(nodes=15).unfreeze()
    before = model(codes())
    labels = torch.arange(100) % 3
    model.train()
    optimizer = model.make_optimizer(0.5)
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(model(codes()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.project()
    model.eval()
    after = model(codes())
    assert not torch.equal(before, after)
    model.save_checkpoint(tmp_path / "net.safetensors")
    again = difflut.load_model(str(tmp_path / "net.safetensors"))
    assert torch.equal(again(codes()), after)
    assert [layer.family for _, layer in again.lut_layers()] == ["dwn_stable"] * 2


def test_builds_are_verified_and_proved(tmp_path: Path) -> None:
    require_icarus()
    require_prover()
    build = difflut.export_model(network(), tmp_path / "net")
    samples = codes()
    truth = network()(samples).argmax(dim=1)
    report = difflut.verify(str(build), (samples, truth), simulator="icarus", samples=30)
    assert report.ok
    assert difflut.prove(str(build)).ok


def spoilt(tmp_path: Path, change: Any) -> Path:
    path = tmp_path / "net.safetensors"
    network().save_checkpoint(path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["difflut"])
    change(header)
    save_file(load_file(path), path, {"difflut": json.dumps(header)})
    return path


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda header: header.update(kind="x"), "a model of the kind 'x'; expected "),
        (lambda header: header.pop("arguments"), "a model of the kind 'tables'; expected"),
        (lambda header: header.pop("kind"), "its difflut header is damaged (a header of version 3, and no other"),
        (lambda header: header.update(format_version=2), "its difflut header is damaged (a header of version 3"),
        (lambda header: header["arguments"]["kwargs"].update(classes=0), "its arguments make no network (model 'net'"),
        (lambda header: header["arguments"]["kwargs"].update(layers=[]), "its arguments make no network (model 'net'"),
        (lambda header: header["arguments"]["kwargs"].update(layers=3), "its arguments make no network ("),
        (lambda header: header["arguments"]["kwargs"].update(name=3), "this checkpoint belongs to model 'net', but"),
        (lambda header: header["arguments"]["kwargs"].update(tau="x"), "the checkpoint does not fit model 'net'"),
        (lambda header: header["arguments"]["kwargs"].update(tau=-1.0), "the checkpoint does not fit model 'net'"),
        (lambda header: header["arguments"]["kwargs"].update(input_format=3), "its arguments make no network ("),
        (lambda header: header["arguments"]["kwargs"].update(x=3), "its arguments make no network ("),
        (
            lambda header: header["arguments"]["kwargs"].update(layers=[[1 << 26, 8]]),
            "its arguments claim 67108864 nodes, for which its",
        ),
        (
            lambda header: header["arguments"]["kwargs"].update(layers=[[20, 4], [13, 3]]),
            "the checkpoint does not fit model 'net'",
        ),
        (lambda header: header["layers"].update({"layers.0": "x"}), "the checkpoint does not fit model 'net'"),
        (lambda header: header["layers"].update({"layers.0": "linear"}), "the checkpoint does not fit model 'net'"),
    ],
)
def test_spoilt_checkpoints(tmp_path: Path, change: Any, part: str) -> None:
    path = spoilt(tmp_path, change)
    with pytest.raises(CheckpointError) as caught:
        difflut.load_model(str(path))
    assert str(caught.value).startswith(f"{path}: {part}")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("jsc.pt").write_bytes(torch_bytes(dwn2rtl_dictionary()))
    code = ("--input-bits", 12, "--signed", "--divisor", 512)
    status, out, _ = run(capsys, "import", "jsc.pt", "--out", "jsc.safetensors", "--tau", 1, *code)
    assert status == 0
    assert out.splitlines() == [
        "jsc.pt (dwn2rtl) -> jsc.safetensors: jsc",
        "  4 features of 12 bits, scaled, 3 thresholds each; 10 nodes of 4 inputs, 9 nodes of 4 inputs; 3 classes",
        (
            "  taken, as the file does not tell: outputs are bits (ste=True), and GroupSum has no randperm unless a "
            "permutation is given"
        ),
        "next: difflut export jsc.safetensors",
    ]
    status, out, _ = run(capsys, "export", "jsc.safetensors", "--json")
    assert status == 0 and json.loads(out)["input"]["width_bits"] == 12
    data: dict[str, Any] = {
        f"{axis}_{part}": np.random.default_rng(2).random((30, 4)).astype(np.float32)
        for axis in "x"
        for part in ("train", "test")
    }
    np.savez("d.npz", **data, y_train=np.arange(30) % 3, y_test=np.arange(30) % 3)
    status, out, _ = run(capsys, "evaluate", "jsc.safetensors", "--data", "d.npz", "--json")
    assert status == 0 and json.loads(out)["samples"] == 30
    status, out, _ = run(
        capsys, "import", "jsc.pt", "--out", "j.safetensors", "--tau", 1, "--input-bits", 8, "--data", "d.npz", "--json"
    )
    assert status == 0 and len(json.loads(out)["input_format"]["divisor"]) == 4


def test_arrays_beside_a_state_dict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.pt").write_bytes(torch_bytes(dwn_state(1, 6, [(12, 3)])))
    thresholds = np.array([[0.1, 0.5], [0.3, 0.2], [0.9, 0.4]])
    beside = {"thresholds": thresholds, "mean": np.zeros(3), "scale": np.ones(3), "permutation": np.arange(12)[::-1]}
    np.savez("beside.npz", **beside)
    line = ("import", "net.pt", "--out", "net.safetensors", "--classes", 3, "--tau", 1, "--arrays", "beside.npz")
    status, _, _ = run(capsys, *line, "--input-bits", 4, "--divisor", 15, "--name", "called")
    assert status == 0
    found = difflut.load_model("net.safetensors")
    expected = difflut.load_network(
        "net.pt",
        classes=3,
        tau=1.0,
        thresholds=thresholds,
        scaler=(np.zeros(3), np.ones(3)),
        permutation=beside["permutation"],
        input_format=InputFormat(4, divisor=15.0),
        name="called",
    )
    assert found.checkpoint_bytes() == expected.checkpoint_bytes()
    np.savez("more.npz", **beside, x=np.zeros(3))
    status, _, err = run(capsys, *line[:-1], "more.npz")
    assert status == 2
    only = "connections_I, thresholds, mean, scale, permutation"
    assert err == f"error: more.npz: has an array 'x'; expected only {only}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--divisor", 2), "--signed, --divisor, --offset and --data say what a code is; give --input-bits, too"),
        (("--input-bits", 8), "--input-bits alone does not say what a code stands for; give --divisor, or --data"),
        (
            ("--input-bits", 8, "--data", "x.npz", "--signed"),
            "--data gives divisor and offset of each feature; leave --signed, --divisor, --offset out",
        ),
        (("--format", "dwn2rt"), "unknown format of networks 'dwn2rt'; did you mean dwn2rtl or torch_dwn?"),
        (
            ("--arrays", "net.pt"),
            "net.pt: is no npz file; expected one with thresholds, mean and scale, or permutation",
        ),
    ],
)
def test_options_that_say_too_little(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[object, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.pt").write_bytes(torch_bytes(dwn_state(1, 6, [(12, 3)])))
    status, _, err = run(capsys, "import", "net.pt", "--out", "net.safetensors", *options)
    assert (status, err) == (2, f"error: {message}\n")
    assert not Path("net.safetensors").exists()
