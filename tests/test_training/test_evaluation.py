"""Predicting on many samples."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from difflut.data import Split
from difflut.encoders import Thermometer
from difflut.errors import ConfigError
from difflut.functional import group_sum
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel
from difflut.training import accuracy, predict, predict_scores


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
