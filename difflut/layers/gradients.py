"""Gradient stabilisation: the identity forward, a normalised gradient backward.

Through many LUT layers a gradient grows or vanishes with the depth. Normalising it between layers keeps every layer's
share of the update independent of its depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def _unit(grad: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Scale to Euclidean norm 1 over `dim`; what is zero stays zero."""
    largest = grad.abs().amax(dim=dim, keepdim=True)
    # The squares of a vanishing gradient underflow, so it is scaled by its largest element first.
    scaled = grad / torch.where(largest > 0, largest, 1)
    norm = torch.linalg.vector_norm(scaled, dim=dim, keepdim=True)
    return scaled / torch.where(norm > 0, norm, 1)


def _layerwise(grad: Tensor) -> Tensor:
    return _unit(grad, (0, 1))


def _batchwise(grad: Tensor) -> Tensor:
    return _unit(grad, 1) / math.sqrt(len(grad))


def _layerwise_mean(grad: Tensor) -> Tensor:
    return _layerwise(grad - grad.mean())


def _batchwise_mean(grad: Tensor) -> Tensor:
    return _batchwise(grad - grad.mean(dim=1, keepdim=True))


# What becomes of the gradient (samples, values); None leaves it as it is.
GRADIENTS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "none": None,
    "layerwise": _layerwise,
    "layerwise_mean": _layerwise_mean,
    "batchwise": _batchwise,
    "batchwise_mean": _batchwise_mean,
}


def stabilize_gradient(x: Tensor, kind: str) -> Tensor:
    """`x` itself; on the way back the gradient G of `x`, as a matrix (samples, values), becomes

    - "none": G;
    - "layerwise": G / |G|, so that the whole batch's gradient has Euclidean norm 1;
    - "batchwise": each row g / (|g| sqrt(samples)), so that each sample counts alike and the whole has norm 1;
    - "layerwise_mean" and "batchwise_mean": the same, after the mean of G, or of each row, was subtracted.

    A gradient (or row) of zeros stays zero. Centred and normalised gradients are known from weight updates: Yong et
    al., "Gradient Centralization", ECCV 2020; You et al., "Large Batch Training of Convolutional Networks", 2017.

    Args:
        x: floating (samples, ...).
        kind: a name of `GRADIENTS`.
    """
    rule = GRADIENTS[kind]
    if rule is None:
        return x
    output: Tensor = _Stabilize.apply(x, rule)  # type: ignore[no-untyped-call]
    return output


class _Stabilize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.rule = rule
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        if grad.numel() == 0:
            return grad, None
        return ctx.rule(grad.flatten(1)).view_as(grad), None
