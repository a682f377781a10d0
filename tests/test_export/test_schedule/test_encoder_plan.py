"""The encoder's plan: right for every code, well-formed, and as small as claimed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import codes_for, netlists

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.families.family import Family
from difflut.export.families.registry import FAMILIES
from difflut.export.schedule.encoder.plan import EncoderPlan, compute, plan_encoder

CHOSEN = [FAMILIES["generic"], FAMILIES["xcup"], FAMILIES["ice40"]]


def comparing(width_bits: int, thresholds: list[list[int]], *, signed: bool = False) -> Netlist:
    """One list of thresholds a feature, counted from the lowest code."""
    form = InputFormat(len(thresholds), width_bits, signed)
    builder = NetlistBuilder("compare", form)
    features = [feature for feature, found in enumerate(thresholds) for _ in found]
    nets = builder.add_comparators(features, [t + form.lowest for found in thresholds for t in found])
    return builder.finish(nets[None])


def every_code(netlist: Netlist) -> np.ndarray:
    form = netlist.input
    return np.repeat(np.arange(form.lowest, form.highest + 1)[:, None], form.features, axis=1)


def assert_right(netlist: Netlist, family: Family, codes: np.ndarray) -> EncoderPlan:
    """The plan obeys its specification and gives every comparison."""
    plan = plan_encoder(netlist, family)
    sizes = np.diff(plan.cell_offsets)
    assert plan.cell_offsets[0] == 0
    assert plan.cell_offsets[-1] == len(plan.cell_fanin)
    assert ((sizes >= 1) & (sizes <= family.lut_inputs)).all()
    signal_level = np.concatenate([np.full(plan.first_cell, -1), plan.cell_level])
    for cell in range(plan.cells):
        fanin = plan.fanin(cell)
        assert len(set(fanin.tolist())) == len(fanin)
        assert signal_level[fanin].max() == plan.cell_level[cell] - 1
        assert int(plan.cell_tables[cell]) < 1 << (1 << len(fanin))
        other = int(plan.partner[cell])
        if other >= 0:
            assert family.dual_output
            assert other != cell
            assert plan.partner[other] == cell
            assert plan.cell_level[other] == plan.cell_level[cell]
            assert len({*fanin.tolist(), *plan.fanin(other).tolist()}) < family.lut_inputs
    assert (np.diff(plan.cell_level) >= 0).all()
    np.testing.assert_array_equal(
        plan.level_starts, [np.count_nonzero(plan.cell_level < level) for level in range(plan.levels + 1)]
    )
    np.testing.assert_array_equal(plan.output_levels, signal_level[plan.outputs] + 1)
    used = {*plan.cell_fanin.tolist(), *plan.outputs.tolist()}
    assert used.issuperset(range(plan.first_cell, plan.first_cell + plan.cells))
    feature, bit = netlist.input.features_and_bits(netlist.compare_feature)
    whole = codes[:, feature] >= netlist.compare_threshold
    np.testing.assert_array_equal(compute(plan, codes), np.where(bit < 0, whole, codes[:, feature] >> bit.clip(0) & 1))
    return plan


def chained_luts(netlist: Netlist, k: int) -> int:
    """Every comparison on its own: one LUT for k relevant bits and one for each further k - 1."""
    above_lowest = netlist.compare_threshold.astype(np.int64) - netlist.input.lowest
    relevant = [netlist.input.width_bits + 1 - (int(t) & -int(t)).bit_length() for t in above_lowest]
    inverters = netlist.input.signed * sum(bits == 1 for bits in relevant)
    return inverters + sum(-(-(bits - 1) // (k - 1)) for bits in relevant)


@st.composite
def threshold_sets(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    width = draw(st.integers(1, 10))
    found = st.sets(st.integers(1, (1 << width) - 1), min_size=1, max_size=12).map(sorted)
    return width, draw(st.lists(found, min_size=1, max_size=4))


@settings(max_examples=150, deadline=None)
@given(sets=threshold_sets(), signed=st.booleans(), family=st.sampled_from(CHOSEN))
def test_right_for_every_code_and_never_larger_than_chains(
    sets: tuple[int, list[list[int]]], signed: bool, family: Family
) -> None:
    netlist = comparing(*sets, signed=signed)
    plan = assert_right(netlist, family, every_code(netlist))
    assert plan.luts <= chained_luts(netlist, family.lut_inputs)


@settings(max_examples=60, deadline=None)
@given(netlist=netlists(), family=st.sampled_from(CHOSEN))
def test_netlists_of_any_width_with_equal_and_unread_comparators(netlist: Netlist, family: Family) -> None:
    assert_right(netlist, family, codes_for(netlist, 300))


@pytest.mark.parametrize("family", CHOSEN, ids=lambda family: family.name)
@pytest.mark.parametrize("signed", [False, True])
def test_each_single_threshold_of_eight_bits(family: Family, signed: bool) -> None:
    netlist = comparing(8, [[t] for t in range(1, 256)], signed=signed)
    assert_right(netlist, family, every_code(netlist))


@pytest.mark.parametrize("family", CHOSEN, ids=lambda family: family.name)
@pytest.mark.parametrize(("width", "thresholds"), [(8, range(1, 256)), (16, range(1, 1 << 16, 301))])
def test_many_thresholds_of_one_feature_cost_less_than_one_lut_each_but_for_their_parts(
    family: Family, width: int, thresholds: range
) -> None:
    netlist = comparing(width, [list(thresholds)])
    plan = assert_right(netlist, family, every_code(netlist))
    parts = 2 * (1 << width // 2) if width == 8 else 2 * len(thresholds)
    assert plan.luts < len(thresholds) + parts


def test_codes_of_31_bits() -> None:
    thresholds = [1, 12345, 1 << 30, (1 << 30) + 1, (1 << 31) - 1]
    netlist = comparing(31, [thresholds, thresholds[:2]], signed=True)
    near = netlist.compare_threshold.astype(np.int64)
    codes = np.clip(np.concatenate([near - 1, near, near + 1]), netlist.input.lowest, netlist.input.highest)
    for family in CHOSEN:
        assert_right(netlist, family, np.repeat(codes[:, None], 2, axis=1))


@pytest.mark.parametrize(
    ("name", "width", "thresholds", "luts"),
    [
        ("generic", 8, [[128]], 0),
        ("generic", 8, [[1]], 2),
        ("generic", 8, [[1, 100]], 3),  # one lower part for both, its cut selected by an upper bit
        ("generic", 8, [[1, 100, 251]], 4),
        ("generic", 8, [[1, 3]], 4),  # the upper bits are the same, so nothing is shared
        ("generic", 5, [[1, 7, 16]], 2),
        ("xcup", 8, [[1]], 2),
        ("xcup", 8, [[1]] * 3, 5),  # two dual-output LUTs hold the lower parts of three
        ("xcup", 8, [[1]] * 300, 500),
        ("xcup", 8, [[1, 100]], 2),  # five lower bits give two signals, these and the upper three both outputs
        ("xcup", 8, [[1, 3]], 2),
        ("xcup", 8, [[1, 100, 251]], 3),
        ("xcup", 8, [[1, 35, 70, 105, 140, 183]], 5),
        ("xcup", 5, [[1, 7]], 1),
        ("xcup", 8, [[8, 100]], 2),
        ("xcup", 8, [[32], [64]], 1),
        ("ice40", 8, [[1]], 3),
        ("ice40", 4, [[1, 2]], 2),
    ],
)
def test_number_of_luts(name: str, width: int, thresholds: list[list[int]], luts: int) -> None:
    netlist = comparing(width, thresholds)
    assert assert_right(netlist, FAMILIES[name], every_code(netlist)).luts == luts


def test_signed_codes_cost_an_inverter_at_zero_and_else_the_same() -> None:
    for family in CHOSEN:
        assert plan_encoder(comparing(8, [[128]], signed=True), family).luts == 1
        thresholds = [[1], [100, 200], [3, 77, 130]]
        plans = [plan_encoder(comparing(8, thresholds, signed=signed), family) for signed in (False, True)]
        assert plans[0].luts == plans[1].luts


def test_every_flipped_table_bit_is_noticed() -> None:
    netlist = comparing(8, [[1], [100, 200], [3, 77, 130]])
    plan = plan_encoder(netlist, FAMILIES["xcup"])
    codes = every_code(netlist)
    right = compute(plan, codes)
    reached = 0
    for cell in range(plan.cells):
        for address in range(1 << len(plan.fanin(cell))):
            tables = plan.cell_tables.copy()
            tables[cell] ^= np.uint64(1 << address)
            reached += not np.array_equal(compute(replace(plan, cell_tables=tables), codes), right)
    # Some addresses never occur, as the cells of one feature are not independent.
    assert reached > 0.6 * sum(1 << len(plan.fanin(cell)) for cell in range(plan.cells))


def test_no_comparators() -> None:
    builder = NetlistBuilder("empty", InputFormat(3, 8))
    netlist = builder.finish(np.zeros((1, 1), np.int32))
    plan = plan_encoder(netlist)
    assert (plan.cells, plan.luts, plan.levels) == (0, 0, 0)
    assert compute(plan, np.zeros((5, 3), np.int64)).shape == (5, 0)


def test_the_same_netlist_gives_the_same_plan() -> None:
    netlist = comparing(8, [[1], [1, 9], [3, 77, 130], [1]] * 20)
    first, second = (plan_encoder(netlist, FAMILIES["xcup"]) for _ in range(2))
    for field in ("cell_offsets", "cell_fanin", "cell_tables", "cell_level", "partner", "outputs"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
