"""Families that mix or transform tables: probabilistic, hybrid, DiffLogic, WARP, Fourier, against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from difflut.errors import ConfigError
from difflut.nodes import DiffLogicNodes, FourierNodes, HybridNodes, ProbabilisticNodes, WARPNodes

# The relaxations of Petersen et al. (2022), table 1, in the order of this project's index: bit a is the gate at address
# a = first + 2 * second.
GATES: list[Callable[[Tensor, Tensor], Tensor]] = [
    lambda a, b: 0 * a,  # false
    lambda a, b: 1 - (a + b - a * b),  # nor
    lambda a, b: a - a * b,  # a and not b
    lambda a, b: 1 - b,
    lambda a, b: b - a * b,  # b and not a
    lambda a, b: 1 - a,
    lambda a, b: a + b - 2 * a * b,  # xor
    lambda a, b: 1 - a * b,  # nand
    lambda a, b: a * b,  # and
    lambda a, b: 1 - (a + b - 2 * a * b),  # xnor
    lambda a, b: a,
    lambda a, b: 1 - b + a * b,  # a or not b
    lambda a, b: b,
    lambda a, b: 1 - a + a * b,  # b or not a
    lambda a, b: a + b - a * b,  # or
    lambda a, b: 0 * a + 1,  # true
]


def weights(inputs: Tensor) -> Tensor:
    """(nodes, 2**n, N): the probability of each address."""
    columns = []
    for address in range(1 << inputs.shape[1]):
        factors = [inputs[:, i] if address >> i & 1 else 1 - inputs[:, i] for i in range(inputs.shape[1])]
        columns.append(torch.stack(factors).prod(0))
    return torch.stack(columns, 1)


@pytest.mark.parametrize("temperature", [1.0, 0.25])
@pytest.mark.parametrize("n", [1, 2, 6, 8])
def test_probabilistic_is_the_expected_entry(n: int, temperature: float) -> None:
    nodes = ProbabilisticNodes(4, n, temperature=temperature)
    inputs = torch.rand(4, n, 5)
    entries = torch.sigmoid(nodes.logits / temperature)
    torch.testing.assert_close(nodes(inputs), (entries[:, :, None] * weights(inputs)).sum(1))
    assert torch.equal(nodes.truth_tables(), entries > 0.5)


@pytest.mark.parametrize("n", range(1, 9))
def test_hybrid_has_the_tables_and_gradients_of_probabilistic(n: int) -> None:
    torch.manual_seed(n)
    hybrid, soft = HybridNodes(4, n, temperature=0.5), ProbabilisticNodes(4, n, temperature=0.5)
    soft.load_state_dict(hybrid.state_dict())
    assert torch.equal(hybrid.truth_tables(), soft.truth_tables())
    inputs = (torch.rand(4, n, 9) < 0.5).float().requires_grad_()
    grad = torch.randn(4, 9)
    given = torch.autograd.grad(hybrid(inputs), (inputs, hybrid.logits), grad)
    for value, expected in zip(given, torch.autograd.grad(soft(inputs), (inputs, soft.logits), grad), strict=True):
        torch.testing.assert_close(value, expected)


def test_difflogic_mixes_the_sixteen_relaxed_gates() -> None:
    nodes = DiffLogicNodes(6, 2, temperature=0.5)
    inputs = torch.rand(6, 2, 7)
    share = torch.softmax(nodes.logits / 0.5, 1)
    expected = sum(share[:, g, None] * gate(inputs[:, 0], inputs[:, 1]) for g, gate in enumerate(GATES))
    assert isinstance(expected, Tensor)
    torch.testing.assert_close(nodes(inputs), expected)


def test_difflogic_with_one_gate_is_that_gate() -> None:
    nodes = DiffLogicNodes(16, 2)
    with torch.no_grad():
        nodes.logits.copy_(20 * torch.eye(16))
    for gate, table in enumerate(nodes.truth_tables().tolist()):
        assert table == [bool(gate >> address & 1) for address in range(4)]


@pytest.mark.parametrize("n", [1, 3, 6])
def test_difflogic_has_two_inputs(n: int) -> None:
    with pytest.raises(ConfigError) as caught:
        DiffLogicNodes(4, n)
    expected = f"DiffLogicNodes: n is {n}; its gates have 2 inputs, so set n=2 or take the family 'probabilistic'"
    assert str(caught.value) == expected


@pytest.mark.parametrize("temperature", [1.0, 0.25])
@pytest.mark.parametrize("n", [1, 2, 6, 8])
def test_warp_is_the_sigmoid_of_the_walsh_sum(n: int, temperature: float) -> None:
    nodes = WARPNodes(4, n, temperature=temperature)
    inputs = torch.rand(4, n, 5)
    total = torch.zeros(4, 5)
    for subset in range(1 << n):
        factors = [2 * inputs[:, i] - 1 for i in range(n) if subset >> i & 1]
        product = torch.stack(factors).prod(0) if factors else torch.ones(4, 5)
        total = total + nodes.coefficients[:, subset, None] * product
    torch.testing.assert_close(nodes(inputs), torch.sigmoid(total / temperature), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_fourier_is_a_bounded_series_of_cosines(n: int) -> None:
    nodes = FourierNodes(4, n)
    values = nodes.table_values()
    amplitudes = nodes.amplitudes / nodes.amplitudes.abs().sum(1, keepdim=True)
    for address in range(1 << n):
        expected = torch.zeros(4)
        for k in range(1 << n):
            angle = math.pi * ((k & address).bit_count() + k.bit_count())
            expected += amplitudes[:, k].detach() * math.cos(angle)
        torch.testing.assert_close(values[:, address].detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 4, 6])
def test_fourier_gradients_are_those_of_the_multilinear_series(n: int) -> None:
    nodes = FourierNodes(3, n).double()
    inputs = (torch.rand(3, n, 9) < 0.5).double().requires_grad_()
    amplitudes = nodes.amplitudes / nodes.amplitudes.abs().sum(1, keepdim=True)
    signs = torch.tensor(
        [[(-1.0) ** ((k & a).bit_count() + k.bit_count()) for a in range(1 << n)] for k in range(1 << n)]
    )
    relaxed = (((1 + amplitudes @ signs.double()) / 2)[:, :, None] * weights(inputs)).sum(1)
    grad = torch.randn(3, 9, dtype=torch.float64)
    tensors = (inputs, nodes.amplitudes)
    given = torch.autograd.grad(nodes(inputs), tensors, grad)
    for value, expected in zip(given, torch.autograd.grad(relaxed, tensors, grad), strict=True):
        torch.testing.assert_close(value, expected)


def test_fourier_does_not_depend_on_the_scale_of_its_amplitudes() -> None:
    nodes = FourierNodes(4, 3)
    before = nodes.table_values().detach()
    with torch.no_grad():
        nodes.amplitudes.mul_(8)
    torch.testing.assert_close(nodes.table_values().detach(), before)
    with torch.no_grad():
        nodes.amplitudes.zero_()
    assert nodes.truth_tables().tolist() == [[False] * 8] * 4
