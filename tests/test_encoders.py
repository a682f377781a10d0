"""Thermometer encoders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from difflut.encoders import DistributiveThermometer, Encoder, Thermometer
from difflut.errors import ConfigError, DataError, InputShapeError, NotFittedError

ENCODERS = [Thermometer, DistributiveThermometer]


def test_uniform_thresholds() -> None:
    encoder = Thermometer(3).fit(torch.tensor([[0.0, 2.0], [4.0, 2.0], [1.0, 2.0]]))
    assert encoder.thresholds.tolist() == [[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]


def test_distributive_thresholds() -> None:
    """Sorted value at floor(N * (t + 1) / (bits + 1))."""
    x = torch.tensor([[5.0], [1.0], [4.0], [2.0], [3.0], [9.0], [7.0], [8.0]])
    assert DistributiveThermometer(3).fit(x).thresholds.tolist() == [[3.0, 5.0, 8.0]]
    assert DistributiveThermometer(3).fit(x[:1]).thresholds.tolist() == [[5.0, 5.0, 5.0]]


def test_distributive_bits_split_the_data_evenly() -> None:
    x = torch.rand(1000, 1, generator=torch.Generator().manual_seed(0))
    counts = DistributiveThermometer(4).fit(x)(x).sum(dim=0)
    assert counts.tolist() == [799, 599, 399, 199]


@pytest.mark.parametrize("kind", ENCODERS)
def test_output_order_and_monotony(kind: type[Encoder]) -> None:
    x = torch.rand(50, 4, generator=torch.Generator().manual_seed(0))
    encoder = kind(3).fit(x)
    bits = encoder(x)
    assert encoder.fitted
    assert (encoder.features, encoder.output_width) == (4, 12)
    assert bits.dtype == torch.bool
    assert bits.shape == (50, 12)
    for feature in range(4):
        for t in range(3):
            expected = x[:, feature] > encoder.thresholds[feature, t]
            assert torch.equal(bits[:, feature * 3 + t], expected)
    unary = bits.reshape(50, 4, 3)
    assert not bool((unary[..., 1:] & ~unary[..., :-1]).any())


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_value_at_a_threshold_is_not_above_it(kind: type[Encoder]) -> None:
    encoder = kind(2).fit(torch.rand(20, 3, generator=torch.Generator().manual_seed(1)))
    assert not bool(encoder(encoder.thresholds[:, 0][None])[0, ::2].any())


@pytest.mark.parametrize("kind", ENCODERS)
def test_inputs_of_other_layouts(kind: type[Encoder]) -> None:
    x = torch.rand(6, 5, generator=torch.Generator().manual_seed(0))
    encoder = kind(2).fit(x)
    assert torch.equal(encoder(x.t().contiguous().t()), encoder(x))
    assert torch.equal(encoder(x.double()), encoder(x))
    assert encoder(x[:0]).shape == (0, 10)
    assert torch.equal(kind(2).fit(x.t().contiguous().t()).thresholds, encoder.thresholds)


def test_fit_again_replaces_the_thresholds() -> None:
    encoder = Thermometer(1).fit(torch.tensor([[0.0], [1.0]]))
    encoder.fit(torch.tensor([[0.0, 0.0], [4.0, 8.0]]))
    assert encoder.thresholds.tolist() == [[2.0], [4.0]]


def test_not_fitted() -> None:
    encoder = Thermometer(2)
    assert not encoder.fitted
    with pytest.raises(NotFittedError) as caught:
        encoder(torch.zeros(1, 1))
    assert str(caught.value) == "Thermometer is not fitted; call fit(training_data) first"


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 3, 4)])
def test_fit_on_a_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError) as caught:
        DistributiveThermometer(2).fit(torch.zeros(shape))
    assert str(caught.value) == (
        f"DistributiveThermometer.fit: got data of shape {shape}; expected (samples, features) with at least one of each"
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_fit_on_numbers_that_are_none(bad: float) -> None:
    with pytest.raises(DataError) as caught:
        Thermometer(2).fit(torch.tensor([[0.0], [bad]]))
    assert str(caught.value) == "Thermometer.fit: the data contain NaN or infinity; remove or replace them"


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3), (4, 2, 1)])
def test_call_on_a_wrong_shape(shape: tuple[int, ...]) -> None:
    encoder = Thermometer(2).fit(torch.tensor([[0.0, 1.0], [1.0, 3.0]]))
    with pytest.raises(InputShapeError) as caught:
        encoder(torch.zeros(shape))
    assert str(caught.value) == (
        f"Thermometer: got numbers of shape {shape}; expected (samples, 2), the features that it was fitted on"
    )


def test_one_feature_does_not_broadcast() -> None:
    encoder = Thermometer(2).fit(torch.tensor([[0.0], [1.0]]))
    with pytest.raises(InputShapeError):
        encoder(torch.zeros(4, 5))


def test_no_bits() -> None:
    with pytest.raises(ConfigError) as caught:
        Thermometer(0)
    assert str(caught.value) == "Thermometer: bits is 0; it must be at least 1"


def test_a_subclass_with_thresholds_of_a_wrong_shape() -> None:
    class Crooked(Encoder):
        def compute_thresholds(self, x: Tensor) -> Tensor:
            return torch.zeros(self.bits, x.shape[1])

    with pytest.raises(ConfigError) as caught:
        Crooked(2).fit(torch.zeros(5, 3))
    assert str(caught.value) == ("Crooked.compute_thresholds: gave shape (2, 3); expected (features, bits) = (3, 2)")
