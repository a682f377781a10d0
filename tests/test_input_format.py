"""Codes of hardware and the numbers that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from difflut.codes import nearest_codes
from difflut.errors import ConfigError, DataError
from difflut.export.circuit.netlist import InputFormat as NetlistFormat
from difflut.input_format import InputFormat


@given(width_bits=st.integers(1, 16), signed=st.booleans())
def test_range(width_bits: int, signed: bool) -> None:
    form = InputFormat(width_bits, signed)
    codes = form.all_codes()
    assert codes.tolist() == list(range(form.lowest, form.highest + 1))
    assert len(codes) == 1 << width_bits
    assert (form.lowest < 0) == signed


def test_a_pixel_is_its_code_over_255() -> None:
    expected = np.arange(256, dtype=np.float32) / np.float32(255)
    values = InputFormat().values(torch.arange(256, dtype=torch.uint8))
    assert values.dtype == torch.float32
    assert np.array_equal(values.numpy(), expected)


@pytest.mark.parametrize("form", [InputFormat(), InputFormat(12, True, 2.0**7), InputFormat(16, True, 1 / 3)])
def test_quantize_undoes_values(form: InputFormat) -> None:
    codes = form.all_codes()
    assert torch.equal(form.quantize(form.values(codes)).long(), codes)


def test_quantize_rounds_and_clamps() -> None:
    form = InputFormat(4, True, 2.0)
    x = torch.tensor([[-100.0, -4.0, -0.3, 0.2, 0.3, 3.5, float("inf")]])
    codes = form.quantize(x)
    assert codes.dtype == torch.int32
    assert codes.tolist() == [[-8, -8, -1, 0, 1, 7, 7]]
    assert form.quantize(torch.tensor([[3, -2]])).tolist() == [[3, -2]]


def test_quantize_of_half_precision_keeps_all_codes() -> None:
    assert InputFormat(16).quantize(torch.tensor([200.0], dtype=torch.float16)).item() == 51_000


def test_quantize_refuses_nan() -> None:
    with pytest.raises(DataError) as caught:
        InputFormat().quantize(torch.tensor([0.5, float("nan")]))
    assert str(caught.value) == "cannot quantize NaN; replace missing values first"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(width=64, allow_nan=False) | st.floats(-300, 300), min_size=1, max_size=20),
    st.sampled_from(
        [InputFormat(), InputFormat(12, True, 2.0**8), InputFormat(16, True, 1 / 3), InputFormat(1, True, 3.0)]
    ),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
def test_torch_and_numpy_round_alike(numbers: list[float], form: InputFormat, dtype: torch.dtype) -> None:
    """And as torch itself would compute it, also at ties, infinities and numbers that only float64 has."""
    ties = [(code + 0.5) / form.divisor for code in range(-5, 5)]
    x = torch.tensor([*numbers, *ties, 0.0, -0.0, float("inf"), -float("inf")], dtype=torch.float64).to(dtype)
    codes = form.quantize(x)
    assert codes.dtype == torch.int32
    expected = (x.to(torch.float32) * form.divisor).round().clamp(form.lowest, form.highest).to(torch.int32)
    assert torch.equal(codes, expected)
    for width in (np.float32, np.float64):
        if dtype is not torch.float64 or width is np.float64:
            own = nearest_codes(x.double().numpy().astype(width), form, form.divisor)
            assert own.dtype == np.int32 and own.tolist() == codes.tolist()


def test_wide_codes_clamp_to_the_highest_that_there_is() -> None:
    """float32 rounds 2**31 - 1 up; a netlist may have codes of 31 bits."""
    for form, ends in (
        (NetlistFormat(1, 31), [0, 2**31 - 1]),
        (NetlistFormat(1, 31, signed=True), [-(2**30), 2**30 - 1]),
    ):
        assert nearest_codes(np.array([-np.inf, np.inf]), form, 1.0).tolist() == ends


@pytest.mark.parametrize(
    ("form", "codes", "message"),
    [
        (InputFormat(), [0, 256], "got integer codes from 0 to 256; the input format has 8 bits, codes from 0 to 255"),
        (
            InputFormat(4, True),
            [-9],
            "got integer codes from -9 to -9; the input format has 4 bits, codes from -8 to 7",
        ),
    ],
)
def test_codes_outside_the_format(form: InputFormat, codes: list[int], message: str) -> None:
    with pytest.raises(DataError) as caught:
        form.values(torch.tensor(codes))
    assert str(caught.value) == message


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.uint16, torch.int16, torch.int32, torch.int64])
def test_codes_of_any_integer_dtype(dtype: torch.dtype) -> None:
    form = InputFormat(6, divisor=1.0)
    assert form.values(torch.tensor([0, 63], dtype=dtype)).tolist() == [0.0, 63.0]
    with pytest.raises(DataError):
        form.values(torch.tensor([64], dtype=dtype))


def test_no_codes() -> None:
    assert InputFormat(4).values(torch.empty(0, 3, dtype=torch.int64)).shape == (0, 3)


@pytest.mark.parametrize("width_bits", [0, 17])
def test_width_out_of_range(width_bits: int) -> None:
    with pytest.raises(ConfigError) as caught:
        InputFormat(width_bits)
    assert str(caught.value) == f"InputFormat: width_bits is {width_bits}; it must be from 1 to 16"


@pytest.mark.parametrize("divisor", [0.0, -1.0, float("nan")])
def test_divisor_out_of_range(divisor: float) -> None:
    with pytest.raises(ConfigError) as caught:
        InputFormat(divisor=divisor)
    assert str(caught.value) == f"InputFormat: divisor is {divisor}; it must be positive"


@pytest.mark.parametrize("divisor", [float("inf"), 1e39, 1e-50])
def test_divisor_that_float32_does_not_have(divisor: float) -> None:
    with pytest.raises(ConfigError) as caught:
        InputFormat(divisor=divisor)
    assert str(caught.value) == f"InputFormat: divisor is {divisor}; it must be from 2**-126 to 2**127"


def test_json() -> None:
    assert InputFormat().to_json() == {"width_bits": 8, "signed": False, "divisor": 255.0, "offset": 0.0}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=20),
    st.integers(1, 16),
    st.booleans(),
)
def test_a_fitted_format_has_the_ends_of_the_data_as_its_ends(rows: list[list[float]], bits: int, shared: bool) -> None:
    x = torch.tensor(rows)
    form = InputFormat.fit(x, bits, shared=shared)
    assert form == InputFormat.fit(x.numpy(), bits, shared=shared)
    assert form.features == (None if shared else 3)
    low, high = (x.amin(), x.amax()) if shared else (x.amin(dim=0), x.amax(dim=0))
    codes = form.quantize(x)
    wide = (high - low) > 1e-3 * torch.maximum(low.abs(), high.abs())  # float32 has all the steps of 8 bits
    assert not bool((codes[(x == low).expand_as(x)] != 0).any())
    if bits <= 8:
        assert bool((codes[((x == high) & wide & (high > low)).expand_as(x)] == form.highest).all())
        step = ((high - low) / form.highest).expand_as(x)
        near = (form.rounded(x) - x).abs() <= 0.51 * step
        assert bool((near | ~wide.expand_as(x)).all())


def test_a_constant_feature_has_the_lowest_code() -> None:
    form = InputFormat.fit(torch.tensor([[3.0, 1.0], [3.0, 2.0]]), 4)
    assert form == InputFormat(4, False, (1.0, 15.0), (3.0, 1.0))
    assert form.values(torch.tensor([[0, 0], [2, 15]])).tolist() == [[3.0, 1.0], [5.0, 2.0]]


@pytest.mark.parametrize(
    ("data", "bits", "message"),
    [
        (torch.zeros(3, 2, dtype=torch.uint8), 8, "InputFormat.fit: got uint8 (3, 2); expected floating numbers"),
        (torch.zeros(0, 2), 8, "InputFormat.fit: got float32 (0, 2); expected floating numbers"),
        (
            torch.tensor([[float("nan")]]),
            8,
            "InputFormat.fit: the data contain NaN or infinity; remove or replace them",
        ),
        (
            torch.tensor([[0.0], [1e-38]]),
            8,
            "InputFormat.fit: feature 0 of 0 to 1e-38: float32 does not have its steps",
        ),
        (torch.zeros(3, 2), 10**9, "InputFormat: width_bits is 1000000000; it must be from 1 to 16"),
    ],
)
def test_data_that_have_no_format(data: torch.Tensor, bits: int, message: str) -> None:
    with pytest.raises((ConfigError, DataError)) as caught:
        InputFormat.fit(data, bits)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("divisor", "offset", "message"),
    [
        ((1.0, 2.0), (0.0, 1.0, 2.0), "InputFormat: 2 divisors and 3 offsets; expected one for all features or one"),
        ((), 0.0, "InputFormat: 0 divisors and 1 offsets; expected one for all features or one for each"),
        (1.0, float("inf"), "InputFormat: offset is inf; it must be from -2**127 to 2**127"),
        ((1.0, -1.0), 0.0, "InputFormat: divisor is -1.0; it must be positive"),
    ],
)
def test_divisors_and_offsets_that_do_not_fit(divisor: object, offset: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        InputFormat(8, False, divisor, offset)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_samples_of_other_features() -> None:
    form = InputFormat(8, False, (1.0, 2.0))
    for take in (form.quantize, form.rounded):
        with pytest.raises(DataError) as caught:
            take(torch.zeros(4, 3))
        assert str(caught.value) == (
            "got samples of shape (4, 3); the input format is made for 2 features: expected (samples, ...) with so "
            "many a sample"
        )
