"""The graph's normal form keeps functions, and its values are those of its tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflut.export.circuit.bits import unpack
from difflut.export.proof.graph import FALSE, TRUE, Graph, cofactor, diagonal, patterns
from difflut.export.proof.solver import cubes
from difflut.export.proof.sweep import evaluate_cone


def value(table: int, bits: list[int]) -> int:
    return table >> sum(bit << i for i, bit in enumerate(bits)) & 1


@settings(deadline=None)
@given(
    st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2 ** (1 << n) - 1), st.integers(0, n - 1)))
)
def test_cofactors(case: tuple[int, int, int]) -> None:
    n, table, i = case
    for fixed in (0, 1):
        rest = cofactor(table, n, i, fixed)
        for address in range(1 << (n - 1)):
            bits = [address >> k & 1 for k in range(n - 1)]
            assert rest >> address & 1 == value(table, [*bits[:i], fixed, *bits[i:]])


@settings(deadline=None)
@given(
    st.integers(2, 6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2 ** (1 << n) - 1), st.integers(1, n - 1)))
)
def test_diagonals(case: tuple[int, int, int]) -> None:
    n, table, second = case
    for first in range(second):
        rest = diagonal(table, n, first, second)
        for address in range(1 << (n - 1)):
            bits = [address >> k & 1 for k in range(n - 1)]
            assert rest >> address & 1 == value(table, [*bits[:second], bits[first], *bits[second:]])


@settings(deadline=None)
@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2 ** (1 << n) - 1))))
def test_cubes_cover_a_table_once(case: tuple[int, int]) -> None:
    n, table = case
    for address in range(1 << n):
        hits = [out for cube, out in cubes(table, n) if all(address >> i & 1 == bit for i, bit in cube)]
        assert hits == [table >> address & 1]


@settings(deadline=None)
@given(st.data())
def test_added_nodes_have_the_function_they_were_asked_for(data: st.DataObject) -> None:
    """Whatever fan-ins, constants and repetitions: the values are those of the table, in both evaluators."""
    graph = Graph()
    inputs = [graph.input(("in", i, 0)) for i in range(4)]
    rows = patterns(4, 1)
    truth = {FALSE: 0, TRUE: (1 << 16) - 1}
    truth |= {node: sum(1 << a for a in range(16) if a >> i & 1) for i, node in enumerate(inputs)}
    for _ in range(data.draw(st.integers(1, 6))):
        n = data.draw(st.integers(1, 8))
        fanins = data.draw(st.lists(st.sampled_from(sorted(truth)), min_size=n, max_size=n))
        table = data.draw(st.integers(0, 2 ** (1 << n) - 1))
        expected = sum(value(table, [truth[feed] >> a & 1 for feed in fanins]) << a for a in range(16))
        node = graph.add(fanins, table)
        assert truth.setdefault(node, expected) == expected
        assert len(set(graph.fanins[node])) == len(graph.fanins[node])
    given_rows = dict(zip(inputs, rows, strict=True))
    values = graph.evaluate(given_rows, 1)
    cone = evaluate_cone(graph, [node for node in range(2, len(graph)) if graph.fanins[node]], given_rows, 1)
    for node, expected in truth.items():
        bits = [bool(expected >> a & 1) for a in range(16)]
        assert unpack(values[node][None], 16)[0].tolist() == bits
        assert unpack(cone[node][None], 16)[0].tolist() == bits


def test_equal_nodes_are_one() -> None:
    graph = Graph()
    a, b = graph.input(("a", 0, 0)), graph.input(("b", 0, 0))
    assert graph.add((a, b), 0b1000) == graph.add((a, b), 0b1000)
    assert graph.add((a, a), 0b1000) == a
    assert graph.add((a, TRUE), 0b1000) == a
    assert graph.add((a, FALSE), 0b1000) == FALSE
    assert graph.add((a, b), 0b1010) == a
    assert graph.add((a, b), 0b0101) == graph.not_(a)


@pytest.mark.parametrize("or_equal", [FALSE, TRUE])
def test_comparisons_of_words(or_equal: int) -> None:
    graph = Graph()
    a, b = ([graph.input((name, i, 0)) for i in range(3)] for name in "ab")
    node = graph.greater(a, b, or_equal)
    values = graph.evaluate(dict(zip(a + b, patterns(6, 1), strict=True)), 1)
    x, y = np.arange(64) % 8, np.arange(64) // 8
    assert unpack(values[node][None], 64)[0].tolist() == ((x >= y) if or_equal else (x > y)).tolist()
