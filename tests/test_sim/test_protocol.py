"""The judgement of recordings, on recordings made by hand (the real ones are in test_run_rtl)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rtl_fixture import INTERFACE

from difflut.sim.protocol import ProtocolError, decode_outputs, decode_probe, measured_latency
from difflut.sim.vectors import Recording

INPUTS = np.array([30, 31, 34], dtype=np.int64)


def recording(**changes: object) -> Recording:
    """A correct one: reset at edge 7, warm-up samples at 2..6, latency 3, three samples."""
    good = Recording(
        warm_up_cycles=np.arange(2, 7),
        reset_cycle=np.array(7),
        input_cycles=INPUTS,
        output_cycles=np.array([5, 6, 7, *(INPUTS + 3)]),
        unknown_cycles=np.zeros(0, np.int64),
        last_cycle=np.array(60),
        scores=np.array([b"000000000"] * 3 + [b"001000100", b"011010000", b"000000001"]),
        classes=np.array([b"00"] * 3 + [b"00", b"10", b"00"]),
        probes=np.array([[b"10", b"11", b"0x"]]),
    )
    return replace(good, **{name: np.asarray(value) for name, value in changes.items()})


def test_a_correct_recording() -> None:
    assert measured_latency(recording(), INTERFACE) == 3
    results = decode_outputs(recording(), INTERFACE)
    scores, classes = results.scores, results.classes
    assert scores is not None and classes is not None and results.top is None
    assert scores.tolist() == [[4, 0, 1], [0, 2, 3], [1, 0, 0]]
    assert classes.tolist() == [0, 2, 0]
    assert (scores.dtype, classes.dtype) == (np.int64, np.int64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"unknown_cycles": [9, 10]},
            (
                "vote: out_valid is neither 0 nor 1 at clock edge 9, after the reset; rst must clear every stage of "
                "the valid pipeline"
            ),
        ),
        (
            {"output_cycles": []},
            "vote: out_valid never rose; 3 samples were given and the declared latency is 3 cycles",
        ),
        (
            {"output_cycles": [5, 6, 7]},
            "vote: 3 samples went in, 0 outputs came out (none came, declared latency 3 cycles)",
        ),
        (
            {"output_cycles": [5, 6, 7, 33, 34]},
            (
                "vote: 3 samples went in, 2 outputs came out (the first came 3 cycles after its sample, declared "
                "latency 3 cycles)"
            ),
        ),
        (
            {"output_cycles": [5, 6, 7, 33, 35, 37]},
            "vote: the latency varies: sample 0 took 3 cycles, sample 1 took 4",
        ),
        (
            {"output_cycles": [5, 6, 7, 34, 35, 38]},
            "vote: the measured latency is 4 cycles, the declared one 3",
        ),
        (
            {"output_cycles": [5, 6, 7, 8, 33, 34, 37]},
            (
                "vote: out_valid was 1 at 1 clock edge after the reset, 1 after it first, with no sample in flight; "
                "rst must clear the valid pipeline and out_valid must follow in_valid"
            ),
        ),
        (
            {"output_cycles": [5, 33, 34, 37]},
            "vote: before the reset in the middle, out_valid was 1 at the clock edges [5], expected [5, 6, 7]",
        ),
    ],
)
def test_each_breach_has_its_message(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        measured_latency(recording(**changes), INTERFACE)
    assert str(caught.value) == message


def test_unknown_and_misshapen_values_are_named() -> None:
    wide = np.array([b"000"] * 6)
    with pytest.raises(ProtocolError, match=r"^out_class has 3 bits, expected 2 for sample 0: 000$"):
        decode_outputs(recording(classes=wide), INTERFACE)
    with pytest.raises(ProtocolError, match=r"^probe bits has unknown bits for sample 2: 0x$"):
        decode_probe(recording(), 0, "bits", 2)
    long = np.array([[b"z" * 100]])
    with pytest.raises(ProtocolError, match=r"^probe bits has unknown bits for sample 0: z{61}\.\.\.$"):
        decode_probe(recording(probes=long), 0, "bits", 100)
