"""Differentiable Weightless Neural Network (DWN) nodes: hard table lookup, extended finite difference gradient.

Source: Bacellar et al., "Differentiable Weightless Neural Networks", ICML 2024, section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut import kernels
from difflut.nodes.base import Nodes, address_bits
from difflut.nodes.relaxation import hard_lookup, wired_lookup


class DWNNodes(Nodes):
    """One real number in [-1, 1] per table entry; the output bit is 1 where it is positive.

    The gradient towards input i at address a is the extended finite difference: a sum over all addresses k of
    +entry[k] (bit i of k set) or -entry[k] (not set), weighted by 1 / (1 + Hamming distance of a and k without bit i).
    The gradient towards the table goes straight through to the addressed entry.
    """

    kernel: Tensor

    def __init__(self, nodes: int, n: int) -> None:
        super().__init__(nodes, n)
        self.table = nn.Parameter(torch.empty(nodes, 1 << n).uniform_(-1, 1))
        self.register_buffer("kernel", self._kernel(n), persistent=False)

    @staticmethod
    def _weights(distance: Tensor, n: int) -> Tensor:
        """The weight of an entry at the given Hamming distance, bit i left out."""
        return 1 / (1 + distance)

    @classmethod
    def _kernel(cls, n: int) -> Tensor:
        """(n, 2**n, 2**n): entry [i, k, a] is what table entry k adds to the derivative along input i at address a."""
        bits = address_bits(n)
        differs = (bits[:, None, :] != bits[None, :, :]).to(bits)
        distance = differs.sum(-1, keepdim=True) - differs  # [k, a, i], bit i left out
        signed = cls._weights(distance, n) * (2 * bits[:, None, :] - 1)
        return signed.permute(2, 0, 1).contiguous()

    def forward(self, inputs: Tensor) -> Tensor:
        return hard_lookup(inputs, self.table, self._slopes() if inputs.requires_grad else None, threshold=0.0)

    def wired(self, columns: Tensor, connections: Tensor) -> Tensor | None:
        ours = type(self).forward is DWNNodes.forward and not self._forward_hooks and not self._forward_pre_hooks
        if not ours or not kernels.wires(columns, self.table):
            return None
        return wired_lookup(columns, connections, self.table, self._slopes() if columns.requires_grad else None)

    @torch.no_grad()
    def _slopes(self) -> Tensor:
        """(nodes, n, 2**n): the derivative along each input at each address."""
        slopes = self.table.new_empty(self.n, *self.table.shape)  # each input's slopes in one piece
        for i, kernel in enumerate(self.kernel):
            torch.mm(self.table, kernel, out=slopes[i])
        return slopes.transpose(0, 1)

    def table_values(self) -> Tensor:
        return self.table

    @torch.no_grad()
    def project(self) -> None:
        self.table.clamp_(-1, 1)


class DWNStableNodes(DWNNodes):
    """DWN nodes with weights that sum to one: 0.75**same * 0.25**different / 2 over the other n - 1 inputs.

    An entry thus counts as often as its address is met when each other input flips with probability 1/4. The gradient
    towards an input stays within [-1, 1] for every n, where the harmonic weights of `DWNNodes` grow with 2**n; these
    are the weights of the method's published training code.
    """

    _NEAR, _FAR = 0.75, 0.25

    @staticmethod
    def _weights(distance: Tensor, n: int) -> Tensor:
        near, far = DWNStableNodes._NEAR, DWNStableNodes._FAR
        return 0.5 * near ** (n - 1 - distance) * far**distance

    @torch.no_grad()
    def _slopes(self) -> Tensor:
        """As of `DWNNodes`; here the weights are a product over the inputs, which can be gone through one by one."""
        ours = type(self)._weights is DWNStableNodes._weights  # a subclass may have others
        slopes = kernels.smooth_slopes(self.table, self._NEAR, self._FAR) if ours else None
        return super()._slopes() if slopes is None else slopes
