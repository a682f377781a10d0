"""Nodes with given tables."""

from __future__ import annotations

import pytest
import torch

from difflut.nodes import FixedNodes
from difflut.nodes.base import address_bits, addresses


@pytest.mark.parametrize("n", range(1, 9))
def test_address_bits_and_addresses_are_inverse(n: int) -> None:
    bits = address_bits(n)
    assert bits.shape == (1 << n, n)
    for address, row in enumerate(bits.tolist()):
        assert [int(bit) for bit in row] == [address >> i & 1 for i in range(n)]
    assert addresses(bits.t().expand(3, -1, -1)).tolist() == [list(range(1 << n))] * 3


@pytest.mark.parametrize("n", range(1, 9))
def test_forward_looks_the_table_up(n: int) -> None:
    nodes = FixedNodes(3, n)
    nodes.tables.copy_(torch.rand(3, 1 << n, generator=torch.Generator().manual_seed(n)) < 0.5)
    outputs = nodes(address_bits(n).t().expand(3, -1, -1))
    assert outputs.dtype == torch.float32
    assert torch.equal(outputs > 0, nodes.truth_tables())


def test_has_no_parameters() -> None:
    nodes = FixedNodes(3, 2)
    assert not list(nodes.parameters())
    assert nodes.regularization_loss().item() == 0
    nodes.project()
    assert not bool(nodes.truth_tables().any())
