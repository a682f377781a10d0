"""What every node family has in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError

MAX_INPUTS = 8


class Nodes(nn.Module):
    """All nodes of one layer, parametrised by a few tensors.

    Training calls `forward`; evaluation looks `truth_tables()` up, so both must agree on 0/1 inputs if the family
    trains with a hard forward, and `truth_tables()` defines the network either way.
    """

    def __init__(self, nodes: int, n: int) -> None:
        super().__init__()
        if nodes < 1:
            raise ConfigError(f"{type(self).__name__}: nodes is {nodes}; it must be at least 1")
        if not 1 <= n <= MAX_INPUTS:
            raise ConfigError(f"{type(self).__name__}: n is {n}; a node has from 1 to {MAX_INPUTS} inputs")
        self.nodes = nodes
        self.n = n

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs for training, floating (nodes, N), from the gathered inputs, floating (nodes, n, N)."""
        raise NotImplementedError

    def truth_tables(self) -> Tensor:
        """bool (nodes, 2**n), the function that each node computes; index bit i = input i."""
        raise NotImplementedError

    def table_values(self) -> Tensor:
        """The real number behind each table entry, floating (nodes, 2**n), in [-1, 1]; the bit is 1 where positive.

        Differentiable towards the parameters: regularisers of tables work on it. Where the family has a probability
        p of a 1, it is 2 * p - 1. After an optimizer step it may leave [-1, 1] until `project()`.
        """
        raise NotImplementedError

    def regularization_loss(self) -> Tensor:
        """Scalar that is added to the training loss; 0 unless the family defines it."""
        return torch.zeros(())

    def project(self) -> None:
        """Bring the parameters back into their valid range after an optimizer step; nothing unless overridden."""

    def extra_repr(self) -> str:
        return f"nodes={self.nodes}, n={self.n}"


def address_bits(n: int) -> Tensor:
    """(2**n, n), of the default floating dtype: row a holds the bits of address a, bit 0 first."""
    return ((torch.arange(1 << n)[:, None] >> torch.arange(n)) & 1).to(torch.get_default_dtype())


def addresses(inputs: Tensor) -> Tensor:
    """int64 (nodes, N): the table address that 0/1 inputs, floating (nodes, n, N), select."""
    position = inputs[:, 0].clone()
    for i in range(1, inputs.shape[1]):
        position.add_(inputs[:, i], alpha=1 << i)
    return position.long()
