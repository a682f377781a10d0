"""Bit-flip training: a network that learns with wrong bits tolerates them."""

from __future__ import annotations

import torch
from torch import Tensor


def flip_bits(bits: Tensor, probability: float) -> Tensor:
    """Each value b becomes 1 - b with the given probability; the gradient passes as if nothing had flipped.

    The idea is training with the bit errors of the hardware: Stutz et al., "Bit Error Robustness for Energy-Efficient
    DNN Accelerators", MLSys 2021. Draws from torch's default generator of the tensor's device; probability 0 draws
    nothing.

    Args:
        bits: floating, any shape; 0/1, or a relaxation in between.
        probability: from 0 to 1.

    Returns:
        the same shape and dtype.
    """
    if probability == 0:
        return bits
    flips = torch.rand_like(bits) < probability
    return bits + torch.where(flips, 1 - 2 * bits.detach(), 0)
