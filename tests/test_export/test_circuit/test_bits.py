"""Packing bits into words, and back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from difflut.export.circuit.bits import pack, unpack


@given(st.integers(0, 4), st.integers(0, 200), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_bit_i_is_bit_i_of_its_word(rows: int, count: int, seed: int) -> None:
    bits = np.random.default_rng(seed).random((rows, count)) < 0.5
    words = pack(bits)
    assert words.shape == (rows, -(-count // 64)) and words.dtype == np.uint64
    for row, packed in zip(bits, words, strict=True):
        assert sum(int(word) << 64 * i for i, word in enumerate(packed.tolist())) == sum(
            1 << i for i in np.flatnonzero(row).tolist()
        )
    assert np.array_equal(pack(bits.astype(np.uint32)), words)
    assert np.array_equal(unpack(words, count), bits)
    assert not unpack(words)[:, count:].any() and unpack(words).shape == (rows, 64 * words.shape[1])
