"""What all encoders have in common, and the thermometers; the other codes are in test_encoders_codes.py."""

from __future__ import annotations

import statistics

import pytest
import torch
from torch import Tensor

from difflut.encoders import (
    ENCODERS,
    DistributiveThermometer,
    Encoder,
    GaussianThermometer,
    Logarithmic,
    Thermometer,
    make_encoder,
)
from difflut.errors import ConfigError, DataError, InputShapeError, NotFittedError, UnknownNameError

THERMOMETERS = [Thermometer, GaussianThermometer, DistributiveThermometer, Logarithmic]


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


def test_gaussian_thresholds() -> None:
    """Equal parts of the normal distribution with each feature's mean and population deviation."""
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 3.0]) + 2
    encoder = GaussianThermometer(3).fit(x)
    for feature, thresholds in enumerate(encoder.thresholds.tolist()):
        column = x[:, feature].tolist()
        normal = statistics.NormalDist(statistics.fmean(column), statistics.pstdev(column))
        assert thresholds == pytest.approx([normal.inv_cdf(p) for p in (0.25, 0.5, 0.75)], abs=1e-6)


def test_gaussian_thresholds_of_one_sample_and_of_constants_are_the_value() -> None:
    assert GaussianThermometer(3).fit(torch.tensor([[0.1]])).thresholds.tolist() == torch.full((1, 3), 0.1).tolist()
    constant = torch.full((977, 1), 0.1)
    encoder = GaussianThermometer(3).fit(constant)
    assert torch.equal(encoder.thresholds, constant[:1].expand(1, 3))


def test_logarithmic_thresholds() -> None:
    """Equal ratios from the smallest positive value to the largest; zeros do not count."""
    x = torch.tensor([[1.0, 0.0, 0.0, 0.3], [16.0, 0.0, 81.0, 0.3], [2.0, 0.0, 1.0, 0.3]])
    thresholds = Logarithmic(3).fit(x).thresholds
    torch.testing.assert_close(thresholds[:3], torch.tensor([[2.0, 4.0, 8.0], [0.0, 0.0, 0.0], [3.0, 9.0, 27.0]]))
    assert torch.equal(thresholds[3], torch.full((3,), 0.3))


def test_logarithmic_bits_of_zero_and_of_negative_numbers_are_zero() -> None:
    encoder = Logarithmic(2).fit(torch.tensor([[1.0], [8.0]]))
    assert encoder(torch.tensor([[-5.0], [0.0], [3.0], [5.0]])).tolist() == [[False] * 2] * 2 + [
        [True, False],
        [True] * 2,
    ]


def test_logarithmic_refuses_negative_training_data() -> None:
    with pytest.raises(DataError) as caught:
        Logarithmic(2).fit(torch.tensor([[1.0, 0.5], [2.0, -1.5]]))
    assert str(caught.value) == (
        "Logarithmic.fit: feature 1 has negative values, the lowest -1.5; logarithmic thresholds need values >= 0: "
        "shift the data, or use SignMagnitude"
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_constant_features_and_few_values(name: str) -> None:
    """A number at the constant and one below it have the lowest code, and training data of few values work."""
    x = torch.tensor([[0.0, 0.7, 0.1], [0.0, 0.7, 0.9], [0.0, 0.7, 0.1]])
    encoder = make_encoder(name, 3).fit(x)
    bits = encoder(torch.cat([x, x + 1])).unflatten(1, (3, 3))
    assert torch.equal(bits[0, :2], bits[1, :2])
    assert not torch.equal(bits[0, 0], bits[3, 0])  # 0 and 1
    if name != "sign_magnitude":  # its levels start at 0, not at the lowest value
        assert not torch.equal(bits[0, 1], bits[3, 1])


@pytest.mark.parametrize("name", ENCODERS)
def test_numbers_outside_the_fitted_range_clamp(name: str) -> None:
    x = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    encoder = make_encoder(name, 3).fit(x)
    low, high = (-1.0, 2.0) if name == "sign_magnitude" else (0.0, 2.0)
    expected = encoder(torch.tensor([[low, low], [high, high]]))
    for far in (1e3, float("inf")):
        assert torch.equal(encoder(torch.tensor([[-far, -far], [far, far]])), expected)


@pytest.mark.parametrize("name", ENCODERS)
def test_nan_is_an_error(name: str) -> None:
    encoder = make_encoder(name, 3).fit(torch.tensor([[0.0], [1.0]]))
    with pytest.raises(DataError, match="the model's input contains NaN"):
        encoder(torch.tensor([[0.5], [float("nan")]]))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_has_bits_per_feature(name: str) -> None:
    encoder = make_encoder(name, 4)
    assert encoder.output_width == 0
    encoder.fit(torch.rand(20, 3, generator=torch.Generator().manual_seed(0)))
    assert encoder.output_width == 12
    assert encoder.thresholds.shape == (3, encoder.thresholds_per_feature)
    assert encoder(torch.rand(5, 3)).shape == (5, 12)
    assert encoder(torch.rand(0, 3)).shape == (0, 12)
    assert encoder(torch.rand(5, 3)).dtype == torch.bool


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("grey", "did you mean gray or binary?"),
        (
            "xyz",
            "known: binary, distributive, gaussian, gray, logarithmic, one_hot, sign_magnitude, thermometer",
        ),
    ],
)
def test_unknown_encoder(name: str, hint: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        make_encoder(name, 3)
    assert str(caught.value) == f"unknown encoder {name!r}; {hint}"


def test_data_that_overflow() -> None:
    with pytest.raises(DataError) as caught:
        Thermometer(2).fit(torch.tensor([[-3e38], [3e38]]))
    assert str(caught.value) == "Thermometer.fit: the data's range of -3e+38 to 3e+38 overflows float32; scale the data"


def test_a_subclass_with_descending_thresholds() -> None:
    class Falling(Encoder):
        def compute_thresholds(self, x: Tensor) -> Tensor:
            return torch.tensor([[1.0, 0.0]])

    with pytest.raises(ConfigError) as caught:
        Falling(2).fit(torch.zeros(5, 1))
    assert str(caught.value) == (
        "Falling.compute_thresholds: gave thresholds that descend; sort them along the last axis"
    )


@pytest.mark.parametrize("kind", THERMOMETERS)
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


@pytest.mark.parametrize("kind", THERMOMETERS)
def test_a_value_at_a_threshold_is_not_above_it(kind: type[Encoder]) -> None:
    encoder = kind(2).fit(torch.rand(20, 3, generator=torch.Generator().manual_seed(1)))
    assert not bool(encoder(encoder.thresholds[:, 0][None])[0, ::2].any())


@pytest.mark.parametrize("kind", THERMOMETERS)
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
        f"DistributiveThermometer.fit: got data of shape {shape}; expected (samples, features) with at least one of "
        "each"
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
    assert str(caught.value) == (
        "Crooked.compute_thresholds: gave shape (2, 3); expected (features, thresholds_per_feature) = (3, 2)"
    )
