"""The group sum head."""

from __future__ import annotations

import pytest
import torch

from difflut.errors import ConfigError, InputShapeError
from difflut.heads import GroupSum


@pytest.mark.parametrize("tau", [1.0, 3.3, 10])
@pytest.mark.parametrize("samples", [0, 1, 5])
def test_train_and_eval_agree(samples: int, tau: float) -> None:
    bits = torch.rand(samples, 12, generator=torch.Generator().manual_seed(0)) < 0.5
    head = GroupSum(3, tau)
    trained = head.train()(bits.float())
    evaluated = head.eval()(bits)
    assert trained.dtype == evaluated.dtype == torch.float32
    assert evaluated.shape == (samples, 3)
    assert torch.equal(trained, evaluated)
    assert torch.equal(head(bits.float()), evaluated)


def test_logits_are_counts_over_tau() -> None:
    bits = torch.tensor([[True, False, True, True]])
    assert GroupSum(2, 2.0).eval()(bits).tolist() == [[0.5, 1.0]]


def test_gradient() -> None:
    bits = torch.ones(2, 4, requires_grad=True)
    GroupSum(2, 4.0)(bits)[:, 1].sum().backward()
    assert bits.grad is not None
    assert bits.grad.tolist() == [[0.0, 0.0, 0.25, 0.25]] * 2


@pytest.mark.parametrize("training", [True, False])
def test_wrong_bits(training: bool) -> None:
    head = GroupSum(3).train(training)
    with pytest.raises(ConfigError) as caught:
        head(torch.zeros(2, 10))
    assert str(caught.value) == (
        "group sum: 10 bits do not split into 3 equal groups; make the last layer's number of nodes a multiple of the "
        "number of classes"
    )
    with pytest.raises(InputShapeError) as refused:
        head(torch.zeros(2, 3, 3))
    assert str(refused.value) == "GroupSum: got bits of shape (2, 3, 3); expected (samples, bits)"


def test_wrong_arguments() -> None:
    with pytest.raises(ConfigError) as caught:
        GroupSum(0)
    assert str(caught.value) == "GroupSum: classes is 0; it must be at least 1"
    for tau in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError) as caught:
            GroupSum(2, tau)
        assert str(caught.value) == f"GroupSum: tau is {tau}; it must be positive"


def test_an_offset_is_added_to_every_score() -> None:
    bits = torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0]])
    for head in (GroupSum(2, 2.0, 0.5), GroupSum(2, 2.0, 0.5).eval()):
        assert head(bits.bool()).tolist() == [[0.75, 1.25], [0.25, 0.75]]
    with pytest.raises(ConfigError) as caught:
        GroupSum(2, 1.0, 1e6)
    assert str(caught.value) == "GroupSum: offset is 1000000.0; expected one from -65536 to 65536"
