"""Nodes whose tables are given: what is left of any family once training is over."""

from __future__ import annotations

import torch
from torch import Tensor

from difflut.nodes.base import Nodes, addresses


class FixedNodes(Nodes):
    """Tables without parameters. They cannot be trained."""

    tables: Tensor

    def __init__(self, nodes: int, n: int) -> None:
        super().__init__(nodes, n)
        self.register_buffer("tables", torch.zeros(nodes, 1 << n, dtype=torch.bool))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.tables.gather(1, addresses(inputs)).to(inputs.dtype)

    def table_values(self) -> Tensor:
        return 2 * self.tables.to(torch.get_default_dtype()) - 1

    def truth_tables(self) -> Tensor:
        return self.tables
