"""NeuraLUT nodes: each table is what a small neural network of its own computes.

Source: Andronic and Constantinides, "NeuraLUT: Hiding Neural Network Density in Boolean Synthesizable Functions",
FPL 2024 (arXiv:2403.00849).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.nodes.base import Nodes, address_bits, check_count
from difflut.nodes.relaxation import hard_lookup


class NeuraLUTNodes(Nodes):
    """A multilayer perceptron per node: `depth` hidden layers of `width` rectified units between n inputs and a sum.

    The inputs enter as -1/+1. An affine skip from them adds to the sum (one skip over all hidden layers, where the
    paper has one for every few). The output bit is 1 where the sum is positive.

    Forward is hard. The gradient is that of sigmoid(4 * sum) through the network, straight through the threshold. The
    networks and their derivatives are computed at the 2**n addresses once a step and looked up, not once a sample.

    Args:
        width: units of each hidden layer, 1 to 64.
        depth: hidden layers, 1 to 8.
    """

    corners: Tensor

    def __init__(self, nodes: int, n: int, *, width: int = 8, depth: int = 2) -> None:
        super().__init__(nodes, n)
        self.width = check_count(self, "width", width, 64)
        self.depth = check_count(self, "depth", depth, 8)
        fans = [n] + [width] * (depth - 1)
        self.weights = nn.ParameterList(torch.randn(nodes, width, fan) * (2 / fan) ** 0.5 for fan in fans)
        self.biases = nn.ParameterList(torch.zeros(nodes, width, 1) for _ in fans)
        self.output = nn.Parameter(torch.randn(nodes, 1, width) / (2 * width) ** 0.5)
        self.skip = nn.Parameter(torch.randn(nodes, 1, n) / (2 * n) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(nodes, 1, 1))
        self.register_buffer("corners", 2 * address_bits(n).t().contiguous() - 1, persistent=False)

    def _sums(self, centred: Tensor) -> Tensor:
        """The networks' outputs (nodes, 2**n) at -1/+1 inputs (nodes, n, 2**n)."""
        hidden = centred
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = torch.relu(torch.baddbmm(bias, weight, hidden))
        return (torch.baddbmm(self.bias, self.skip, centred) + torch.bmm(self.output, hidden)).squeeze(1)

    def _corners(self) -> Tensor:
        """A copy of the inputs of all addresses for each node, -1/+1, (nodes, n, 2**n).

        Not an expanded view: products of other strides may round otherwise, and forward must agree with the tables.
        """
        return self.corners.repeat(self.nodes, 1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        centred = self._corners()
        if not (inputs.requires_grad and torch.is_grad_enabled()):
            return hard_lookup(inputs, torch.sigmoid(4 * self._sums(centred)), None)
        table = torch.sigmoid(4 * self._sums(centred.requires_grad_()))
        # Each column of `centred` reaches its own entry only, so the gradient of the total holds all derivatives.
        (slopes,) = torch.autograd.grad(table.sum(), centred, retain_graph=True)
        return hard_lookup(inputs, table, 2 * slopes)

    def table_values(self) -> Tensor:
        return 2 * torch.sigmoid(4 * self._sums(self._corners())) - 1

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, width={self.width}, depth={self.depth}"
