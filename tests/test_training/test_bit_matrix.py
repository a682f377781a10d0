"""Packed bits, by column and by row, in C and in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tools import require_tool

from difflut.native import VARIABLE
from difflut.training.bit_matrix import BitMatrix, transposed
from difflut.training.descent_library import library


@pytest.fixture(params=["1", "0"], autouse=True)
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, request.param)
    if request.param == "1":
        require_tool("cc")
        assert library() is not None


@pytest.mark.parametrize(("samples", "width"), [(0, 3), (1, 1), (700, 513), (5000, 20), (512, 512)])
def test_bits_come_out_as_they_went_in(samples: int, width: int) -> None:
    bits = (np.random.default_rng(0).random((samples, width)) < 0.3).astype(np.uint8)
    matrix = BitMatrix.of(np.array_split(bits, 4), samples, width)
    assert np.array_equal(matrix.unpacked(), bits.T)
    assert np.array_equal(matrix.ones, bits.sum(axis=0))
    rows = np.unpackbits(matrix.rows().astype("<u8").view(np.uint8), axis=1, bitorder="little")
    assert np.array_equal(rows[:samples, :width], bits)
    assert not rows[samples:].any() and not rows[:, width:].any()
    taken = matrix.take(np.arange(width)[::-2])
    assert np.array_equal(taken.unpacked(), bits.T[::-2])
    assert np.array_equal(taken.ones, bits.sum(axis=0)[::-2])


def test_transposing_twice() -> None:
    words = np.random.default_rng(1).integers(0, 1 << 64, (1024, 24), dtype=np.uint64)
    assert np.array_equal(transposed(transposed(words)), words)
