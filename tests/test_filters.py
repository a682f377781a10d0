"""Integer filters: PyTorch against `conv2d` of integers, what is refused, checkpoints, and the circuit's sums."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from convolutions import FILTERED, Plan, Stack, Step, made
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import random_codes
from torch import Tensor
from torch.nn import functional

from difflut.encoders import KERNELS, DistributiveThermometer, Filter, Thermometer
from difflut.errors import ConfigError, DataError, InputShapeError, UnknownNameError
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import TraceError
from difflut.export.frontend.trace import trace, trace_circuit
from difflut.functional import MOST_SUM
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import LUTLayer
from difflut.models import BaseModel
from difflut.training import predict_scores

PIXELS = InputFormat()
CORNER = [[5, 0, 0], [0, 0, 0], [0, 0, -2]]  # no symmetry: neither axis can be mirrored or exchanged unnoticed


def by_conv2d(codes: Tensor, weights: Tensor) -> Tensor:
    """The sums, int64, by PyTorch's own cross-correlation of integers, with zeros beyond the border."""
    padding = (weights.shape[2] // 2, weights.shape[3] // 2)
    return functional.conv2d(codes.long(), weights.long(), padding=padding)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_sums_are_those_of_conv2d(data: st.DataObject) -> None:
    draw = data.draw
    form = InputFormat(draw(st.integers(1, 12)), draw(st.booleans()), draw(st.sampled_from([1.0, 255.0, 3.7])), 0.3)
    channels, rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    sides = st.sampled_from([1, 3, 5])

    def kernel(*shape: int) -> Tensor:
        numbers = st.lists(st.integers(-9, 9), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
        return torch.tensor(draw(numbers)).reshape(shape)

    kernels = [kernel(draw(sides), draw(sides)), kernel(channels, draw(sides), draw(sides)), "sobel_y"]
    layer = Filter(kernels, channels)
    assert layer.sums == channels + 1 + channels
    codes = torch.randint(form.lowest, form.highest + 1, (3, channels, rows, columns))
    for training in (True, False):
        sums = layer.train(training)(form.values(codes), form)
        assert sums.dtype == torch.float32
        assert torch.equal(sums.long(), by_conv2d(codes, layer.weights))
    torch.testing.assert_close(sums, sums.round(), rtol=0, atol=0)


def test_the_known_kernels_see_edges() -> None:
    step = torch.zeros(1, 1, 4, 6, dtype=torch.int64)
    step[..., 3:] = 200  # dark left, bright right
    sobel_x, sobel_y, laplacian, same = Filter(["sobel_x", "sobel_y", "laplacian", "identity"])(
        PIXELS.values(step), PIXELS
    )[0]
    assert sobel_x[1].tolist() == [0, 0, 800, 800, 0, -800]  # the last column borders on zeros
    assert sobel_x[0].tolist() == [0, 0, 600, 600, 0, -600]
    assert sobel_y[1].tolist() == [0] * 6
    assert sobel_y[0].tolist() == [0, 0, 200, 600, 800, 600]  # the row above is zeros
    assert laplacian[1].tolist() == [0, 0, -600, 600, 0, 600]
    assert torch.equal(same, step[0, 0].float())


def test_another_kernel_is_another_function() -> None:
    """What the comparison with `conv2d` would miss if kernels had these symmetries."""
    codes = torch.randint(0, 256, (20, 1, 5, 5), generator=torch.Generator().manual_seed(0))
    sums = Filter([CORNER])(PIXELS.values(codes), PIXELS)
    for other in (torch.tensor(CORNER).flip(0), torch.tensor(CORNER).flip(1), torch.tensor(CORNER).flip(0, 1)):
        assert not torch.equal(sums, Filter([other])(PIXELS.values(codes), PIXELS))
    assert not torch.equal(
        Filter(["sobel_x"])(PIXELS.values(codes), PIXELS), Filter(["sobel_y"])(PIXELS.values(codes), PIXELS)
    )


def test_the_largest_sums_are_exact() -> None:
    form = InputFormat(16)
    weights = [[[85, -85, 85]]]
    codes = torch.tensor([[[[65535, 0, 65535], [0, 65535, 0]]]])
    sums = Filter(weights)(form.values(codes), form)
    assert torch.equal(sums.long(), by_conv2d(codes, torch.tensor(weights)[None]))
    assert int(sums.max()) == 2 * 85 * 65535 < MOST_SUM
    with pytest.raises(ConfigError) as caught:
        Filter([[[86, -86, 86]]])(form.values(codes), form)
    assert str(caught.value) == (
        "filter: sum 0 may be 16,908,030 with codes up to 65,535; expected less than 16,777,216, as float32 has no "
        "larger integers without gaps: use smaller weights or narrower input codes"
    )


def test_numbers_are_rounded_to_codes_first() -> None:
    layer = Filter(["identity"])
    numbers = torch.tensor([[[[0.0, 0.4, 0.6], [254.4, 254.6, 900.0]]]]) / 255
    assert layer(numbers, PIXELS)[0, 0].tolist() == [[0, 0, 1], [254, 255, 255]]
    with pytest.raises(DataError):
        layer(torch.full((1, 1, 2, 2), torch.nan), PIXELS)


@pytest.mark.parametrize(
    ("kernels", "error", "message"),
    [
        (["sobel"], UnknownNameError, "unknown kernel 'sobel'; known: identity, laplacian, sobel_x, sobel_y"),
        ([], ConfigError, "Filter: 0 kernels for 2 channels; expected at least one of each"),
        (
            [[[1, 2]]],
            ConfigError,
            "Filter: a kernel of shape (1, 2) and type torch.int64; expected integers (rows, columns) or (2, ",
        ),
        (
            [[[0.5]]],
            ConfigError,
            "Filter: a kernel of shape (1, 1) and type torch.float32; expected integers (rows, columns) or (2, ",
        ),
        (
            [torch.ones(3, 1, 1, dtype=torch.int64)],
            ConfigError,
            "Filter: a kernel of shape (3, 1, 1) and type torch.int64; expected integers (rows, columns) or (2, ",
        ),
        ([[[40000]]], ConfigError, "Filter: a kernel has weights up to 40000; expected 32768 at most"),
        ([[[1], [1, 2]]], ConfigError, "Filter: a kernel is no array of integers"),
    ],
)
def test_unusable_kernels(kernels: list[Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        Filter(kernels, 2)
    assert str(caught.value).startswith(message)


def test_unusable_numbers() -> None:
    layer = Filter(["sobel_x"], 2)
    with pytest.raises(InputShapeError) as shape:
        layer(torch.zeros(1, 3, 4, 4), PIXELS)
    assert str(shape.value) == "Filter: got numbers of shape (1, 3, 4, 4); expected (samples, 2, rows, columns)"
    with pytest.raises(ConfigError) as scale:
        layer(torch.zeros(1, 2, 1, 1), InputFormat(8, False, (1.0, 2.0)))
    assert str(scale.value) == (
        "Filter: the input format differs between features, so their codes have no common scale; give the model "
        "input_format=InputFormat.fit(training_data, bits, shared=True)"
    )


class Edges(BaseModel):
    """No convolution: thresholds of every pixel's own, on some of the sums, on pixels and sums joined."""

    def __init__(self, bits: int = 3, input_format: InputFormat | None = None) -> None:
        super().__init__("edges", 15, 2, input_shape=(3, 5), input_format=input_format)
        self.filter = Filter(["sobel_x", CORNER])
        self.encoder = DistributiveThermometer(bits)
        self.joined = Thermometer(2)

    def _build_layers(self) -> None:
        self.layer = LUTLayer(self.encoder.output_width + self.joined.output_width, 12, 4)
        self.head = GroupSum(2)

    def _forward_impl(self, x: Tensor) -> Tensor:
        sums = self.filter(x, self.input_format)
        some = self.encoder(sums[:, :, 1:, ::2].flatten(1))
        both = self.joined(torch.cat([x.flatten(1), sums.flip(-1).flatten(1)], dim=1))
        return self.head(self.layer(torch.cat([some, both], dim=1)))


@pytest.mark.parametrize("form", [None, InputFormat(3, True, 2.0, 1.0), InputFormat(1), InputFormat(1, True, 1.0)])
def test_thresholds_of_every_pixel(form: InputFormat | None) -> None:
    torch.manual_seed(0)
    model = Edges(input_format=form)
    codes = random_codes(model, 300, 0)
    model.fit_encoder(codes).eval()
    scores, classes = predict_scores(model, codes)
    outputs = simulate(trace(model), codes.reshape(300, -1).numpy())
    np.testing.assert_array_equal(outputs.scores, scores.numpy())
    np.testing.assert_array_equal(outputs.classes, classes.numpy())


def test_thresholds_at_and_beyond_the_ends_of_a_sum() -> None:
    """At the ends, between integers, at them, and where no sum comes."""
    model = Edges(bits=8)
    model.fit_encoder(random_codes(model, 30, 0))
    ends = [-1e9, -1021.0, -1020.5, -1020.0, 0.5, 1019.0, 1020.0, 3e38]
    model.encoder.thresholds = torch.tensor(ends).repeat(model.encoder.features, 1)
    model.eval()
    codes = torch.randint(0, 2, (400, 3, 5), generator=torch.Generator().manual_seed(1)) * 255
    scores, _ = predict_scores(model, codes)
    np.testing.assert_array_equal(simulate(trace(model), codes.reshape(400, -1).numpy()).scores, scores.numpy())


def test_a_checkpoint_has_the_kernels(tmp_path: Path) -> None:
    model = made(FILTERED)
    model.save_checkpoint(tmp_path / "net.safetensors")
    again = Stack(FILTERED).load_checkpoint(tmp_path / "net.safetensors")
    codes = random_codes(model, 50, 0)
    assert torch.equal(again(codes), model(codes))
    assert torch.equal(again.filter.weights, model.filter.weights)


def test_encoders_behind_a_filter_are_fitted_whatever_comes_first() -> None:
    model = made(FILTERED)  # its forward calls the encoder of the pixels first
    assert model.edges.thresholds.shape == (model.filter.sums * 20, 2)
    assert model.edges.thresholds.min() < 0 < model.edges.thresholds.max()


class Cut(Stack):
    """A filter on a part of the image."""

    def _forward_impl(self, x: Tensor) -> Tensor:
        return super()._forward_impl(x.flip(-1))


class Scaled(Edges):
    """Arithmetic between sums and encoder."""

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder((self.filter(x, self.input_format) / 8)[:, :, 1:, ::2].flatten(1))
        return self.head(self.layer(torch.cat([bits, self.joined(x.flatten(1).repeat(1, 3))], dim=1)))


def test_what_has_no_circuit() -> None:
    plan = Plan((1, 4, 4), (Step(2, (3, 3)),), kernels=("sobel_x",))
    torch.manual_seed(0)
    cut = Cut(plan)
    codes = random_codes(cut, 60, 0)
    cut.fit_encoder(codes).eval()
    trace(cut)  # unrolled it has one
    with pytest.raises(TraceError) as stream:
        trace_circuit(cut)
    assert "in a stream" in str(stream.value)
    scaled = Scaled()
    scaled.fit_encoder(random_codes(scaled, 60, 0)).eval()
    with pytest.raises(TraceError) as arithmetic:
        trace(scaled)
    assert "sums of a filter are encoded as they are; scale the thresholds instead" in str(arithmetic.value)


def test_known_kernels_are_odd() -> None:
    assert all(len(rows) % 2 == 1 and len(rows[0]) % 2 == 1 for rows in KERNELS.values())
