"""A static timing estimate of a netlist on a family: delays of its stages, the clock, the critical path in words.

The delays are the family's (`Delays`): a model, whose error docs/timing.md states. Input codes are taken to come from
registers right in front of the input port, outputs to end in registers right behind the output port. All functions take
a netlist that `difflut.export.circuit.rules.check` accepts; none has a Python loop per LUT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.names import net_name
from difflut.export.circuit.netlist import FIRST_NET, Netlist
from difflut.export.families.family import Family
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.schedule.estimate import estimate_luts
from difflut.export.schedule.head.compressors import Adder, Chain, Compressor, Table
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import HeadPlan, plan_head
from difflut.export.schedule.levels import Levels, Plan

FloatArray = npt.NDArray[np.float64]
CountArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeadLevel:
    """One level of the head.

    Attributes:
        description: what it does, for people.
        readers: how many readers each of its input bits has.
        logic_ns: from its input pins to its outputs.
        register_bits: how many bits a register behind it holds.
    """

    description: str
    readers: int
    logic_ns: float
    register_bits: int


@dataclass(frozen=True)
class StageTiming:
    """One register-to-register stage.

    Attributes:
        levels: the names of the levels in it.
        delay_ns: its estimated longest delay, registers and wires included.
        path: that path in words, the end first, the source last.
        register_bits: bits of the register at its end; 0 if it ends at the output port without one.
    """

    levels: tuple[str, ...]
    delay_ns: float
    path: tuple[str, ...]
    register_bits: int

    def __str__(self) -> str:
        return " <- ".join(self.path)


@dataclass(frozen=True)
class Timing:
    """The estimate for a whole design."""

    family: Family
    stages: tuple[StageTiming, ...]

    @property
    def critical(self) -> int:
        """The number, from 1, of the slowest stage, the first of equals."""
        return 1 + int(np.argmax([stage.delay_ns for stage in self.stages]))

    @property
    def fmax_mhz(self) -> float:
        """The estimated clock frequency."""
        return 1e3 / self.stages[self.critical - 1].delay_ns

    @property
    def words(self) -> str:
        """What the estimate is worth, for people."""
        checked = "fitted to" if self.family.delays.calibrated else "not checked against"
        return f"a delay model, {checked} routed designs; source: {self.family.delays.source}"


def find_levels(netlist: Netlist, head: HeadPlan) -> Levels:
    """The levels of a netlist whose head is built by `head`."""
    deepest = int(levels(netlist).max(initial=0))
    return Levels(deepest > 0, max(deepest - 1, 0), head.sum_levels, len(head.selection.levels))


def head_levels(plan: HeadPlan, family: Family, luts: int) -> list[HeadLevel]:
    """The levels of the counters, then of the selection, of a design of about `luts` LUTs."""
    delays = family.delays
    found = []
    for number in range(plan.sum_levels):
        levels_of = [plan.counters[size].levels[number] for size in plan.counted_sizes]
        kinds = {item.compressor for level in levels_of for item in level.placed}
        logic = max((_compressor_ns(kind, family, luts) for kind in kinds), default=0.0)
        readers = max((_compressor_readers(kind) for kind in kinds), default=1)
        bits = sum(len(level.weights) for level in levels_of)
        found.append(HeadLevel(f"group sum level {number + 1}", readers, logic, bits))
    scores = plan.score_bits * len(plan.sizes) if plan.outputs.scores else 0
    selection = plan.selection
    for number, (level, lanes) in enumerate(zip(selection.levels, selection.lanes, strict=True), 1):
        later = {lane for following in selection.levels[number:] for c in following for lane in (c.left, c.right)}
        compared = plan.score_bits + plan.class_bits * any(c.by_index for c in level)
        positions = -(-compared // 2) if family.has_primitives else compared
        chosen = plan.class_bits + plan.score_bits * bool(later)
        logic = delays.lut_delay_ns + delays.carry_ns(positions) + delays.net_ns(chosen, luts) + delays.lut_delay_ns
        bits = plan.class_bits * len(lanes) + plan.score_bits * len(later.intersection(lanes)) + scores
        name = "top-k" if plan.outputs.top else "argmax"
        found.append(HeadLevel(f"{name} level {number}", 2 + bool(later), logic, bits))
    return found


def _compressor_ns(compressor: Compressor, family: Family, luts: int) -> float:
    delays = family.delays
    if isinstance(compressor, Chain):
        return delays.lut_delay_ns + delays.carry_ns(len(compressor.columns))
    if isinstance(compressor, Adder):  # each word beyond two is first merged by one more level of LUTs
        merges = max(len(compressor.words) - 2, 0) * (delays.lut_delay_ns + delays.net_ns(2, luts))
        return merges + delays.lut_delay_ns + delays.carry_ns(len(compressor.outputs))
    return family.lut_ns(len(compressor.inputs), luts)


def _compressor_readers(compressor: Compressor) -> int:
    """How many LUTs read an input bit."""
    return len(compressor.outputs) if isinstance(compressor, Table) else 2


class Paths:
    """Arrival times in a netlist on a family, from any level on.

    Attributes:
        levels: the levels of the design.
        head: its head's levels.
    """

    def __init__(self, netlist: Netlist, family: Family, outputs: Outputs | None = None) -> None:
        plan = plan_head(netlist.head, family, outputs)
        delays = family.delays
        self._netlist, self._delays = netlist, delays
        self.levels = find_levels(netlist, plan)
        self.luts = estimate_luts(netlist, family, plan.outputs).total
        self.head = head_levels(plan, family, self.luts)
        self._level = np.concatenate([np.zeros(FIRST_NET, np.int32), levels(netlist)])  # of nets
        readers = np.bincount(netlist.lut_fanin, minlength=netlist.nets)
        counted = np.bincount(netlist.head.nets, minlength=netlist.nets)
        self._net_ns = delays.nets_ns(readers + counted * self.head[0].readers, self.luts)
        self._lut_ns = np.array([family.lut_ns(n, self.luts) for n in range(9)])[netlist.lut_inputs]
        self._compare_ns = self._comparators(family)
        lut_level = self._level[netlist.first_lut_net :]
        order = np.argsort(lut_level, kind="stable")
        borders = np.searchsorted(lut_level[order], np.arange(1, self.levels.cells + 2))
        self._luts_of = [order[start:end] for start, end in pairwise(borders)]

    def _comparators(self, family: Family) -> FloatArray:
        """From the register in front of the port to each comparator's output; what needs no LUT is the register's."""
        netlist, delays = self._netlist, self._delays
        readers = np.bincount(netlist.compare_feature, minlength=netlist.input.features)
        depths = plan_encoder(netlist, family).output_levels
        between = np.maximum(depths - 1, 0) * delays.net_ns(1, self.luts)
        port: FloatArray = delays.nets_ns(readers, self.luts)[netlist.compare_feature]
        logic = np.where(depths > 0, port + depths * delays.lut_delay_ns + between, 0.0)
        arrival: FloatArray = delays.register_delay_ns + logic
        return arrival

    def arrivals(self, first: int) -> Iterator[FloatArray]:
        """Arrival times (nets,) at the outputs of the cells, level by level from `first` on, in one growing array.

        Nets of levels before `first` come from registers. The setup time is part of every arrival.
        """
        netlist = self._netlist
        arrival: FloatArray = np.full(netlist.nets, self._delays.register_delay_ns)
        for level in range(first, self.levels.cells + 1):
            if level == 1:
                arrival[FIRST_NET : netlist.first_lut_net] = self._compare_ns
            luts = self._luts_of[level - 1]
            if len(luts):
                fanin, starts = self._fanin(luts)
                latest = np.maximum.reduceat((arrival + self._net_ns)[fanin], starts)
                arrival[netlist.first_lut_net + luts] = latest + self._lut_ns[luts]
            yield arrival

    def stage_delays(self) -> FloatArray:
        """float64 (P, P): the delay of a stage from position i to position j, both included; infinite for j < i.

        A longer stage is never faster.
        """
        cells, count = self.levels.cells, len(self.levels)
        result = np.full((count, count), np.inf)
        for start in range(count):
            delay = self._delays.register_delay_ns
            into_head = self._into_head(np.full(self._netlist.nets, delay))
            if start < cells:
                for place, arrival in enumerate(self.arrivals(start + 1), start):
                    delay = max(delay, self._latest(arrival, place + 1))
                    result[start, place] = delay
                into_head = max(self._into_head(arrival), delay)
            for place in range(max(start, cells), count):
                level = self.head[place - cells]
                delay = (into_head if place == cells else delay + self._head_net(level)) + level.logic_ns
                result[start, place] = delay
        return result

    def register_bits(self) -> CountArray:
        """int64 (P,): how many bits a register behind each level holds, skipping nets included."""
        netlist, cells = self._netlist, self.levels.cells
        last_read = np.zeros(netlist.nets, np.int64)
        np.maximum.at(last_read, netlist.lut_fanin, np.repeat(self._level[netlist.first_lut_net :], netlist.lut_inputs))
        last_read[netlist.head.nets] = cells + 1
        born, read = self._level[FIRST_NET:], last_read[FIRST_NET:]
        alive = read > born
        changes = np.bincount(born[alive], minlength=cells + 2) - np.bincount(read[alive], minlength=cells + 2)
        return np.concatenate([np.cumsum(changes)[1 : cells + 1], [level.register_bits for level in self.head]]).astype(
            np.int64
        )

    def stage(self, places: range, register_bits: int = 0) -> StageTiming:
        """The delay and the longest path of the stage of the levels at `places`, behind which so many register bits
        stand.
        """
        cells, delays = self.levels.cells, self._delays
        names = tuple(self.levels.names[place] for place in places)
        arrival: FloatArray = np.full(self._netlist.nets, delays.register_delay_ns)
        if places.start < cells:
            own = min(places.stop, cells) - places.start
            arrival = next(islice(self.arrivals(places.start + 1), own - 1, None))
        if places.stop <= cells:
            net = self._last_net(arrival, places.start + 1, places.stop)
            return StageTiming(
                names, float(arrival[net]), tuple(self._trace(arrival, net, places.start + 1)), register_bits
            )
        in_head = range(max(places.start, cells), places.stop)
        hops = [self.head[place - cells] for place in in_head]
        path = [hop.description for hop in reversed(hops)]
        if in_head.start > cells:
            delay = delays.register_delay_ns + self._head_net(hops[0])
            path.append(f"register of {self.head[in_head.start - cells - 1].description}")
        else:
            delay = self._into_head(arrival)
            nets = self._netlist.head.nets
            net = int(nets[np.argmax((arrival + self._net_ns)[nets])])
            path += self._trace(arrival, net, places.start + 1)
        delay += sum(hop.logic_ns for hop in hops) + sum(map(self._head_net, hops[1:]))
        return StageTiming(names, delay, tuple(path), register_bits)

    def _head_net(self, level: HeadLevel) -> float:
        return self._delays.net_ns(level.readers, self.luts)

    def _fanin(self, luts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], CountArray]:
        """The fan-in nets of some LUTs in a row, and where each LUT's begin."""
        netlist = self._netlist
        inputs = netlist.lut_inputs[luts].astype(np.int64)
        starts = np.cumsum(inputs) - inputs
        positions = np.repeat(netlist.lut_offsets[luts] - starts, inputs) + np.arange(int(inputs.sum()))
        return netlist.lut_fanin[positions], starts

    def _cells_at(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """The nets of the cells of some levels."""
        return np.flatnonzero((self._level >= first) & (self._level <= last))

    def _latest(self, arrival: FloatArray, level: int) -> float:
        return float(arrival[self._cells_at(level, level)].max(initial=0.0))

    def _last_net(self, arrival: FloatArray, first: int, last: int) -> int:
        nets = self._cells_at(first, last)
        return int(nets[np.argmax(arrival[nets])])

    def _into_head(self, arrival: FloatArray) -> float:
        return float((arrival + self._net_ns)[self._netlist.head.nets].max())

    def _trace(self, arrival: FloatArray, net: int, first: int) -> Iterator[str]:
        """The path to `net` inside a stage that starts with the level `first`, in words."""
        netlist = self._netlist
        while net >= netlist.first_lut_net and self._level[net] >= first:
            yield self._name(net)
            fanin = netlist.fanin(net - netlist.first_lut_net)
            net = int(fanin[np.argmax((arrival + self._net_ns)[fanin])])
        yield self._name(net) if net < FIRST_NET or self._level[net] >= first else f"register of {self._name(net)}"

    def _name(self, net: int) -> str:
        return net_name(self._netlist, net)


def analyse(netlist: Netlist, family: Family, plan: Plan, outputs: Outputs | None = None) -> Timing:
    """The timing estimate of `netlist` with the registers of `plan`; scores and class are the outputs by default."""
    paths = Paths(netlist, family, outputs)
    bits = paths.register_bits()
    ends = ((stage, stage.stop - 1) for stage in plan.stages)
    return Timing(
        family,
        tuple(paths.stage(stage, int(bits[end]) if end in plan.places else 0) for stage, end in ends),
    )
