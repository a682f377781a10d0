"""Nodes of any graph without loops, with tables and connections that are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from difflut.errors import InputShapeError
from difflut.functional import lut_graph


class LUTGraph(nn.Module):
    """Nodes that read bits, constants and each other: the primitive `lut_graph`. It is not trained.

    Args:
        in_width: input bits W.
        steps: nodes, and inputs per node, of each step; a node reads nets before its step only.
        outputs: output bits.

    Attributes:
        connections: int32, the nets that the nodes read, node by node. Nets 0 and 1 are the constants, then come the
            bits, then the nodes.
        tables: bool, 2**n entries of each node of n inputs, node by node; index bit i = input i.
        outputs: int32 (outputs,), nets.
    """

    connections: Tensor
    tables: Tensor
    outputs: Tensor

    def __init__(self, in_width: int, steps: Sequence[tuple[int, int]], outputs: int) -> None:
        super().__init__()
        self.in_width = in_width
        self.steps = [(nodes, n) for nodes, n in steps]
        self.register_buffer("connections", torch.zeros(sum(nodes * n for nodes, n in self.steps), dtype=torch.int32))
        self.register_buffer("tables", torch.zeros(sum(nodes << n for nodes, n in self.steps), dtype=torch.bool))
        self.register_buffer("outputs", torch.zeros(outputs, dtype=torch.int32))

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return sum(nodes for nodes, _ in self.steps)

    def check(self) -> None:
        """Whether what nodes read is there before they are.

        Raises:
            ValueError: it is not.
        """
        known, wire = 2 + self.in_width, 0
        for number, (nodes, n) in enumerate(self.steps, 1):
            read = self.connections[wire : wire + nodes * n]
            if not 0 <= int(read.min()) <= int(read.max()) < known:
                raise ValueError(f"connections of step {number} point outside the {known} nets before it")
            known, wire = known + nodes, wire + nodes * n
        if len(self.outputs) and not 0 <= int(self.outputs.min()) <= int(self.outputs.max()) < known:
            raise ValueError(f"outputs point outside the {known} nets")

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self.check()

    def forward(self, bits: Tensor) -> Tensor:
        """Bits bool (N, outputs) from bits (N, in_width); while training the same as floating 0/1, without a
        gradient.
        """
        if bits.ndim != 2 or bits.shape[1] != self.in_width:
            raise InputShapeError(
                f"LUTGraph: got bits of shape {tuple(bits.shape)}; expected (samples, {self.in_width})"
            )
        nodes, inputs = [nodes for nodes, _ in self.steps], [n for _, n in self.steps]
        found: Tensor = lut_graph(bits.bool(), nodes, inputs, self.connections, self.tables, self.outputs)
        return found.to(torch.get_default_dtype()) if self.training else found

    def extra_repr(self) -> str:
        return f"in_width={self.in_width}, nodes={self.nodes}, steps={len(self.steps)}, outputs={len(self.outputs)}"
