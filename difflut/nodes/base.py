"""What every node family has in common."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError

MAX_INPUTS = 8


class Nodes(nn.Module):
    """All nodes of one layer, parametrised by a few tensors.

    Training calls `forward`; evaluation looks `truth_tables()` up, which defines the network. On 0/1 inputs a family
    with a hard forward gives exactly these bits; a soft one gives numbers in [0, 1] that round to them (1/2 to 0).
    A family's options are keyword arguments after `nodes` and `n`.

    A family overrides `forward` and `table_values`.
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

    def wired(self, columns: Tensor, connections: Tensor) -> Tensor | None:
        """`forward` of the inputs that connections, int64 (nodes, n), select among columns, floating (in_width, N).

        None where the family has no faster way than to select them first.
        """
        return None

    def table_values(self) -> Tensor:
        """The real number behind each table entry, floating (nodes, 2**n), in [-1, 1]; the bit is 1 where positive.

        Differentiable towards the parameters: regularisers of tables work on it. Where the family has a probability
        p of a 1, it is 2 * p - 1. After an optimizer step it may leave [-1, 1] until `project()`.
        """
        raise NotImplementedError

    @torch.no_grad()
    def truth_tables(self) -> Tensor:
        """bool (nodes, 2**n), the function that each node computes; index bit i = input i."""
        return self.table_values() > 0

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
    """int64 (nodes, N): the table address that inputs, floating (nodes, n, N), select.

    Inputs from a soft family lie between 0 and 1: they are rounded (1/2 to 0). Behind a dropout 1 is a larger number.
    """
    bits = (inputs > 0.5).to(inputs.dtype)
    position = bits[:, 0].clone()
    for i in range(1, inputs.shape[1]):
        position.add_(bits[:, i], alpha=1 << i)
    return position.long()


def check_count(family: Nodes, name: str, value: int, largest: int) -> int:
    """The value of an option that is an integer from 1 to `largest`; ConfigError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise ConfigError(f"{type(family).__name__}: {name} is {value!r}; it must be an integer from 1 to {largest}")
    return value


def check_positive(family: Nodes, name: str, value: float) -> float:
    """The value of an option that is a finite number above 0; ConfigError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigError(f"{type(family).__name__}: {name} is {value!r}; it must be a finite number above 0")
    return float(value)
