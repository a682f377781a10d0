"""DiffLogic nodes: a softmax mixture of the 16 two-input gates.

Source: Petersen et al., "Deep Differentiable Logic Gate Networks", NeurIPS 2022, section 3 and table 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError
from difflut.nodes.base import Nodes, address_bits, check_positive
from difflut.nodes.relaxation import multilinear


class DiffLogicNodes(Nodes):
    """16 logits per node, one per gate; the gate whose table is the bits of g, bit a for address a, has index g.

    Forward is soft: the mixture of the gates' real-valued relaxations (a * b for AND, a + b - a * b for OR, ...), whose
    weights are softmax(logits / temperature). Every one of these relaxations is the multilinear extension of the gate's
    table, so the mixture is that of the mixed table. The gradient is exact.

    The table's bit is 1 where the mixture is above 1/2 at its address, which is the rounded forward. The paper takes
    the most likely gate instead; both agree wherever one gate has more than half of the weight.

    Args:
        n: 2; ConfigError for any other number.
        temperature: divides the logits; a low one brings the mixture closer to a single gate.
    """

    gates: Tensor

    def __init__(self, nodes: int, n: int, *, temperature: float = 1.0) -> None:
        super().__init__(nodes, n)
        if n != 2:
            raise ConfigError(
                f"DiffLogicNodes: n is {n}; its gates have 2 inputs, so set n=2 or take the family 'probabilistic'"
            )
        self.temperature = check_positive(self, "temperature", temperature)
        self.logits = nn.Parameter(torch.randn(nodes, 16))
        self.register_buffer("gates", address_bits(4), persistent=False)

    def probabilities(self) -> Tensor:
        """Floating (nodes, 4), in [0, 1]: the total weight of the gates that are 1 at each address."""
        return torch.softmax(self.logits / self.temperature, 1) @ self.gates

    def forward(self, inputs: Tensor) -> Tensor:
        return multilinear(inputs, self.probabilities())

    def table_values(self) -> Tensor:
        return 2 * self.probabilities() - 1

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, temperature={self.temperature:g}"
