"""Heads: from the last layer's bits to logits."""

from __future__ import annotations

from torch import Tensor, nn

from difflut.errors import ConfigError, InputShapeError
from difflut.functional import check_groups, group_sum


class GroupSum(nn.Module):
    """Popcount per class, divided by a temperature: scores are counts of ones, logits are scores / tau.

    Source: Petersen et al., "Deep Differentiable Logic Gate Networks", NeurIPS 2022, section 3.
    """

    def __init__(self, classes: int, tau: float = 1.0) -> None:
        super().__init__()
        if classes < 1:
            raise ConfigError(f"GroupSum: classes is {classes}; it must be at least 1")
        if not tau > 0:
            raise ConfigError(f"GroupSum: tau is {tau}; it must be positive")
        self.classes = classes
        self.tau = tau

    def forward(self, bits: Tensor) -> Tensor:
        """Logits float32 (N, classes) from bits (N, W): floating while training, bool in eval mode."""
        if bits.ndim != 2:
            raise InputShapeError(f"GroupSum: got bits of shape {tuple(bits.shape)}; expected (samples, bits)")
        if self.training:
            check_groups(bits.shape[1], self.classes)
            groups = bits.float().reshape(len(bits), self.classes, bits.shape[1] // self.classes)
            sums: Tensor = groups.sum(dim=2)
            return sums / self.tau
        scores: Tensor = group_sum(bits.bool(), self.classes)
        return scores.float() / self.tau

    def extra_repr(self) -> str:
        return f"classes={self.classes}, tau={self.tau}"
