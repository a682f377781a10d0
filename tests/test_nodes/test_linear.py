"""Linear LUT nodes: hard threshold forward, straight-through sigmoid backward."""

from __future__ import annotations

import pytest
import torch

from difflut.nodes import LinearLUTNodes
from difflut.nodes.base import address_bits


@pytest.mark.parametrize("n", range(1, 9))
def test_truth_tables_equal_a_hard_forward(n: int) -> None:
    torch.manual_seed(n)
    nodes = LinearLUTNodes(50, n)
    outputs = nodes(address_bits(n).t().expand(50, -1, -1))
    assert set(outputs.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(outputs > 0, nodes.truth_tables())


@pytest.mark.parametrize("samples", [1, 7, 64, 1000])
def test_batches_of_any_size_agree_with_the_tables(samples: int) -> None:
    """The sum near zero must round alike in a vector of any length."""
    torch.manual_seed(samples)
    nodes = LinearLUTNodes(40, 6)
    with torch.no_grad():
        nodes.weight.copy_(nodes.weight.sign() * 0.1)  # many sums that are zero but for rounding
    address = torch.randint(0, 64, (40, samples))
    inputs = (address[:, None, :] >> torch.arange(6)[None, :, None] & 1).float()
    assert torch.equal(nodes(inputs) > 0, nodes.truth_tables().gather(1, address))


def test_the_sum_of_centred_inputs() -> None:
    nodes = LinearLUTNodes(1, 2)
    with torch.no_grad():
        nodes.weight.copy_(torch.tensor([[1.0, -2.0]]))
        nodes.bias.copy_(torch.tensor([0.5]))
    # -1 + 2 + 0.5, 1 + 2 + 0.5, -1 - 2 + 0.5, 1 - 2 + 0.5
    assert nodes.truth_tables().tolist() == [[True, True, False, False]]


def test_a_sum_of_zero_is_a_zero_bit() -> None:
    nodes = LinearLUTNodes(1, 2)
    with torch.no_grad():
        nodes.weight.copy_(torch.tensor([[1.0, 1.0]]))
    assert nodes.truth_tables().tolist() == [[False, False, False, True]]


@pytest.mark.parametrize("n", [1, 3, 6])
def test_gradients_are_those_of_the_sigmoid(n: int) -> None:
    torch.manual_seed(n)
    nodes = LinearLUTNodes(3, n)
    with torch.no_grad():
        nodes.bias.normal_()
    inputs = (torch.rand(3, n, 5) < 0.5).float().requires_grad_()
    grad = torch.randn(3, 5)
    nodes(inputs).backward(grad)
    expected_input = torch.zeros(3, n, 5)
    expected_weight = torch.zeros(3, n)
    expected_bias = torch.zeros(3)
    for node in range(3):
        for sample in range(5):
            centred = 2 * inputs[node, :, sample].detach() - 1
            total = float(nodes.weight[node].detach() @ centred + nodes.bias[node].detach())
            soft = float(torch.sigmoid(torch.tensor(4 * total)))
            slope = 4 * soft * (1 - soft) * float(grad[node, sample])
            expected_input[node, :, sample] = 2 * slope * nodes.weight[node].detach()
            expected_weight[node] += slope * centred
            expected_bias[node] += slope
    for given, expected in (
        (inputs.grad, expected_input),
        (nodes.weight.grad, expected_weight),
        (nodes.bias.grad, expected_bias),
    ):
        torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)


def test_empty_batch() -> None:
    nodes = LinearLUTNodes(3, 2)
    outputs = nodes(torch.zeros(3, 2, 0))
    assert outputs.shape == (3, 0)
    outputs.sum().backward()


def test_no_regularization_and_no_projection() -> None:
    nodes = LinearLUTNodes(3, 2)
    before = nodes.weight.detach().clone()
    nodes.project()
    assert torch.equal(nodes.weight, before)
    assert nodes.regularization_loss().item() == 0
