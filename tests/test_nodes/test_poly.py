"""PolyLUT nodes: hard polynomial threshold forward, straight-through sigmoid backward."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from difflut.nodes import LinearLUTNodes, PolyLUTNodes


def relaxation(nodes: PolyLUTNodes, inputs: Tensor) -> Tensor:
    """sigmoid(4 * polynomial), one product at a time, for autograd."""
    centred = 2 * inputs - 1
    total = torch.zeros_like(inputs[:, 0])
    for column, subset in enumerate(nodes.subsets.tolist()):
        product = torch.ones_like(total)
        for i in range(nodes.n):
            if subset >> i & 1:
                product = product * centred[:, i]
        total = total + nodes.weight[:, column, None] * product
    return torch.sigmoid(4 * total)


@pytest.mark.parametrize(("n", "degree"), [(1, 1), (2, 2), (4, 1), (4, 2), (4, 3), (6, 2), (6, 8), (8, 3)])
def test_output_and_gradients_are_those_of_the_polynomial(n: int, degree: int) -> None:
    torch.manual_seed(n)
    nodes = PolyLUTNodes(5, n, degree=degree).double()
    inputs = (torch.rand(5, n, 9) < 0.5).double().requires_grad_()
    grad = torch.randn(5, 9, dtype=torch.float64)
    soft = relaxation(nodes, inputs)
    output = nodes(inputs)
    assert torch.equal(output, (soft > 0.5).double())
    given = torch.autograd.grad(output, (inputs, nodes.weight), grad)
    for value, expected in zip(given, torch.autograd.grad(soft, (inputs, nodes.weight), grad), strict=True):
        torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_degree_1_is_the_linear_family(n: int) -> None:
    poly, linear = PolyLUTNodes(7, n, degree=1), LinearLUTNodes(7, n)
    assert poly.subsets.tolist() == [0] + [1 << i for i in range(n)]
    with torch.no_grad():
        linear.bias.normal_()
        poly.weight.copy_(torch.cat((linear.bias[:, None], linear.weight), 1))
    inputs = (torch.rand(7, n, 20) < 0.5).float().requires_grad_()
    first, second = poly(inputs), linear(inputs)
    assert torch.equal(first, second)
    (given,) = torch.autograd.grad(first.sum(), inputs)
    (expected,) = torch.autograd.grad(second.sum(), inputs)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n", "degree"), [(1, 2), (6, 1), (6, 2), (6, 6), (8, 3)])
def test_number_of_weights(n: int, degree: int) -> None:
    assert PolyLUTNodes(1, n, degree=degree).weight.shape[1] == sum(math.comb(n, k) for k in range(degree + 1))


def test_parity_needs_the_full_degree() -> None:
    nodes = PolyLUTNodes(1, 3, degree=3)
    with torch.no_grad():
        nodes.weight.copy_((nodes.subsets == 0b111).float())
    assert nodes.truth_tables()[0].tolist() == [address.bit_count() % 2 == 1 for address in range(8)]
