"""Where registers go: where they give the most, where a clock or a latency asks for them, or where a plan says.

The registers cut the sequence of levels (`Levels`) into contiguous stages. `stage_delays` of
`difflut.export.schedule.timing` says how long each possible stage takes; the best cut is found by dynamic programming
over the levels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from difflut.errors import ConfigError
from difflut.export.circuit.netlist import Netlist
from difflut.export.families.family import Family
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.levels import Levels, Plan, Point, every_level
from difflut.export.schedule.timing import CountArray, FloatArray, Paths

LEVELS, AUTO = "levels", "auto"
_ROUNDING = 1 + 1e-9  # a clock that an error message or a report states must be reachable when asked for


@dataclass(frozen=True)
class Pipeline:
    """What a user asks for.

    Attributes:
        spec: "auto": registers where the delay model puts them. "levels": a register after each level. Anything else
            is a plan: the names of the levels that registers follow, separated by commas: `encoder`, LUT levels by
            their number, `sum1` ..., `argmax1` ...; for example "encoder,2,4,sum2,argmax4".
        fmax_mhz: with "auto": the clock to reach, in as few cycles as possible. Of equally many cycles, the plan with
            the fewest register bits.
        latency_cycles: with "auto": at most this many cycles; without `fmax_mhz` for the fastest clock. Neither means
            the fastest clock that the levels allow, in as few cycles as that takes.

    Raises:
        ConfigError: figures that make no sense, or that come with something else than "auto".
    """

    spec: str = AUTO
    fmax_mhz: float | None = None
    latency_cycles: int | None = None

    def __post_init__(self) -> None:
        given = [] if self.fmax_mhz is None else [f"fmax {self.fmax_mhz:g}"]
        given += [] if self.latency_cycles is None else [f"latency {self.latency_cycles}"]
        if given and self.spec != AUTO:
            raise ConfigError(f"{' and '.join(given)}: goes with the pipeline {AUTO!r} only, not with {self.spec!r}")
        if self.fmax_mhz is not None and not 0 < self.fmax_mhz < math.inf:
            raise ConfigError(f"fmax {self.fmax_mhz:g} MHz: expected a positive number")
        if self.latency_cycles is not None and self.latency_cycles < 1:
            raise ConfigError(f"latency {self.latency_cycles} cycles: expected at least 1, the output register")


def plan_pipeline(netlist: Netlist, family: Family, pipeline: Pipeline, outputs: Outputs | None = None) -> Plan:
    """Place the registers of a netlist; scores and class are the outputs by default.

    Raises:
        ConfigError: a plan that names no such level, or a clock or latency that the delay model says is out of reach.
    """
    paths = Paths(netlist, family, outputs)
    if pipeline.spec not in (AUTO, LEVELS):
        parse_plan(pipeline.spec, paths.levels)  # refused before anything is computed
    costs, bits = paths.stage_delays(), paths.register_bits()
    return replace(_chosen(paths.levels, costs, bits, family, pipeline), trade_off=tuple(trade_off(costs, bits)))


def _chosen(levels: Levels, costs: FloatArray, bits: CountArray, family: Family, pipeline: Pipeline) -> Plan:
    if pipeline.spec == LEVELS:
        return every_level(levels)
    if pipeline.spec != AUTO:
        return parse_plan(pipeline.spec, levels)
    most = pipeline.latency_cycles
    period = best_period(costs, most) if pipeline.fmax_mhz is None else 1e3 / pipeline.fmax_mhz
    places = fewest(costs, bits, period)
    if places is None:
        level = int(np.argmax(np.diag(costs)))
        raise ConfigError(
            f"fmax {pipeline.fmax_mhz:g} MHz cannot be reached on {family.name}: level {levels.names[level]} "
            f"alone is estimated at {costs[level, level]:.2f} ns; the best possible is "
            f"{_mhz(best_period(costs, None))} MHz"
        )
    if most is not None and len(places) > most:
        raise ConfigError(
            f"fmax {pipeline.fmax_mhz:g} MHz takes {len(places)} cycles on {family.name}, more than the latency "
            f"{most}; the best possible in {_cycles(most)} is {_mhz(best_period(costs, most))} MHz"
        )
    return Plan(levels, places)


def trade_off(costs: FloatArray, bits: CountArray) -> Iterator[Point]:
    """The points that no other beats, see `Plan.trade_off`; arguments as for `fewest`."""
    before = math.inf
    for cycles in range(1, len(bits) + 1):
        period = best_period(costs, cycles)
        places = fewest(costs, bits, period) if period < before else None
        if places is not None:
            yield Point(cycles, 1e3 / period, int(bits[list(places)].sum()))
            before = period


def parse_plan(text: str, levels: Levels) -> Plan:
    """The plan that names the levels which registers follow.

    Raises:
        ConfigError: names the levels that there are.
    """
    position = {name: place for place, name in enumerate(levels.names)}
    places = []
    for name in text.split(","):
        place = position.get(name.strip())
        if place is None or place in places:
            problem = "is there twice" if place is not None else "is no level"
            raise ConfigError(
                f"pipeline {text!r}: {name.strip()!r} {problem}; expected {LEVELS!r}, {AUTO!r}, or some of the levels "
                f"of this design, separated by commas: {', '.join(levels.names)}"
            )
        places.append(place)
    return Plan(levels, tuple(sorted(places)))


def fewest(costs: FloatArray, bits: CountArray, period_ns: float) -> tuple[int, ...] | None:
    """The places of the fewest registers with which each stage takes at most `period_ns`; None if there are none.

    Of equally many places those with the fewest register bits. The last level always has a register.

    Args:
        costs: (P, P), the delay of the stage from level i to level j, both included.
        bits: (P,), the bits of a register behind each level.
    """
    count = len(bits)
    register = int(bits.sum()) + 1  # one register more weighs more than all bits
    best: list[int | None] = [0]
    cut = []
    for end in range(count):
        options = [
            (before + register + int(bits[end]), start)
            for start, before in enumerate(best)
            if before is not None and costs[start, end] <= period_ns * _ROUNDING
        ]
        cost, start = min(options, default=(None, -1))
        best.append(cost)
        cut.append(start)
    if best[count] is None:
        return None
    places = []
    end = count - 1
    while end >= 0:
        places.append(end)
        end = cut[end] - 1
    return tuple(reversed(places))


def best_period(costs: FloatArray, most_cycles: int | None) -> float:
    """The shortest period, in ns, that a plan of at most `most_cycles` registers reaches; None for any number.

    Args:
        costs: as for `fewest`; a longer stage is never faster.
    """
    slowest = float(np.diag(costs).max())
    if most_cycles is None:
        return slowest
    periods = np.unique(costs[np.isfinite(costs) & (costs >= slowest)])
    nothing = np.zeros(len(costs), np.int64)
    low, high = 0, len(periods) - 1
    while low < high:
        middle = (low + high) // 2
        places = fewest(costs, nothing, float(periods[middle]))
        if places is not None and len(places) <= most_cycles:
            high = middle
        else:
            low = middle + 1
    return float(periods[low])


def _mhz(period_ns: float) -> str:
    """Rounded down: a clock that can be asked for."""
    return f"{math.floor(1e4 / period_ns) / 10:.1f}"


def _cycles(count: int) -> str:
    return f"{count} cycle{'s' if count != 1 else ''}"
