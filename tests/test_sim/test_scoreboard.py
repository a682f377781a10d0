"""The comparison of scores and classes, and the search for the first wrong net."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from difflut.errors import ConfigError
from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.sim import Comparison, Mismatch, compare, locate

SCORES = hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 9))


@given(SCORES)
def test_equal_results_agree(scores: np.ndarray) -> None:
    assert compare(scores, scores.argmax(1), scores.copy(), scores.argmax(1)) == Comparison(len(scores), 0, 0, None)


@given(SCORES, st.data())
def test_one_changed_value_is_found(scores: np.ndarray, data: st.DataObject) -> None:
    sample = data.draw(st.integers(0, len(scores) - 1))
    column = data.draw(st.integers(0, scores.shape[1] - 1))
    classes = scores.argmax(1)
    changed = scores.copy()
    changed[sample, column] += 1
    comparison = compare(scores, classes, changed, classes)
    assert (comparison.score_mismatches, comparison.class_mismatches, comparison.ok) == (1, 0, False)
    assert comparison.first is not None and comparison.first.sample == sample
    value = scores[sample, column]
    assert str(comparison.first) == f"sample {sample}: score {column} expected {value}, got {value + 1}"
    changed_classes = classes.copy()
    changed_classes[sample] += 1
    comparison = compare(scores, classes, scores, changed_classes)
    assert (comparison.score_mismatches, comparison.class_mismatches) == (0, 1)


def test_the_first_mismatch_shows_all_that_differs() -> None:
    comparison = compare([[1, 2], [3, 4], [5, 6]], [1, 1, 1], [[1, 2], [3, 5], [6, 6]], [1, 0, 0])
    assert comparison == Comparison(3, 2, 2, Mismatch(1, (3, 4), (3, 5), 1, 0))
    assert str(comparison.first) == "sample 1: score 1 expected 4, got 5; class expected 1, got 0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3)), np.zeros(0)),
            "no sample was compared; a comparison that checked nothing is a failure",
        ),
        (
            (np.zeros((2, 3)), np.zeros(2), np.zeros((2, 4)), np.zeros(2)),
            "expected scores (2, 3) and classes (2,), the RTL gave (2, 4) and (2,)",
        ),
        (
            (np.zeros((2, 3)), np.zeros(3), np.zeros((2, 3)), np.zeros(3)),
            "2 rows of scores need classes of shape (2,), got (3,)",
        ),
        (
            (np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)),
            "expected scores (2,) and classes (2,), the RTL gave (2,) and (2,)",
        ),
    ],
)
def test_what_cannot_be_compared(arguments: tuple[Any, Any, Any, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compare(*arguments)
    assert str(caught.value) == message


def test_only_what_the_rtl_puts_out_is_compared() -> None:
    scores, classes = [[1, 2, 2], [3, 4, 0]], [1, 1]
    assert compare(scores, classes, None, [1, 1]).ok
    assert compare(scores, classes, [[1, 2, 2], [3, 4, 0]], None).ok
    assert compare(scores, classes, None, None, [[1, 2], [1, 0]]).ok
    wrong = compare(scores, classes, None, None, [[1, 2], [1, 2]])
    assert (wrong.score_mismatches, wrong.class_mismatches, wrong.top_mismatches) == (0, 0, 1)
    assert str(wrong.first) == "sample 1: rank 1 expected 0, got 2"
    # Of equal scores the lower index comes first.
    assert str(compare(scores, classes, None, None, [[2, 1], [1, 0]]).first) == (
        "sample 0: rank 0 expected 1, got 2; rank 1 expected 2, got 1"
    )
    with pytest.raises(ConfigError, match="the RTL gave neither scores nor classes"):
        compare(scores, classes, None, None)
    with pytest.raises(ConfigError, match=r"expected rankings \(2, 1 to 3\), the RTL gave \(1, 2\)"):
        compare(scores, classes, None, None, [[1, 2]])


def small_netlist() -> Netlist:
    """Nets 2, 3: comparators of features 4 and 7; nets 4, 5: layer 1; net 6: layer 2."""
    builder = NetlistBuilder("small", InputFormat(8, 8))
    builder.add_comparators([4, 7], [128, 3])
    builder.add_layer([[2, 3], [3, 2]], np.zeros((2, 4), bool))
    builder.add_layer([[4, 5]], np.zeros((1, 4), bool))
    return builder.finish([[4], [6]])


PROBES = [
    SimpleNamespace(signal="layer2.out_bits", nets=np.array([6]), stage_cycles=2),
    SimpleNamespace(signal="layer1.out_bits", nets=np.array([5, 4]), stage_cycles=1),
    SimpleNamespace(signal="encoder.out_bits", nets=np.array([2, 3]), stage_cycles=0),
]
EXPECTED = np.array([0, 1, 0, 1, 1, 0, 1], dtype=bool)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ([6], "L2.0: expected 1, got 0 (net 6, signal layer2.out_bits bit 0)"),
        ([6, 5], "L1.1: expected 0, got 1 (net 5, signal layer1.out_bits bit 0)"),
        ([5, 4, 6], "L1.0: expected 1, got 0 (net 4, signal layer1.out_bits bit 1)"),
        ([3, 4, 6], "feature 7 >= 3: expected 1, got 0 (net 3, signal encoder.out_bits bit 1)"),
    ],
)
def test_the_first_wrong_net_is_named(wrong: list[int], text: str) -> None:
    got = EXPECTED.copy()
    got[wrong] ^= True
    assert str(locate(small_netlist(), PROBES, EXPECTED, [got[probe.nets] for probe in PROBES])) == text


def test_a_lut_made_by_a_pass_and_a_constant_are_named() -> None:
    netlist = small_netlist().with_(lut_layer=[-1, 1, 2], lut_node=[-1, 1, 0])
    got = ~EXPECTED
    assert str(locate(netlist, PROBES[1:2], EXPECTED, [got[[5, 4]]])).startswith("LUT 0 of the export: ")
    constant = SimpleNamespace(signal="one", nets=np.array([1]), stage_cycles=0)
    assert str(locate(netlist, [constant], EXPECTED, [got[[1]]])).startswith("constant 1: expected 1, got 0")


def test_no_wrong_net() -> None:
    assert locate(small_netlist(), PROBES, EXPECTED, [EXPECTED[probe.nets] for probe in PROBES]) is None


def test_probe_values_of_another_shape() -> None:
    with pytest.raises(ConfigError, match=r"^probe layer2.out_bits carries 1 nets, got values of shape \(2,\)$"):
        locate(small_netlist(), PROBES[:1], EXPECTED, [np.zeros(2, bool)])
    with pytest.raises(ConfigError, match=r"^expected_nets must have the shape \(7,\), got \(3,\)$"):
        locate(small_netlist(), PROBES[:1], EXPECTED[:3], [np.zeros(1, bool)])
    with pytest.raises(ConfigError, match=r"^got 0 probes and 0 values; need at least one, equally many$"):
        locate(small_netlist(), [], EXPECTED, [])
