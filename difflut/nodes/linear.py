"""Linear LUT nodes: each table is a linear threshold function of its inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.nodes.base import Nodes, address_bits


class LinearLUTNodes(Nodes):
    """n weights and a bias per node; the output bit is 1 where weights . inputs + bias > 0.

    Forward is hard. The gradient is that of sigmoid(4 * (weights . inputs + bias)), a straight-through estimator
    (Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013). The inputs enter as -1/+1,
    which centres the pre-activation. `truth_tables` evaluates the same sum in the same order of terms as `forward`.
    """

    def __init__(self, nodes: int, n: int) -> None:
        super().__init__(nodes, n)
        self.weight = nn.Parameter(torch.randn(nodes, n) / n**0.5)
        self.bias = nn.Parameter(torch.zeros(nodes))

    def _sum(self, inputs: Tensor) -> Tensor:
        total = self.bias[:, None] - self.weight.sum(dim=1, keepdim=True)
        for i in range(self.n):
            total = torch.addcmul(total, inputs[:, i], 2 * self.weight[:, i : i + 1])
        return total

    def forward(self, inputs: Tensor) -> Tensor:
        total = self._sum(inputs)
        soft = torch.sigmoid(4 * total)
        return soft + ((total > 0).to(soft.dtype) - soft).detach()

    def table_values(self) -> Tensor:
        return torch.tanh(2 * self._table_sum())  # 2 * sigmoid(4 * sum) - 1

    @torch.no_grad()
    def truth_tables(self) -> Tensor:
        return self._table_sum() > 0

    def _table_sum(self) -> Tensor:
        """The sum at every address, (nodes, 2**n)."""
        return self._sum(address_bits(self.n).t().to(self.weight).expand(self.nodes, -1, -1))
