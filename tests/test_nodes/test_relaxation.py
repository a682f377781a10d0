"""The evaluation of real tables: multilinear extension, hard lookup, neighbour differences, characters."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from difflut.nodes import relaxation
from difflut.nodes.base import address_bits
from difflut.nodes.relaxation import characters, differences, hard_lookup, multilinear


def slow_multilinear(inputs: Tensor, table: Tensor) -> Tensor:
    """The sum over the addresses of the entry times the probability of the address, one product at a time."""
    nodes, n, samples = inputs.shape
    output = torch.zeros(nodes, samples, dtype=inputs.dtype)
    for address in range(1 << n):
        weight = torch.ones(nodes, samples, dtype=inputs.dtype)
        for i in range(n):
            weight = weight * (inputs[:, i] if address >> i & 1 else 1 - inputs[:, i])
        output = output + table[:, address, None] * weight
    return output


def case(n: int, nodes: int = 3, samples: int = 4) -> tuple[Tensor, Tensor]:
    torch.manual_seed(n)
    inputs = torch.rand(nodes, n, samples, dtype=torch.float64, requires_grad=True)
    return inputs, torch.randn(nodes, 1 << n, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("n", range(1, 9))
def test_multilinear_and_its_gradients(n: int) -> None:
    inputs, table = case(n)
    grad = torch.randn(3, 4, dtype=torch.float64)
    output, expected = multilinear(inputs, table), slow_multilinear(inputs, table)
    torch.testing.assert_close(output, expected)
    given = torch.autograd.grad(output, (inputs, table), grad)
    for value, slow in zip(given, torch.autograd.grad(expected, (inputs, table), grad), strict=True):
        torch.testing.assert_close(value, slow)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_multilinear_against_finite_differences(n: int) -> None:
    assert torch.autograd.gradcheck(multilinear, case(n))


@pytest.mark.parametrize("n", range(1, 9))
def test_at_corners_an_entry_comes_out_unchanged(n: int) -> None:
    table = torch.rand(5, 1 << n)
    assert torch.equal(multilinear(address_bits(n).t().expand(5, -1, -1), table), table)


@pytest.mark.parametrize("values", [1, 40, 1000])
def test_blocks_change_nothing(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, table = case(4, nodes=7)
    whole = multilinear(inputs, table)
    gradients = torch.autograd.grad(whole.sum(), (inputs, table))
    monkeypatch.setattr(relaxation, "BLOCK_VALUES", values)
    blocked = multilinear(inputs, table)
    assert torch.equal(blocked, whole)
    for value, expected in zip(torch.autograd.grad(blocked.sum(), (inputs, table)), gradients, strict=True):
        assert torch.equal(value, expected)


@pytest.mark.parametrize("wanted", [(True, False), (False, True)])
def test_only_the_needed_gradients(wanted: tuple[bool, bool]) -> None:
    for function in (multilinear, lambda inputs, table: hard_lookup(inputs, table, torch.zeros(3, 3, 8).double())):
        inputs, table = (tensor.detach().requires_grad_(want) for tensor, want in zip(case(3), wanted, strict=True))
        function(inputs, table).sum().backward()
        assert (inputs.grad is not None, table.grad is not None) == wanted


def test_no_second_derivative() -> None:
    inputs, table = case(2)
    (grad,) = torch.autograd.grad(multilinear(inputs, table).square().sum(), inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("n", range(1, 9))
def test_differences(n: int) -> None:
    table = torch.randn(2, 1 << n)
    given = differences(table)
    assert given.shape == (2, n, 1 << n)
    for i, address in itertools.product(range(n), range(1 << n)):
        expected = table[:, address | 1 << i] - table[:, address & ~(1 << i)]
        assert torch.equal(given[:, i, address], expected)


@pytest.mark.parametrize("n", range(1, 9))
def test_differences_are_the_multilinear_gradient_at_corners(n: int) -> None:
    table = torch.rand(2, 1 << n, dtype=torch.float64)
    corners = address_bits(n).t().expand(2, -1, -1).double().clone().requires_grad_()
    (grad,) = torch.autograd.grad(multilinear(corners, table).sum(), corners)
    torch.testing.assert_close(grad, differences(table))


def test_hard_lookup_rounds_inputs_and_entries_and_takes_its_gradients() -> None:
    table = torch.tensor([[0.5, 0.6, 0.4, 1.0]], requires_grad=True)
    inputs = torch.tensor([[[0.5, 0.51, 0.0, 1.0], [0.5, 0.49, 1.0, 1.0]]], requires_grad=True)  # addresses 0 1 2 3
    slopes = torch.arange(8.0).view(1, 2, 4)
    output = hard_lookup(inputs, table, slopes)
    assert output.tolist() == [[0.0, 1.0, 0.0, 1.0]]
    output.backward(torch.tensor([[1.0, 10.0, 100.0, 1000.0]]))
    assert table.grad is not None
    assert inputs.grad is not None
    assert table.grad.tolist() == [[1.0, 10.0, 100.0, 1000.0]]
    assert inputs.grad.tolist() == [[[0.0, 10.0, 200.0, 3000.0], [4.0, 50.0, 600.0, 7000.0]]]


@pytest.mark.parametrize("n", range(1, 9))
def test_characters(n: int) -> None:
    given = characters(n)
    for subset, address in itertools.product(range(1 << n), repeat=2):
        expected = 1
        for i in range(n):
            if subset >> i & 1:
                expected *= 1 if address >> i & 1 else -1
        assert given[subset, address] == expected
    assert torch.equal(given @ given.t(), (1 << n) * torch.eye(1 << n))


@pytest.mark.parametrize("values", [1, 10, 1000])
def test_tiles_change_nothing(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    inputs = (torch.rand(7, 4, 9) < 0.5).float().requires_grad_()
    table, slopes, grad = torch.randn(7, 16, requires_grad=True), torch.randn(7, 4, 16), torch.randn(7, 9)

    def results() -> tuple[Tensor, ...]:
        output = hard_lookup(inputs, table, slopes, 0.0)
        return output, *torch.autograd.grad(output, (inputs, table), grad)

    whole = results()
    monkeypatch.setattr(relaxation, "TILE_VALUES", values)
    for tiled, expected in zip(results(), whole, strict=True):
        assert torch.equal(tiled, expected)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_hard_lookup_against_loops(threshold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaxation, "TILE_VALUES", 16)
    torch.manual_seed(1)
    inputs = (torch.rand(3, 8, 5) < 0.5).float().requires_grad_()
    table, slopes, grad = torch.randn(3, 256, requires_grad=True), torch.randn(3, 8, 256), torch.randn(3, 5)
    output = hard_lookup(inputs, table, slopes, threshold)
    output.backward(grad)
    assert inputs.grad is not None and table.grad is not None
    expected = torch.zeros(3, 256)
    for node, sample in itertools.product(range(3), range(5)):
        address = sum(int(inputs[node, i, sample]) << i for i in range(8))
        assert output[node, sample] == float(table[node, address] > threshold)
        assert torch.equal(inputs.grad[node, :, sample], slopes[node, :, address] * grad[node, sample])
        expected[node, address] += grad[node, sample]
    torch.testing.assert_close(table.grad, expected)


def test_hard_lookup_of_no_sample() -> None:
    table = torch.randn(3, 4, requires_grad=True)
    output = hard_lookup(torch.zeros(3, 2, 0), table, torch.zeros(3, 2, 4))
    assert output.shape == (3, 0)
    output.sum().backward()
    assert table.grad is not None and not table.grad.any()
