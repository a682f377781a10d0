"""NeuraLUT nodes: a hard table computed by a perceptron per node, straight-through backward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from difflut.nodes import NeuraLUTNodes


def relaxation(nodes: NeuraLUTNodes, inputs: Tensor) -> Tensor:
    """sigmoid(4 * network), node by node, for autograd."""
    rows = []
    for node in range(nodes.nodes):
        centred = 2 * inputs[node] - 1
        hidden = centred
        for weight, bias in zip(nodes.weights, nodes.biases, strict=True):
            hidden = torch.relu(weight[node] @ hidden + bias[node])
        total = nodes.output[node] @ hidden + nodes.skip[node] @ centred + nodes.bias[node]
        rows.append(torch.sigmoid(4 * total[0]))
    return torch.stack(rows)


@pytest.mark.parametrize(("n", "width", "depth"), [(1, 1, 1), (2, 4, 1), (4, 8, 2), (6, 8, 2), (6, 3, 4), (8, 4, 2)])
def test_output_and_gradients_are_those_of_the_network(n: int, width: int, depth: int) -> None:
    torch.manual_seed(n)
    nodes = NeuraLUTNodes(3, n, width=width, depth=depth).double()
    with torch.no_grad():
        for bias in [*nodes.biases, nodes.bias]:
            bias.normal_()
    inputs = (torch.rand(3, n, 9) < 0.5).double().requires_grad_()
    grad = torch.randn(3, 9, dtype=torch.float64)
    soft = relaxation(nodes, inputs)
    output = nodes(inputs)
    assert torch.equal(output, (soft > 0.5).double())
    tensors = (inputs, *nodes.parameters())
    given = torch.autograd.grad(output, tensors, grad)
    for value, expected in zip(given, torch.autograd.grad(soft, tensors, grad), strict=True):
        torch.testing.assert_close(value, expected)


def test_parameters_learn_where_the_inputs_need_no_gradient() -> None:
    """The first layer reads bits of the encoder; its parameters' gradients must not depend on that."""
    nodes = NeuraLUTNodes(3, 4)
    inputs = (torch.rand(3, 4, 9) < 0.5).float()
    given = torch.autograd.grad(nodes(inputs).sum(), list(nodes.parameters()))
    expected = torch.autograd.grad(nodes(inputs.clone().requires_grad_()).sum(), list(nodes.parameters()))
    for value, other in zip(given, expected, strict=True):
        assert torch.equal(value, other)


def test_without_gradients() -> None:
    nodes = NeuraLUTNodes(3, 4)
    inputs = (torch.rand(3, 4, 9) < 0.5).float().requires_grad_()
    with torch.no_grad():
        assert torch.equal(nodes(inputs), nodes(inputs.detach()))
