"""DWN nodes: hard lookup forward, extended finite difference backward, against slow loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from difflut.nodes import DWNNodes, DWNStableNodes
from difflut.nodes.base import address_bits

FAMILIES = [DWNNodes, DWNStableNodes]


def weight(family: type[DWNNodes], distance: int, n: int) -> float:
    """The published weight of a table entry at a Hamming distance, the differentiated input left out."""
    if family is DWNStableNodes:
        return 0.75 ** (n - 1 - distance) * 0.25**distance / 2
    return 1 / (1 + distance)


def slow_input_gradient(family: type[DWNNodes], inputs: Tensor, table: Tensor, grad: Tensor) -> Tensor:
    """The extended finite difference, entry by entry; shapes as `Nodes.forward`, `grad` (nodes, N)."""
    nodes, n, samples = inputs.shape
    result = torch.zeros(nodes, n, samples, dtype=torch.float64)
    for node in range(nodes):
        for sample in range(samples):
            address = sum(1 << i for i in range(n) if inputs[node, i, sample] > 0)
            for i in range(n):
                total = 0.0
                for k in range(1 << n):
                    distance = ((k ^ address) & ~(1 << i)).bit_count()
                    sign = 1 if k >> i & 1 else -1
                    total += sign * weight(family, distance, n) * float(table[node, k])
                result[node, i, sample] = total * float(grad[node, sample])
    return result


def random_case(family: type[DWNNodes], n: int, samples: int = 3) -> tuple[DWNNodes, Tensor, Tensor]:
    torch.manual_seed(n)
    nodes = family(2, n)
    inputs = (torch.rand(2, n, samples) < 0.5).float().requires_grad_()
    return nodes, inputs, torch.randn(2, samples)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", range(1, 9))
def test_truth_tables_equal_a_hard_forward(family: type[DWNNodes], n: int) -> None:
    nodes = family(4, n)
    outputs = nodes(address_bits(n).t().expand(4, -1, -1))
    assert set(outputs.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(outputs > 0, nodes.truth_tables())


def test_an_entry_of_zero_is_a_zero_bit() -> None:
    nodes = DWNNodes(1, 1)
    with torch.no_grad():
        nodes.table.copy_(torch.tensor([[0.0, 1e-30]]))
    assert nodes.truth_tables().tolist() == [[False, True]]
    assert nodes(address_bits(1).t()[None]).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", range(1, 9))
def test_input_gradient(family: type[DWNNodes], n: int) -> None:
    nodes, inputs, grad = random_case(family, n, samples=2)
    nodes(inputs).backward(grad)
    assert inputs.grad is not None
    expected = slow_input_gradient(family, inputs, nodes.table.detach(), grad)
    torch.testing.assert_close(inputs.grad, expected.float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [1, 3, 6])
def test_table_gradient_goes_to_the_addressed_entry(family: type[DWNNodes], n: int) -> None:
    nodes, inputs, grad = random_case(family, n, samples=7)
    nodes(inputs).backward(grad)
    expected = torch.zeros(2, 1 << n)
    for node in range(2):
        for sample in range(7):
            address = sum(1 << i for i in range(n) if inputs[node, i, sample] > 0)
            expected[node, address] += grad[node, sample]
    assert nodes.table.grad is not None
    torch.testing.assert_close(nodes.table.grad, expected)


def test_gradient_of_one_input_is_the_plain_difference() -> None:
    """With n = 1 there are no other inputs: entry 1 minus entry 0, halved by the stable weights."""
    for family, factor in ((DWNNodes, 1.0), (DWNStableNodes, 0.5)):
        nodes = family(1, 1)
        inputs = torch.tensor([[[0.0, 1.0]]], requires_grad=True)
        nodes(inputs).sum().backward()
        low, high = nodes.table.detach()[0].tolist()
        difference = factor * (high - low)
        assert inputs.grad is not None
        assert inputs.grad.flatten().tolist() == pytest.approx([difference] * 2)


@pytest.mark.parametrize("n", range(1, 9))
def test_stable_input_gradient_stays_within_one(n: int) -> None:
    nodes = DWNStableNodes(1, n)
    with torch.no_grad():
        nodes.table.copy_(2 * address_bits(n)[:, :1].t() - 1)  # output = input 0, the steepest table
    inputs = address_bits(n).t()[None].clone().requires_grad_()
    nodes(inputs).sum().backward()
    assert inputs.grad is not None
    torch.testing.assert_close(inputs.grad[0, 0], torch.ones(1 << n))
    torch.testing.assert_close(inputs.grad[0, 1:], torch.zeros(n - 1, 1 << n))


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_needed_gradients(family: type[DWNNodes]) -> None:
    nodes, inputs, grad = random_case(family, 3)
    nodes(inputs.detach()).backward(grad)
    assert nodes.table.grad is not None
    nodes.table.requires_grad_(False)
    nodes(inputs).backward(grad)
    assert inputs.grad is not None


@pytest.mark.parametrize("family", FAMILIES)
def test_empty_batch(family: type[DWNNodes]) -> None:
    nodes = family(3, 2)
    inputs = torch.zeros(3, 2, 0, requires_grad=True)
    outputs = nodes(inputs)
    assert outputs.shape == (3, 0)
    outputs.sum().backward()
    assert nodes.table.grad is not None
    assert not bool(nodes.table.grad.any())


@pytest.mark.parametrize("family", FAMILIES)
def test_project_clamps_and_keeps_the_function(family: type[DWNNodes]) -> None:
    nodes = family(3, 4)
    with torch.no_grad():
        nodes.table.mul_(3)
    before, tables = nodes.table.detach().clone(), nodes.truth_tables()
    nodes.project()
    assert torch.equal(nodes.table, before.clamp(-1, 1))
    assert torch.equal(nodes.truth_tables(), tables)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_kernel_is_no_state(family: type[DWNNodes]) -> None:
    assert list(family(3, 4).state_dict()) == ["table"]
