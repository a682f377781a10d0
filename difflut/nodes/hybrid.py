"""Hybrid nodes: the forward of a hard table lookup, the gradient of the probabilistic nodes."""

from __future__ import annotations

from torch import Tensor

from difflut.nodes.probabilistic import ProbabilisticNodes
from difflut.nodes.relaxation import differences, hard_lookup


class HybridNodes(ProbabilisticNodes):
    """A table of probabilities as in `ProbabilisticNodes`; training already computes with the rounded bits.

    The gradient is that of the multilinear extension at the corner that the inputs name: towards input i the
    probability with bit i set less the one with it clear, towards the table straight through to the addressed entry.
    Compared with `DWNNodes` only the two entries next to each other count, not the whole table.

    Sources: the hard lookup of Bacellar et al., "Differentiable Weightless Neural Networks", ICML 2024, section 3.1,
    with the relaxation of Rüttgers et al., "Light Differentiable Logic Gate Networks", 2025 (arXiv:2510.03250).
    """

    def forward(self, inputs: Tensor) -> Tensor:
        table = self.probabilities()
        return hard_lookup(inputs, table, differences(table))
