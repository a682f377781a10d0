"""Thresholds that separate the training data, and the report about bits that nothing separates."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import Chain
from torch import Tensor

from difflut.encoders import ENCODERS, DistributiveThermometer, Encoder, Logarithmic, Thermometer, make_encoder
from difflut.encoders.fitting import EncoderReport, report
from difflut.errors import LostFeatureWarning


def quantile_cut(column: list[float], t: int, bits: int) -> float:
    """The threshold of the docstring, by counting."""
    ordered = sorted(column)
    position = len(ordered) * (t + 1) // (bits + 1)
    candidates = sorted({value for value in ordered if value < max(ordered)}) or [ordered[0]]
    not_above = {value: sum(other <= value for other in ordered) for value in candidates}
    value = ordered[position]
    around = [c for c in candidates if c == value] + [c for c in candidates if c < value][-1:]
    return min(around, key=lambda c: (abs(not_above[c] - position - 1), c != value))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0, 2.0]), min_size=1, max_size=30), st.integers(1, 7))
def test_quantile_thresholds_are_the_nearest_ones_that_separate(column: list[float], bits: int) -> None:
    x = torch.tensor(column)[:, None]
    thresholds = DistributiveThermometer(bits).fit(x).thresholds[0]
    expected = [quantile_cut(x[:, 0].tolist(), t, bits) for t in range(bits)]
    assert thresholds.tolist() == expected
    if len(set(column)) > 1:
        assert bool(((x > thresholds).any(dim=0) & (x <= thresholds).any(dim=0)).all())


def test_the_complement_of_data_loses_nothing() -> None:
    """Pixels that are mostly 0, and those that are mostly 255, tell the same."""
    generator = torch.Generator().manual_seed(0)
    rare = torch.rand(500, 40, generator=generator) < torch.linspace(0.01, 0.6, 40)
    pixels = torch.where(rare, torch.randint(1, 256, (500, 40), generator=generator), 0).float()
    bits = {}
    for name, x in (("pixels", pixels), ("complement", 255 - pixels)):
        encoder = DistributiveThermometer(3).fit(x)
        assert report(encoder, x).constant_bits == 0
        bits[name] = encoder(x).view(500, 40, 3)
    agree = bits["pixels"] == ~bits["complement"].flip(2)
    assert agree.float().mean() > 0.98  # not all: a quantile that lies between two samples is rounded up


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([Thermometer, Logarithmic, DistributiveThermometer]),
    st.integers(1, 7),
    st.floats(0.125, 1e6, width=32),
    st.integers(0, 3),
)
def test_every_bit_separates_however_near_the_values_are(
    kind: type[Encoder], bits: int, low: float, steps: int
) -> None:
    high = torch.tensor(low)
    for _ in range(steps):
        high = torch.nextafter(high, torch.tensor(torch.inf))
    x = torch.tensor([[low], [float(high)]])
    found = report(kind(bits).fit(x), x)
    assert found == EncoderReport(bits, 0 if steps else bits, () if steps else (0,), ())


def test_what_is_constant_is_reported() -> None:
    x = torch.zeros(10, 3)
    x[3:, 0], x[:, 1] = torch.arange(1.0, 8.0), 0.5
    x[9, 2] = 1.0
    found = Chain(features=3).fit_encoder(x / 8).encoder_report
    assert found == EncoderReport(bits=6, constant_bits=2, constant_features=(1,), lost_features=())
    assert str(found) == "2 of the encoder's 6 bits are constant in the training data; feature 1 is constant"
    assert found.to_json() == {"bits": 6, "constant_bits": 2, "constant_features": 1, "lost_features": []}
    assert str(EncoderReport(6, 0, (), ())) == ""
    assert str(EncoderReport(6000, 4000, tuple(range(1007)), (2000, 2001))) == (
        "4,000 of the encoder's 6,000 bits are constant in the training data; features 0, 1, 2, 3, 4 and 1,002 more "
        "are constant; features 2000, 2001 are not, but lost: choose finer input codes or other thresholds"
    )


def test_a_feature_that_thresholds_miss_is_lost() -> None:
    class Missing(Encoder):
        def compute_thresholds(self, x: Tensor) -> Tensor:
            return torch.full((x.shape[1], self.bits), 0.9)

    x = torch.tensor([[0.0, 0.0], [0.5, 1.0]])
    assert report(Missing(2).fit(x), x) == EncoderReport(4, 2, (), (0,))


def test_a_feature_that_its_input_codes_do_not_tell_is_lost() -> None:
    x = torch.tensor([[0.0, 0.0001], [0.5, 0.001], [1.0, 0.0]])
    with pytest.warns(LostFeatureWarning) as caught:
        model = Chain(features=2).fit_encoder(x)
    assert model.encoder_report == EncoderReport(4, 2, (), (1,))
    (warning,) = caught
    assert str(warning.message) == (
        "model 'chain': 2 of the encoder's 4 bits are constant in the training data; feature 1 is not, but lost: "
        "choose finer input codes or other thresholds"
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_no_encoder_loses_a_feature(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(400, 30, generator=generator) ** torch.linspace(0.05, 40, 30)
    x = torch.cat([x, (1000 * x).round() / 1000, 1 - x, (x > 0.9).float(), (x < 0.9).float()], dim=1)
    x = x[:, x.amin(dim=0) < x.amax(dim=0)]
    found = report(make_encoder(name, 3).fit(x), x)
    assert found.constant_features == found.lost_features == ()
