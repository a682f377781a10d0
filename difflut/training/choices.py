"""The update of the weights that choose connections, which are most of a small network's parameters.

Their gradient is a product of two small matrices. As long as the weights are many, it costs less to compute it again,
tile by tile, where the weights change than to write it out, read it for the update and go through the weights a third
time for the largest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from difflut import kernels
from difflut.layers import LearnableConnections
from difflut.layers.connections import choice_gradient
from difflut.models.base_model import BaseModel


class ChoiceUpdates:
    """The steps of an optimizer of which those of learned connections are done by a compiled kernel.

    That is where they are the steps of torch's Adam, on a CPU, in one process; all else is the optimizer's. Its state
    is what it would be, to rounding.

    Args:
        model: what is trained.
        optimizer: what trains it.
        alone: whether no other process has a part of the gradients.
    """

    def __init__(self, model: BaseModel, optimizer: torch.optim.Optimizer, alone: bool) -> None:
        self.optimizer = optimizer
        self._groups = {
            parameter: group
            for group in optimizer.param_groups
            for parameter in group["params"]
            if alone and type(optimizer) is torch.optim.Adam and _is_plain(group)
        }
        found = [module for module in model.modules() if isinstance(module, LearnableConnections)]
        self._choices = [module for module in found if module.weight in self._groups and _is_ours(module.weight)]

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """While gradients are computed: those of learned connections are left for `step`."""
        for choice in self._choices:
            choice.deferred = []
        try:
            yield
        except BaseException:
            for choice in self._choices:
                choice.deferred = None
            raise

    def step(self) -> None:
        """One step of all parameters."""
        waiting = []
        for choice in self._choices:
            parts, choice.deferred = choice.deferred or [], None
            if len(parts) == 1 and choice.weight.grad is None:
                waiting.append((choice, *parts[0]))
                continue
            for part in parts:  # the layer was called several times, or the loss has its weights
                gradient = choice_gradient(*part, choice.candidates, choice.weight.shape)
                choice.weight.grad = gradient if choice.weight.grad is None else choice.weight.grad + gradient
        self.optimizer.step()
        for choice, grad, _, words in waiting:
            self._update(choice, grad, words)

    def _update(self, choice: LearnableConnections, grad: Tensor, words: Tensor) -> None:
        group, state = self._groups[choice.weight], self.optimizer.state[choice.weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(choice.weight)
            state["exp_avg_sq"] = torch.zeros_like(choice.weight)
        state["step"] += 1
        rates = _rates(group, float(state["step"]))
        largest = kernels.choice_update(
            grad, words, choice.candidates, rates, choice.weight, state["exp_avg"], state["exp_avg_sq"]
        )
        if largest is None:
            raise MemoryError("the update of the weights that choose connections found no memory")
        choice.updated(largest)


def _rates(group: dict[str, Any], step: float) -> kernels.AdamRates:
    first, second = group["betas"]
    return kernels.AdamRates(
        1 - first, second, 1 - second, group["lr"] / (1 - first**step), 1 / math.sqrt(1 - second**step), group["eps"]
    )


def _is_plain(group: dict[str, Any]) -> bool:
    """Whether a group's options are those that the kernel knows."""
    return not (group["weight_decay"] or group["amsgrad"] or group["maximize"] or group["differentiable"])


def _is_ours(weight: Tensor) -> bool:
    """Whether the kernel takes a parameter, and nobody waits for its gradient."""
    watched = weight._backward_hooks or getattr(weight, "_post_accumulate_grad_hooks", None)
    return kernels.takes(weight) and weight.requires_grad and not watched
