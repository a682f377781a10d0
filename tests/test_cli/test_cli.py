"""The command line: results, help, JSON, and one clear message with exit status 2 for everything unusable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run
from small_models import Chain, Custom, fitted
from tools import require_package

import difflut
from difflut.export.builds import store
from difflut.export.builds.store import Build
from difflut.models import MODELS


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    """A checkpoint of the documented custom model."""
    path = tmp_path / "größe.safetensors"
    fitted(Custom()).save_checkpoint(path)
    return path


@pytest.mark.parametrize(
    "command",
    ["list", "train", "evaluate", "import", "export", "verify", "prove", "report", "play", "show", "trace-input"],
)
def test_every_help_has_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, command, "--help")
    assert status == 0
    assert (
        f"Examples:\n    difflut {command}" in out.replace("\n\n", "\n")
        or f"difflut {command}" in out.split("Examples:")[1]
    )


def test_help_and_version_do_not_load_torch() -> None:
    for option in ("--help", "--version"):
        code = (
            f"import sys; sys.argv = ['difflut', '{option}']\nfrom difflut.cli import main\ntry: main()\nfinally: "
            "assert 'torch' not in sys.modules"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "list")
    assert status == 0
    assert all(name in out for name in difflut.list_models())
    _, out, _ = run(capsys, "list", "--json")
    rows = json.loads(out)["models"]
    assert [row["name"] for row in rows] == difflut.list_models()
    assert [row["test_accuracy"] for row in rows] == [
        difflut.get_model(row["name"], pretrained=True).info["test_accuracy"] for row in rows
    ]
    assert {row["trained_on"] for row in rows if row["name"].startswith("mnist")} == {"MNIST"}


def test_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "evaluate", "mnist_fc_8k_dwn", "--json")
    result = json.loads(out)
    assert status == 0
    assert result["samples"] == 10000
    assert result["accuracy"] == pytest.approx(result["trained"]["test_accuracy"], abs=1e-9)


def test_export_of_the_main_job(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(capsys, "export", "mnist_fc_8k_dwn", "--target", "verilog")
    assert status == 0
    assert "next: difflut verify build/mnist_fc_8k_dwn" in out
    assert store.read("build/mnist_fc_8k_dwn").info.model.nodes == 8000


def test_export_and_verify_a_model_of_ones_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, custom: Path
) -> None:
    from tools import require_icarus

    out_dir = tmp_path / "mit leerzeichen ü"
    status, _, err = run(capsys, "export", custom, "--out", out_dir)
    assert (status, err) == (
        2,
        f"error: {custom}: holds model 'custom', which is not in the zoo; name its class with --model module:Class\n",
    )
    status, _, _ = run(capsys, "export", custom, "--out", out_dir, "--model", "small_models:Custom")
    assert status == 0
    require_icarus()
    status, out, _ = run(
        capsys, "verify", out_dir, "--model", "small_models:Custom", "--random-only", "--simulator", "icarus", "--json"
    )
    report = json.loads(out)
    assert status == 0 and report["ok"]
    assert [step["random"] for step in report["steps"]] == [100, 100]


def test_failed_check_is_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from tools import require_icarus

    from difflut.export.builds.make import make_build

    require_icarus()
    made = make_build(fitted(Chain()))
    other = fitted(Chain(), seed=1).checkpoint_bytes(frozen=True)
    store.write(Build.of(made.info, {**made.files, "verify/model.safetensors": other}), tmp_path / "net")
    status, out, _ = run(
        capsys, "verify", tmp_path / "net", "--model", "small_models:Chain", "--random-only", "--simulator", "icarus"
    )
    assert status == 1
    assert "DIFFERS from PyTorch" in out and "first mismatch: sample" in out


def test_verify_without_a_simulator(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from difflut.export.builds.make import make_build

    made = make_build(fitted(Chain()))
    store.write(made, tmp_path / "net")
    arguments = ["verify", tmp_path / "net", "--model", "small_models:Chain", "--random-only", "--simulator", "none"]
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert "the RTL was not run; give --simulator verilator or icarus for that" in out
    assert "the netlist agrees bit for bit" in out
    other = fitted(Chain(), seed=1).checkpoint_bytes(frozen=True)
    store.write(Build.of(made.info, {**made.files, "verify/model.safetensors": other}), tmp_path / "net")
    status, out, _ = run(capsys, *arguments)
    assert status == 1 and "DIFFERS from PyTorch" in out


def test_cifar10_needs_data(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "evaluate", "cifar10_conv")
    assert status == 2
    assert err == "error: the package ships no test samples of cifar10, only MNIST's; give --data DIR\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "mnist_fc_8k_dwm"], "unknown model 'mnist_fc_8k_dwm'; did you mean mnist_fc_8k_dwn"),
        (
            ["evaluate", "zzz"],
            f"unknown model 'zzz'; known: {', '.join(MODELS)} (no checkpoint file",
        ),
        (["evaluate", "no/such.safetensors"], "no/such.safetensors: no such file; expected a checkpoint"),
        (["export", "mnist_fc_8k_dwn", "--target", "vhdl"], "unknown target 'vhdl'; known: verilog"),
        (["verify", "nowhere"], "nowhere: no such directory; expected one made by `difflut export`"),
        (
            ["train", "mnist_fc_8k_dwn", "--data", ".", "--out", "x", "--plot", "x.gif"],
            "--plot x.gif: unknown picture format",
        ),
        (
            ["train", "mnist_fc_8k_dwn", "--data", "nowhere", "--out", "x"],
            "nowhere: no such directory; expected one with",
        ),
        (["train", "nothing:Net", "--data", ".", "--out", "x"], "cannot load model 'nothing:Net': No module named"),
        (["train", "os:path", "--data", ".", "--out", "x"], "'os:path' is neither a class of models nor"),
        (["train", "mnist_fc_8k_dwn", "--data", ".", "--out", "a/b"], "--out a/b: the folder a does not exist"),
    ],
)
def test_bad_input(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert err.startswith(f"error: {message}"), err
    assert out == "" and "Traceback" not in err
    assert os.listdir(tmp_path) == []


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """130 samples of random pixels, which the documented custom model can be trained on."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (130, 784), generator=generator, dtype=torch.uint8).numpy()
    y = torch.randint(0, 10, (130,), generator=generator).numpy()
    np.savez(tmp_path / "noise.npz", x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    return tmp_path / "noise.npz"


def test_train_and_evaluate_on_own_data(capsys: pytest.CaptureFixture[str], tmp_path: Path, own_data: Path) -> None:
    require_package("matplotlib", "train")
    net, plot = tmp_path / "net.safetensors", tmp_path / "net.png"
    source, data = ("small_models:Custom",), ("--data", own_data, "--dataset", "npz", "--data-note", "made up")
    options = ("--validation", 20, "--epochs", 2, "--batch-size", 10, "--learning-rate", 0.02, "--seed", 5)
    status, out, err = run(capsys, "train", *source, *data, "--out", net, "--plot", plot, *options)
    assert (status, err) == (0, "")
    assert "on 20 held-out noise, made up samples, " in out and out.endswith(" on the 30 test samples\n")
    assert plot.read_bytes().startswith(b"\x89PNG")
    status, out, _ = run(capsys, "evaluate", net, "--model", *source, *data, "--json")
    report = json.loads(out)
    trained = report["trained"]
    assert status == 0
    assert (report["data"], report["samples"], trained["data"]) == ("noise, made up", 30, "noise, made up")
    assert report["accuracy"] == trained["test_accuracy"]
    assert trained["history"]["epoch"] == [1, 2]
    recipe = {key: trained["recipe"][key] for key in ("validation", "epochs", "batch_size", "learning_rate", "seed")}
    assert recipe == {"validation": 20, "epochs": 2, "batch_size": 10, "learning_rate": 0.02, "seed": 5}
    _, out, _ = run(capsys, "evaluate", net, "--model", *source, *data[:4])
    assert " of 30 noise test samples (" in out and out.endswith("; trained on noise, made up\n")


def test_the_data_set_of_a_zoo_model_is_the_default(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ("train", "mnist_fc_8k_dwn", "--data", tmp_path, "--out", tmp_path / "net")
    assert "neither mnist.npz nor" in run(capsys, *arguments)[2]
    assert "neither fashion_mnist.npz nor" in run(capsys, *arguments, "--dataset", "fashion_mnist")[2]


def test_samples_that_the_recipe_cannot_shift(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, own_data: Path
) -> None:
    arguments = ("train", "small_models:Custom", "--data", own_data, "--dataset", "npz", "--out", tmp_path / "net")
    status, _, err = run(capsys, *arguments, "--validation", 20, "--batch-size", 10, "--flip")
    assert status == 2
    assert err.startswith("error: the recipe shifts or mirrors images, but a sample has shape (784,); expected (H, W)")


def test_evaluate_on_the_packaged_images(capsys: pytest.CaptureFixture[str], custom: Path) -> None:
    arguments = (
        "evaluate",
        custom,
        "--model",
        "small_models:Custom",
        "--dataset",
        "mnist",
        "--data-note",
        "as shipped",
    )
    status, out, _ = run(capsys, *arguments)
    assert status == 0 and " of 10000 MNIST, as shipped test samples (" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "the package ships no test samples for model 'custom'; give --data DIR"),
        (("--dataset", "cifar10"), "the package ships no test samples of cifar10, only MNIST's; give --data DIR"),
        (("--dataset", "cifar", "--data", "."), "unknown data set 'cifar'; did you mean cifar10?"),
        (("--download",), "--download needs a directory to put the data into; give --data DIR"),
    ],
)
def test_evaluate_without_data(
    capsys: pytest.CaptureFixture[str], custom: Path, options: tuple[str, ...], message: str
) -> None:
    status, _, err = run(capsys, "evaluate", custom, "--model", "small_models:Custom", *options)
    assert (status, err) == (2, f"error: {message}\n")


def test_the_package_is_a_command() -> None:
    done = subprocess.run([sys.executable, "-m", "difflut", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("difflut"), done.stderr


def test_wrong_usage_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["export"], ["nonsense"], ["verify", "x", "--samples", "many"]):
        status, _, err = run(capsys, *arguments)
        assert status == 2 and "Usage:" in err


def test_unfit_files_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a checkpoint")
    status, _, err = run(capsys, "evaluate", text)
    assert status == 2 and "not a readable safetensors file" in err
    pickled = tmp_path / "model.pt"
    torch.save({"a": torch.zeros(2)}, pickled)
    status, _, err = run(capsys, "export", pickled)
    assert status == 2 and "not a readable safetensors file" in err


def test_read_only_directory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, custom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:  # root may write everywhere, so the refusal is played
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)
    status, _, err = run(capsys, "export", custom, "--model", "small_models:Custom", "--out", tmp_path / "net")
    monkeypatch.undo()
    assert not (tmp_path / "net").exists()
    assert status == 2 and "Permission denied; choose a place that is writable" in err


def test_full_disk(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, custom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["export", custom, "--model", "small_models:Custom", "--out", tmp_path / "net"]
    assert run(capsys, *arguments)[0] == 0
    before = store.read(tmp_path / "net").digest

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    status, _, err = run(capsys, *arguments)
    monkeypatch.undo()
    assert status == 2 and "No space left on device; choose a place that is writable and has space" in err
    assert store.read(tmp_path / "net").digest == before
    assert sorted(os.listdir(tmp_path)) == sorted([custom.name, "net"])


def test_the_fpga_families_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "list", "--fpgas")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["generic", "xc7", "xcup", "ice40", "ecp5", "gowin"]
    status, out, _ = run(capsys, "list", "--fpgas", "--json")
    assert status == 0 and json.loads(out)["fpgas"][0]["lut_inputs"] == 6


def test_a_clock_asked_for_is_met_or_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, custom: Path) -> None:
    arguments = ["export", custom, "--model", "small_models:Custom", "--out", tmp_path / "net", "--fpga", "ecp5"]
    status, out, _ = run(capsys, *arguments, "--latency", "1")
    assert status == 0
    assert "  latency 1 cycle, a new input every cycle\n" in out
    assert " MHz (estimated: delay model of ecp5)" in out
    assert "slowest by the estimate is stage 1: argmax level 4 <- " in out
    status, out, _ = run(capsys, *arguments, "--fmax", "50", "--json")
    manifest = json.loads(out)
    assert status == 0 and manifest["timing"]["fmax_mhz"] >= 50 and manifest["latency_cycles"] > 1
    status, _, err = run(capsys, *arguments, "--fmax", "9000")
    assert status == 2 and "fmax 9000 MHz cannot be reached on ecp5" in err
    status, _, err = run(capsys, *arguments, "--fmax", "50", "--pipeline", "levels")
    assert (status, err) == (2, "error: fmax 50: goes with the pipeline 'auto' only, not with 'levels'\n")
    status, _, err = run(capsys, *arguments, "--pipeline", "encoder,7")
    assert status == 2 and "'7' is no level; expected 'levels', 'auto', or some of the levels of this design" in err


def test_a_model_class_in_the_working_directory(tmp_path: Path) -> None:
    """As the README has it: my_models.py lies where the command is given."""
    (tmp_path / "my_own_models.py").write_text("from difflut.models import MNISTDWNSmall as Net\n")
    script = "import sys; sys.path = [p for p in sys.path if p]\nfrom difflut.cli import main\nmain(sys.argv[1:])"
    command = [sys.executable, "-c", script, "train", "my_own_models:Net", "--data", "nowhere", "--out", "net"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nowhere" in done.stderr, done.stderr
    assert "cannot load model" not in done.stderr
