"""Kernels of integer filters against sums of integers: for codes drawn, and for all codes of two bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.filter_kernel import filter_kernel
from difflut.export.circuit.netlist import InputFormat, Netlist
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate

Ints = npt.NDArray[np.int64]

SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
LAPLACIAN = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])


def sums_of(codes: Ints, weights: Ints) -> Ints:
    return np.einsum("ncij,kcij->nk", codes, weights)


def given_by(kernel: Netlist, form: InputFormat, codes: Ints) -> npt.NDArray[np.bool_]:
    """What the kernel makes of windows of codes (N, C, rows, columns)."""
    bits = codes[:, :, None] >> np.arange(form.width_bits)[:, None, None] & 1
    return simulate(kernel, bits.reshape(len(codes), -1)).scores.astype(bool)


@st.composite
def filters(draw: st.DrawFn) -> tuple[InputFormat, Ints, list[tuple[int, int]]]:
    """Formats, weights of both signs, and thresholds near the ends of each sum, in the middle and far beyond."""
    form = InputFormat(draw(st.integers(1, 2)), draw(st.integers(1, 5)), draw(st.booleans()))
    shape = (draw(st.integers(1, 2)), form.features, draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    flat = draw(st.lists(st.integers(-9, 9), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    weights = np.array(flat, np.int64).reshape(shape)
    compared = []
    for number, one in enumerate(weights.reshape(len(weights), -1)):
        low = int(np.minimum(form.lowest * one, form.highest * one).sum())
        high = int(np.maximum(form.lowest * one, form.highest * one).sum())
        some = draw(st.lists(st.integers(low, high + 1), max_size=3))
        compared += [(number, threshold) for threshold in (low, low + 1, high, high + 1, *some, -(10**6), 10**6)]
    return form, weights, compared


@given(filters(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_compares_the_sums(case: tuple[InputFormat, Ints, list[tuple[int, int]]], seed: int) -> None:
    form, weights, compared = case
    kernel = filter_kernel("filter", form, weights, compared)
    check(kernel)
    rng = np.random.default_rng(seed)
    codes = rng.integers(form.lowest, form.highest + 1, (200, *weights.shape[1:]))
    codes[:40] = rng.choice([form.lowest, form.highest], codes[:40].shape)
    for number, one in enumerate(weights):  # the codes of the largest and of the smallest sum
        codes[2 * number] = np.where(one > 0, form.highest, form.lowest)
        codes[2 * number + 1] = np.where(one > 0, form.lowest, form.highest)
    sums = sums_of(codes, weights)
    expected = np.stack([sums[:, number] >= threshold for number, threshold in compared], axis=1)
    np.testing.assert_array_equal(given_by(kernel, form, codes), expected)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("weights", [SOBEL_X, LAPLACIAN, np.array([[-3, 0, 0], [0, 0, 5], [0, 7, 0]]), np.array([[1]])])
def test_every_window_and_every_threshold(weights: Ints, signed: bool) -> None:
    """All codes of the pixels that have a weight; 2 bits each, 4096 windows of Sobel's, 2**18 of the Laplacian."""
    form = InputFormat(1, 2, signed)
    read = np.flatnonzero(weights)
    codes = np.zeros((4 ** len(read), weights.size), np.int64)
    codes[:, read] = np.arange(len(codes))[:, None] // 4 ** np.arange(len(read)) % 4 + form.lowest
    codes = codes.reshape(-1, 1, *weights.shape)
    sums = sums_of(codes, weights[None, None])
    thresholds = np.arange(int(sums.min()), int(sums.max()) + 2)
    kernel = filter_kernel("filter", form, weights[None, None], [(0, threshold) for threshold in thresholds.tolist()])
    np.testing.assert_array_equal(given_by(kernel, form, codes), sums >= thresholds)


def test_what_it_costs() -> None:
    """The figures of docs/encoders.md."""
    form = InputFormat(1, 8)

    def cost(weights: Any, thresholds: list[int]) -> tuple[int, int]:
        kernel = filter_kernel("f", form, np.array(weights)[None, None], [(0, t) for t in thresholds])
        return kernel.luts, int(levels(kernel).max()) - 1

    assert cost(SOBEL_X, [32]) == (58, 8)
    assert cost(SOBEL_X, [-64, -31, 31, 64]) == (68, 10)
    assert cost(LAPLACIAN, [-64, -31, 31, 64]) == (107, 12)
    assert cost([[1]], [43, 85, 128, 170, 213]) == (7, 2)


def test_sums_that_never_change() -> None:
    form = InputFormat(1, 4)
    kernel = filter_kernel("zero", form, np.zeros((1, 1, 1, 1), np.int64), [(0, 0), (0, 1), (0, -5)])
    assert kernel.luts == 0
    assert kernel.head.nets.tolist() == [1, 0, 1]
