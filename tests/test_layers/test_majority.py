"""Majority pooling against counting, its gradient, its circuit, and a model that has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from convolutions import MAJORITY, made
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import random_codes
from torch.nn import functional

from difflut.errors import ConfigError, InputShapeError, UnknownNameError
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace, trace_circuit
from difflut.layers import POOLINGS, MajorityPool, OrPool, majority_pool, or_pool
from difflut.layers.majority import MOST_BITS
from difflut.models.edges import EdgeConv
from difflut.training import predict_scores


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_equals_counting(data: st.DataObject) -> None:
    draw = data.draw
    window = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride = draw(st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    border = tuple(draw(st.integers(0, length // 2)) for length in window)
    shape = [length + draw(st.integers(0, 4)) for length in window]
    at_least = draw(st.integers(1, window[0] * window[1]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    bits = torch.rand(2, 3, *shape, generator=generator) < at_least / (window[0] * window[1])
    padded = functional.pad(bits, (border[1], border[1], border[0], border[0]))
    down, right = stride or window
    counts = padded.unfold(2, window[0], down).unfold(3, window[1], right).flatten(4).sum(dim=4)
    outputs = majority_pool(bits, window, stride, border, at_least)
    assert outputs.dtype == torch.bool and torch.equal(outputs, counts >= at_least)
    assert torch.equal(majority_pool(bits.float(), window, stride, border, at_least), outputs.float())
    if at_least == 1:
        assert torch.equal(or_pool(bits, window, stride, border), outputs)


@pytest.mark.parametrize("width", range(1, MOST_BITS + 1))
def test_every_count_of_every_width(width: int) -> None:
    """Windows of 0 to all ones, in two orders."""
    counts = torch.arange(width + 1)
    rows = torch.arange(width) < counts[:, None]
    bits = torch.cat([rows, rows.flip(1)])[:, None, None]
    for at_least in {1, 2, width // 2, width - 1, width} & set(range(1, width + 1)):
        outputs = majority_pool(bits, (1, width), at_least=at_least).flatten()
        assert torch.equal(outputs, torch.cat([counts, counts]) >= at_least)


def test_a_tie_is_1() -> None:
    bits = torch.tensor([[[[0, 1, 0, 0], [1, 0, 1, 0]]]]).bool()
    pool = MajorityPool().eval()
    assert (pool.at_least, MajorityPool(3).at_least) == (2, 5)
    assert pool(bits).tolist() == [[[[True, False]]]]
    assert MajorityPool(at_least=1).eval()(bits).tolist() == OrPool().eval()(bits).tolist() == [[[[True, True]]]]
    assert MajorityPool(at_least=3).eval()(bits).tolist() == [[[[False, False]]]]
    assert "at_least=2" in repr(pool)


def test_numbers_give_the_nth_largest_and_its_gradient() -> None:
    maps = torch.tensor([[[[3.0, 1.0, 0.0, 1.0], [2.0, 2.0, 1.0, 0.0]]]], requires_grad=True)
    outputs = majority_pool(maps)
    assert outputs.tolist() == [[[[2.0, 1.0]]]]
    outputs.backward(torch.tensor([[[[6.0, 10.0]]]]))
    assert maps.grad is not None
    assert maps.grad.tolist() == [[[[0.0, 0.0, 0.0, 5.0], [3.0, 3.0, 5.0, 0.0]]]]


def test_gradient_of_windows_that_overlap() -> None:
    """Against the sum over the windows one by one."""
    torch.manual_seed(0)
    maps = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    outputs = majority_pool(maps, 3, (1, 2), 1)
    grad = torch.randn_like(outputs)
    expected = torch.zeros_like(maps)
    padded = functional.pad(maps, (1, 1, 1, 1))
    windows = padded.unfold(2, 3, 1).unfold(3, 3, 2).flatten(4)
    torch.testing.assert_close(outputs, windows.sort(dim=4, descending=True).values[..., 4])
    expected = torch.autograd.grad(windows.sort(dim=4, descending=True).values[..., 4], maps, grad)[0]
    torch.testing.assert_close(torch.autograd.grad(outputs, maps, grad)[0], expected)


def test_the_circuit_computes_what_the_model_does() -> None:
    model = made(MAJORITY)
    codes = random_codes(model, 300)
    scores, classes = predict_scores(model, codes)
    rows = codes.reshape(300, -1).numpy()
    for circuit in (trace(model), trace_circuit(model)):
        outputs = simulate(circuit, rows)
        np.testing.assert_array_equal(outputs.scores, scores.numpy())
        np.testing.assert_array_equal(outputs.classes, classes.numpy())
    assert len(scores.unique(dim=0)) > 2
    four = trace_circuit(model).layers[3].kernel
    assert (four.luts, sorted(set(four.lut_inputs.tolist()))) == (3, [4])  # one LUT a channel


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MajorityPool(6), ConfigError, "MajorityPool: a window of 6 x 6 has 36 bits; expected at most 25"),
        (
            lambda: MajorityPool(2, at_least=5),
            ConfigError,
            "MajorityPool: at_least is 5; expected 1 to 4, the bits of a window of 2 x 2",
        ),
        (
            lambda: majority_pool(torch.zeros(1, 1, 2, 2), at_least=0),
            ConfigError,
            "majority_pool: at_least is 0; expected 1 to 4, the bits of a window of 2 x 2",
        ),
        (
            lambda: MajorityPool(2, 2, (0, 2)),
            ConfigError,
            "MajorityPool: padding (0, 2) is more than half of the window (2, 2)",
        ),
        (
            lambda: majority_pool(torch.zeros(3, 2, 5)),
            InputShapeError,
            "majority_pool: got bits of shape (3, 2, 5); expected (samples, channels, rows, columns)",
        ),
        (
            lambda: EdgeConv(pooling="average"),
            UnknownNameError,
            "model 'edge_conv': unknown pooling 'average'; known: majority, or",
        ),
    ],
)
def test_what_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


def test_a_model_with_majorities() -> None:
    torch.manual_seed(0)
    model = EdgeConv(image_size=4, kernels=(4,), widths=(20,), pooling="majority", edge_bits=1, bits=1)
    codes = random_codes(model, 40)
    model.fit_encoder(codes)
    assert isinstance(model.blocks[0][1], POOLINGS["majority"])
    model.train()(codes).sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in model.blocks.parameters())
