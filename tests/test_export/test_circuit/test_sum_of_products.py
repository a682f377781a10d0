"""Sums of products: equal to their table, and as short as exhaustive search finds."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflut.export.circuit.sum_of_products import Cube, minimise


def table_of(cubes: tuple[Cube, ...], n: int) -> int:
    return sum(any(cube.covers(address) for cube in cubes) << address for address in range(1 << n))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, (1 << (1 << n)) - 1))))
def test_the_sum_is_the_table(drawn: tuple[int, int]) -> None:
    n, table = drawn
    assert table_of(minimise(table, n).cubes, n) == table


def test_every_function_of_three_inputs_is_as_short_as_possible() -> None:
    every = [
        Cube(care, value) for care in range(8) for value in range(8) if value & ~care == 0
    ]  # all 27 products of three inputs
    tables = {cube: table_of((cube,), 3) for cube in every}
    shortest = {0: 0}
    for count in range(1, 5):
        for chosen in itertools.combinations(tables.values(), count):
            reached = 0
            for one in chosen:
                reached |= one
            shortest.setdefault(reached, count)
    for table in range(256):
        found = minimise(table, 3)
        assert found.minimal and len(found.cubes) == shortest[table], hex(table)


@pytest.mark.parametrize(
    ("table", "n", "text"),
    [
        (0b00, 1, "0"), (0b11, 1, "1"), (0b10, 1, "a"), (0b01, 1, "a'"), (0b1000, 2, "a b"),
        (0b0110, 2, "a b' + a' b"), (0b11101000, 3, "a b + a c + b c"), (1 << 255, 8, "a b c d e f g h"),
    ],
)  # fmt: skip
def test_known_functions(table: int, n: int, text: str) -> None:
    assert minimise(table, n).text(list("abcdefgh"[:n])) == text
