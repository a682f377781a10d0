"""Names that others add: by a decorator, or by the entry points of an installed package; classes in place of names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from command_line import run
from small_models import fitted, random_codes
from torch import Tensor, nn

import difflut
from difflut import BaseModel, LUTLayer
from difflut.data import DATASETS, Dataset, Split
from difflut.encoders import ENCODERS
from difflut.errors import ConfigError, UnknownNameError
from difflut.export.families.registry import FAMILIES as FPGAS
from difflut.layers import LayerConfig
from difflut.models import MODELS
from difflut.nodes import FAMILIES, Nodes
from difflut.registry import Registry
from difflut.training import RECIPES, Recipe, train

REGISTRIES: list[Registry[Any]] = [FAMILIES, ENCODERS, DATASETS, MODELS, RECIPES, FPGAS]


class MyNodes(Nodes):
    """Tables as they are, one parameter an entry."""

    def __init__(self, nodes: int, n: int, spread: float = 1.0) -> None:
        super().__init__(nodes, n)
        self.values = nn.Parameter(spread * (torch.rand(nodes, 1 << n) - 0.5))

    def table_values(self) -> Tensor:
        return self.values

    def forward(self, inputs: Tensor) -> Tensor:
        address = (inputs.round().long() << torch.arange(self.n)[:, None]).sum(dim=1)
        soft = self.values.sigmoid().gather(1, address)
        return soft + ((soft > 0.5).to(soft.dtype) - soft).detach()


class Own(BaseModel):
    """A model that brings all that training takes: nodes, recipe, loss, optimizer and metrics."""

    recipe = Recipe(epochs=2, batch_size=10, validation=20, learning_rate=0.5)
    seen: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__("own", 6, 2)

    def _build_layers(self) -> None:
        self.layer = LUTLayer(self.encoder.output_width, 8, n=3, family=MyNodes, node_options={"spread": 2.0})
        self.head = difflut.GroupSum(2)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.layer(self.encoder(x)))

    def training_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        self.seen["losses"] = self.seen.get("losses", 0) + 1
        return nn.functional.multi_margin_loss(logits, labels)

    def make_optimizer(self, learning_rate: float) -> torch.optim.Optimizer:
        groups = [{"params": [parameter], "lr": learning_rate / 5} for parameter in self.parameters()]
        self.seen["optimizer"] = torch.optim.SGD(groups)
        return self.seen["optimizer"]

    def metrics(self) -> Mapping[str, Callable[[Tensor, Tensor], Tensor | float]]:
        return {
            "zeros": lambda logits, labels: (labels == 0).float().mean(),
            "columns": lambda logits, _: logits.shape[1],
        }


class Odd(Own):
    def metrics(self) -> Mapping[str, Callable[[Tensor, Tensor], Tensor | float]]:
        return {"all": lambda logits, labels: logits}


def data() -> Dataset:
    x = random_codes(Own(), 80)
    y = (x[:, 0] > 127).long()
    return Dataset("made", Split(x[:60], y[:60]), Split(x[60:], y[60:]))


@pytest.fixture(params=REGISTRIES, ids=lambda registry: registry.what)
def registry(request: pytest.FixtureRequest) -> Iterator[Registry[Any]]:
    before = dict(request.param._entries)
    yield request.param
    request.param._entries = before


def test_a_name_is_registered_once(registry: Registry[Any]) -> None:
    count, entry = len(registry), object()
    assert registry.register("mine")(entry) is entry is registry.find("mine") is registry["mine"]
    assert len(registry) == count + 1 and "mine" in registry and "mine" in list(registry)
    registry.register("mine")(entry)  # a module that is run again
    with pytest.raises(ConfigError) as caught:
        registry.register("mine")(object())
    assert str(caught.value) == f"{registry.what} 'mine' is there already; choose another name"
    with pytest.raises(UnknownNameError, match=f"unknown {registry.what} 'min_e'; did you mean .*mine"):
        registry.find("min_e")
    with pytest.raises(UnknownNameError, match=f"unknown {registry.what} '#'; known: .*mine"):
        registry.find("#")


def test_a_class_of_nodes_goes_all_the_way(tmp_path: Path) -> None:
    model = fitted(Own())
    assert model.layer.family == "MyNodes" and isinstance(model.layer.nodes, MyNodes)
    model.save_checkpoint(tmp_path / "own.safetensors")
    again = Own().load_checkpoint(tmp_path / "own.safetensors")
    codes = random_codes(model, 50)
    assert torch.equal(model(codes), again(codes))
    build = difflut.export_model(model, tmp_path / "net")
    assert difflut.verify(build, simulator="none").ok
    with pytest.raises(UnknownNameError, match="unknown node option 'width' of family 'MyNodes'; known: spread"):
        LUTLayer(4, 3, family=MyNodes, node_options={"width": 1})


def test_a_registered_class_is_its_name(registry: Registry[Any]) -> None:
    if registry is FAMILIES:
        registry.register("mine")(MyNodes)
        assert LayerConfig(family=MyNodes) == LayerConfig(family="mine")
        assert LUTLayer(4, 3, family=MyNodes).family == "mine"


def test_a_model_brings_what_training_takes(tmp_path: Path) -> None:
    Own.seen.clear()
    result = train(Own, data(), Own.recipe, tmp_path / "own.safetensors", progress=False)
    assert Own.seen["losses"] == 2 * 4
    assert isinstance(Own.seen["optimizer"], torch.optim.SGD)
    # A fifth of the recipe's rate, in the last step of the schedule.
    last = Own.seen["optimizer"].param_groups[0]["lr"]
    assert 0 < last < 0.1
    expected = {"zeros": float((data().test.y == 0).float().mean()), "columns": 2.0}
    assert result.metrics == result.to_json()["metrics"] == pytest.approx(expected)
    loaded = Own().load_checkpoint(tmp_path / "own.safetensors")
    assert loaded.info["metrics"] == result.metrics


def test_a_metric_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^model 'own': metric 'all' gives no number \(.*\); return a float, or a "):
        train(Odd, data(), Odd.recipe, tmp_path / "own.safetensors", progress=False)


def test_the_commands_take_the_models_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = {"train": data().train, "test": data().test}
    arrays = {f"{axis}_{name}": getattr(split, axis).numpy() for name, split in splits.items() for axis in "xy"}
    np.savez(tmp_path / "made.npz", **arrays)
    out = tmp_path / "own.safetensors"
    monkeypatch.setitem(sys.modules, "own_models", sys.modules[__name__])
    status, text, err = run(capsys, "train", "own_models:Own", "--data", tmp_path / "made.npz", "--out", out)
    assert status == 0, err
    assert "of 2, " in text and "  columns: 2\n" in text
    arguments = ("evaluate", out, "--model", "own_models:Own", "--data", tmp_path / "made.npz")
    assert "  columns: 2\n" in run(capsys, *arguments)[1]
    assert json.loads(run(capsys, *arguments, "--json")[1])["metrics"]["columns"] == 2


PLUGIN = """
from dataclasses import replace
from difflut import BaseModel, DistributiveThermometer, GroupSum, LUTLayer
from difflut.data.registry import Source
from difflut.data import Dataset, Split
from difflut.export.families.registry import FAMILIES
from difflut.models import ZooEntry
from difflut.nodes import DWNNodes
from difflut.training import Recipe
import torch

class PluginNodes(DWNNodes): pass
class PluginEncoder(DistributiveThermometer): pass

class Net(BaseModel):
    def __init__(self):
        super().__init__("plugged", 4, 2)
        self.encoder = PluginEncoder(2)
    def _build_layers(self):
        self.layer = LUTLayer(8, 6, n=2, family="plugin_nodes")
        self.head = GroupSum(2)
    def _forward_impl(self, x):
        return self.head(self.layer(self.encoder(x)))

def load(directory):
    x = torch.arange(120, dtype=torch.uint8).reshape(30, 4)
    split = Split(x, torch.arange(30) % 2)
    return Dataset("counted", split, split)

model = ZooEntry(Net, "counted", "four inputs")
dataset = Source("Counted", load)
recipe = Recipe(epochs=1, batch_size=5, validation=5)
fpga = replace(FAMILIES["ecp5"], name="plugin_fpga", description="Plugin FPGA")
"""
POINTS = """
[difflut.nodes]
plugin_nodes = plugin_package:PluginNodes
broken = plugin_package:nothing
dwn = plugin_package:PluginNodes
[difflut.encoders]
plugin_encoder = plugin_package:PluginEncoder
[difflut.models]
plugged = plugin_package:model
[difflut.data]
counted = plugin_package:dataset
[difflut.training]
plugged = plugin_package:recipe
[difflut.export.families]
plugin_fpga = plugin_package:fpga
"""
USE = """
import sys, warnings
warnings.simplefilter("always")
from difflut.cli import main
from difflut.encoders import make_encoder
from difflut.nodes import FAMILIES, DWNNodes
print(type(make_encoder("plugin_encoder", 3)).__name__)
print(FAMILIES["dwn"] is DWNNodes, "plugin_nodes" in list(FAMILIES))
try:
    FAMILIES["broken"]
except Exception as error:
    print(type(error).__name__, error)
for line in sys.argv[1:]:
    try:
        main(line.split())
    except SystemExit as stop:
        print("status", stop.code or 0)
"""


def test_an_installed_package_adds_to_every_registry(tmp_path: Path) -> None:
    (tmp_path / "plugin_package.py").write_text(PLUGIN)
    info = tmp_path / "plugin_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    commands = [
        "list --fpgas",
        "train plugged --data . --out net.safetensors --device cpu",
        "export net.safetensors --fpga plugin_fpga --out net",
    ]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    call = [sys.executable, "-c", USE, *commands]
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    start = "PluginEncoder\nTrue True\nConfigError node family 'broken': plugin_package:nothing of an installed"
    assert done.stdout.startswith(start)
    assert "plugin_fpga  Plugin FPGA: LUT4" in done.stdout and "epoch 1 of 1" in done.stdout
    assert "the node family 'dwn' of an installed package is not used" in done.stderr
    described = json.loads((tmp_path / "net" / "build.json").read_text())
    assert (described["fpga"], described["model"]["name"]) == ("plugin_fpga", "plugged")
