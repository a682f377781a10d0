"""LUT layers: connections from bits to node inputs, and the nodes behind them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError, InputShapeError, UnknownNameError
from difflut.functional import lut_lookup
from difflut.nodes import FAMILIES, FixedNodes, Nodes


class LUTLayer(nn.Module):
    """`nodes` LUTs with n inputs each, all in a few tensors.

    In eval mode the layer is exactly `difflut.functional.lut_lookup(bits, connections, truth_tables())`.

    Args:
        in_width: the number of input bits.
        nodes: the number of nodes, which is the number of output bits.
        n: inputs per node, 1 to 8.
        family: the node family, a name of `FAMILIES`.
        connections: "random" (each input bit is used about equally often) or "learnable" (trained, see
            `LearnableConnections`).
        candidates: for learnable connections, how many input bits each node may choose from; None for all.
    """

    connections: Tensor

    def __init__(
        self,
        in_width: int,
        nodes: int,
        n: int = 6,
        family: str = "dwn_stable",
        connections: str = "random",
        candidates: int | None = None,
    ) -> None:
        super().__init__()
        if family not in FAMILIES:
            raise UnknownNameError(f"unknown node family {family!r}; known: {', '.join(sorted(FAMILIES))}")
        if in_width < 1:
            raise ConfigError(f"LUTLayer: in_width is {in_width}; it must be at least 1")
        if connections not in ("random", "learnable"):
            raise ConfigError(f"LUTLayer: connections is {connections!r}; it must be 'random' or 'learnable'")
        self.in_width = in_width
        self.nodes: Nodes = FAMILIES[family](nodes, n)
        self.family = family
        self.register_buffer("connections", random_connections(in_width, nodes, n))
        self.learnable: LearnableConnections | None = None
        if connections == "learnable":
            self.learnable = LearnableConnections(in_width, nodes * n, candidates)
            self.update_connections()
        elif candidates is not None:
            raise ConfigError("LUTLayer: candidates is for learnable connections; leave it None for random ones")

    @property
    def out_width(self) -> int:
        """The number of output bits."""
        return self.nodes.nodes

    @property
    def n(self) -> int:
        """Inputs per node."""
        return self.nodes.n

    def truth_tables(self) -> Tensor:
        """bool (nodes, 2**n)."""
        return self.nodes.truth_tables()

    def update_connections(self) -> None:
        """Write the connections that training currently prefers into the buffer `connections`."""
        if self.learnable is not None:
            self.connections.copy_(self.learnable.selected().view_as(self.connections))

    def train(self, mode: bool = True) -> LUTLayer:
        if not mode:
            self.update_connections()
        super().train(mode)
        return self

    def freeze_connections(self) -> None:
        """Keep the present connections for good and drop the parameters that choose them."""
        self.update_connections()
        self.learnable = None

    def freeze(self) -> None:
        """Keep the present function for good: integer connections and fixed tables, no parameters."""
        self.freeze_connections()
        fixed = FixedNodes(self.nodes.nodes, self.nodes.n).to(self.connections.device).train(self.training)
        fixed.tables.copy_(self.truth_tables())
        self.nodes, self.family = fixed, "fixed"

    def forward(self, bits: Tensor) -> Tensor:
        """Outputs (N, nodes) from bits (N, in_width); bool in eval mode, floating 0/1 while training."""
        if bits.ndim != 2 or bits.shape[1] != self.in_width:
            raise InputShapeError(
                f"LUTLayer: got bits of shape {tuple(bits.shape)}; expected (samples, {self.in_width})"
            )
        if not self.training:
            outputs: Tensor = lut_lookup(bits.bool(), self.connections, self.truth_tables())
            return outputs
        columns = bits.t().to(torch.get_default_dtype()).contiguous()
        if self.learnable is None:
            inputs = columns.index_select(0, self.connections.view(-1))
        else:
            inputs = self.learnable(columns)
        relaxed: Tensor = self.nodes(inputs.view(self.out_width, self.n, bits.shape[0]))
        return relaxed.t()

    def extra_repr(self) -> str:
        kind = "learnable" if self.learnable is not None else "fixed"
        return f"in_width={self.in_width}, out_width={self.out_width}, n={self.n}, connections={kind}"


class LearnableConnections(nn.Module):
    """Each of `ports` node inputs chooses one input bit: the candidate with the largest weight.

    Forward selects that bit; backward treats the choice as a weighted sum of the candidates (straight-through
    argmax), with bits counted as -1/+1. Source: Bacellar et al., "Differentiable Weightless Neural Networks", ICML 2024,
    section 3.2.

    With `candidates` = k the ports are divided into blocks that share k random input bits, so that the weight
    gradient stays one dense matrix product a block and costs k / in_width of the full one. There are enough blocks to
    offer each input bit about twice or more. The last block's surplus weights, if any, choose nothing.

    Args:
        in_width: the number of input bits.
        ports: the number of choices, nodes * n.
        candidates: k, or None for all input bits.
    """

    PORTS_PER_BLOCK = 600
    candidates: Tensor

    def __init__(self, in_width: int, ports: int, candidates: int | None = None) -> None:
        super().__init__()
        if candidates is not None and not 1 <= candidates <= in_width:
            raise ConfigError(f"LearnableConnections: candidates is {candidates}; it must be from 1 to {in_width}")
        per_block = ports
        if candidates is not None and candidates < in_width:
            at_least = max(math.ceil(ports / self.PORTS_PER_BLOCK), 2 * math.ceil(in_width / candidates))
            per_block = math.ceil(ports / min(ports, at_least))
            blocks = math.ceil(ports / per_block)
            chosen = torch.stack([torch.randperm(in_width)[:candidates] for _ in range(blocks)])
        else:
            chosen = torch.arange(in_width)[None]
        self.ports = ports
        self.register_buffer("candidates", chosen)
        self.weight = nn.Parameter(torch.rand(len(chosen), per_block, chosen.shape[1]))

    @torch.no_grad()
    def selected(self) -> Tensor:
        """int64 (ports,): the input bit that each port currently reads."""
        best = self.weight.argmax(dim=2)
        return self.candidates.gather(1, best).view(-1)[: self.ports]

    def forward(self, columns: Tensor) -> Tensor:
        """Select (ports, N) from the input bits, floating (in_width, N)."""
        output: Tensor = _Select.apply(  # type: ignore[no-untyped-call]
            columns, self.weight, self.candidates, self.selected()
        )
        return output


class _Select(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, columns: Tensor, weight: Tensor, candidates: Tensor, selected: Tensor) -> Tensor:
        ctx.save_for_backward(columns, candidates, selected)
        ctx.weight_shape = weight.shape
        return columns.index_select(0, selected)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (grad,) = grads
        columns, candidates, selected = ctx.saved_tensors
        grad_columns = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_columns = torch.zeros_like(columns).index_add_(0, selected, grad)
        if ctx.needs_input_grad[1]:
            blocks, ports_per_block, offered = ctx.weight_shape
            signed = 2 * columns - 1
            choices = signed[None] if offered == len(columns) else signed[candidates]
            surplus = blocks * ports_per_block - len(grad)
            by_port = nn.functional.pad(grad, (0, 0, 0, surplus)) if surplus else grad
            by_block = by_port.reshape(blocks, ports_per_block, grad.shape[1])
            grad_weight = torch.bmm(by_block, choices.transpose(1, 2))
        return grad_columns, grad_weight, None, None


def random_connections(in_width: int, nodes: int, n: int) -> Tensor:
    """int64 (nodes, n): random input bits, each used about equally often.

    Whole permutations of the input bits are laid out one after the other, so a node reads one bit twice only where
    two permutations meet or there are fewer bits than node inputs.
    """
    count = nodes * n
    rounds = -(-count // in_width)
    return torch.cat([torch.randperm(in_width) for _ in range(rounds)])[:count].view(nodes, n)
