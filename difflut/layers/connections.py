"""Connections: which input bit feeds which node input; fixed or learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from difflut import kernels
from difflut.errors import ConfigError


def random_connections(in_width: int, nodes: int, n: int) -> Tensor:
    """int64 (nodes, n): random input bits, each used about equally often.

    Whole permutations of the input bits are laid out one after the other, so a node reads one bit twice only where
    two permutations meet or there are fewer bits than node inputs.
    """
    count = nodes * n
    rounds = -(-count // in_width)
    return torch.cat([torch.randperm(in_width) for _ in range(rounds)])[:count].view(nodes, n)


def consecutive_connections(in_width: int, nodes: int, n: int) -> Tensor:
    """int64 (nodes, n): node j reads the bits j*n to j*n + n - 1, as the levels of a tree do."""
    if in_width != nodes * n:
        raise ConfigError(
            f"consecutive connections: {nodes} nodes with {n} inputs read {nodes * n} bits, but in_width is {in_width}"
        )
    return torch.arange(in_width).view(nodes, n)


def butterfly_connections(in_width: int, nodes: int, n: int) -> Tensor:
    """int64 (nodes, n): the butterflies of a fast Fourier transform of radix n, each input bit used equally often.

    The bits lie in n rows, one behind the other, and a node reads a column, so that its bits are in_width / n apart;
    neighbouring nodes read the same column. Where each layer has as many nodes as bits, n^k of them, every node of the
    k-th layer depends on every bit. The wiring is the same in each layer: constant geometry, Pease, "An Adaptation of
    the Fast Fourier Transform for Parallel Processing", Journal of the ACM 15 (2), 1968.

    Of other widths the columns are read in turn until all nodes have n bits: two bits are used equally often or once
    more. A node reads a bit twice only if there are fewer bits than n.
    """
    columns = -(-in_width // n)
    bits = torch.arange(columns * n).view(n, columns).t().flatten()
    bits = bits[bits < in_width]
    first = torch.arange(nodes) * n % in_width
    # Nodes in the order of their columns: those of equal bits are read apart by the next layer.
    return bits[(first.sort(stable=True).values[:, None] + torch.arange(n)) % in_width]


# The kinds of connections; None for those that are learned.
CONNECTIONS: dict[str, Callable[[int, int, int], Tensor] | None] = {
    "butterfly": butterfly_connections,
    "consecutive": consecutive_connections,
    "learnable": None,
    "random": random_connections,
}


def fixed_connections(kind: str, in_width: int, nodes: int, n: int, groups: int = 1) -> Tensor:
    """int64 (nodes, n): connections of a kind (random ones to start with for learnable), group by group.

    Bits and nodes are split into `groups` equal consecutive parts; the nodes of a part read bits of the same part.
    """
    make = CONNECTIONS[kind] or random_connections
    width = in_width // groups
    return torch.cat([make(width, nodes // groups, n) + group * width for group in range(groups)])


def channel_candidates(channels: int, area: int, kernels: int, ports: int, chosen: int, candidates: int) -> Tensor:
    """int64 (kernels * ports, candidates): bits of a window for each port of each kernel, of a few channels a kernel.

    Every channel is read by about equally many kernels, see `random_connections`; the bits of a port differ.

    Args:
        channels: of the map.
        area: elements of the window; bit c * area + e is element e of channel c.
        kernels: how many.
        ports: of a kernel.
        chosen: channels that a kernel reads.
        candidates: bits of a port, at most chosen * area.
    """
    read = random_connections(channels, kernels, chosen)
    places = torch.stack([torch.randperm(chosen * area)[:candidates] for _ in range(kernels * ports)])
    channel, element = places // area, places % area
    return read.repeat_interleave(ports, dim=0).gather(1, channel) * area + element


class Connections(nn.Module):
    """Which input bit feeds each of `ports` node inputs.

    Nothing is kept beside the parameters and buffers that say so: whoever changes them, in whatever way, changes what
    the next call computes, in training and in eval mode.
    """

    def selected(self) -> Tensor:
        """int64 (ports,): the input bit that each port reads now."""
        raise NotImplementedError

    def forward(self, columns: Tensor) -> Tensor:
        """Select (ports, N) from the input bits, floating (in_width, N)."""
        return columns.index_select(0, self.selected())


class FixedConnections(Connections):
    """Connections that stay as they are given, int64 (nodes, n)."""

    connections: Tensor

    def __init__(self, connections: Tensor) -> None:
        super().__init__()
        self.register_buffer("connections", connections)

    def selected(self) -> Tensor:
        return self.connections.view(-1)


class LearnableConnections(Connections):
    """Each of `ports` node inputs chooses one input bit: the candidate with the largest weight.

    Forward selects that bit; backward treats the choice as a weighted sum of the candidates (straight-through
    argmax), with bits counted as -1/+1. Source: Bacellar et al., "Differentiable Weightless Neural Networks", ICML
    2024, section 3.2.

    With `candidates` = k the ports are divided into blocks that share k random input bits, so that the weight
    gradient stays one dense matrix product a block and costs k / in_width of the full one. There are enough blocks to
    offer each input bit about twice or more. The last block's surplus weights, if any, choose nothing.

    Who updates the weights by itself may set `deferred` to a list while gradients are computed: in place of a gradient
    of the weights it gets, for each call, what `choice_gradient` computes that from (grad, columns, words).

    Args:
        in_width: the number of input bits.
        ports: the number of choices, nodes * n.
        candidates: k, or None for all input bits.
        groups: into how many equal consecutive parts bits and ports are split; a port chooses among its part's bits.
    """

    PORTS_PER_BLOCK = 600
    candidates: Tensor

    def __init__(self, in_width: int, ports: int, candidates: int | None = None, groups: int = 1) -> None:
        super().__init__()
        if groups != 1 and (candidates is not None or in_width % groups or ports % groups):
            raise ConfigError(
                f"LearnableConnections: {in_width} bits and {ports} ports in {groups} groups with candidates "
                f"{candidates}; both must be multiples of groups, and candidates None"
            )
        if candidates is not None and not 1 <= candidates <= in_width:
            raise ConfigError(f"LearnableConnections: candidates is {candidates}; it must be from 1 to {in_width}")
        per_block = ports // groups
        if candidates is not None and candidates < in_width:
            at_least = max(math.ceil(ports / self.PORTS_PER_BLOCK), 2 * math.ceil(in_width / candidates))
            per_block = math.ceil(ports / min(ports, at_least))
            blocks = math.ceil(ports / per_block)
            chosen = torch.stack([torch.randperm(in_width)[:candidates] for _ in range(blocks)])
        else:
            chosen = torch.arange(in_width).view(groups, in_width // groups)
        self._choose_among(chosen, per_block, ports)

    @classmethod
    def among(cls, candidates: Tensor) -> LearnableConnections:
        """Those of ports that have candidates of their own.

        Args:
            candidates: int64 (ports, k), the input bits among which each port chooses.
        """
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made._choose_among(candidates, 1, len(candidates))
        return made

    def _choose_among(self, candidates: Tensor, per_block: int, ports: int) -> None:
        self.ports = ports
        self.register_buffer("candidates", candidates)
        self.weight = nn.Parameter(torch.rand(len(candidates), per_block, candidates.shape[1]))
        self.deferred: list[tuple[Tensor, Tensor, Tensor]] | None = None
        self._largest: tuple[int, Tensor] | None = None

    def updated(self, largest: Tensor) -> None:
        """Take the places of the largest weights, int64 (blocks, ports of a block), from who has just changed them, for
        the next call, if the weights are still the same then.
        """
        torch.autograd.graph.increment_version(self.weight)
        self._largest = self.weight._version, largest

    @torch.no_grad()
    def selected(self) -> Tensor:
        (version, best), self._largest = self._largest or (-1, None), None
        if not self.training or version != self.weight._version:
            best = kernels.first_largest(self.weight) if self.training else None
        if best is None:
            best = self.weight.argmax(dim=2)
        return self.candidates.gather(1, best).view(-1)[: self.ports]

    def forward(self, columns: Tensor) -> Tensor:
        output: Tensor = _Select.apply(  # type: ignore[no-untyped-call]
            columns, self.weight, self.candidates, self.selected(), self
        )
        return output


class _Select(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, columns: Tensor, weight: Tensor, candidates: Tensor, selected: Tensor, owner: LearnableConnections
    ) -> Tensor:
        ctx.owner = owner
        ctx.save_for_backward(columns, candidates, selected)
        ctx.weight_shape = weight.shape
        return columns.index_select(0, selected)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        (grad,) = grads
        columns, candidates, selected = ctx.saved_tensors
        grad_columns = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_columns = torch.zeros_like(columns).index_add_(0, selected, grad)
        if ctx.needs_input_grad[1]:
            grad, words = grad.contiguous(), kernels.packed(columns)
            if words is not None and ctx.owner.deferred is not None:
                ctx.owner.deferred.append((grad, columns, words))
            else:
                grad_weight = choice_gradient(grad, columns, words, candidates, ctx.weight_shape)
        return grad_columns, grad_weight, None, None, None


def choice_gradient(
    grad: Tensor, columns: Tensor, words: Tensor | None, candidates: Tensor, shape: torch.Size
) -> Tensor:
    """The gradient of the weights of `LearnableConnections`; see `kernels.choice_gradient`.

    Args:
        grad: that of the chosen bits, (ports, N).
        columns: the bits, (in_width, N), or what is in their place.
        words: the bits as `kernels.packed` gives them; None if it does not.
        candidates: int64 (blocks, offered).
        shape: (blocks, ports of a block, offered).
    """
    found = kernels.choice_gradient(grad, columns, words, candidates, shape)
    if found is not None:
        return found
    blocks, ports_per_block, offered = shape
    signed = 2 * columns - 1
    choices = signed[None] if offered == len(columns) else signed[candidates]
    surplus = blocks * ports_per_block - len(grad)
    by_port = nn.functional.pad(grad, (0, 0, 0, surplus)) if surplus else grad
    by_block = by_port.reshape(blocks, ports_per_block, grad.shape[1])
    return torch.bmm(by_block, choices.transpose(1, 2))
