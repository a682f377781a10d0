"""Plans of counters: every compressor keeps the sum, every plan counts, faults in a plan are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.schedule.head.compressors import adder, chain, table_counter
from difflut.export.schedule.head.counter import PlanError, plan_counter


@st.composite
def columns(draw: st.DrawFn) -> list[int]:
    """Columns of a chain: single positions of 0 to 2 bits and pairs, up to 13 bits in all."""
    pairs = [[3, 0], [3, 1], [4, 0], [4, 1], [5, 0], [6, 0]]
    pieces = draw(st.lists(st.sampled_from([[1], [2], [0], *pairs]), min_size=1, max_size=5))
    result = [bits for piece in pieces for bits in piece]
    while sum(result) > 13:
        result.pop()
    # A pair that lost its upper position keeps its place.
    return [*result, 0] if result and result[-1] > 2 else result or [2]


@settings(max_examples=150, deadline=None)
@given(columns=columns(), carry_in=st.booleans(), weight=st.integers(0, 3))
def test_a_chain_keeps_the_sum_for_every_input(columns: list[int], carry_in: bool, weight: int) -> None:
    if not sum(columns) + carry_in:
        return
    compressor = chain(columns, carry_in, weight, 4)
    bits = len(compressor.inputs)
    every = (np.arange(1 << bits)[:, None] >> np.arange(bits) & 1).astype(np.bool_)
    before = every @ (1 << np.array(compressor.inputs))
    after = compressor.evaluate(every) @ (1 << np.array(compressor.outputs))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("columns", "carry_in", "outputs", "luts"),
    [
        ([6, 0], True, 3, 2),
        ([6, 0, 6, 0], True, 5, 4),
        ([4, 1], True, 3, 2),
        ([2, 2], True, 3, 2),
        ([1, 0], True, 2, 1),
    ],
)
def test_costs_of_the_published_counters(columns: list[int], carry_in: bool, outputs: int, luts: int) -> None:
    compressor = chain(columns, carry_in, 0, 4)
    assert (len(compressor.outputs), compressor.luts, compressor.carries) == (outputs, luts, 1)


@pytest.mark.parametrize("bits", range(2, 7))
def test_tables_and_adders_keep_the_sum(bits: int) -> None:
    every = (np.arange(1 << bits)[:, None] >> np.arange(bits) & 1).astype(np.bool_)
    for compressor in (table_counter(bits, 2, 1), adder([bits - 1, 1], bits, 2, 1, 0)):
        before = every @ (1 << np.array(compressor.inputs))
        np.testing.assert_array_equal(before, compressor.evaluate(every) @ (1 << np.array(compressor.outputs)))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [*range(1, 40), 63, 64, 100, 127, 128, 400, 1000])
def test_every_plan_counts(name: str, size: int) -> None:
    plan = plan_counter(size, find_family(name))
    plan.check()
    rng = np.random.default_rng(size)
    bits = rng.random((60, size)) < rng.random((60, 1))
    bits[0], bits[1] = True, False
    counts = plan.evaluate(bits)[-1] @ (1 << np.arange(plan.width_bits))
    np.testing.assert_array_equal(counts, bits.sum(axis=1))


@pytest.mark.parametrize("name", ["xc7", "xcup"])
@pytest.mark.parametrize("size", [40, 100, 400, 1000])
def test_a_bit_takes_far_less_than_a_lut_on_carry_chains(name: str, size: int) -> None:
    assert plan_counter(size, find_family(name)).luts <= 0.6 * size


def test_padding_adds_levels_that_only_pass() -> None:
    plan = plan_counter(7, find_family("xc7")).padded(4)
    plan.check()
    assert len(plan.levels) == 4 and plan.luts == 2


def test_faults_in_a_plan_are_found() -> None:
    plan = plan_counter(19, find_family("xc7"))
    level = plan.levels[0]
    first, second = level.placed[:2]

    def with_placed(item: object) -> object:
        return replace(plan, levels=(replace(level, placed=(item, *level.placed[1:])), *plan.levels[1:]))

    twice = replace(first, inputs=(second.inputs[0], *first.inputs[1:]))
    with pytest.raises(PlanError, match="counter of 19, level 1: reads the bits"):
        with_placed(twice).check()  # type: ignore[attr-defined]
    swapped = replace(first, outputs=(first.outputs[1], first.outputs[0], *first.outputs[2:]))
    with pytest.raises(PlanError, match="an output of chain0_6c has another weight than its bit"):
        with_placed(swapped).check()  # type: ignore[attr-defined]
    missing = replace(first, outputs=(-1, *first.outputs[1:]))
    with pytest.raises(PlanError, match="makes the bits"):
        with_placed(missing).check()  # type: ignore[attr-defined]
    with pytest.raises(PlanError, match="the last level is no binary number"):
        replace(plan, levels=plan.levels[:1]).check()
