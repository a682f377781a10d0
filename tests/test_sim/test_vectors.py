"""Packing, unpacking, the input schedule, and the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from difflut.files import WriteError
from difflut.sim import vectors


@st.composite
def codes_and_width(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    width = draw(st.integers(1, 32))
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 9)))
    signed = draw(st.booleans())
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    return draw(hnp.arrays(np.int64, shape, elements=st.integers(low, high))), width


@given(codes_and_width(), st.integers(1, 4))
def test_packed_codes_hold_feature_i_at_bit_width_times_i(case: tuple[np.ndarray, int], chunk: int) -> None:
    codes, width = case
    words = vectors.pack_codes(codes, width, chunk=chunk)
    assert words.shape == (len(codes), (codes.shape[1] * width + 7) // 8)
    for word, row in zip(words, codes.tolist(), strict=True):
        expected = sum((code % (1 << width)) << (width * feature) for feature, code in enumerate(row))
        assert int.from_bytes(word.tobytes(), "little") == expected


@given(st.integers(1, 63), st.integers(1, 5), st.data())
def test_fields_come_back(width: int, fields: int, data: st.DataObject) -> None:
    values = data.draw(hnp.arrays(np.int64, (3, fields), elements=st.integers(0, (1 << width) - 1)))
    text = [
        format(sum(value << (width * index) for index, value in enumerate(row)), f"0{width * fields}b")
        for row in values.tolist()
    ]
    bits, known = vectors.unpack_bits(np.array(text, dtype=np.bytes_), width * fields)
    assert known.all()
    np.testing.assert_array_equal(vectors.unpack_fields(bits, width), values)


@pytest.mark.parametrize("text", [b"", b"01", b"0101", b"01x", b"z10", b"0 1"])
def test_text_that_is_not_a_known_value_of_the_width(text: bytes) -> None:
    _, known = vectors.unpack_bits(np.array([b"011", text]), 3)
    assert known.tolist() == [True, False]


@given(st.integers(1, 300), st.integers(0, 9), st.integers(0, 99))
def test_input_gaps(samples: int, latency_cycles: int, seed: int) -> None:
    gaps = vectors.input_gaps(samples, latency_cycles, bubbles=True, seed=seed)
    assert gaps.shape == (samples,) and gaps.min() >= 0 and gaps.max() <= latency_cycles + 5
    np.testing.assert_array_equal(gaps, vectors.input_gaps(samples, latency_cycles, bubbles=True, seed=seed))
    if samples > 1:
        assert gaps[1:].any()
    if samples > 16:
        assert not gaps[1:16].any()
    assert not vectors.input_gaps(samples, latency_cycles, bubbles=False, seed=seed).any()


def test_a_long_run_empties_the_pipeline() -> None:
    assert (vectors.input_gaps(2000, 9, bubbles=True, seed=0) >= 11).any()


@given(st.integers(1, 40))
def test_garbage_fits_the_port(total_bits: int) -> None:
    words = vectors.garbage_words(np.zeros((1, (total_bits + 7) // 8), np.uint8), total_bits, seed=3)
    assert all(int.from_bytes(word.tobytes(), "little") < 1 << total_bits for word in words)
    assert len({word.tobytes() for word in words}) > 1


def stimulus() -> vectors.Stimulus:
    return vectors.Stimulus(
        words=np.array([[1, 2], [3, 4]], np.uint8),
        gaps=np.array([0, 2]),
        garbage=np.array([[9, 9]], np.uint8),
        latency_cycles=np.array(4),
        probe_signals=np.array(["a.b"]),
        probe_cycles=np.array([1]),
    )


def test_files_come_back(tmp_path: Path) -> None:
    path = tmp_path / "größe.npz"
    vectors.write(path, stimulus())
    back = vectors.read(path, vectors.Stimulus)
    assert back.words.tolist() == [[1, 2], [3, 4]] and str(back.probe_signals[0]) == "a.b"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_pickles_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, words=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        vectors.read(path, vectors.Stimulus)
    vectors.write(path, stimulus())
    with pytest.raises(KeyError):
        vectors.read(path, vectors.Recording)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="cannot write"):
        vectors.write(tmp_path / "gone" / "x.npz", stimulus())
