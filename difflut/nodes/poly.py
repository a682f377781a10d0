"""PolyLUT nodes: each table is a polynomial threshold function of its inputs.

Source: Andronic and Constantinides, "PolyLUT: Learning Piecewise Polynomials for Ultra-Low Latency FPGA LUT-based
Inference", FPT 2023 (arXiv:2309.02334).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.nodes.base import MAX_INPUTS, Nodes, check_count
from difflut.nodes.relaxation import characters, differences, hard_lookup


class PolyLUTNodes(Nodes):
    """One weight per product of at most `degree` inputs; the output bit is 1 where the weighted sum is positive.

    The inputs enter as -1/+1, whose squares are 1: products of distinct inputs are all monomials there are. The first
    weight is that of the empty product, the bias; `subsets` has the bit mask of the inputs in each.

    Forward is hard. The gradient is that of sigmoid(4 * sum), straight through the threshold, as in `LinearLUTNodes`,
    which degree 1 equals. The sums of all addresses are computed once a step and looked up, not once a sample.

    Args:
        degree: the largest number of inputs in a product, 1 to 8; beyond n there are no more products.
    """

    subsets: Tensor
    monomials: Tensor

    def __init__(self, nodes: int, n: int, *, degree: int = 2) -> None:
        super().__init__(nodes, n)
        self.degree = check_count(self, "degree", degree, MAX_INPUTS)
        kept = [subset for subset in range(1 << n) if subset.bit_count() <= degree]
        self.weight = nn.Parameter(torch.randn(nodes, len(kept)) / len(kept) ** 0.5)
        self.register_buffer("subsets", torch.tensor(kept), persistent=False)
        self.register_buffer("monomials", characters(n)[self.subsets], persistent=False)

    def sums(self) -> Tensor:
        """Floating (nodes, 2**n): the polynomial at each address."""
        return self.weight @ self.monomials

    def forward(self, inputs: Tensor) -> Tensor:
        sums = self.sums()
        table = torch.sigmoid(4 * sums)
        with torch.no_grad():
            slopes = differences(sums).mul_((4 * table * (1 - table))[:, None])
        return hard_lookup(inputs, table, slopes)

    def table_values(self) -> Tensor:
        return 2 * torch.sigmoid(4 * self.sums()) - 1

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, degree={self.degree}"
