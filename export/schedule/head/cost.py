"""The LUTs of a head."""

from __future__ import annotations

from difflut.export.families.family import Family
from difflut.export.schedule.head.plan import HeadPlan


def head_luts(plan: HeadPlan, family: Family) -> int:
    """The LUTs of counters and selection."""
    return counter_luts(plan) + selection_luts(plan, family)


def counter_luts(plan: HeadPlan) -> int:
    """The LUTs of the counters of all groups."""
    return sum(plan.counters[size].luts for size in plan.counted_sizes)


def selection_luts(plan: HeadPlan, family: Family) -> int:
    """The LUTs of argmax or top-k.

    With primitives a comparison takes a LUT for two bits, and so does the choice between two scores; else a comparison
    takes half a LUT a bit on the carry chains of six-input LUTs, two LUTs a bit with four-input ones (what Yosys makes
    for iCE40), and a choice one LUT a bit. The choice of an index bit is left to
    the tool: one LUT, none where the two candidates are known.
    """
    score, total = plan.score_bits, 0
    possible = {lane: {index} for lane, index in enumerate(plan.selection.indices)}
    for number, (level, after) in enumerate(zip(plan.selection.levels, plan.selection.lanes, strict=True), 1):
        later = {lane for following in plan.selection.levels[number:] for c in following for lane in (c.left, c.right)}
        for c in level:
            compared = score + (plan.class_bits if c.by_index else 0)
            total += -(-compared // 2) if family.lut_inputs >= 6 else 2 * (compared - 1)
            for lane, kept in ((c.left, c.keep_left), (c.right, c.keep_right)):
                if kept and lane in later and lane in after:
                    total += -(-score // 2) if family.has_primitives else score
                if kept:
                    total += _index_luts(possible[c.left], possible[c.right], plan.class_bits)
            possible[c.left] = possible[c.right] = possible[c.left] | possible[c.right]
    return total


def _index_luts(left: set[int], right: set[int], class_bits: int) -> int:
    """LUTs that choose between two indices: a bit that is fixed on both sides takes none."""
    return sum(len({i >> bit & 1 for i in left}) + len({i >> bit & 1 for i in right}) > 2 for bit in range(class_bits))
