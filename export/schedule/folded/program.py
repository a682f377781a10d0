"""A netlist on bits as a program: a few LUTs a clock cycle, their connections and tables in memories.

A *row* is what happens in one cycle: each *lane* looks one table up. Two kinds of rows follow each other:

- rows of the LUTs that other LUTs read, level after level; their results go into a memory of bits;
- rows of what each score counts, score after score: its LUTs, bits as they are, and constants. A net that is counted
  twice, or by two scores, is looked up twice, so that all lanes of a row simply add ones to one score.

A result can be read `PIPELINE.result_rows` rows after the one that makes it; where nothing else is left to do, rows
stay idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.netlist import CONST0, CONST1, FIRST_NET, InputFormat, Netlist
from difflut.export.errors import NetlistError
from difflut.export.schedule.folded.pipeline import PIPELINE


@dataclass(frozen=True, eq=False)
class Program:
    """The rows of a netlist. This docstring is its specification; `difflut.export.schedule.folded.interpret` runs it.

    Bits have numbers: bit f is feature f, and bit features + row * lanes + lane is the result of that lane in that row.
    Each row of `tables` and `reads` is one cycle. The sum of the results of a row is added to a counter; a row with
    `last` gives the counter's value away and clears it. The scores are the last values that were given away, score 0
    first.

    Attributes:
        features: bits that come in.
        classes: scores.
        reads: int64 (rows, lanes, inputs), the bit that each input of each lane reads; 0 where the table ignores it.
        tables: bool (rows, lanes, 2**inputs), index bit i = input i; all 0 in an idle lane.
        last: bool (rows,).
        result_rows: how many of the rows come before those of scores; only their results are read.
        idle_lanes: lanes of all rows that have nothing to do.
    """

    features: int
    classes: int
    reads: npt.NDArray[np.int64]
    tables: npt.NDArray[np.bool_]
    last: npt.NDArray[np.bool_]
    result_rows: int
    idle_lanes: int

    @property
    def rows(self) -> int:
        """Cycles of the program."""
        return len(self.reads)

    @property
    def lanes(self) -> int:
        """Tables that are looked up in a cycle."""
        return int(self.reads.shape[1])

    @property
    def inputs(self) -> int:
        """Inputs of a lane."""
        return int(self.reads.shape[2])


def make_program(netlist: Netlist, lanes: int) -> Program:
    """The program of a netlist on features of one bit, unsigned.

    Args:
        netlist: the circuit; its stages do not matter.
        lanes: LUTs a cycle, at least 1.

    Raises:
        NetlistError: the netlist has features of several bits.
    """
    form = netlist.input
    if form != InputFormat(form.features, 1):
        raise NetlistError(f"netlist {netlist.name!r} has the input {form}; a folded circuit reads features of one bit")
    schedule = _Schedule(netlist, lanes)
    schedule.results()
    result_rows = len(schedule.rows)
    schedule.scores()
    nets = np.full((len(schedule.rows), lanes), CONST0, np.int64)
    for row, some in enumerate(schedule.rows):
        nets[row, : len(some)] = some
    inputs = max(1, int(netlist.lut_inputs.max(initial=1)))
    return Program(
        features=form.features,
        classes=netlist.head.classes,
        reads=_reads(netlist, inputs, schedule.bit)[nets],
        tables=_tables(netlist, inputs)[nets],
        last=schedule.last(result_rows),
        result_rows=result_rows,
        idle_lanes=nets.size - sum(map(len, schedule.rows)),
    )


class _Schedule:
    """Which nets each row looks up."""

    def __init__(self, netlist: Netlist, lanes: int) -> None:
        self.netlist, self.lanes = netlist, lanes
        self.rows: list[list[int]] = []
        self.ends: list[int] = []
        # The bit that carries each net, and the first row that can read it. The bit of a constant does not matter.
        self.bit = np.zeros(netlist.nets, np.int64)
        self.bit[FIRST_NET : netlist.first_lut_net] = netlist.compare_feature
        self.ready = np.zeros(netlist.nets, np.int64)

    def results(self) -> None:
        """Rows of the LUTs that other LUTs read."""
        netlist = self.netlist
        first = netlist.first_lut_net
        read = np.unique(netlist.lut_fanin[netlist.lut_fanin >= first])
        level = levels(netlist)[read - FIRST_NET]
        for one in np.unique(level).tolist():
            placed = self._add(read[level == one].tolist())
            for net, row, lane in placed:
                self.bit[net] = netlist.input.features + row * self.lanes + lane
                self.ready[net] = row + PIPELINE.result_rows

    def scores(self) -> None:
        """Rows of what each score counts."""
        head = self.netlist.head
        for start, end in zip(head.offsets[:-1].tolist(), head.offsets[1:].tolist(), strict=True):
            counted = [net for net in head.nets[start:end].tolist() if net != CONST0]
            self._add(counted)
            if not counted:
                self.rows.append([])
            self.ends.append(len(self.rows) - 1)

    def last(self, result_rows: int) -> npt.NDArray[np.bool_]:
        """The rows after which the counter is cleared."""
        last = np.zeros(len(self.rows), np.bool_)
        last[self.ends] = True
        if result_rows:
            last[result_rows - 1] = True
        return last

    def _add(self, nets: Sequence[int]) -> list[tuple[int, int, int]]:
        """Put nets into new rows, those first that can be looked up first; the net, row and lane of each."""
        earliest = [self._earliest(net) for net in nets]
        order = sorted(range(len(nets)), key=earliest.__getitem__)
        placed = []
        for start in range(0, len(order), self.lanes):
            some = order[start : start + self.lanes]
            self.rows.extend([] for _ in range(earliest[some[-1]] - len(self.rows)))
            placed += [(nets[number], len(self.rows), lane) for lane, number in enumerate(some)]
            self.rows.append([nets[number] for number in some])
        return placed

    def _earliest(self, net: int) -> int:
        first = self.netlist.first_lut_net
        return int(self.ready[self.netlist.fanin(net - first)].max()) if net >= first else 0


def _reads(netlist: Netlist, inputs: int, bit: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """int64 (nets, inputs): the bits that the table of each net reads; `bit` is the one that carries each net."""
    first = netlist.first_lut_net
    reads = np.zeros((netlist.nets, inputs), np.int64)
    reads[FIRST_NET:first, 0] = bit[FIRST_NET:first]
    owner = np.repeat(np.arange(netlist.luts), netlist.lut_inputs)
    place = np.arange(len(netlist.lut_fanin)) - netlist.lut_offsets[owner]
    reads[first + owner, place] = bit[netlist.lut_fanin]
    return reads


def _tables(netlist: Netlist, inputs: int) -> npt.NDArray[np.bool_]:
    """bool (nets, 2**inputs): the table that looks each net up; constants among a LUT's inputs are folded into it."""
    tables = np.zeros((netlist.nets, 1 << inputs), np.bool_)
    tables[CONST1] = True
    address = np.arange(1 << inputs)
    tables[FIRST_NET : netlist.first_lut_net] = (address & 1).astype(np.bool_)
    for n in np.unique(netlist.lut_inputs).tolist():
        luts = np.flatnonzero(netlist.lut_inputs == n)
        bits = netlist.tables_of(luts, n)
        fanin = netlist.lut_fanin[netlist.lut_offsets[luts][:, None] + np.arange(n)]
        # What the table sees: 0 and 1 at constants, 0 behind its own inputs.
        ones = ((fanin == CONST1) << np.arange(n)).sum(axis=1)
        free = ((fanin > CONST1) << np.arange(n)).sum(axis=1)
        seen = (address[None] & free[:, None]) | ones[:, None]
        tables[netlist.first_lut_net + luts] = np.take_along_axis(bits, seen, axis=1)
    return tables
