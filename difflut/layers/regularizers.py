"""Regularisers of tables, of the values v in floating (nodes, 2**n) that a family's `table_values` gives.

All are means over the nodes, so that a weight means the same for every width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from difflut.nodes.base import address_bits


def l1(values: Tensor) -> Tensor:
    """The mean of |v|."""
    return values.abs().mean()


def l2(values: Tensor) -> Tensor:
    """The mean of v squared."""
    return values.square().mean()


def spectral(values: Tensor) -> Tensor:
    """The mean over nodes of sum over S of (|S| / n) * c(S)**2, c(S) the Walsh-Hadamard coefficient of inputs S.

    That is the total influence divided by n (O'Donnell, "Analysis of Boolean Functions", 2014, section 2.3): it grows
    with how much of a node's energy lies in interactions of many inputs, and a constant costs nothing.
    """
    n = values.shape[1].bit_length() - 1
    order = address_bits(n).sum(dim=1).to(values)
    return (walsh_hadamard(values).square() @ order).mean() / n


REGULARIZERS: dict[str, Callable[[Tensor], Tensor]] = {"l1": l1, "l2": l2, "spectral": spectral}


def walsh_hadamard(values: Tensor) -> Tensor:
    """Walsh-Hadamard coefficients of tables.

    c(S) = 2**-n * sum over addresses a of v(a) * product over i in S of (-1)**(bit i of a).

    Args:
        values: floating (nodes, 2**n).

    Returns:
        (nodes, 2**n); bit i of the column index says whether input i is in S.
    """
    nodes, size = values.shape
    step = 1
    while step < size:
        low, high = values.view(nodes, size // (2 * step), 2, step).unbind(2)
        values = torch.stack((low + high, low - high), dim=2).view(nodes, size)
        step *= 2
    return values / size
