"""Where numbers lie in beats, how many results may be on their way, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difflut.errors import ConfigError
from difflut.export.interfaces.framing import WIDTHS, Layout, Stream, plan_framing


def test_pixels_lie_in_order_the_first_in_the_lowest_byte() -> None:
    layout = Layout(5, 8, 32)
    assert (layout.beats, layout.frame_bytes, layout.packed_bits) == (2, 5, 40)
    beats = layout.pack(np.array([[1, 2, 3, 4, 255]]))
    assert beats.tolist() == [[[1, 2, 3, 4], [255, 0, 0, 0]]]


def test_wider_codes_take_whole_bytes_and_may_straddle_beats() -> None:
    layout = Layout(2, 12, 8)
    assert (layout.value_bytes, layout.beats) == (2, 4)
    assert layout.pack(np.array([[-1, 0x123]])).reshape(-1).tolist() == [0xFF, 0x0F, 0x23, 0x01]


@given(count=st.integers(1, 20), bits=st.integers(1, 20), width=st.sampled_from(WIDTHS), seed=st.integers(0, 2**32 - 1))
def test_unpacking_gives_what_was_packed(count: int, bits: int, width: int, seed: int) -> None:
    layout = Layout(count, bits, width)
    values = np.random.default_rng(seed).integers(0, 1 << bits, (3, count))
    beats = layout.pack(values)
    assert beats.shape == (3, layout.beats, width // 8)
    unpacked, clean = layout.unpack(beats)
    np.testing.assert_array_equal(unpacked, values)
    assert clean.all()
    if bits % 8:
        beats[1].reshape(-1)[layout.value_bytes - 1] |= 0x80
        assert layout.unpack(beats)[1].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("features", "width", "latency", "beats", "credits"),
    [(784, 8, 9, 784, 1), (784, 512, 9, 13, 1), (64, 512, 9, 1, 12), (16, 64, 10, 2, 7), (3, 8, 0, 3, 1)],
)
def test_credits_keep_an_unstalled_stream_going(
    features: int, width: int, latency: int, beats: int, credits: int
) -> None:
    framing = plan_framing(
        Stream(width, "class"), features=features, code_bits=8, results=1, result_bits=4, core_latency_cycles=latency
    )
    assert (framing.codes.beats, framing.credits) == (beats, credits)
    assert framing.latency_cycles == latency + 3


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Stream(24)
    assert str(caught.value) == "stream width 24: TDATA can be 8, 16, 32, 64, 128, 256 or 512 bits wide"
    with pytest.raises(ConfigError) as caught:
        Stream(8, "both")
    assert str(caught.value) == "stream output 'both': expected scores or class"
    with pytest.raises(ConfigError) as caught:
        plan_framing(Stream(), features=40000, code_bits=9, results=1, result_bits=1, core_latency_cycles=1)
    assert str(caught.value) == (
        "interface axi-stream: 40000 codes of 2 bytes make frames of 80000 bytes; the deserialiser holds at most "
        "65536: use the plain interface"
    )
