"""Thresholds on a grid of the codes' upper bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from difflut.encoders import DistributiveThermometer, Encoder, GaussianThermometer, Thermometer
from difflut.encoders.grid import snap
from difflut.errors import ConfigError
from difflut.export.circuit.simulate import simulate
from difflut.export.families.registry import FAMILIES
from difflut.export.frontend.trace import trace
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.input_format import InputFormat
from difflut.models import MNISTFullyConnected
from difflut.training import predict_scores

FORMATS = [InputFormat(), InputFormat(6, True, 4.0), InputFormat(4, False, 15.0), InputFormat(16, True, 256.0)]


def first_codes(thresholds: torch.Tensor, form: InputFormat) -> np.ndarray:
    """The lowest code above each threshold, counted from the lowest code; one past the end if there is none."""
    values = form.values(form.all_codes())
    return np.searchsorted(values.numpy(), thresholds.numpy(), side="right")


def codes_of(values: list[int]) -> torch.Tensor:
    return InputFormat().values(torch.tensor(values))[:, None]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), form=st.sampled_from(FORMATS), count=st.integers(1, 7))
def test_every_threshold_is_on_the_grid_and_distinct_ones_stay_distinct(
    data: st.DataObject, form: InputFormat, count: int
) -> None:
    grid_bits = data.draw(st.integers((count + 1).bit_length() if count > 1 else 1, form.width_bits))
    codes = data.draw(st.lists(st.integers(form.lowest, form.highest), min_size=count, max_size=count))
    before = form.values(torch.tensor([sorted(codes)]))
    after = snap(before, grid_bits, form)
    step = 1 << (form.width_bits - grid_bits)
    cuts = first_codes(after, form)
    assert (cuts % step == 0).all()
    assert ((cuts >= step) & (cuts <= (1 << form.width_bits) - step)).all()
    np.testing.assert_array_equal(np.diff(cuts[0]) > 0, np.diff(sorted(codes)) > 0)
    values = form.values(form.all_codes())
    np.testing.assert_array_equal((values > after[0, 0]).numpy(), np.arange(1 << form.width_bits) >= cuts[0, 0])


def test_the_nearest_place() -> None:
    """x > 0 becomes code >= 8 on five bits, x > 100 (code >= 101) becomes code >= 104, x > 254 code >= 248."""
    thresholds = codes_of([0, 100, 254]).T
    assert first_codes(snap(thresholds, 5, InputFormat()), InputFormat()).tolist() == [[8, 104, 248]]
    assert first_codes(snap(thresholds, 8, InputFormat()), InputFormat()).tolist() == [[1, 101, 255]]


def test_crowded_thresholds_move_up_and_at_the_end_down() -> None:
    form = InputFormat()
    crowded = torch.cat([codes_of([0, 1, 2]).T, codes_of([252, 253, 254]).T, codes_of([0, 0, 3]).T])
    assert first_codes(snap(crowded, 4, form), form).tolist() == [[16, 32, 48], [208, 224, 240], [16, 16, 32]]


def test_a_grid_of_features_that_differ() -> None:
    form = InputFormat(8, False, (255.0, 2.0), (0.0, -3.0))
    before = form.values(torch.tensor([[20, 20], [100, 100], [200, 200]])).t()
    after = snap(before, 4, form)
    for feature in (0, 1):
        assert first_codes(after[feature : feature + 1], form.of_feature(feature)).tolist() == [[16, 96, 208]]


def test_the_finest_grid_changes_no_decision() -> None:
    x = InputFormat().values(torch.randint(0, 255, (500, 20), generator=torch.Generator().manual_seed(0)))
    every = InputFormat().values(torch.arange(256))[:, None].expand(-1, 20)
    free, fine = (DistributiveThermometer(3, grid_bits=g).fit(x) for g in (None, 8))
    assert not torch.equal(free.thresholds, fine.thresholds)
    assert torch.equal(free(every), fine(every))


@pytest.mark.parametrize("kind", [Thermometer, GaussianThermometer, DistributiveThermometer])
def test_all_thermometers_take_a_grid(kind: type[Thermometer]) -> None:
    x = InputFormat().values(torch.randint(0, 256, (50, 4), generator=torch.Generator().manual_seed(0)))
    encoder: Encoder = kind(3, grid_bits=4).fit(x)
    assert (first_codes(encoder.thresholds, InputFormat()) % 16 == 0).all()
    assert repr(encoder) == f"{kind.__name__}(bits=3, features=4, grid_bits=4)"


@pytest.mark.parametrize(
    ("bits", "grid_bits", "message"),
    [
        (3, 0, "Thermometer: grid_bits is 0; it must be from 1 to 16, the bits of an input code"),
        (3, 9, "Thermometer: grid_bits is 9; it must be from 1 to 8, the bits of an input code"),
        (
            4,
            2,
            (
                "Thermometer: 4 thresholds do not fit on a grid of 2 bits, which has 3 places; raise grid_bits or "
                "lower bits"
            ),
        ),
    ],
)
def test_impossible_grids(bits: int, grid_bits: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Thermometer(bits, grid_bits=grid_bits).fit(torch.tensor([[0.0], [1.0]]), InputFormat())
    assert str(caught.value) == message


def test_a_model_with_a_grid_exports_exactly_and_its_comparisons_read_the_upper_bits(tmp_path) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    images = torch.randint(0, 256, (200, 28, 28), dtype=torch.uint8)
    model = MNISTFullyConnected("grid", (200, 100), grid_bits=5).fit_encoder(images).eval()
    netlist = trace(model)
    assert (netlist.compare_threshold % 8 == 0).all()
    plan = plan_encoder(netlist, FAMILIES["xcup"])
    assert plan.levels == 1
    assert plan.luts < 0.6 * netlist.comparators
    scores, _ = predict_scores(model, images)
    np.testing.assert_array_equal(simulate(netlist, images.reshape(200, -1).numpy()).scores, scores.numpy())
    model.save_checkpoint(tmp_path / "grid.safetensors")
    loaded = MNISTFullyConnected("grid", (200, 100)).load_checkpoint(tmp_path / "grid.safetensors")
    assert torch.equal(loaded.encoder.thresholds, model.encoder.thresholds)
