"""The registry, the MNIST models and the weights in the package."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import front
import numpy as np
import pytest
import torch
from small_models import random_codes
from tools import require_icarus
from train_zoo import read_results

import difflut
from difflut.cli import cli
from difflut.data import mnist_test
from difflut.errors import CheckpointError, ConfigError, UnknownNameError
from difflut.export.builds.make import make_build
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.export.passes.pipelines import run as run_passes
from difflut.models import (
    MODELS,
    BaseModel,
    MNISTComparison,
    MNISTDWNSmall,
    MNISTLinearSmall,
    get_model,
    list_models,
    load_model,
    make_model,
    pretrained_info,
    zoo,
)
from difflut.models.front import FRONT_MODELS
from difflut.training import accuracy, predict_scores, recipe_for

NAMES = ["mnist_fc_8k_dwn", "mnist_fc_8k_linear"]
COMPARED = [
    "mnist_bitflip_0", "mnist_bitflip_5", "mnist_bitflip_10", "mnist_bitflip_20",
    "mnist_gradnorm_none", "mnist_gradnorm_layerwise", "mnist_gradnorm_batchwise", "mnist_gradnorm_layerwise_mean",
    "mnist_residual_init",
]  # fmt: skip
ON_MNIST = [name for name in list_models() if zoo()[name].dataset == "mnist"]


def test_names() -> None:
    assert set(NAMES) | set(COMPARED) <= set(list_models())
    assert list_models() == sorted(zoo())
    assert difflut.list_models() == list_models()
    assert difflut.get_model is get_model
    for entry in zoo().values():
        assert entry.dataset
        assert entry.description


def test_the_listing_is_a_copy() -> None:
    zoo().clear()
    assert list_models()


@pytest.mark.parametrize(("name", "kind"), list(zip(NAMES, [MNISTDWNSmall, MNISTLinearSmall], strict=True)))
def test_fresh_models(name: str, kind: type[BaseModel]) -> None:
    model = get_model(name)
    assert isinstance(model, kind)
    assert model.name == name
    assert not model.fitted
    assert (model.input_size, model.num_classes) == (784, 10)
    torch.manual_seed(0)
    model.fit_encoder(torch.randint(0, 256, (50, 28, 28), dtype=torch.uint8))
    first, second = (layer for _, layer in model.lut_layers())
    assert (first.out_width, second.out_width, first.n, second.n) == (4000, 4000, 6, 6)
    assert first.family == second.family == ("linear" if "linear" in name else "dwn_stable")
    assert first.learnable is not None
    assert len(list(model.parameters())) <= 5  # no module per node
    x = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    assert model.eval()(x).shape == (3, 10)
    assert torch.equal(model(x.reshape(3, 784)), model(x))
    assert model.count_parameters()["trainable"] == sum(p.numel() for p in model.parameters())
    assert [row["name"] for row in model.get_layer_topology()] == ["encoder", "layers.0", "layers.1", "head"]


@pytest.mark.parametrize("find", [get_model, make_model, load_model])
def test_unknown_names(find: object) -> None:
    with pytest.raises(UnknownNameError) as caught:
        find("mnist_fc_8k_dnw")  # type: ignore[operator]
    assert str(caught.value).startswith("unknown model 'mnist_fc_8k_dnw'; did you mean mnist_fc_8k_dwn")
    with pytest.raises(UnknownNameError) as caught:
        find("zzz")  # type: ignore[operator]
    assert str(caught.value).startswith(f"unknown model 'zzz'; known: {', '.join(MODELS)}")


def test_a_users_own_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "users_own_models.py").write_text(
        "from difflut.models import MNISTFullyConnected\n"
        "class Net(MNISTFullyConnected):\n"
        "    def __init__(self):\n"
        "        super().__init__('net', widths=(20,))\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = make_model("users_own_models:Net")
    assert model.name == "net"
    path = tmp_path / "net.safetensors"
    model.fit_encoder(torch.rand(5, 784)).save_checkpoint(path)
    assert load_model(str(path), "users_own_models:Net").name == "net"
    with pytest.raises(CheckpointError) as caught:
        load_model(str(path))
    assert str(caught.value) == (
        f"{path}: holds model 'net', which is not in the zoo; name its class with --model module:Class"
    )
    with pytest.raises(ConfigError) as refused:
        make_model("users_own_models:number")
    assert str(refused.value) == (
        "'users_own_models:number' is neither a class of models nor a function that makes one"
    )
    for reference, reason in (
        ("users_own_models:Nets", "module 'users_own_models' has no attribute 'Nets'"),
        ("no_such_module:Net", "No module named 'no_such_module'"),
    ):
        with pytest.raises(ConfigError) as refused:
            make_model(reference)
        assert str(refused.value) == (
            f"cannot load model {reference!r}: {reason}; expected an importable module:Class, installed, in the "
            "working directory or where PYTHONPATH says, or file.py:Class"
        )


def test_load_model_from_a_missing_path(tmp_path: Path) -> None:
    path = tmp_path / "no.safetensors"
    with pytest.raises(CheckpointError) as caught:
        load_model(str(path))
    assert str(caught.value) == (
        f"{path}: no such file; expected a checkpoint written by save_checkpoint or `difflut train`"
    )


# The weights in the package


@pytest.fixture(scope="module")
def pretrained() -> dict[str, BaseModel]:
    return {name: get_model(name, pretrained=True) for name in list_models()}


@pytest.mark.parametrize("name", ON_MNIST)
def test_accuracy(pretrained: dict[str, BaseModel], name: str) -> None:
    model = pretrained[name]
    least = {"mnist_fc_8k_dwn": 0.983, "mnist_fc_8k_linear": 0.965}.get(name, 0.85)
    measured = accuracy(model, mnist_test())
    assert measured >= least
    assert model.info["test_accuracy"] == measured
    assert model.info["test_samples"] == 10_000
    assert model.info["data"] == "MNIST"


@pytest.mark.parametrize("name", list_models())
def test_the_circuit_gives_the_scores(pretrained: dict[str, BaseModel], name: str) -> None:
    model = pretrained[name]
    codes = mnist_test().x if name in ON_MNIST else random_codes(model, 256)
    scores, classes = predict_scores(model, codes)
    traced = trace(model)
    for netlist in (traced, run_passes(traced)[0]):
        outputs = simulate(netlist, codes.reshape(len(codes), -1).numpy())
        np.testing.assert_array_equal(outputs.scores, scores.numpy())
        np.testing.assert_array_equal(outputs.classes, classes.numpy())


# Models whose class takes arguments, one of each depth; tests/test_full.py has all models and images.
@pytest.mark.parametrize("name", ["mnist_bitflip_5", "mnist_residual_init"])
def test_export_and_verify_on_the_command_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_icarus()
    build = str(tmp_path / name)
    cli.main(["export", name, "--target", "verilog", "--out", build], standalone_mode=False)
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        cli.main(["verify", build, "--samples", "10", "--simulator", "icarus", "--json"], standalone_mode=False)
    report = json.loads(capsys.readouterr().out)
    assert stop.value.code == 0
    assert report["ok"] and report["data"] == "MNIST"
    assert [(step["images"], step["mismatches"]) for step in report["steps"]] == [(10_000, 0), (10, 0)]


@pytest.mark.parametrize("name", list_models())
def test_pretrained_models_are_frozen(pretrained: dict[str, BaseModel], name: str) -> None:
    model = pretrained[name]
    assert not model.training
    assert model.count_parameters()["trainable"] == 0
    assert model.info["validation_accuracy"] > 0
    recorded = model.info["recipe"]
    assert 1 <= model.info["best_epoch"] <= recorded["epochs"] + recorded.get("sweeps", 0)
    codes = random_codes(model, 20)
    assert torch.equal(load_model(name)(codes), model(codes))
    assert pretrained_info(name) == model.info


def test_info_of_an_unknown_model() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown model 'mnist_bitflip_50'; did you mean mnist_bitflip_"):
        pretrained_info("mnist_bitflip_50")


# The comparison models


@pytest.mark.parametrize("name", COMPARED)
def test_comparison_models_are_trained_alike_with_three_seeds(name: str) -> None:
    family = [other for other in COMPARED if ("bitflip" in other) == ("bitflip" in name)]
    assert {recipe_for(other) for other in family} == {recipe_for(name)}
    records = read_results()[name]
    assert sorted(records) == ["0", "1", "2"]
    for seed, record in records.items():
        assert recipe_for(name).with_(seed=int(seed)) == type(recipe_for(name))(**record["recipe"])
        assert len(record["history"]["epoch"]) == recipe_for(name).epochs
        assert record["validation_accuracy"] == max(record["history"]["validation_accuracy"])
        assert record["history"]["validation_accuracy"][record["best_epoch"] - 1] == record["validation_accuracy"]
    assert isinstance(get_model(name), MNISTComparison)


# The front


@pytest.mark.parametrize("name", FRONT_MODELS)
def test_front_models_reach_their_names_with_three_seeds(name: str) -> None:
    records = read_results()[name]
    assert sorted(records) == ["0", "1", "2"]
    for seed, record in records.items():
        assert recipe_for(name).with_(seed=int(seed)) == type(recipe_for(name))(**record["recipe"])
        assert len(record["history"]["epoch"]) == recipe_for(name).passes
        assert record["history"]["validation_accuracy"][record["best_epoch"] - 1] == record["validation_accuracy"]
    named = float(name.partition("_")[2].replace("_", ".")) / 100
    assert sum(record["test_accuracy"] for record in records.values()) / 3 >= named


@pytest.mark.parametrize("name", FRONT_MODELS)
def test_front_models_are_within_the_luts_that_are_measured(name: str, pretrained: dict[str, BaseModel]) -> None:
    info = make_build(pretrained[name], fpga="xcup", outputs="class").info
    measured = front.read()[f"{name}.0"]
    assert info.estimated_luts == pytest.approx(measured["luts"], rel=0.05)
    assert info.latency_cycles == measured["cycles"]
    encoder = sum(part.estimated_luts or 0 for part in info.parts if part.kind == "encoder")
    assert (encoder == 0) == (pretrained[name].encoder.bits == 1) == (measured["parts"]["encoder"] == 0)


def test_the_front_is_documented_as_it_is_measured() -> None:
    assert front.stale() == []


def test_the_results_are_of_the_shipped_weights() -> None:
    results = read_results()
    assert set(COMPARED) <= set(results)
    for name, records in results.items():
        shipped = pretrained_info(name)
        seed = str(shipped["recipe"]["seed"])
        if seed in records:
            assert {key: records[seed][key] for key in shipped} == shipped, name


def test_weight_files_are_small_and_belong_to_models() -> None:
    weights = [file for file in files("difflut.models.pretrained").iterdir() if file.name.endswith(".safetensors")]
    assert sorted(file.name for file in weights) == [f"{name}.safetensors" for name in list_models()]
    assert sum(len(file.read_bytes()) for file in weights) < 3_000_000
