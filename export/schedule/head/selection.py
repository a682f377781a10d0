"""The plan of argmax and top-k: a network of comparisons.

It is Batcher's odd-even merge sort (K. Batcher, "Sorting networks and their applications", 1968) in descending order,
cut down to what the k first outputs need. For k = 1 that is the balanced tree of classes - 1 comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Comparison:
    """Two lanes meet.

    Attributes:
        left, right: the lanes; the better candidate goes to `left`, the other one to `right`.
        keep_left, keep_right: whether these results are needed.
        by_index: whether candidates of equal scores must be told apart by their indices; otherwise every class that
            can be on the left has a lower index than every one on the right, and a tie goes to the left.
    """

    left: int
    right: int
    keep_left: bool
    keep_right: bool
    by_index: bool


@dataclass(frozen=True)
class SelectionPlan:
    """The k best of the scores that a decision is taken among, equal ones in the order of their indices.

    Several decisions are taken side by side, each for its best score.

    Attributes:
        indices: the index that each score has in its decision; lane i starts with score i.
        ranks: the lane that holds, after the last level, the index of rank 0, 1, ..., k - 1; of several decisions that
            of the best of each one that has a choice.
        levels: comparisons that happen at once.
        lanes: for each level the lanes that are needed after it, ascending.
    """

    indices: tuple[int, ...]
    ranks: tuple[int, ...]
    levels: tuple[tuple[Comparison, ...], ...]
    lanes: tuple[tuple[int, ...], ...]

    @property
    def classes(self) -> int:
        """The number of scores."""
        return len(self.indices)

    def select(self, scores: list[int]) -> list[int]:
        """The indices at `ranks`, by running the comparisons."""
        lane = list(range(self.classes))
        for level in self.levels:
            for c in level:
                left, right = lane[c.left], lane[c.right]
                beats = scores[right] > scores[left]
                if c.by_index:
                    beats = beats or (scores[right] == scores[left] and right < left)
                if beats:
                    lane[c.left], lane[c.right] = right, left
        return [self.indices[lane[i]] for i in self.ranks]


def plan_selection(decisions: Sequence[int], ranked: int) -> SelectionPlan:
    """The network that finds the `ranked` best of a decision's scores; no level if there is nothing to find.

    Args:
        decisions: among how many neighbouring scores each is taken.
        ranked: how many of the best are needed, 0 for none; at most 1 of several decisions.
    """
    if len(decisions) == 1:
        return _plan_decision(decisions[0], ranked)
    plans = [_plan_decision(count, ranked if count > 1 else 0) for count in decisions]
    firsts = np.cumsum([0, *decisions[:-1]]).tolist()
    depth = max(len(plan.levels) for plan in plans)
    levels: list[tuple[Comparison, ...]] = []
    lanes: list[tuple[int, ...]] = []
    for number in range(depth):
        here = [(plan, first) for plan, first in zip(plans, firsts, strict=True) if number < len(plan.levels)]
        done = [(plan, first) for plan, first in zip(plans, firsts, strict=True) if number >= len(plan.levels)]
        levels.append(tuple(_moved(c, first) for plan, first in here for c in plan.levels[number]))
        kept = [first + lane for plan, first in here for lane in plan.lanes[number]]
        lanes.append(tuple(sorted(kept + [first + lane for plan, first in done for lane in plan.ranks])))
    return SelectionPlan(
        tuple(index for plan in plans for index in plan.indices),
        tuple(first + lane for plan, first in zip(plans, firsts, strict=True) for lane in plan.ranks),
        tuple(levels),
        tuple(lanes),
    )


def _moved(comparison: Comparison, first: int) -> Comparison:
    return replace(comparison, left=comparison.left + first, right=comparison.right + first)


def _plan_decision(classes: int, ranked: int) -> SelectionPlan:
    lane: list[int | None] = list(range(classes)) + [None] * ((1 << (classes - 1).bit_length()) - classes)
    steps: list[list[tuple[int, int]]] = []
    sorted_block = 0
    for block, step in _odd_even_merge_sort(len(lane)) if ranked else ():
        if block != sorted_block:  # a merge begins: what lies beyond rank k of a block is not among the k best of all
            sorted_block = block
            lane = [value if position % block < ranked else None for position, value in enumerate(lane)]
        pairs = []
        for i, j in step:
            left, right = lane[i], lane[j]
            if left is None:
                lane[i], lane[j] = right, None
            elif right is not None:
                pairs.append((left, right))
        steps.append(pairs)
    ranks = tuple(value for value in lane[:ranked] if value is not None)
    assert len(ranks) == ranked

    needed = set(ranks)
    kept: list[tuple[list[tuple[int, int, bool, bool]], tuple[int, ...]]] = []
    for step in reversed(steps):
        live = [(i, j, i in needed, j in needed) for i, j in step if i in needed or j in needed]
        if live:
            kept.append((live, tuple(sorted(needed))))
        for i, j, _, _ in live:
            needed |= {i, j}
    possible = {lane: {lane} for lane in range(classes)}
    levels = []
    for live, _ in reversed(kept):
        level = []
        for i, j, keep_left, keep_right in live:
            level.append(Comparison(i, j, keep_left, keep_right, max(possible[i]) > min(possible[j])))
            possible[i] = possible[j] = possible[i] | possible[j]
        levels.append(tuple(level))
    return SelectionPlan(tuple(range(classes)), ranks, tuple(levels), tuple(lanes for _, lanes in reversed(kept)))


def _odd_even_merge_sort(size: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Steps of comparisons (i, j), i < j, of `size` lanes, a power of two, with the size of the blocks sorted
    before.
    """
    block = 1
    while block < size:
        distance = block
        while distance:
            yield (
                block,
                [
                    (low + i, low + i + distance)
                    for low in range(distance % block, size - distance, 2 * distance)
                    for i in range(min(distance, size - low - distance))
                    if (low + i) // (2 * block) == (low + i + distance) // (2 * block)
                ],
            )
            distance //= 2
        block *= 2
