"""A static timing estimate of a netlist on a target: delays of its stages, the clock, the critical path in words.

The delays are the target's (`Delays`): a model, whose error docs/timing.md states. Input codes are taken to come from
registers right in front of the input port, outputs to end in registers right behind the output port. All functions take
a netlist that `difflut.export.verify.check` accepts; none has a Python loop per LUT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.analysis import estimate_luts, levels
from difflut.export.backends import head as heads
from difflut.export.ir import CONST1, FIRST_NET, Head, Netlist
from difflut.export.levels import Levels, Plan
from difflut.export.targets import Target

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
    """

    levels: tuple[str, ...]
    delay_ns: float
    path: tuple[str, ...]

    def __str__(self) -> str:
        return " <- ".join(self.path)


@dataclass(frozen=True)
class Timing:
    """The estimate for a whole design."""

    target: Target
    stages: tuple[StageTiming, ...]

    @property
    def critical(self) -> int:
        """The number, from 1, of the slowest stage, the first of equals."""
        return 1 + int(np.argmax([stage.delay_ns for stage in self.stages]))

    @property
    def fmax_mhz(self) -> float:
        """The estimated clock frequency."""
        return 1e3 / self.stages[self.critical - 1].delay_ns

    def to_json(self) -> dict[str, Any]:
        """Plain values for build.json; delays in whole picoseconds, so that equal exports are equal bytes."""
        critical = self.stages[self.critical - 1]
        return {
            "estimate": f"a delay model, {'fitted to' if self.target.delays.calibrated else 'not checked against'} "
            f"routed designs; source: {self.target.delays.source}",
            "fmax_mhz": round(self.fmax_mhz, 1),
            "stages": [{"levels": list(stage.levels), "delay_ns": round(stage.delay_ns, 3)} for stage in self.stages],
            "critical_path": {"stage": self.critical, "path": list(critical.path)},
        }


def find_levels(netlist: Netlist) -> Levels:
    """The levels of a netlist, those of its head included."""
    deepest = int(levels(netlist).max(initial=0))
    sums = max(heads.adder_depth(size) for size in np.diff(netlist.head.offsets).tolist())
    return Levels(deepest > 0, max(deepest - 1, 0), sums, len(heads.argmax_levels(netlist.head.classes)))


def head_levels(head: Head, target: Target, luts: int) -> list[HeadLevel]:
    """The levels of the group sum, then of the argmax, of a design of about `luts` LUTs."""
    delays, lut_ns = target.delays, target.delays.lut_delay_ns
    sizes = np.diff(head.offsets).tolist()
    found = []
    trees = [heads.adder_levels(size, max(map(heads.adder_depth, sizes))) for size in sizes]
    for steps in zip(*trees, strict=True):
        widest = max(steps, key=lambda step: (step.fan_in, step.sum_bits))
        if widest.number == 1:
            logic = target.lut_ns(min(widest.fan_in, max(sizes)), luts)
        elif widest.fan_in == 1:
            logic = 0.0
        else:  # three terms are first reduced to two, by one more level of LUTs
            logic = lut_ns + delays.carry_ns(widest.sum_bits)
            if widest.fan_in > 2:
                logic += lut_ns + delays.net_ns(2, luts)
        bits = sum(step.sums * step.sum_bits for step in steps)
        readers = widest.sum_bits if widest.number == 1 else 2
        found.append(HeadLevel(f"group sum level {widest.number}", readers, logic, bits))
    score_bits = head.score_width_bits
    for level in heads.argmax_levels(head.classes):
        select = delays.net_ns(score_bits + level.index_bits, luts) + lut_ns
        logic = lut_ns + delays.carry_ns(score_bits) + select
        bits = level.winners * (score_bits + level.index_bits) + head.classes * score_bits
        found.append(HeadLevel(f"argmax level {level.number}", 3, logic, bits))
    return found


def comparator_depths(netlist: Netlist, lut_inputs: int) -> CountArray:
    """int64 (C,): the LUT levels of each comparison of a code with a constant.

    It looks only at the b upper bits that are left when the trailing zeros of threshold - lowest code are dropped. A
    LUT of k inputs compares k bits; each further level joins (k + 1) // 2 groups, of which all but one are told
    "greater" from "equal". One bit is a wire.
    """
    above_lowest = netlist.compare_threshold.astype(np.int64) - netlist.input.lowest
    bits = netlist.input.width_bits - np.log2(above_lowest & -above_lowest).astype(np.int64)
    depths: CountArray = (bits > 1).astype(np.int64)
    reach = lut_inputs
    while (bits > reach).any():
        depths += bits > reach
        reach *= (lut_inputs + 1) // 2
    return depths


class Paths:
    """Arrival times in a netlist on a target, from any level on.

    Attributes:
        levels: the levels of the design.
        head: its head's levels.
    """

    def __init__(self, netlist: Netlist, target: Target) -> None:
        delays = target.delays
        self._netlist, self._delays = netlist, delays
        self.levels = find_levels(netlist)
        self.luts = estimate_luts(netlist).total
        self.head = head_levels(netlist.head, target, self.luts)
        self._level = np.concatenate([np.zeros(FIRST_NET, np.int32), levels(netlist)])  # of nets
        readers = np.bincount(netlist.lut_fanin, minlength=netlist.nets)
        counted = np.bincount(netlist.head.nets, minlength=netlist.nets)
        self._net_ns = delays.nets_ns(readers + counted * self.head[0].readers, self.luts)
        self._lut_ns = np.array([target.lut_ns(n, self.luts) for n in range(9)])[netlist.lut_inputs]
        self._compare_ns = self._comparators(target)
        lut_level = self._level[netlist.first_lut_net :]
        order = np.argsort(lut_level, kind="stable")
        borders = np.searchsorted(lut_level[order], np.arange(1, self.levels.cells + 2))
        self._luts_of = [order[start:end] for start, end in pairwise(borders)]

    def _comparators(self, target: Target) -> FloatArray:
        """From the register in front of the port to each comparator's output."""
        netlist, delays = self._netlist, self._delays
        readers = np.bincount(netlist.compare_feature, minlength=netlist.input.features)
        depths = comparator_depths(netlist, target.lut_inputs)
        between = np.maximum(depths - 1, 0) * delays.net_ns(1, self.luts)
        port: FloatArray = delays.nets_ns(readers, self.luts)[netlist.compare_feature]
        arrival: FloatArray = delays.register_delay_ns + port + depths * delays.lut_delay_ns + between
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

    def stage(self, places: range) -> StageTiming:
        """The delay and the longest path of the stage that consists of the levels at `places`."""
        cells, delays = self.levels.cells, self._delays
        names = tuple(self.levels.names[place] for place in places)
        arrival: FloatArray = np.full(self._netlist.nets, delays.register_delay_ns)
        if places.start < cells:
            own = min(places.stop, cells) - places.start
            arrival = next(islice(self.arrivals(places.start + 1), own - 1, None))
        if places.stop <= cells:
            net = self._last_net(arrival, places.start + 1, places.stop)
            return StageTiming(names, float(arrival[net]), tuple(self._trace(arrival, net, places.start + 1)))
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
        return StageTiming(names, delay, tuple(path))

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
        """A net in words of the model: L<layer>.<node>, or the comparison."""
        netlist = self._netlist
        if net < FIRST_NET:
            return f"constant {int(net == CONST1)}"
        if net < netlist.first_lut_net:
            cell = net - FIRST_NET
            return f"feature {netlist.compare_feature[cell]} >= {netlist.compare_threshold[cell]}"
        lut = net - netlist.first_lut_net
        layer = int(netlist.lut_layer[lut])
        return f"L{layer}.{netlist.lut_node[lut]}" if layer > 0 else f"LUT {lut} of the export"


def analyse(netlist: Netlist, target: Target, plan: Plan, paths: Paths | None = None) -> Timing:
    """The timing estimate of `netlist` with the registers of `plan`."""
    paths = paths or Paths(netlist, target)
    return Timing(target, tuple(paths.stage(stage) for stage in plan.stages))
