"""What argmax and top-k are, as nodes of a graph over scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from difflut.export.circuit.netlist import Head
from difflut.export.proof.graph import FALSE, TRUE, Graph, patterns
from difflut.export.schedule.head.selection import SelectionPlan

MAX_CHECKED_LANES = 20


def argmax(graph: Graph, scores: Sequence[Sequence[int]]) -> list[int]:
    """The index of the largest of some unsigned words, the lowest index of equals; least significant bit first.

    Neighbours meet in pairs: the largest of both halves' largest is the largest of all, and the right one wins only if
    it is strictly larger, so among equals the leftmost stays.
    """
    best = _same_width(scores)
    index: list[list[int]] = [[] for _ in scores]
    while len(best) > 1:
        next_best, next_index = [], []
        for left in range(0, len(best) - 1, 2):
            right = left + 1
            wins = graph.greater(best[right], best[left])
            next_best.append(graph.multiplexer(best[left], best[right], wins))
            next_index.append([*graph.multiplexer(index[left], index[right], wins), wins])
        if len(best) % 2:
            next_best.append(best[-1])
            next_index.append([*index[-1], FALSE])
        best, index = next_best, next_index
    return index[0] or [FALSE]


def decide(graph: Graph, head: Head, scores: Sequence[Sequence[int]]) -> list[int]:
    """The class word of a head's scores, as `difflut.export.circuit.netlist.Head` has it."""
    word: list[int] = []
    first = 0
    for count in head.decisions.tolist():
        if count > 1:
            index = argmax(graph, scores[first : first + count])
            word += [*index, *[FALSE] * (head.class_width_bits - len(index))]
        first += count
    return word or [FALSE]


def top(graph: Graph, plan: SelectionPlan, scores: Sequence[Sequence[int]], width: int) -> list[list[int]]:
    """The classes of rank 0, 1, ... as words of `width` bits, by the comparisons of a plan that `check_network`
    accepts.
    """
    lanes = [
        (word, [TRUE if number >> bit & 1 else FALSE for bit in range(width)])
        for number, word in enumerate(_same_width(scores))
    ]
    for level in plan.levels:
        for c in level:
            (left, left_index), (right, right_index) = lanes[c.left], lanes[c.right]
            wins = graph.greater(right, left)
            if c.by_index:
                equal = graph.all_of(graph.equals(a, b) for a, b in zip(left, right, strict=True))
                wins = graph.any_of([wins, graph.all_of([equal, graph.greater(left_index, right_index)])])
            lanes[c.left] = graph.multiplexer(left, right, wins), graph.multiplexer(left_index, right_index, wins)
            lanes[c.right] = graph.multiplexer(right, left, wins), graph.multiplexer(right_index, left_index, wins)
    return [lanes[lane][1] for lane in plan.ranks]


def check_network(plan: SelectionPlan) -> bool:
    """Whether a plan's comparisons find the best classes in order, for all scores.

    Scores and indices together are a total order. A network of compare-exchange elements picks the k largest of every
    input in order if it does so for inputs of zeros and ones (the 0-1 principle: D. Knuth, "The Art of Computer
    Programming", volume 3, section 5.3.4): these are tried, all of them. An element that looks at scores only must
    never meet equal scores with the lower index on the right, which the sets of possible classes of its lanes exclude.
    """
    if plan.classes > MAX_CHECKED_LANES:
        return False
    possible = [{number} for number in range(plan.classes)]
    words = max(1, (1 << plan.classes) // 64)
    values = patterns(plan.classes, words)
    lanes = list(values)
    for level in plan.levels:
        for c in level:
            if not c.by_index and max(possible[c.left]) > min(possible[c.right]):
                return False
            possible[c.left] = possible[c.right] = possible[c.left] | possible[c.right]
            lanes[c.left], lanes[c.right] = lanes[c.left] | lanes[c.right], lanes[c.left] & lanes[c.right]
    count = sum(np.unpackbits(value.view(np.uint8), bitorder="little").astype(np.int64) for value in values)
    return all(
        np.array_equal(np.unpackbits(lanes[lane].view(np.uint8), bitorder="little"), count > rank)
        for rank, lane in enumerate(plan.ranks)
    )


def _same_width(scores: Sequence[Sequence[int]]) -> list[list[int]]:
    width = max(len(score) for score in scores)
    return [[*score, *[FALSE] * (width - len(score))] for score in scores]
