"""The plan of a whole head: a counter for each group size, then argmax or top-k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from difflut.errors import ConfigError
from difflut.export.circuit.netlist import CONST1, Head, IntArray
from difflut.export.families.family import Family
from difflut.export.schedule.head.counter import CounterPlan, plan_counter
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.selection import SelectionPlan, plan_selection


@dataclass(frozen=True)
class HeadPlan:
    """The head as levels: first those of the counters, then those of the selection.

    Attributes:
        outputs: the ports.
        sizes: how many bits of each group are counted; 0 for a group of constants, if there are others.
        fixed: the score of each group of constants whose size is 0, else None.
        counters: by size, all with the same number of levels.
        selection: argmax or top-k.
        score_bits, class_bits: widths of a score and of a class index.
        registers: for each level, counters first, whether registers stand behind it.
    """

    outputs: Outputs
    sizes: tuple[int, ...]
    fixed: tuple[int | None, ...]
    counters: Mapping[int, CounterPlan]
    selection: SelectionPlan
    score_bits: int
    class_bits: int
    registers: tuple[bool, ...]

    @property
    def counted_sizes(self) -> tuple[int, ...]:
        """The size of each group that has a counter."""
        return tuple(size for size in self.sizes if size)

    def counted(self, head: Head) -> IntArray:
        """int32: the nets of the head that this plan is of which counters read, group after group."""
        has_counter = np.repeat([score is None for score in self.fixed], np.diff(head.offsets))
        counted: IntArray = head.nets[has_counter]
        return counted

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
        ConfigError: if `registers` has another length than the head has levels, or a ranking is asked for of a head
            that takes several decisions.
    """
    outputs = outputs or Outputs()
    decisions = tuple(head.decisions.tolist())
    if outputs.top and len(decisions) > 1:
        raise ConfigError(
            f"outputs {outputs.name!r}: the head takes {len(decisions)} decisions; a ranking is of one; choose "
            "both, scores or class"
        )
    fixed = _fixed_scores(head)
    sizes = tuple(np.where([score is None for score in fixed], np.diff(head.offsets), 0).tolist())
    counters = {size: plan_counter(size, family) for size in sorted(set(sizes)) if size}
    levels = max(len(counter.levels) for counter in counters.values())
    selection = plan_selection(decisions, outputs.ranked)
    total = levels + len(selection.levels)
    if registers is not None and len(registers) != total:
        raise ConfigError(f"registers has {len(registers)} entries; the head has {total} levels: give one for each")
    return HeadPlan(
        outputs=outputs,
        sizes=sizes,
        fixed=fixed,
        counters={size: counter.padded(levels) for size, counter in counters.items()},
        selection=selection,
        score_bits=head.score_width_bits,
        class_bits=head.class_width_bits,
        registers=tuple(registers) if registers is not None else (True,) * total,
    )


def _fixed_scores(head: Head) -> tuple[int | None, ...]:
    """The scores of groups of constants; None for those that count, and for all where none counts."""
    starts = head.offsets[:-1]
    counts = np.maximum.reduceat(head.nets, starts) > CONST1
    ones = np.add.reduceat(head.nets == CONST1, starts, dtype=np.int64)
    return tuple(None if counts[k] or not counts.any() else int(ones[k]) for k in range(head.classes))
