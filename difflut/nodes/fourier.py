"""Fourier nodes: each table is the sign of a bounded Fourier series over its inputs.

Source: the Fourier expansion of Boolean functions, O'Donnell, "Analysis of Boolean Functions", Cambridge University
Press, 2014, section 1.2, here with coefficients whose absolute values sum to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from difflut.nodes.base import Nodes
from difflut.nodes.relaxation import characters, differences, hard_lookup


class FourierNodes(Nodes):
    """One amplitude per frequency, 2**n per node; frequency k in {0, 1}**n is the index's bits.

    The series is the sum over k of a[k] * cos(pi * (k . x + n_k)), n_k the number of ones in k, where a is the
    amplitudes divided by the sum of their absolute values. Its values thus stay within [-1, 1], whatever the
    amplitudes; the bit is 1 where it is positive. Every table is some series' sign.

    Forward is hard. The gradient is that of (1 + series) / 2, straight through the rounding. Towards an input it is
    the difference of the series between the two values of that bit: the cosine's own slope is 0 at 0/1 inputs.
    """

    characters: Tensor

    def __init__(self, nodes: int, n: int) -> None:
        super().__init__(nodes, n)
        self.amplitudes = nn.Parameter(torch.randn(nodes, 1 << n))
        self.register_buffer("characters", characters(n), persistent=False)

    def probabilities(self) -> Tensor:
        """Floating (nodes, 2**n), in [0, 1]: (1 + series) / 2 at each address."""
        bounded = nn.functional.normalize(self.amplitudes, p=1.0, dim=1)
        return (1 + bounded @ self.characters) / 2

    def forward(self, inputs: Tensor) -> Tensor:
        table = self.probabilities()
        return hard_lookup(inputs, table, differences(table))

    def table_values(self) -> Tensor:
        return 2 * self.probabilities() - 1
