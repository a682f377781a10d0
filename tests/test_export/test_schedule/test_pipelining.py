"""Where registers go: plans, clocks, latencies, and that no other cut of the levels is better."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import layered_netlist, levels_of, netlists

from difflut.errors import ConfigError
from difflut.export.circuit.netlist import Netlist
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes.remove_dead import remove_dead
from difflut.export.schedule.levels import Levels, Plan, every_level
from difflut.export.schedule.pipelining import Pipeline, best_period, fewest, parse_plan, plan_pipeline, trade_off
from difflut.export.schedule.timing import Paths, analyse

LEVELS = Levels(encoder=True, luts=2, sums=2, argmax=1)
Costs = npt.NDArray[np.float64]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Costs, npt.NDArray[np.int64]]:
    """Stage delays that grow with the stage at either end, as whole numbers, and register bits."""
    count = draw(st.integers(1, 7))
    costs = np.full((count, count), np.inf)
    for length in range(count):
        for start in range(count - length):
            shorter = [costs[start, start + length - 1], costs[start + 1, start + length]] if length else [1]
            costs[start, start + length] = max(shorter) + draw(st.integers(0, 3))
    return costs, np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)), np.int64)


def all_plans(count: int) -> list[tuple[int, ...]]:
    """Every set of places whose last one is the output register."""
    inner = range(count - 1)
    return [
        (*places, count - 1) for size in range(count) for places in itertools.combinations(inner, size)
    ]  # fmt: skip


def period_of(costs: Costs, places: tuple[int, ...]) -> float:
    starts = [0, *(place + 1 for place in places[:-1])]
    return max(float(costs[start, end]) for start, end in zip(starts, places, strict=True))


@given(problems(), st.integers(1, 25))
@settings(max_examples=300, deadline=None)
def test_no_plan_that_meets_a_clock_is_smaller(problem: tuple[Costs, npt.NDArray[np.int64]], period: int) -> None:
    costs, bits = problem
    meeting = [places for places in all_plans(len(bits)) if period_of(costs, places) <= period]
    found = fewest(costs, bits, period)
    if not meeting:
        assert found is None
        return
    assert found in meeting
    assert (len(found), bits[list(found)].sum()) == min((len(places), bits[list(places)].sum()) for places in meeting)


@given(problems(), st.integers(1, 8))
@settings(max_examples=300, deadline=None)
def test_no_plan_of_a_latency_is_faster(problem: tuple[Costs, npt.NDArray[np.int64]], cycles: int) -> None:
    costs, _ = problem
    possible = [places for places in all_plans(len(costs)) if len(places) <= cycles]
    assert best_period(costs, cycles) == min(period_of(costs, places) for places in possible)
    assert best_period(costs, None) == min(period_of(costs, places) for places in all_plans(len(costs)))


def small() -> Netlist:
    return layered_netlist((40, 40, 40), n=4, features=8, comparators=30, classes=4)


@pytest.mark.parametrize("target", FAMILIES.values(), ids=lambda target: target.name)
def test_more_cycles_are_never_slower_and_a_faster_clock_never_takes_fewer(target: Family) -> None:
    netlist = small()
    levels = levels_of(netlist, target)
    clocks = []
    for cycles in range(1, len(levels) + 1):
        plan = plan_pipeline(netlist, target, Pipeline("auto", latency_cycles=cycles))
        assert plan.latency_cycles <= cycles and plan.places[-1] == len(levels) - 1
        clocks.append(analyse(netlist, target, plan).fmax_mhz)
    assert clocks == sorted(clocks) and clocks[0] < clocks[-1]
    assert clocks[-1] == pytest.approx(analyse(netlist, target, every_level(levels)).fmax_mhz)
    latencies = []
    for clock in np.linspace(clocks[0], clocks[-1], 9).tolist():
        plan = plan_pipeline(netlist, target, Pipeline("auto", fmax_mhz=clock))
        assert analyse(netlist, target, plan).fmax_mhz >= clock * (1 - 1e-6)
        latencies.append(plan.latency_cycles)
    assert latencies == sorted(latencies)
    assert (latencies[0], latencies[-1]) == (1, plan_pipeline(netlist, target, Pipeline("auto")).latency_cycles)


@given(netlists(), st.sampled_from(sorted(FAMILIES)))
@settings(max_examples=40, deadline=None)
def test_auto_reaches_the_clock_of_all_levels_on_any_netlist(netlist: Netlist, name: str) -> None:
    netlist, target = remove_dead(netlist), find_family(name)
    every = every_level(levels_of(netlist, target))
    plan = plan_pipeline(netlist, target, Pipeline("auto"))
    fastest = analyse(netlist, target, every).fmax_mhz
    assert plan.latency_cycles <= every.latency_cycles
    assert analyse(netlist, target, plan).fmax_mhz == pytest.approx(fastest)


def test_a_register_after_each_level() -> None:
    plan = plan_pipeline(small(), GENERIC, Pipeline("levels"))
    assert plan.names == levels_of(small()).names
    assert plan.names == ("encoder", "1", "2", "3", "sum1", "sum2", "argmax1", "argmax2")


@given(problems())
@settings(max_examples=200, deadline=None)
def test_the_trade_off_has_every_point_that_none_beats(problem: tuple[Costs, npt.NDArray[np.int64]]) -> None:
    """Of the fastest plans of each latency; compared with all plans there are."""
    costs, bits = problem
    all_points = [
        (len(places), period_of(costs, places), int(bits[list(places)].sum())) for places in all_plans(len(bits))
    ]
    expected = []
    for cycles in range(1, len(bits) + 1):
        period = min(period for count, period, _ in all_points if count <= cycles)
        if not expected or period < expected[-1][1]:
            least = min(held for count, reached, held in all_points if count == cycles and reached == period)
            expected.append((cycles, period, least))
    found = [(point.latency_cycles, 1e3 / point.fmax_mhz, point.register_bits) for point in trade_off(costs, bits)]
    assert [(cycles, held) for cycles, _, held in found] == [(cycles, held) for cycles, _, held in expected]
    assert [period for _, period, _ in found] == pytest.approx([period for _, period, _ in expected])


@given(netlists(), st.sampled_from(sorted(FAMILIES)))
@settings(max_examples=25, deadline=None)
def test_nothing_beats_the_default_in_the_estimate(netlist: Netlist, name: str) -> None:
    """No plan of these levels is as good in cycles, clock and register bits and better in one of them."""
    netlist, target = remove_dead(netlist), find_family(name)
    plan = plan_pipeline(netlist, target, Pipeline())
    paths = Paths(netlist, target)
    costs, bits = paths.stage_delays(), paths.register_bits()

    def point(places: tuple[int, ...]) -> tuple[float, float, float]:
        return len(places), round(period_of(costs, places), 6), float(bits[list(places)].sum())

    own = point(plan.places)
    if len(bits) <= 10:
        others = [point(places) for places in all_plans(len(bits))]
        assert not [other for other in others if other != own and all(map(operator.le, other, own))]
    best = plan.trade_off[-1]
    assert (best.latency_cycles, best.register_bits) == (own[0], own[2])
    assert 1e3 / best.fmax_mhz == pytest.approx(own[1], abs=1e-5)


def test_a_plan_is_read_in_any_order() -> None:
    plan = parse_plan("argmax1, encoder,2,sum1", LEVELS)
    assert plan.names == ("encoder", "2", "sum1", "argmax1")
    assert plan.cells == {1, 3} and plan.head_registers == (True, False, True)
    assert plan.registers_last_cells and plan.latency_cycles == 4
    assert plan.stages == (range(1), range(1, 3), range(3, 4), range(4, 6))


def test_a_plan_may_end_before_the_outputs() -> None:
    plan = parse_plan("1", LEVELS)
    assert not plan.registers_last_cells
    assert plan.stages == (range(2), range(2, 6))
    assert Plan(Levels(False, 0, 1, 0), (0,)).stages == (range(1),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("encoder,3", "'3' is no level"),
        ("sum0", "'sum0' is no level"),
        ("argmax2", "'argmax2' is no level"),
        ("encoder,,1", "'' is no level"),
        ("level", "'level' is no level"),
        ("01", "'01' is no level"),
        ("1,sum1,1", "'1' is there twice"),
    ],
)
def test_a_plan_that_names_no_level_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_plan(text, LEVELS)
    assert str(error.value) == (
        f"pipeline {text!r}: {problem}; expected 'levels', 'auto', or some of the levels of this design, separated by "
        "commas: encoder, 1, 2, sum1, sum2, argmax1"
    )


def test_a_clock_out_of_reach_states_the_best_possible_one() -> None:
    netlist = small()
    with pytest.raises(ConfigError, match=r"^fmax 5000 MHz cannot be reached on generic: level \w+ alone") as error:
        plan_pipeline(netlist, GENERIC, Pipeline("auto", fmax_mhz=5000))
    best = float(str(error.value).removesuffix(" MHz").rpartition(" ")[2])
    plan = plan_pipeline(netlist, GENERIC, Pipeline("auto", fmax_mhz=best))
    assert best <= analyse(netlist, GENERIC, plan).fmax_mhz < best + 0.1 + 1e-6
    with pytest.raises(ConfigError, match="cannot be reached"):
        plan_pipeline(netlist, GENERIC, Pipeline("auto", fmax_mhz=best + 0.2))


def test_a_clock_that_takes_too_many_cycles_states_the_best_of_that_latency() -> None:
    netlist = small()
    fastest = analyse(netlist, GENERIC, every_level(levels_of(netlist))).fmax_mhz
    with pytest.raises(ConfigError, match=r"more than the latency 2; the best possible in 2 cycles is") as error:
        plan_pipeline(netlist, GENERIC, Pipeline("auto", fmax_mhz=fastest, latency_cycles=2))
    best = float(str(error.value).removesuffix(" MHz").rpartition(" ")[2])
    assert plan_pipeline(netlist, GENERIC, Pipeline("auto", best, 2)).latency_cycles == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spec": "levels", "fmax_mhz": 100.0}, "fmax 100: goes with the pipeline 'auto' only, not with 'levels'"),
        ({"spec": "1", "latency_cycles": 3}, "latency 3: goes with the pipeline 'auto' only, not with '1'"),
        ({"spec": "auto", "fmax_mhz": 0.0}, "fmax 0 MHz: expected a positive number"),
        ({"spec": "auto", "fmax_mhz": float("nan")}, "fmax nan MHz: expected a positive number"),
        ({"spec": "auto", "latency_cycles": 0}, "latency 0 cycles: expected at least 1, the output register"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Pipeline(**options)  # type: ignore[arg-type]
    assert str(error.value) == message
