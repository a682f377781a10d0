from __future__ import annotations

import itertools

import pytest

from difflut.export.backends import head


@pytest.mark.parametrize(("size", "depth"), [(1, 1), (6, 1), (7, 2), (18, 2), (19, 3), (54, 3), (400, 5), (1000, 6)])
def test_depth_of_an_adder_tree(size: int, depth: int) -> None:
    assert head.adder_depth(size) == depth
    assert head.adder_levels(size, depth)[-1].sums == 1


@pytest.mark.parametrize("size", [*range(1, 60), 399, 400, 401, 1000])
def test_adder_levels_fit_together(size: int) -> None:
    levels = head.adder_levels(size, head.adder_depth(size) + 2)
    width = size
    for level in levels:
        assert level.terms * level.term_bits == width + level.pad_bits
        assert level.terms == level.sums * level.fan_in
        width = level.sums * level.sum_bits
    assert (levels[-1].sums, levels[-1].sum_bits) == (1, size.bit_length())
    assert [level.fan_in for level in levels[-2:]] == [1, 1]


def test_count_tables_are_the_digits_of_the_number_of_ones() -> None:
    for address in range(64):
        digits = [head.count_table(bit) >> address & 1 for bit in range(3)]
        assert sum(digit << bit for bit, digit in enumerate(digits)) == address.bit_count()


@pytest.mark.parametrize("classes", [*range(1, 34), 100, 101, 1000])
def test_argmax_levels_end_with_one_winner(classes: int) -> None:
    levels = head.argmax_levels(classes)
    assert len(levels) == (classes - 1).bit_length()
    for level, following in itertools.pairwise(levels):
        assert level.winners == following.candidates
    assert not levels or (levels[0].candidates, levels[-1].winners) == (classes, 1)
