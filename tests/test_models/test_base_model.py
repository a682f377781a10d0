"""The life cycle of a model: fit, call, train, freeze, save, load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from difflut.data import Dataset, Split
from difflut.encoders import Thermometer
from difflut.errors import CheckpointError, ConfigError, DataError, InputShapeError, NotFittedError
from difflut.files import WriteError
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import LUTLayer
from difflut.models import BaseModel
from difflut.models.checkpoint import read_checkpoint
from difflut.training import Recipe, train

FAMILIES = ["dwn", "dwn_stable", "linear"]


class Toy(BaseModel):
    """12 features in a 3 x 4 image, 3 classes, one learnable and one random layer."""

    def __init__(self, name: str = "toy", family: str = "dwn_stable", nodes: int = 9) -> None:
        super().__init__(name, input_size=12, num_classes=3, input_shape=(3, 4))
        self.encoder = Thermometer(2)
        self.family, self.nodes = family, nodes
        self.head = GroupSum(3, tau=2.0)

    def _build_layers(self) -> None:
        self.first = LUTLayer(self.encoder.output_width, 20, 3, self.family, connections="learnable")
        self.second = LUTLayer(20, self.nodes, 2, self.family)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(x.flatten(1))
        logits: Tensor = self.head(self.second(self.first(bits)))
        return logits


def images(samples: int = 40, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (samples, 3, 4), dtype=torch.uint8, generator=generator)


def fitted(**options: Any) -> Toy:
    torch.manual_seed(0)
    model = Toy(**options)
    model.fit_encoder(images())
    return model


# Before fitting


def test_not_fitted(tmp_path: Path) -> None:
    model = Toy()
    assert not model.fitted
    with pytest.raises(NotFittedError) as caught:
        model(images())
    assert str(caught.value) == (
        "model 'toy' is not fitted; call model.fit_encoder(training_data) or model.load_checkpoint(path) first, or use "
        "get_model(name, pretrained=True)"
    )
    with pytest.raises(NotFittedError) as caught:
        model.save_checkpoint(tmp_path / "toy.safetensors")
    assert str(caught.value) == "model 'toy' is not fitted, so there is nothing to save; call fit_encoder first"
    assert os.listdir(tmp_path) == []


def test_base_class_is_abstract() -> None:
    with pytest.raises(TypeError):
        BaseModel("x", 1, 1)  # type: ignore[abstract]


class Shapes(BaseModel):
    _build_layers = _forward_impl = lambda *_: None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 0, "num_classes": 3}, "model 'x': input_size 0 and num_classes 3 must be positive"),
        ({"input_size": 4, "num_classes": 0}, "model 'x': input_size 4 and num_classes 0 must be positive"),
        (
            {"input_size": 5, "num_classes": 3, "input_shape": [2, 2]},
            "model 'x': input_shape (2, 2) does not have input_size = 5 elements",
        ),
    ],
)
def test_wrong_sizes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Shapes("x", **options)
    assert str(caught.value) == message


# Fitting


def test_fit_encoder_builds_once() -> None:
    model = Toy()
    assert model.fit_encoder(images()) is model
    assert model.fitted
    assert model.encoder.features == 12
    layer = model.first
    model.fit_encoder(images(seed=1))
    assert model.first is layer


@pytest.mark.parametrize("training", [True, False])
def test_layers_take_the_mode_of_the_model(training: bool) -> None:
    model = Toy().train(training)
    model.fit_encoder(images())
    assert {module.training for module in model.modules()} == {training}


def test_fit_on_arrays_and_floats_gives_the_same() -> None:
    expected = fitted().encoder.thresholds
    codes = images().numpy()
    for data in (codes, codes.reshape(40, 12), codes.astype(np.float32) / np.float32(255), codes.astype(np.int64)):
        assert torch.equal(Toy().fit_encoder(data).encoder.thresholds, expected)


def test_fit_on_nothing() -> None:
    with pytest.raises(DataError) as caught:
        Toy().fit_encoder(images()[:0])
    assert str(caught.value) == (
        "Thermometer.fit: got data of shape (0, 12); expected (samples, features) with at least one of each"
    )


# Calling


def test_shapes_and_layouts() -> None:
    model = fitted().eval()
    x = images()
    logits = model(x)
    assert logits.shape == (40, 3)
    assert logits.dtype == torch.float32
    for same in (x.reshape(40, 12), x[:, None], x.reshape(40, 4, 3), x.permute(2, 1, 0).contiguous().permute(2, 1, 0)):
        assert torch.equal(model(same), logits)
    assert torch.equal(model(x[::2]), logits[::2])
    assert model(x[:0]).shape == (0, 3)
    assert torch.equal(torch.cat([model(sample[None]) for sample in x]), logits)


def test_codes_equal_the_numbers_that_they_stand_for() -> None:
    model = fitted().eval()
    every_code = torch.arange(256, dtype=torch.uint8)[:, None, None].expand(-1, 3, 4)
    logits = model(every_code)
    assert torch.equal(model(every_code.float() / 255), logits)
    assert torch.equal(model(every_code.double() / 255), logits)
    for dtype in (torch.int16, torch.int32, torch.int64):
        assert torch.equal(model(every_code.to(dtype)), logits)


@pytest.mark.parametrize("shape", [(5, 11), (5, 3, 5), (12,), (0,), (5, 12, 2)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    for call in (fitted(), Toy().fit_encoder):
        with pytest.raises(InputShapeError) as caught:
            call(torch.zeros(shape))
        assert str(caught.value) == (
            f"model 'toy': got a tensor of shape {shape}; expected (samples, ...) with 12 features a sample, for "
            "example (samples, 3, 4)"
        )


@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64])
def test_wrong_dtype(dtype: torch.dtype) -> None:
    with pytest.raises(InputShapeError) as caught:
        fitted()(torch.zeros(2, 12, dtype=dtype))
    assert str(caught.value) == f"model 'toy': got dtype {dtype}; expected floating numbers or integer codes"


def test_codes_outside_the_format() -> None:
    with pytest.raises(DataError) as caught:
        fitted()(torch.full((1, 12), 256))
    assert str(caught.value) == ("got integer codes from 256 to 256; the input format has 8 bits, codes from 0 to 255")


def test_nan() -> None:
    with pytest.raises(DataError):
        fitted()(torch.full((1, 12), float("nan")))


@pytest.mark.parametrize("family", FAMILIES)
def test_train_and_eval_agree(family: str) -> None:
    model = fitted(family=family)
    assert torch.equal(model.train()(images()), model.eval()(images()))


# Facts about the model


def test_count_parameters() -> None:
    thresholds, connections, learned = 12 * 2, 9 * 2, 20 * 3
    tables = 20 * 8 + 9 * 4
    choices = learned * 24
    assert fitted().count_parameters() == {
        "total": thresholds + connections + 24 + tables + choices,  # 24: the candidates, all input bits
        "trainable": tables + choices,
        "non_trainable": thresholds + connections + 24,
    }
    assert fitted().freeze().count_parameters() == {
        "total": thresholds + connections + learned + tables,
        "trainable": 0,
        "non_trainable": thresholds + connections + learned + tables,
    }


def test_layer_topology() -> None:
    layer = {"type": "LUTLayer", "family": "dwn_stable"}
    rows = fitted().get_layer_topology()
    assert sorted(rows, key=lambda row: ["encoder", "first", "second", "head"].index(row["name"])) == [
        {"name": "encoder", "type": "Thermometer", "inputs": 12, "outputs": 24, "bits": 2},
        {"name": "first", **layer, "inputs": 24, "outputs": 20, "n": 3},
        {"name": "second", **layer, "inputs": 20, "outputs": 9, "n": 2},
        {"name": "head", "type": "GroupSum", "outputs": 3, "tau": 2.0},
    ]
    json.dumps(rows)


def test_regularization_loss_is_the_sum_over_layers() -> None:
    model = fitted()
    assert model.get_regularization_loss().item() == 0
    model.first.nodes.regularization_loss = lambda: torch.tensor(1.5)  # type: ignore[method-assign]
    model.second.nodes.regularization_loss = lambda: torch.tensor(2.0)  # type: ignore[method-assign]
    assert model.get_regularization_loss().item() == 3.5


def test_project() -> None:
    model = fitted()
    with torch.no_grad():
        model.first.nodes.table.mul_(5)  # type: ignore[operator]
    model.project()
    assert float(model.first.nodes.table.detach().abs().max()) == 1.0  # type: ignore[operator]


# Saving and loading


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode there")
def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.safetensors")
    model = fitted()
    model.save_checkpoint(path)
    assert torch.equal(Toy().load_checkpoint(path)(images()), model.eval()(images()))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frozen", [True, False])
def test_round_trip(tmp_path: Path, family: str, frozen: bool) -> None:
    model = fitted(family=family)
    model.info = {"note": "größe", "accuracy": 0.1}
    expected = model.eval()(images())
    path = tmp_path / "toy.safetensors"
    model.save_checkpoint(path, frozen=frozen)
    loaded = Toy(family=family)
    assert loaded.load_checkpoint(path) is loaded
    assert loaded.fitted
    assert not loaded.training
    assert loaded.info == model.info
    assert torch.equal(loaded(images()), expected)
    assert loaded.checkpoint_bytes(frozen=frozen) == path.read_bytes()
    assert (loaded.count_parameters()["trainable"] == 0) == frozen
    assert [layer.learnable for _, layer in loaded.lut_layers()] == [None, None]
    assert torch.equal(model(images()), expected)  # saving leaves the model alone
    if not frozen:
        for (_, given), (_, original) in zip(loaded.lut_layers(), model.lut_layers(), strict=True):
            for name, value in original.nodes.named_parameters():
                assert torch.equal(given.nodes.get_parameter(name), value)


def test_layers_that_are_none_until_they_are_built(tmp_path: Path) -> None:
    class Announced(Toy):
        def __init__(self, name: str = "toy") -> None:
            super().__init__(name)
            self.first: LUTLayer | None = None
            self.register_module("second", None)

    model = Announced()
    model.fit_encoder(images())
    model.save_checkpoint(tmp_path / "net.safetensors", frozen=True)
    loaded = Announced().load_checkpoint(tmp_path / "net.safetensors")
    assert torch.equal(loaded(images()), model.eval()(images()))


def test_a_loaded_model_with_parameters_can_be_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    fitted().save_checkpoint(path)
    model = Toy().load_checkpoint(path).train()
    model(images()).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_load_into_a_model_in_use(tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    model = fitted()
    expected = model.eval()(images())
    model.save_checkpoint(path, frozen=True)
    other = fitted(family="linear").train()
    assert torch.equal(other.load_checkpoint(path)(images()), expected)


def test_saved_while_training_has_the_preferred_connections() -> None:
    model = fitted().train()
    with torch.no_grad():
        model.first.learnable.weight.neg_()  # type: ignore[union-attr]
    expected = model(images())
    content = model.checkpoint_bytes(frozen=True)
    assert torch.equal(model.eval()(images()), expected)
    assert model.checkpoint_bytes(frozen=True) == content


def test_same_bytes_in_two_processes() -> None:
    script = """
import hashlib, torch
from difflut.models.mnist import MNISTFullyConnected
torch.manual_seed(0)
model = MNISTFullyConnected("m", widths=(50, 20), connections=({"connections": "learnable", "candidates": 30}, {}))
model.info = {"b": 1, "a": [2], "c": {"z": 0, "y": 1}}
model.fit_encoder(torch.rand(20, 28, 28))
for frozen in (True, False):
    print(hashlib.sha256(model.checkpoint_bytes(frozen=frozen)).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_frozen_checkpoint_is_small() -> None:
    """One bit a table entry, two bytes a connection."""
    model = fitted()
    payload = 24 * 4 + (20 * 3 + 9 * 2) * 2 + 20 * 8 // 8 + 9
    assert payload < len(model.checkpoint_bytes(frozen=True)) < payload + 1000


def test_wide_layers_keep_their_connections(tmp_path: Path) -> None:
    class Wide(BaseModel):
        def _build_layers(self) -> None:
            self.layer = LUTLayer(self.encoder.output_width, 2, 1)
            self.layer.connections.copy_(torch.tensor([[39_999], [0]]))
            self.head = GroupSum(2)

        def _forward_impl(self, x: Tensor) -> Tensor:
            return self.head(self.layer(self.encoder(x)))  # type: ignore[no-any-return]

    def make() -> BaseModel:
        model = Wide("wide", 40_000, 2)
        model.encoder = Thermometer(1)
        return model

    make().fit_encoder(torch.rand(2, 40_000)).save_checkpoint(tmp_path / "wide")
    layer = make().load_checkpoint(tmp_path / "wide").lut_layers()[0][1]
    assert layer.connections.tolist() == [[39_999], [0]]


def test_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "toy.safetensors"
    fitted().save_checkpoint(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError):
        fitted(family="linear").save_checkpoint(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["toy.safetensors"]


# Files that do not fit


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, Tensor]], None]) -> Path:
    """A frozen checkpoint of Toy with its header or tensors changed."""
    fitted().save_checkpoint(path, frozen=True)
    read, tensors = read_checkpoint(path)
    header = msgspec.to_builtins(read)
    change(header, tensors)
    save_file(tensors, path, {"difflut": json.dumps(header)})
    return path


def assert_unchanged_by(path: Path, message: str) -> None:
    """Loading fails with the message, and neither a fresh nor a fitted model is changed by the attempt."""
    fresh, used = Toy(), fitted(family="linear").eval()
    expected = used(images())
    for model in (fresh, used):
        with pytest.raises(CheckpointError) as caught:
            model.load_checkpoint(path)
        assert str(caught.value) == message
    assert not fresh.fitted
    assert torch.equal(used(images()), expected)


def misfit(path: Path, reason: str) -> str:
    return (
        f"{path}: the checkpoint does not fit model 'toy' as it is defined now ({reason}); was it saved by another "
        f"version of the model?"
    )


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "no.safetensors"
    message = f"{path}: no such file; expected a checkpoint written by save_checkpoint or `difflut train`"
    assert_unchanged_by(path, message)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 100])
def test_garbage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "toy.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        Toy().load_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: not a readable safetensors file (")
    assert str(caught.value).endswith(
        "); expected a difflut checkpoint, which `difflut import` makes of a network of another library"
    )


@pytest.mark.parametrize("frozen", [True, False])
def test_truncated_file(tmp_path: Path, frozen: bool) -> None:
    path = tmp_path / "toy.safetensors"
    content = fitted().checkpoint_bytes(frozen=frozen)
    for size in (7, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(CheckpointError, match="not a readable safetensors file"):
            Toy().load_checkpoint(path)


def test_foreign_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": torch.zeros(3)}, path, metadata)
        assert_unchanged_by(
            path,
            f"{path}: a safetensors file, but not a difflut checkpoint (it has no difflut header); `difflut import` "
            "makes one of a network of another library",
        )


@pytest.mark.parametrize("header", ["{", "[]", "{}", '{"format_version": 1}'])
def test_header_that_is_none(tmp_path: Path, header: str) -> None:
    path = tmp_path / "toy.safetensors"
    save_file({"weight": torch.zeros(3)}, path, {"difflut": header})
    with pytest.raises(CheckpointError):
        Toy().load_checkpoint(path)


def test_another_format_version(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "toy", lambda header, _: header.update(format_version=99))
    message = f"{path}: checkpoint format 99, this difflut reads 1, 2 and 3; use the version of difflut that wrote it"
    assert_unchanged_by(path, message)


def test_checkpoint_of_another_model(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    fitted(name="other").save_checkpoint(path)
    assert_unchanged_by(
        path,
        f"{path}: this checkpoint belongs to model 'other', but was loaded into 'toy'; use "
        f"get_model('other').load_checkpoint(path)",
    )


@pytest.mark.parametrize("bad", [24, -1])
def test_connections_out_of_range(tmp_path: Path, bad: int) -> None:
    def change(_: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        tensors["first.connections"][3, 1] = bad

    path = rewritten(tmp_path / "toy", change)
    assert_unchanged_by(path, misfit(path, "connections of layer first point outside its 24 input bits"))


def test_other_thresholds(tmp_path: Path) -> None:
    def change(_: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        tensors["encoder.thresholds"] = torch.zeros(12, 5)

    path = rewritten(tmp_path / "toy", change)
    assert_unchanged_by(
        path, misfit(path, "encoder.thresholds is torch.float32 (12, 5), expected torch.float32 (12, 2)")
    )


def test_other_layers(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "toy", lambda header, _: header["layers"].pop("second"))
    assert_unchanged_by(path, misfit(path, "LUT layers ['first'] in the file, ['first', 'second'] in the model"))


@pytest.mark.parametrize("key", ["encoder.thresholds", "first.connections", "second.nodes.packed_tables"])
def test_a_tensor_is_missing(tmp_path: Path, key: str) -> None:
    def change(_: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        del tensors[key]

    path = rewritten(tmp_path / "toy", change)
    with pytest.raises(CheckpointError, match=f"does not fit model 'toy' as it is defined now.*{key}"):
        Toy().load_checkpoint(path)


@pytest.mark.parametrize("family", ["fixed", "linear"])
def test_other_sizes(tmp_path: Path, family: str) -> None:
    path = tmp_path / "toy.safetensors"
    fitted(nodes=12).save_checkpoint(path, frozen=family == "fixed")
    with pytest.raises(CheckpointError, match="does not fit model 'toy' as it is defined now"):
        Toy().load_checkpoint(path)


@pytest.mark.parametrize("key", ["first.connections", "second.nodes.packed_tables"])
def test_tensor_of_another_kind(tmp_path: Path, key: str) -> None:
    def change(_: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        tensors[key] = tensors[key].float().flatten() / 2

    path = rewritten(tmp_path / "toy", change)
    with pytest.raises(CheckpointError, match="does not fit model 'toy' as it is defined now"):
        Toy().load_checkpoint(path)


# Training


def learnable_task(samples: int = 600) -> Dataset:
    """Three classes, told apart by which row of the image is bright."""
    generator = torch.Generator().manual_seed(5)
    y = torch.randint(0, 3, (samples,), generator=generator)
    x = torch.randint(0, 130, (samples, 3, 4), dtype=torch.uint8, generator=generator)
    x[torch.arange(samples), y] += 120
    return Dataset("rows", Split(x[:400], y[:400]), Split(x[400:], y[400:]))


def test_a_frozen_model_cannot_be_trained(tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, batch_size=20, validation=50)
    with pytest.raises(ConfigError) as caught:
        train(lambda: fitted().freeze(), learnable_task(), recipe, tmp_path / "out", progress=False)
    assert str(caught.value) == ("model 'toy' has no trainable parameters; train a fresh one, or unfreeze() it")
    assert os.listdir(tmp_path) == []


class Custom(BaseModel):
    """The documented custom model."""

    def __init__(self) -> None:
        super().__init__(name="custom", input_size=784, num_classes=10)

    def _build_layers(self) -> None:
        self.hidden = LUTLayer(self.encoder.output_width, 400)
        self.output = LUTLayer(400, 200)
        self.head = GroupSum(10, tau=3.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.output(self.hidden(self.encoder(x))))
        return logits


def test_documented_custom_model_learns() -> None:
    torch.manual_seed(0)
    y = torch.arange(10).repeat(20)
    prototypes = torch.randint(0, 2, (10, 784)) * 200
    x = (prototypes[y] + torch.randint(0, 56, (200, 784))).to(torch.uint8)
    model = Custom()
    model.fit_encoder(x)
    assert model.train()(x[:5].reshape(5, 28, 28)).shape == (5, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.project()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    model.eval()
    assert float((model(x).argmax(dim=1) == y).float().mean()) > 0.9


def test_input_format_is_the_models_own() -> None:
    class Fixed(Shapes):
        def _forward_impl(self, x: Tensor) -> Tensor:  # type: ignore[override]
            return x

    model = Fixed("x", 3, 3, input_format=InputFormat(6, True, 4.0))
    model._built = True
    assert model(torch.tensor([[-32, 1, 31]])).tolist() == [[-8.0, 0.25, 7.75]]
