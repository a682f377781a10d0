"""The plan of argmax and top-k: a network of comparisons.

It is Batcher's odd-even merge sort (K. Batcher, "Sorting networks and their applications", 1968) in descending order,
cut down to what the k first outputs need. For k = 1 that is the balanced tree of classes - 1 comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


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
    """The k best of `classes` scores, equal ones in the order of their indices.

    Attributes:
        classes: the number of scores; lane i starts with class i.
        ranks: the lane that holds, after the last level, the class of rank 0, 1, ..., k - 1.
        levels: comparisons that happen at once.
        lanes: for each level the lanes that are needed after it, ascending.
    """

    classes: int
    ranks: tuple[int, ...]
    levels: tuple[tuple[Comparison, ...], ...]
    lanes: tuple[tuple[int, ...], ...]

    def select(self, scores: list[int]) -> list[int]:
        """The classes of rank 0 to k - 1, by running the comparisons."""
        lane = list(range(self.classes))
        for level in self.levels:
            for c in level:
                left, right = lane[c.left], lane[c.right]
                beats = scores[right] > scores[left]
                if c.by_index:
                    beats = beats or (scores[right] == scores[left] and right < left)
                if beats:
                    lane[c.left], lane[c.right] = right, left
        return [lane[i] for i in self.ranks]


def plan_selection(classes: int, ranked: int) -> SelectionPlan:
    """The network that finds the `ranked` best of `classes` scores; no level if there is nothing to find."""
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
    return SelectionPlan(classes, ranks, tuple(levels), tuple(lanes for _, lanes in reversed(kept)))


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
