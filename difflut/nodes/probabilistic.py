"""Probabilistic nodes: the multilinear extension of a table of probabilities, soft while training.

Source: the input-wise parametrisation of Rüttgers et al., "Light Differentiable Logic Gate Networks", 2025
(arXiv:2510.03250).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.nodes.base import Nodes, check_positive
from difflut.nodes.relaxation import multilinear


class ProbabilisticNodes(Nodes):
    """One logit per table entry; sigmoid(logit / temperature) is the probability that the entry is 1.

    Forward is soft: the probability of a 1 when the inputs are independent bits that are 1 with the given
    probabilities. The gradient is exact. The table's bit is 1 where the probability is above 1/2.

    Args:
        temperature: divides the logits; a low one brings the probabilities closer to 0 and 1.
    """

    def __init__(self, nodes: int, n: int, *, temperature: float = 1.0) -> None:
        super().__init__(nodes, n)
        self.temperature = check_positive(self, "temperature", temperature)
        self.logits = nn.Parameter(torch.randn(nodes, 1 << n))

    def probabilities(self) -> Tensor:
        """Floating (nodes, 2**n), in [0, 1]: the probability that each table entry is 1."""
        return torch.sigmoid(self.logits / self.temperature)

    def forward(self, inputs: Tensor) -> Tensor:
        return multilinear(inputs, self.probabilities())

    def table_values(self) -> Tensor:
        return 2 * self.probabilities() - 1

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, temperature={self.temperature:g}"
