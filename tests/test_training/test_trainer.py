"""The training loop on a tiny data set: resuming, held-out samples, files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import CLASSES, RECIPE, Tiny, run, tiny_data
from torch import Tensor

from difflut.data import Dataset, Split
from difflut.errors import CheckpointError, ConfigError, DataError
from difflut.export.errors import TraceError
from difflut.files import WriteError
from difflut.layers import LUTLayer
from difflut.models import BaseModel
from difflut.models.checkpoint import read_checkpoint
from difflut.training import Recipe, TrainingResult, accuracy
from difflut.training.trainer import schedule


class Interruption(Exception):
    """Stands for a killed process: nothing in difflut catches it."""


def interrupted_after(steps: int) -> Callable[[], BaseModel]:
    """Makes a model whose training forward stops after a number of calls."""
    calls = 0

    class Stopping(Tiny):
        def _forward_impl(self, x: Tensor) -> Tensor:
            nonlocal calls
            calls += self.training
            if calls > steps:
                raise Interruption
            return super()._forward_impl(x)

    return Stopping


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, TrainingResult]:
    out = tmp_path_factory.mktemp("unbroken") / "tiny.safetensors"
    result = run(out)
    assert os.listdir(out.parent) == ["tiny.safetensors"]
    return out.read_bytes(), result


def without_seconds(result: TrainingResult) -> dict[str, Any]:
    content = result.to_json()
    for row in content["history"]:
        assert row.pop("seconds") >= 0
    return content


# What training gives


def test_result_and_checkpoint(tmp_path: Path, unbroken: tuple[bytes, TrainingResult]) -> None:
    content, result = unbroken
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(content)
    model = Tiny().load_checkpoint(path)
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4]
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    best = max(result.history, key=lambda row: row["validation_accuracy"])  # max gives the first of equals
    assert (result.best_epoch, result.validation_accuracy) == (best["epoch"], best["validation_accuracy"])
    assert result.test_accuracy == accuracy(model, tiny_data().test) > 0.6
    assert model.info == {
        "data": "brightness",
        "recipe": {
            "epochs": 4,
            "batch_size": 20,
            "learning_rate": 0.05,
            "warmup_epochs": 0.5,
            "final_fraction": 0.01,
            "connection_epochs": None,
            "max_shift": 1,
            "border": "zeros",
            "flip": False,
            "input_flips": 0.0,
            "weight_decay": 0.0,
            "average": 0.0,
            "validation": 40,
            "sweeps": 0,
            "sweep_copies": 1,
            "sweep_inputs": 6,
            "sweep_price": 0.0,
            "seed": 3,
        },
        "best_epoch": result.best_epoch,
        "validation_accuracy": result.validation_accuracy,
        "test_accuracy": result.test_accuracy,
        "test_samples": 50,
        "encoder": {"bits": 32, "constant_bits": 0, "constant_features": 0, "lost_features": []},
        "history": {key: [row[key] for row in result.history] for key in ("epoch", "loss", "validation_accuracy")},
    }
    assert model.count_parameters()["trainable"] == 0


def test_same_seed_same_bytes(tmp_path: Path, unbroken: tuple[bytes, TrainingResult]) -> None:
    torch.rand(7)  # the state of the global generator on entry does not matter
    result = run(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == unbroken[0]
    assert without_seconds(result) == without_seconds(unbroken[1])


def test_another_seed_another_model(tmp_path: Path, unbroken: tuple[bytes, TrainingResult]) -> None:
    run(tmp_path / "other", RECIPE.with_(seed=4))
    (tmp_path / "tiny").write_bytes(unbroken[0])
    other, tiny = (read_checkpoint(tmp_path / name)[1] for name in ("other", "tiny"))
    assert any(not torch.equal(other[key], tiny[key]) for key in tiny)


# Connections that are learned in the first epochs only


class Watched(Tiny):
    """Notes the connections of the first layer in each training forward, and whether they are still learned."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bool, Tensor]] = []

    def _forward_impl(self, x: Tensor) -> Tensor:
        if self.training:
            learned = self.first.learnable
            chosen = self.first.connections.view(-1) if learned is None else learned.selected()
            self.seen.append((learned is not None, chosen.clone()))
        return super()._forward_impl(x)


def test_connections_stay_after_their_epochs(tmp_path: Path) -> None:
    made: list[Watched] = []

    def make() -> BaseModel:
        made.append(Watched())
        return made[-1]

    result = run(tmp_path / "tiny", RECIPE.with_(connection_epochs=2), make)
    (model,) = made
    learned = [kept for kept, _ in model.seen]
    assert learned == [True] * 16 + [False] * 16  # 8 steps an epoch
    assert not torch.equal(model.seen[0][1], model.seen[15][1])
    assert all(torch.equal(model.seen[16][1], chosen) for _, chosen in model.seen[16:])
    assert result.history[3]["loss"] < result.history[1]["loss"]  # the nodes go on learning


def test_until_the_connections_stay_nothing_differs(tmp_path: Path, unbroken: tuple[bytes, TrainingResult]) -> None:
    result = run(tmp_path / "tiny", RECIPE.with_(connection_epochs=2))
    losses, expected = ([row["loss"] for row in kept.history] for kept in (result, unbroken[1]))
    assert losses[:2] == expected[:2]
    assert losses[2:] != expected[2:]


@pytest.mark.parametrize("steps", [3, 8, 16, 20, 31])
def test_resuming_with_connections_that_stay(tmp_path: Path, steps: int) -> None:
    """Interrupted before, at the moment when, and after the connections are fixed: after 16 steps."""
    recipe = RECIPE.with_(connection_epochs=2)
    expected = run(tmp_path / "unbroken", recipe)
    with pytest.raises(Interruption):
        run(tmp_path / "tiny", recipe, interrupted_after(steps))
    result = run(tmp_path / "tiny", recipe)
    assert (tmp_path / "tiny").read_bytes() == (tmp_path / "unbroken").read_bytes()
    assert without_seconds(result) == without_seconds(expected)


# Interrupting and resuming


@pytest.mark.parametrize("steps", [0, 3, 8, 20, 31])
def test_resuming_gives_the_same_bytes(tmp_path: Path, unbroken: tuple[bytes, TrainingResult], steps: int) -> None:
    """An epoch has 8 steps: interrupted in the first, at the start of the second, in the third and the last epoch."""
    out = tmp_path / "tiny.safetensors"
    with pytest.raises(Interruption):
        run(out, make=interrupted_after(steps))
    assert os.listdir(tmp_path) == (["tiny.safetensors.resume"] if steps >= 8 else [])
    torch.rand(5)
    result = run(out)
    assert out.read_bytes() == unbroken[0]
    assert without_seconds(result) == without_seconds(unbroken[1])
    assert os.listdir(tmp_path) == ["tiny.safetensors"]


def test_interrupted_again_and_again(tmp_path: Path, unbroken: tuple[bytes, TrainingResult]) -> None:
    out = tmp_path / "tiny.safetensors"
    for _ in range(3):
        with pytest.raises(Interruption):
            run(out, make=interrupted_after(9))
    run(out)
    assert out.read_bytes() == unbroken[0]


def test_interrupted_at_the_last_write(
    tmp_path: Path, unbroken: tuple[bytes, TrainingResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Interruption

    out = tmp_path / "tiny.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(Tiny, "save_checkpoint", fail)
        with pytest.raises(Interruption):
            run(out)
    run(out)
    assert out.read_bytes() == unbroken[0]


@pytest.fixture
def resume_file(tmp_path: Path) -> Path:
    """The resume file after two of four epochs, for the checkpoint `tmp_path / "tiny"`."""
    with pytest.raises(Interruption):
        run(tmp_path / "tiny", make=interrupted_after(16))
    return tmp_path / "tiny.resume"


def test_resume_file_of_another_recipe(tmp_path: Path, resume_file: Path) -> None:
    before = resume_file.read_bytes()
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path / "tiny", RECIPE.with_(seed=9))
    recipe = (
        "{'epochs': 4, 'batch_size': 20, 'learning_rate': 0.05, 'warmup_epochs': 0.5, 'final_fraction': 0.01, "
        "'connection_epochs': None, 'max_shift': 1, 'border': 'zeros', 'flip': False, 'input_flips': 0.0, "
        "'weight_decay': 0.0, 'average': 0.0, 'validation': 40, 'sweeps': 0, 'sweep_copies': 1, 'sweep_inputs': 6, "
        "'sweep_price': 0.0, 'seed': 3}"
    )
    assert str(caught.value) == (
        f"{resume_file}: belongs to model 'tiny' on brightness with the recipe {recipe}; delete it or choose another "
        "--out"
    )
    assert resume_file.read_bytes() == before


def test_resume_file_of_another_model(tmp_path: Path, resume_file: Path) -> None:
    class Other(Tiny):
        def __init__(self) -> None:
            super().__init__()
            self.name = "other"

    with pytest.raises(CheckpointError, match="belongs to model 'tiny'"):
        run(tmp_path / "tiny", make=Other)


def test_resume_file_of_a_model_of_other_sizes(tmp_path: Path, resume_file: Path) -> None:
    class Wider(Tiny):
        def _build_layers(self) -> None:
            super()._build_layers()
            self.second = LUTLayer(30, 60, 4)

    with pytest.raises(CheckpointError, match=r"(?s)cannot resume from it \(.*\); delete it to start afresh"):
        run(tmp_path / "tiny", make=Wider)


def corrupt(content: bytes, kind: str) -> bytes:
    pickles = {"empty": b"", "text": b"hello", "pickle": b"\x80\x02}q\x00.", "unsafe": b"\x80\x02cos\nsystem\nq\x00."}
    return {**pickles, "cut": content[: len(content) // 2], "end": content[:-1]}[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "pickle", "unsafe", "cut", "end"])
def test_corrupt_resume_file(tmp_path: Path, resume_file: Path, kind: str) -> None:
    resume_file.write_bytes(corrupt(resume_file.read_bytes(), kind))
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path / "tiny")
    assert str(caught.value).startswith(f"{resume_file}: cannot resume from it (")
    assert str(caught.value).endswith("); delete it to start afresh")


@pytest.mark.parametrize("content", [{}, [1], {"recipe": 1}])
def test_resume_file_without_what_it_needs(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "tiny.resume")
    with pytest.raises(CheckpointError):
        run(tmp_path / "tiny")


# Files


def test_full_disk(tmp_path: Path, resume_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = resume_file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(WriteError, match="No space left on device"):
            run(tmp_path / "tiny")
    assert os.listdir(tmp_path) == ["tiny.resume"]
    assert resume_file.read_bytes() == before


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(WriteError):
        run(tmp_path / "no" / "tiny", RECIPE.with_(epochs=1))


# Which samples are used for what


class Recorder:
    """Notes which samples the encoder is fitted on and which each forward sees."""

    def __init__(self) -> None:
        self.fitted: list[int] = []
        self.trained: list[int] = []
        self.evaluated: list[list[int]] = []

    def make(self) -> BaseModel:
        recorder = self

        class Recording(Tiny):
            def fit_encoder(self, data: Any) -> BaseModel:
                recorder.fitted += data[:, 0, 0].tolist()
                return super().fit_encoder(data)

            def _forward_impl(self, x: Tensor) -> Tensor:
                if self.fitted and not torch.compiler.is_exporting():  # before, what the encoders get is found out
                    seen = (x[:, 0, 0] * 255).round().int().tolist()
                    if self.training:
                        recorder.trained.extend(seen)
                    else:
                        recorder.evaluated.append(seen)
                return super()._forward_impl(x)

        return Recording()


def test_held_out_and_test_samples(tmp_path: Path) -> None:
    recorder = Recorder()
    run(tmp_path / "tiny", RECIPE.with_(max_shift=0), make=recorder.make)
    *during, last = recorder.evaluated
    held_out = set(during[0])
    test = set(range(200, 250))
    assert len(held_out) == 40
    assert all(set(seen) == held_out for seen in during)
    assert len(during) == 4
    assert set(last) == test
    assert not held_out & test
    assert set(recorder.trained) == set(recorder.fitted) == set(range(200)) - held_out
    assert len(recorder.trained) == 4 * 160
    epochs = [recorder.trained[i : i + 160] for i in range(0, 640, 160)]
    assert all(len(set(epoch)) == 160 for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_the_test_samples_choose_nothing(tmp_path: Path, unbroken: tuple[bytes, TrainingResult]) -> None:
    data = tiny_data()
    wrong = Split(data.test.x.flip(0), (data.test.y + 1) % CLASSES)
    result = run(tmp_path / "wrong", data=Dataset(data.name, data.train, wrong))
    (tmp_path / "right").write_bytes(unbroken[0])
    tensors = [read_checkpoint(tmp_path / name)[1] for name in ("wrong", "right")]
    assert all(torch.equal(tensors[0][key], tensors[1][key]) for key in tensors[1])
    assert result.test_accuracy != unbroken[1].test_accuracy


def test_the_seed_chooses_held_out_samples_and_order(tmp_path: Path) -> None:
    recorders = [Recorder(), Recorder()]
    for seed, recorder in enumerate(recorders):
        run(tmp_path / "tiny", RECIPE.with_(max_shift=0, epochs=1, seed=seed), make=recorder.make)
    assert set(recorders[0].evaluated[0]) != set(recorders[1].evaluated[0])
    both = set(recorders[0].trained) & set(recorders[1].trained)
    orders = [[sample for sample in recorder.trained if sample in both] for recorder in recorders]
    assert orders[0] != orders[1]


def test_the_first_of_equally_good_epochs_is_chosen(tmp_path: Path) -> None:
    result = run(tmp_path / "tiny", RECIPE.with_(learning_rate=1e-9))
    assert len({row["validation_accuracy"] for row in result.history}) == 1
    assert result.best_epoch == 1


def test_parameters_are_projected_after_each_step(tmp_path: Path) -> None:
    class Watching(Tiny):
        def _forward_impl(self, x: Tensor) -> Tensor:
            for _, layer in [] if torch.compiler.is_exporting() else self.lut_layers():
                assert all(float(p.detach().abs().max()) <= 1 for p in layer.nodes.parameters())
            return super()._forward_impl(x)

    run(tmp_path / "tiny", RECIPE.with_(epochs=1, learning_rate=1.0), make=Watching)


def test_an_incomplete_last_batch_is_left_out(tmp_path: Path) -> None:
    recorder = Recorder()
    run(tmp_path / "tiny", RECIPE.with_(max_shift=0, epochs=1, batch_size=70), make=recorder.make)
    assert len(recorder.trained) == 140


# Refusals


def test_too_few_samples(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        run(tmp_path / "tiny", RECIPE.with_(validation=190))
    assert str(caught.value) == (
        "brightness has 200 training samples; the recipe holds out 190 and needs at least one batch of 20 more"
    )


@pytest.mark.parametrize("part", ["train", "test"])
def test_labels_that_are_no_class_of_the_model(tmp_path: Path, part: str) -> None:
    data = tiny_data()
    getattr(data, part).y[4] = 3
    with pytest.raises(DataError) as caught:
        run(tmp_path / "tiny", data=data)
    assert str(caught.value) == ("brightness has class indices from 0 to 3; model 'tiny' has 3 classes, 0 to 2")


def test_one_batch_is_enough(tmp_path: Path) -> None:
    assert len(run(tmp_path / "tiny", RECIPE.with_(validation=180, epochs=1)).history) == 1


@pytest.mark.parametrize("field", ["epochs", "batch_size", "learning_rate", "validation"])
def test_recipes_out_of_range(field: str) -> None:
    with pytest.raises(ConfigError, match="positive"):
        RECIPE.with_(**{field: 0})


def test_negative_connection_epochs() -> None:
    with pytest.raises(ConfigError, match="connection_epochs is -1; it must be 0 or more, or None"):
        RECIPE.with_(connection_epochs=-1)


def test_negative_shift() -> None:
    with pytest.raises(ConfigError) as caught:
        RECIPE.with_(max_shift=-1)
    assert str(caught.value) == "recipe: max_shift is -1; it must be 0 or more pixels"


# Parts


def test_schedule() -> None:
    recipe = Recipe(epochs=10, warmup_epochs=2.0, final_fraction=0.1)
    assert schedule(0.0, recipe) == 1e-3
    assert schedule(0.1, recipe) == pytest.approx(0.5)
    assert schedule(0.2, recipe) == pytest.approx(1.0)
    assert schedule(0.6, recipe) == pytest.approx(0.55)
    assert schedule(1.0, recipe) == pytest.approx(0.1)
    assert schedule(0.0, Recipe(warmup_epochs=0.0)) == 1.0
    assert schedule(0.99, Recipe(epochs=2, warmup_epochs=2.0)) == pytest.approx(0.99)


# What has no circuit


class Summed(Tiny):
    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.first(self.encoder(x.flatten(1)))
        return self.head(self.second(bits + bits.flip(1)))  # the line at fault


def test_a_model_without_a_circuit_is_refused_before_the_first_step(tmp_path: Path) -> None:
    steps: list[BaseModel] = []
    with pytest.raises(TraceError) as caught:
        run(tmp_path / "tiny", make=lambda: type("Never", (Summed,), {"project": steps.append})())
    message = str(caught.value)
    assert "add" in message and "a LUT does arithmetic on bits" in message and message.endswith("# the line at fault")
    assert steps == [] and os.listdir(tmp_path) == []
