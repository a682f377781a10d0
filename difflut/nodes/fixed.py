"""Nodes whose tables are given: what is left of any family once training is over."""

from __future__ import annotations

import torch
from torch import Tensor

from difflut.nodes.base import Nodes


class FixedNodes(Nodes):
    """Tables without parameters. They cannot be trained."""

    tables: Tensor

    def __init__(self, nodes: int, n: int) -> None:
        super().__init__(nodes, n)
        self.register_buffer("tables", torch.zeros(nodes, 1 << n, dtype=torch.bool))

    def forward(self, inputs: Tensor) -> Tensor:
        weights = (1 << torch.arange(self.n, device=inputs.device)).to(inputs.dtype)
        address = torch.einsum("mnb,n->mb", inputs, weights).long()
        return self.tables.gather(1, address).to(inputs.dtype)

    def truth_tables(self) -> Tensor:
        return self.tables
