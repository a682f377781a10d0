"""Predicting on many samples."""

from __future__ import annotations

import pytest
import several_heads
import torch
from small_models import Chain, fitted
from tools import require_tool
from torch import Tensor

from difflut.data import Split
from difflut.encoders import Thermometer
from difflut.errors import ConfigError
from difflut.export.engine import native
from difflut.export.engine.engine import Engine
from difflut.functional import group_sum
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel
from difflut.training import accuracy, evaluation, predict, predict_scores


class Small(BaseModel):
    def __init__(self, heads: int = 1) -> None:
        super().__init__("small", input_size=6, num_classes=4)
        self.encoder = Thermometer(2)
        self.heads = heads

    def _build_layers(self) -> None:
        self.layer = LUTLayer(12, 20, 3)
        self.head = GroupSum(4, tau=3.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.layer(self.encoder(x))
        return torch.stack([self.head(bits) for _ in range(self.heads)]).sum(dim=0)


@pytest.fixture
def x() -> Tensor:
    return torch.randint(0, 256, (37, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def small(x: Tensor, heads: int = 1) -> BaseModel:
    torch.manual_seed(0)
    return Small(heads).fit_encoder(x)


@pytest.mark.parametrize("batch_size", [1, 10, 37, 1000])
def test_predict_in_batches(x: Tensor, batch_size: int) -> None:
    model = small(x).train()
    logits = predict(model, x, batch_size)
    assert model.training
    assert not logits.requires_grad
    assert torch.equal(logits, model.eval()(x))
    predict(model, x)
    assert not model.training


def test_predict_scores(x: Tensor) -> None:
    model = small(x).eval()
    scores, classes = predict_scores(model, x, batch_size=10)
    bits = model.layer(model.encoder(x.float() / 255))  # type: ignore[operator]
    assert torch.equal(scores, group_sum(bits, 4))
    assert torch.equal(classes, (scores.float() / 3.0).argmax(dim=1))


def test_ties_go_to_the_lowest_class(x: Tensor) -> None:
    model = small(x).eval()
    for constant in (True, False):
        model.freeze()
        model.lut_layers()[0][1].nodes.tables.fill_(constant)  # type: ignore[operator, union-attr]
        scores, classes = predict_scores(model, x)
        assert scores.unique().tolist() == [5 * constant]
        assert classes.unique().tolist() == [0]


def test_no_samples(x: Tensor) -> None:
    model = small(x)
    assert predict(model, x[:0]).shape == (0, 4)
    scores, classes = predict_scores(model, x[:0])
    assert (scores.shape, classes.shape) == ((0, 4), (0,))


def test_a_model_with_two_heads(x: Tensor) -> None:
    with pytest.raises(ConfigError) as caught:
        predict_scores(small(x, heads=2), x)
    assert str(caught.value) == (
        "model 'small': captured scores of shape (74, 4), expected (37, 4); its forward must call each head once: head"
    )


def test_accuracy_is_the_exact_fraction(x: Tensor) -> None:
    model = small(x).eval()
    y = model(x).argmax(dim=1)
    y[:10] = (y[:10] + 1) % 4
    assert accuracy(model, Split(x, y)) == 27 / 37


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As if PyTorch always took long; how many samples each engine got, less those that its own check takes."""
    require_tool("cc")
    counts: list[int] = []
    classes = Engine.classes
    monkeypatch.setattr(evaluation, "PYTORCH_SECONDS", 0.0)
    monkeypatch.setattr(
        Engine, "classes", lambda self, codes, threads=1: counts.append(len(codes)) or classes(self, codes, threads)
    )
    return counts


@pytest.mark.parametrize("floating", [False, True])
@pytest.mark.parametrize("make", [Chain, several_heads.SeveralHeads, several_heads.Detector])
def test_the_accuracy_of_many_samples_is_the_compiled_models(
    make: type[BaseModel], floating: bool, compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = several_heads.fitted(make()).train()
    many = torch.randint(0, 256, (500, *model.input_shape), dtype=torch.uint8)
    heads = model.output_heads
    decided = heads.decided(predict(model, many))
    labels = torch.where(torch.rand(500, 1) < 0.3, decided.roll(1, 0), decided)
    split = Split(many / 255 if floating else many, labels if heads.targets > 1 else labels[:, 0])
    found = accuracy(model, split)
    assert compiled == [500]
    assert model.training
    monkeypatch.setattr(evaluation, "PYTORCH_SECONDS", 100.0)
    assert found == pytest.approx(accuracy(model, split), abs=1e-12)
    assert compiled == [500]
    assert 0.3 < found < 1


def test_what_hooks_do_is_measured(compiled: list[int]) -> None:
    model = several_heads.fitted(Chain())
    many = torch.randint(0, 256, (500, *model.input_shape), dtype=torch.uint8)
    split = Split(many, predict(model, many).argmax(1))
    handle = model.lut_layers()[-1][1].register_forward_hook(lambda _, __, bits: ~bits)
    assert accuracy(model, split) < 0.9
    handle.remove()
    assert accuracy(model, split) == 1
    assert compiled == [500]


def test_pytorch_measures_what_compiled_code_does_not_give(
    compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fitted(Chain())
    many = torch.randint(0, 256, (500, 6), dtype=torch.uint8)
    labels = predict(model, many).argmax(dim=1)
    assert accuracy(model, Split(many[:300], labels[:300])) == 1  # few samples
    assert accuracy(model, Split(many / 255, labels), rounded=False) == 1
    assert compiled == []
    wrong = Engine.classes
    monkeypatch.setattr(Engine, "classes", lambda self, codes, threads=1: wrong(self, codes, threads) ^ 1)
    assert accuracy(model, Split(many, labels)) == 1
    monkeypatch.setenv("CC", "no-such-compiler")
    native.load.cache_clear()
    assert accuracy(model, Split(many, labels)) == 1
    native.load.cache_clear()
    assert compiled == [500, 500]
