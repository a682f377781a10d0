"""Coordinate descent: against all that a node could be, against NumPy, within a training."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tiny_training import Tiny, run, tiny_data
from tools import require_tool
from torch import Tensor

from difflut.errors import ConfigError
from difflut.export.builds.make import make_build
from difflut.export.circuit.simulate import simulate
from difflut.heads import GroupSum
from difflut.models import load_model
from difflut.models.checkpoint import read_header
from difflut.models.mnist import MNISTFullyConnected
from difflut.native import VARIABLE
from difflut.training import Recipe, descent
from difflut.training.bit_matrix import BitMatrix
from difflut.training.descent import Nodes, Options, sweep
from difflut.training.descent_library import library
from difflut.training.end import End

RECIPE = Recipe(epochs=0, sweeps=3, batch_size=20, validation=40, max_shift=1, seed=3)


def made(n: int, nodes: int = 6, classes: int = 3, width: int = 12, samples: int = 300, seed: int = 0) -> Any:
    chance = np.random.default_rng(seed)
    bits = (chance.random((samples, width)) < 0.4).astype(np.uint8)
    labels = (bits[:, 0] + bits[:, 1] * bits[:, 2] + (chance.random(samples) < 0.1)) % classes
    inputs = np.stack([chance.permutation(width)[:n] for _ in range(nodes)])
    return Nodes(inputs, chance.integers(0, 2, (nodes, 1 << n)).astype(np.uint8), classes), packed(bits), labels


def packed(bits: npt.NDArray[np.uint8]) -> BitMatrix:
    return BitMatrix.of(np.array_split(bits, 3), *bits.shape)


def free(bits: BitMatrix) -> npt.NDArray[np.float32]:
    return np.zeros(bits.width, np.float32)


def loss(nodes: Nodes, bits: BitMatrix, labels: npt.NDArray[np.int64], tau: float) -> float:
    logits = torch.from_numpy(nodes.votes(bits).T / tau)
    return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)))


def require_compiled() -> None:
    require_tool("cc")
    assert library() is not None


@pytest.fixture(params=["compiled", "numpy"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "numpy":
        monkeypatch.setenv(VARIABLE, "0")
    else:
        require_compiled()
    return str(request.param)


@pytest.mark.parametrize("moves", [0, 1])
def test_a_sweep_over_one_node_a_class_finds_the_best(by: str, moves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "THINNING", 0.01)  # all samples, often
    nodes, bits, labels = made(2, nodes=2, classes=2, width=5)
    others = nodes.tables[1].copy(), nodes.inputs[1].copy()

    class Order:
        def permutation(self, count: int) -> npt.NDArray[np.int64]:
            return np.arange(count)

        def random(self, shape: Any) -> npt.NDArray[np.float64]:
            return np.zeros(shape)

    start = nodes.inputs[0].copy()
    only_first = Nodes(nodes.inputs.copy(), nodes.tables.copy(), 2)
    sweep(only_first, bits, labels, Options(1.5, moves, free(bits)), Order())  # type: ignore[arg-type]
    found = Nodes(np.stack([only_first.inputs[0], others[1]]), np.stack([only_first.tables[0], others[0]]), 2)
    tries = []
    for first in range(5) if moves else [start[0]]:
        for table in itertools.product((0, 1), repeat=4):
            if first != start[1]:
                node = np.stack([[first, start[1]], others[1]]), np.stack([table, others[0]]).astype(np.uint8)
                tries.append(loss(Nodes(*node, 2), bits, labels, 1.5))
    assert loss(found, bits, labels, 1.5) == pytest.approx(min(tries), abs=1e-6)
    assert max(tries) > min(tries) + 0.01


@pytest.mark.parametrize("n", [1, 2, 6, 8])
def test_compiled_and_numpy_choose_the_same(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    require_compiled()
    monkeypatch.setattr(descent, "THINNING", 0.01)  # whether a sample is drawn may hang on the last bit of a float
    results = []
    for variable in ("1", "0"):
        monkeypatch.setenv(VARIABLE, variable)
        nodes, bits, labels = made(n)
        before = loss(nodes, bits, labels, 2.0)
        for seed in range(2):
            sweep(
                nodes,
                bits,
                labels,
                Options(2.0, min(n, 3), free(bits) + np.float32(0.01)),
                np.random.default_rng(seed),
            )
        results.append((nodes, loss(nodes, bits, labels, 2.0)))
        assert results[-1][1] < before
    (compiled, reached), (reference, expected) = results
    assert np.array_equal(compiled.votes(bits), reference.votes(bits))  # inputs that no table heeds may differ
    assert reached == expected


def test_each_table_alone_never_makes_the_loss_larger(by: str) -> None:
    nodes, bits, labels = made(3, nodes=30)
    losses = []
    for seed in range(4):
        sweep(nodes, bits, labels, Options(2.0, 0, free(bits)), np.random.default_rng(seed))
        losses.append(loss(nodes, bits, labels, 2.0))
    assert losses == sorted(losses, reverse=True)


def test_no_node_reads_a_bit_twice_or_one_that_never_differs(by: str) -> None:
    nodes, bits, labels = made(4, nodes=60, width=9)
    columns = bits.unpacked()
    columns[5] = 1
    bits = packed(columns.T)
    nodes.inputs[nodes.inputs == 5] = 8
    nodes.inputs[:] = [row if len(set(row)) == 4 else [0, 1, 2, 3] for row in nodes.inputs.tolist()]
    for seed in range(3):
        sweep(nodes, bits, labels, Options(2.0, 4, free(bits)), np.random.default_rng(seed))
    assert all(len(set(row)) == 4 for row in nodes.inputs.tolist())
    assert not (nodes.inputs == 5).any()
    assert len(np.unique(nodes.inputs)) > 4


def test_a_price_leaves_fewer_bits_to_read(by: str) -> None:
    read = []
    for price in (0, 0.2, 1e3):
        nodes, bits, labels = made(3, nodes=12, width=60, samples=600)
        nodes.tables[:] = 0
        for seed in range(3):
            sweep(nodes, bits, labels, Options(2.0, 3, free(bits) + np.float32(price)), np.random.default_rng(seed))
        read.append(int((nodes.uses(60) > 0).sum()))
    assert read[0] > read[1] > read[2] == 3


def test_bits_without_a_price_are_taken_instead(by: str) -> None:
    nodes, bits, labels = made(3, nodes=12, width=60, samples=600)
    nodes.tables[:] = 0
    prices = np.where(np.arange(60) < 30, np.float32(1e3), np.float32(0))
    for seed in range(3):
        sweep(nodes, bits, labels, Options(2.0, 3, prices), np.random.default_rng(seed))
    assert not nodes.uses(60)[:30].any()
    assert (nodes.uses(60) > 0).sum() > 3


def test_which_bits_take_no_comparator() -> None:
    model = Tiny()
    model.fit_encoder(tiny_data().train.x)
    end = End.of(model, tiny_data().train.x[:10])
    assert end.costly(model).all()  # another layer is before it
    flat = MNISTFullyConnected("flat", (20,), bits=3, grid_bits=2)
    flat.fit_encoder(torch.randint(0, 256, (500, 28, 28)))
    costly = End.of(flat, torch.randint(0, 256, (10, 28, 28))).costly(flat)
    assert costly.reshape(784, 3).tolist() == [[True, False, True]] * 784


@pytest.mark.parametrize("samples", [0, 1])
def test_few_samples(by: str, samples: int) -> None:
    nodes, bits, labels = made(3, samples=300)
    before = nodes.tables.copy()
    few = packed(bits.unpacked()[:, :samples].T)
    sweep(nodes, few, labels[:samples], Options(2.0, 3, free(few)), np.random.default_rng(0))
    assert (nodes.tables != before).sum() <= samples * len(nodes.tables)
    assert nodes.inputs.min() >= 0 and nodes.inputs.max() < 12


def test_training_by_sweeps_alone(tmp_path: Path) -> None:
    result = run(tmp_path / "m", RECIPE)
    assert [row["epoch"] for row in result.history] == [1, 2, 3]
    assert result.test_accuracy > 0.8
    model = load_model(tmp_path / "m", Tiny)
    x = tiny_data().test.x
    outputs = simulate(make_build(model).circuit, x.flatten(1).numpy())
    assert np.array_equal(model(x).argmax(1).numpy(), outputs.classes)
    assert read_header(tmp_path / "m").info["recipe"]["sweeps"] == 3


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
@pytest.mark.parametrize("connection_epochs", [None, 1])
def test_an_interrupted_training_gives_the_same_bytes(
    tmp_path: Path, cut: int, connection_epochs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPE.with_(epochs=2, sweep_copies=2, connection_epochs=connection_epochs)
    run(tmp_path / "whole", recipe)

    class Cut(Exception):
        pass

    from difflut.training import train_untested

    def stop(history: list[dict[str, float]]) -> None:
        if len(history) == cut:
            raise Cut

    with pytest.raises(Cut):
        train_untested(Tiny, tiny_data(), recipe, tmp_path / "cut", progress=False, after_epoch=stop)
    run(tmp_path / "cut", recipe)
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


def test_sweeps_go_on_where_epochs_ended(tmp_path: Path) -> None:
    before = run(tmp_path / "epochs", RECIPE.with_(epochs=2, sweeps=0))
    after = run(tmp_path / "both", RECIPE.with_(epochs=2, sweeps=4, sweep_copies=4))
    assert [row["loss"] for row in after.history[:2]] == [row["loss"] for row in before.history]
    assert after.history[-1]["loss"] < before.history[-1]["loss"]


class Doubled(Tiny):
    """Logits that are not those of the head."""

    def _forward_impl(self, x: Tensor) -> Tensor:
        return 2 * super()._forward_impl(x)


class Around(Tiny):
    """A head that counts more than the last layer."""

    def _build_layers(self) -> None:
        super()._build_layers()
        self.head = GroupSum(3, 2.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        first = self.first(self.encoder(x.flatten(1)))
        logits: Tensor = self.head(torch.cat([self.second(first), first], dim=1))
        return logits


@pytest.mark.parametrize("make", [Doubled, Around])
def test_a_model_that_does_not_end_in_votes_is_refused(tmp_path: Path, make: type[Tiny]) -> None:
    with pytest.raises(ConfigError, match=r"sweeps need a model that ends in a LUTLayer"):
        run(tmp_path / "m", RECIPE, make)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"sweeps": 0},
        {"sweeps": -1},
        {"sweep_copies": 0},
        {"sweep_inputs": -1},
        {"sweep_price": -1.0},
    ],
)
def test_recipes_without_passes(changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        RECIPE.with_(**changes)


def test_without_a_compiler_a_training_ends_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    assert library() is None
    assert run(tmp_path / "m", RECIPE).test_accuracy > 0.8
