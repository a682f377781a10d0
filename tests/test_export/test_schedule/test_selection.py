from __future__ import annotations

import numpy as np
import pytest

from difflut.export.schedule.head.selection import plan_selection


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5, 7, 8, 10, 16, 17, 33])
def test_the_best_in_order_and_of_equal_ones_the_lowest(classes: int) -> None:
    rng = np.random.default_rng(classes)
    for ranked in {1, min(2, classes), min(3, classes), classes}:
        plan = plan_selection((classes,), ranked)
        for _ in range(150):
            scores = rng.integers(0, rng.integers(1, 12), classes).tolist()
            assert plan.select(scores) == sorted(range(classes), key=lambda k: (-scores[k], k))[:ranked]


@pytest.mark.parametrize("classes", [1, 2, 3, 10, 16, 17, 100, 1000])
def test_argmax_is_a_balanced_tree_that_compares_no_index(classes: int) -> None:
    plan = plan_selection((classes,), 1)
    assert len(plan.levels) == (classes - 1).bit_length()
    comparisons = [comparison for level in plan.levels for comparison in level]
    assert len(comparisons) == classes - 1
    assert not any(comparison.by_index or comparison.keep_right for comparison in comparisons)


def test_nothing_to_find() -> None:
    assert plan_selection((10,), 0).levels == ()


@pytest.mark.parametrize("decisions", [(2, 2), (1, 1), (1, 10, 1), (10, 2, 1, 3), (33, 4)], ids=str)
def test_decisions_side_by_side(decisions: tuple[int, ...]) -> None:
    plan = plan_selection(decisions, 1)
    assert len(plan.levels) == (max(decisions) - 1).bit_length()
    rng = np.random.default_rng(1)
    for _ in range(150):
        scores = rng.integers(0, rng.integers(1, 12), sum(decisions)).tolist()
        ends = np.cumsum(decisions).tolist()
        parts = [scores[end - count : end] for count, end in zip(decisions, ends, strict=True)]
        assert plan.select(scores) == [part.index(max(part)) for part in parts if len(part) > 1]
    assert plan_selection(decisions, 0).levels == ()
