"""The primitives against slow per-sample references."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from difflut.errors import ConfigError, DataError
from difflut.functional import convolve, encode, group_sum, lut_graph, lut_lookup


def slow_lut_lookup(bits: Tensor, connections: Tensor, tables: Tensor) -> list[list[bool]]:
    return [
        [
            bool(table[sum(1 << i for i, source in enumerate(sources) if sample[source])])
            for sources, table in zip(connections.tolist(), tables.tolist(), strict=True)
        ]
        for sample in bits.tolist()
    ]


def random_layer(n: int, samples: int = 9, width: int = 7, nodes: int = 5, seed: int = 0) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    bits = torch.rand(samples, width, generator=generator) < 0.5
    connections = torch.randint(0, width, (nodes, n), generator=generator)
    tables = torch.rand(nodes, 1 << n, generator=generator) < 0.5
    return bits, connections, tables


def random_graph(samples: int) -> tuple[Any, ...]:
    """Two nodes of two inputs, and one that reads a constant, a bit and both of them."""
    generator = torch.Generator().manual_seed(1)
    connections = torch.tensor([2, 4, 1, 3, 0, 3, 5, 6], dtype=torch.int32)
    tables = torch.rand(24, generator=generator) < 0.5
    bits = torch.rand(samples, 3, generator=generator) < 0.5
    return bits, [2, 1], [2, 4], connections, tables, torch.tensor([7, 1, 2, 6], dtype=torch.int32)


@settings(deadline=None)
@given(
    values=st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=2), min_size=0, max_size=5),
    thresholds=st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3), min_size=2, max_size=2),
)
def test_encode_equals_a_loop(values: list[list[float]], thresholds: list[list[float]]) -> None:
    x = torch.tensor(values, dtype=torch.float32).reshape(-1, 2)
    bits = encode(x, torch.tensor(thresholds))
    expected = [[[v > t for t in ts] for v, ts in zip(sample, thresholds, strict=True)] for sample in values]
    assert bits.dtype == torch.bool
    assert bits.shape == (len(values), 2, 3)
    assert bits.tolist() == expected


def test_encode_at_the_threshold() -> None:
    threshold = torch.tensor([[3 / 255]])
    just_above = torch.nextafter(threshold, torch.tensor(1.0))
    just_below = torch.nextafter(threshold, torch.tensor(0.0))
    assert encode(torch.cat([just_below, threshold, just_above]), threshold).flatten().tolist() == [False, False, True]


def test_encode_refuses_nan() -> None:
    with pytest.raises(DataError) as caught:
        encode(torch.tensor([[0.0, float("nan")]]), torch.zeros(2, 1))
    assert str(caught.value) == ("the model's input contains NaN; replace missing values before calling the model")


def test_encode_takes_infinity() -> None:
    x = torch.tensor([[float("inf"), -float("inf")]])
    assert encode(x, torch.zeros(2, 1)).flatten().tolist() == [True, False]


@pytest.mark.parametrize("n", range(1, 9))
def test_lut_lookup_equals_a_loop(n: int) -> None:
    bits, connections, tables = random_layer(n)
    outputs = lut_lookup(bits, connections, tables)
    assert outputs.dtype == torch.bool
    assert outputs.tolist() == slow_lut_lookup(bits, connections, tables)


@pytest.mark.parametrize("n", range(1, 9))
def test_lut_lookup_reaches_each_table_entry(n: int) -> None:
    addresses = torch.arange(1 << n)
    bits = (addresses[:, None] >> torch.arange(n)) & 1 == 1
    one_hot = torch.eye(1 << n, dtype=torch.bool)
    assert torch.equal(lut_lookup(bits, torch.arange(n).repeat(1 << n, 1), one_hot), one_hot)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 8), samples=st.integers(0, 6), width=st.integers(1, 5), seed=st.integers(0, 1000))
def test_lut_lookup_on_any_shape(n: int, samples: int, width: int, seed: int) -> None:
    bits, connections, tables = random_layer(n, samples, width, nodes=3, seed=seed)
    assert lut_lookup(bits, connections, tables).tolist() == slow_lut_lookup(bits, connections, tables)


def test_lut_lookup_on_non_contiguous_tensors() -> None:
    bits, connections, tables = random_layer(4)
    expected = lut_lookup(bits, connections, tables)
    strided = lut_lookup(
        bits.repeat_interleave(2, 1)[:, ::2], connections.t().contiguous().t(), tables.t().contiguous().t()
    )
    assert torch.equal(strided, expected)
    assert torch.equal(lut_lookup(bits.flip(0).t().contiguous().t(), connections, tables), expected.flip(0))


def test_lut_graph_goes_node_by_node() -> None:
    bits, steps, inputs, connections, tables, outputs = random_graph(20)
    found = lut_graph(bits, steps, inputs, connections, tables, outputs)
    for row, sample in zip(found.tolist(), bits.tolist(), strict=True):
        nets = [False, True, *sample]
        for node in ([2, 4], [1, 3], [0, 3, 5, 6]):
            first = (0, 4, 8)[len(nets) - 5]
            nets.append(bool(tables[first + sum(nets[net] << i for i, net in enumerate(node))]))
        assert row == [nets[7], True, nets[2], nets[6]]


@pytest.mark.parametrize(("width", "classes"), [(1, 1), (6, 3), (6, 1), (5, 5), (600, 2)])
@pytest.mark.parametrize("samples", [0, 1, 4])
def test_group_sum_equals_a_loop(samples: int, width: int, classes: int) -> None:
    bits = torch.rand(samples, width, generator=torch.Generator().manual_seed(1)) < 0.5
    scores = group_sum(bits, classes)
    size = width // classes
    expected = [[sum(row[k * size : (k + 1) * size]) for k in range(classes)] for row in bits.tolist()]
    assert scores.dtype == torch.int64
    assert scores.shape == (samples, classes)
    assert scores.tolist() == expected


def test_group_sum_counts_more_than_a_byte_holds() -> None:
    assert group_sum(torch.ones(1, 70_000, dtype=torch.bool), 1).item() == 70_000


def test_group_sum_on_non_contiguous_bits() -> None:
    bits = torch.rand(6, 4, generator=torch.Generator().manual_seed(2)) < 0.5
    assert torch.equal(group_sum(bits.t(), 3), group_sum(bits.t().contiguous(), 3))


@pytest.mark.parametrize(("width", "classes"), [(10, 3), (2, 3), (4, 0), (0, 1)])
def test_group_sum_refuses_unequal_groups(width: int, classes: int) -> None:
    with pytest.raises(ConfigError) as caught:
        group_sum(torch.zeros(1, width, dtype=torch.bool), classes)
    assert str(caught.value) == (
        f"group sum: {width} bits do not split into {classes} equal groups; make the last layer's number of nodes a "
        f"multiple of the number of classes"
    )


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (torch.ops.difflut.encode.default, (torch.rand(3, 2), torch.rand(2, 4))),
        (torch.ops.difflut.encode.default, (torch.rand(0, 2), torch.rand(2, 4))),
        (torch.ops.difflut.lut_lookup.default, random_layer(3)),
        (torch.ops.difflut.lut_lookup.default, random_layer(1, samples=0)),
        (torch.ops.difflut.lut_graph.default, random_graph(3)),
        (torch.ops.difflut.lut_graph.default, random_graph(0)),
        (torch.ops.difflut.group_sum.default, (random_layer(2, width=6)[0], 3)),
        (torch.ops.difflut.group_sum.default, (random_layer(2, samples=1, width=6)[0].expand(5, -1), 2)),
    ],
)
def test_operator_contract(operator: Any, arguments: tuple[Any, ...]) -> None:
    torch.library.opcheck(operator, arguments)


@settings(deadline=None, max_examples=40)
@given(
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 1)),
    samples=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_convolve_looks_each_window_up(
    window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], samples: int, seed: int
) -> None:
    """Position by position, with `lut_lookup` on the window's bits."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.rand(samples, 2, 3, 4, generator=generator) < 0.5
    width = 2 * window[0] * window[1]
    connections = [
        torch.randint(0, width, (6, 3), generator=generator),
        torch.randint(0, 6, (5, 2), generator=generator),
    ]
    tables = [torch.rand(6, 8, generator=generator) < 0.5, torch.rand(5, 4, generator=generator) < 0.5]
    outputs = convolve(bits, connections, tables, window, stride, padding)
    padded = torch.zeros(samples, 2, 3 + 2 * padding[0], 4 + 2 * padding[1], dtype=torch.bool)
    padded[:, :, padding[0] : padding[0] + 3, padding[1] : padding[1] + 4] = bits
    rows = range(0, padded.shape[2] - window[0] + 1, stride[0])
    columns = range(0, padded.shape[3] - window[1] + 1, stride[1])
    assert outputs.shape == (samples, 5, len(rows), len(columns)) and outputs.is_contiguous()
    for y, top in enumerate(rows):
        for x, left in enumerate(columns):
            seen = padded[:, :, top : top + window[0], left : left + window[1]].reshape(samples, width)
            expected = lut_lookup(lut_lookup(seen, connections[0], tables[0]), connections[1], tables[1])
            assert torch.equal(outputs[:, :, y, x], expected)


def test_convolve_is_a_proper_operator() -> None:
    """Its fake result, which torch.export uses, has the shape, dtype and strides of the real one."""
    bits = random_layer(3)[0].reshape(1, 1, 9, 7)
    connections, tables = random_layer(3, width=4)[1:]
    torch.library.opcheck(convolve, (bits, [connections], [tables], (2, 2), (2, 1), (1, 0)))
