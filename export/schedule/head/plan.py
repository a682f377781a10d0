"""The plan of a whole head: a counter for each group size, then argmax or top-k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from difflut.errors import ConfigError
from difflut.export.circuit.netlist import Head
from difflut.export.families.family import Family
from difflut.export.schedule.head.counter import CounterPlan, plan_counter
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.selection import SelectionPlan, plan_selection


@dataclass(frozen=True)
class HeadPlan:
    """The head as levels: first those of the counters, then those of the selection.

    Attributes:
        outputs: the ports.
        sizes: the size of each group.
        counters: by size, all with the same number of levels.
        selection: argmax or top-k.
        score_bits, class_bits: widths of a score and of a class index.
        registers: for each level, counters first, whether registers stand behind it.
    """

    outputs: Outputs
    sizes: tuple[int, ...]
    counters: Mapping[int, CounterPlan]
    selection: SelectionPlan
    score_bits: int
    class_bits: int
    registers: tuple[bool, ...]

    @property
    def sum_registers(self) -> tuple[bool, ...]:
        """The registers behind the levels of the counters."""
        return self.registers[: self.sum_levels]

    @property
    def selection_registers(self) -> tuple[bool, ...]:
        """The registers behind the levels of the selection."""
        return self.registers[self.sum_levels :]

    @property
    def sum_levels(self) -> int:
        """The number of levels of the counters."""
        return len(next(iter(self.counters.values())).levels)

    @property
    def latency_cycles(self) -> int:
        """Clock cycles through the head."""
        return sum(self.registers)


def plan_head(
    head: Head, family: Family, outputs: Outputs | None = None, registers: Sequence[bool] | None = None
) -> HeadPlan:
    """Plan a head.

    Args:
        head: the groups.
        family: the FPGA family.
        outputs: the ports; scores and class by default.
        registers: for each level whether registers stand behind it; behind every level by default.

    Raises:
        ConfigError: if `registers` has another length than the head has levels.
    """
    outputs = outputs or Outputs()
    sizes = tuple(np.diff(head.offsets).tolist())
    counters = {size: plan_counter(size, family) for size in sorted(set(sizes))}
    levels = max(len(counter.levels) for counter in counters.values())
    selection = plan_selection(head.classes, outputs.ranked)
    total = levels + len(selection.levels)
    if registers is not None and len(registers) != total:
        raise ConfigError(f"registers has {len(registers)} entries; the head has {total} levels: give one for each")
    return HeadPlan(
        outputs=outputs,
        sizes=sizes,
        counters={size: counter.padded(levels) for size, counter in counters.items()},
        selection=selection,
        score_bits=head.score_width_bits,
        class_bits=head.class_width_bits,
        registers=tuple(registers) if registers is not None else (True,) * total,
    )
