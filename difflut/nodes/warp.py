"""WARP nodes: the Walsh-Hadamard coefficients of a table, with a soft relaxation.

Sources: Gerlach et al., "WARP-LUTs - Walsh-Assisted Relaxation for Probabilistic Look Up Tables", 2025
(arXiv:2510.15655); Gerlach et al., "WARP Logic Neural Networks", 2026 (arXiv:2602.03527).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.nodes.base import Nodes, check_positive
from difflut.nodes.relaxation import characters, multilinear


class WARPNodes(Nodes):
    """One coefficient per subset of the inputs, 2**n per node; index bit i = input i is in the subset.

    Forward is soft: sigmoid(s / temperature), where s is the sum over the subsets of the coefficient times the product
    of the subset's inputs, counted from -1 to +1 (2 * x - 1). The gradient is exact. The table's bit is 1 where the
    sigmoid is above 1/2. The papers' additions (residual initialisation, learnable thresholds, noise before the
    sigmoid) are not part of the family.

    s is multi-affine in the inputs, hence the multilinear extension of its values at the 2**n addresses: these come
    from one Walsh-Hadamard transform per node and step, and are then evaluated as in `ProbabilisticNodes`.

    Args:
        temperature: divides the sum; a low one brings the outputs closer to 0 and 1.
    """

    characters: Tensor

    def __init__(self, nodes: int, n: int, *, temperature: float = 1.0) -> None:
        super().__init__(nodes, n)
        self.temperature = check_positive(self, "temperature", temperature)
        self.coefficients = nn.Parameter(torch.randn(nodes, 1 << n) / (1 << n) ** 0.5)
        self.register_buffer("characters", characters(n), persistent=False)

    def logits(self) -> Tensor:
        """Floating (nodes, 2**n): the sum at each address, divided by the temperature."""
        return self.coefficients @ self.characters / self.temperature

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.sigmoid(multilinear(inputs, self.logits()))

    def table_values(self) -> Tensor:
        return 2 * torch.sigmoid(self.logits()) - 1

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, temperature={self.temperature:g}"
