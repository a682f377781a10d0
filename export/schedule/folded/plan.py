"""The folded dense part of a streaming circuit: its program, the memories of its bits, and when it runs.

The bits of a map's position come in one cycle and are written into memory as a few narrow words, in the cycles until
the next position can come: narrow words need small multiplexers behind the memory. The words of an image lie in one
half of the memory while the program reads those of the image before from the other half.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.circuit import Circuit
from difflut.export.schedule.folded.memory import Bank, Layout, make_layout
from difflut.export.schedule.folded.pipeline import PIPELINE
from difflut.export.schedule.folded.program import Program, make_program
from difflut.export.schedule.stream.plan import Schedule


@dataclass(frozen=True)
class Keeper:
    """How the bits of a map get into memory.

    Attributes:
        map: its number.
        channels: the channels that are kept, ascending; bit j of a position is channels[j].
        words: words of a position, written one after the other.
        bank: the memory.
    """

    map: int
    channels: tuple[int, ...]
    words: int
    bank: Bank


@dataclass(frozen=True, eq=False)
class FoldedDense:
    """The plan of a folded dense part.

    Attributes:
        program: what it does.
        layout: where its bits lie: a bank for each map, then one for results if there are any.
        keepers: what fills the banks of maps.
        schedule: the circuit's; `collect_cycles` are those until the program starts.
    """

    program: Program
    layout: Layout
    keepers: tuple[Keeper, ...]
    schedule: Schedule

    @property
    def copies(self) -> int:
        """Copies of the banks, one for each bit that is read in a cycle."""
        return self.program.lanes * self.program.inputs

    @property
    def table_bits(self) -> int:
        """Bits of the memory of tables."""
        return int(self.program.tables.size)

    @property
    def connection_bits(self) -> int:
        """Bits of the memory of connections, with the mark of each score's last row."""
        return int(self.program.reads.size) * self.layout.address_bits + self.program.rows

    @property
    def score_cycles(self) -> int:
        """From the edge that takes the start to the one that shows the scores."""
        return self.program.rows + PIPELINE.scores


def nodes_per_cycle(netlist: Circuit, schedule: Schedule, cycles: int) -> int:
    """The fewest nodes of the dense part a cycle with which an image takes at most `cycles` cycles.

    A stream that needs more cycles in any case sets the limit itself; so do levels that wait for each other, and
    scores, of which a cycle adds to one only.
    """

    def interval(lanes: int) -> int:
        return fold_dense(netlist, schedule, lanes).schedule.initiation_interval

    most = int(np.diff(netlist.body.head.offsets).max())
    limit = max(cycles, schedule.initiation_interval, interval(most))
    fewest = min(most, max(1, -(-netlist.body.luts // limit)))
    return fewest + bisect_left(range(fewest, most), True, key=lambda lanes: interval(lanes) <= limit)


def fold_dense(netlist: Circuit, schedule: Schedule, lanes: int) -> FoldedDense:
    """Plan the dense part with so many nodes a cycle; `schedule` is the circuit's with an unfolded one."""
    program = make_program(netlist.body, lanes)
    keepers, places = _keepers(netlist, schedule)
    banks = [keeper.bank for keeper in keepers]
    results = np.full((program.result_rows, lanes, 3), -1, np.int64)
    if program.result_rows:
        results[..., 0] = len(banks)
        results[..., 1] = np.arange(program.result_rows)[:, None]
        results[..., 2] = np.arange(lanes)
        banks.append(Bank("_results", lanes, program.result_rows, halves=1))
    layout = make_layout(banks, np.concatenate([places, results.reshape(-1, 3)]))
    return FoldedDense(program, layout, keepers, _timing(keepers, schedule, program.rows))


def _keepers(netlist: Circuit, schedule: Schedule) -> tuple[tuple[Keeper, ...], npt.NDArray[np.int64]]:
    """What fills each bank, and int64 (features, 3): bank, word and place of each."""
    read = np.unique(netlist.body.compare_feature)
    read = read if len(read) else np.zeros(1, np.int64)  # unused inputs of lanes read something, too
    owner = np.searchsorted(netlist.map_offsets, netlist.body_bits, side="right") - 1
    places = np.full((len(netlist.body_bits), 3), -1, np.int64)
    keepers: list[Keeper] = []
    for number in np.unique(owner[read]).tolist():
        size, taken = netlist.maps[number], schedule.taken[number]
        features = read[owner[read] == number]
        channel, pixel = np.divmod(netlist.body_bits[features] - netlist.map_offsets[number], size.pixels)
        channels, bit = np.unique(channel, return_inverse=True)
        # Cycles from a position to the next, the first of the next image included.
        free = int(np.diff(taken, append=taken[0] + schedule.initiation_interval).min())
        width = -(-len(channels) // free)
        words = -(-len(channels) // width)
        places[features] = np.stack(
            [np.full(len(bit), len(keepers)), pixel * words + bit // width, bit % width], axis=1
        )
        bank = Bank(str(number), width, words * size.pixels, halves=2)
        keepers.append(Keeper(number, tuple(channels.tolist()), words, bank))
    return tuple(keepers), places


def _timing(keepers: tuple[Keeper, ...], schedule: Schedule, rows: int) -> Schedule:
    """The schedule with the edges at which the program starts, and can start again."""
    taken = [schedule.taken[keeper.map] for keeper in keepers]
    # Edges relative to the last pixel's: the last word is written, and can be read an edge later.
    written = max(int(some[-1]) + keeper.words for some, keeper in zip(taken, keepers, strict=True))
    start = max(1, written + 1 - (schedule.pixels - 1) - PIPELINE.read)
    # The first word of the image after the next is written after the last row has read its bits.
    first = schedule.pause_cycles + 2 + min(int(some[0]) for some in taken)
    last_read = start + PIPELINE.read + rows - 1
    return replace(
        schedule,
        collect_cycles=start,
        hold_cycles=max(rows, last_read + 1 - first),
        collected_bits=0,
    )
