"""Numbers between the input codes and an encoder: maps of each number by itself, evaluated for every code.

An addition, a product, a clamp: IEEE arithmetic rounds each of them in one way, wherever it is computed. So the
comparison behind such maps is evaluated as the model computes it, for every code, and replaced by one with a code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from difflut.functional import encode
from difflut.input_format import InputFormat

aten = torch.ops.aten

# Operators on each number by itself that are correctly rounded everywhere. An exponential, for example, is not.
MAPS: set[Any] = {
    aten.add,
    aten.clamp,
    aten.clamp_max,
    aten.clamp_min,
    aten.div,
    aten.mul,
    aten.neg,
    aten.relu,
    aten.rsub,
    aten.sub,
}
HERE = object()  # the place of the numbers among the arguments of a step


class NotMonotone(Exception):
    """A comparison neither rises nor falls with the input code."""


@dataclass(frozen=True)
class Step:
    """One operator on numbers.

    Attributes:
        target: the operator.
        args: its arguments; `HERE` stands for the numbers, a tensor has their shape or none.
        kwargs: further ones, no tensors.
    """

    target: Callable[..., Tensor]
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...] = ()

    @property
    def constants(self) -> list[Tensor]:
        """The tensors of the numbers' shape."""
        return [value for value in self.args if isinstance(value, Tensor) and value.ndim]

    @property
    def kind(self) -> tuple[Any, ...]:
        """All but the values of `constants`: steps of one kind can be joined."""
        shown = [value.item() if isinstance(value, Tensor) and not value.ndim else value for value in self.args]
        args = [value.dtype if isinstance(value, Tensor) else value for value in shown]
        return (self.target, *args, *self.kwargs)

    def with_constants(self, constants: list[Tensor]) -> Step:
        """The same with others in place of `constants`."""
        rest = iter(constants)
        args = tuple(next(rest) if isinstance(value, Tensor) and value.ndim else value for value in self.args)
        return Step(self.target, args, self.kwargs)

    def __call__(self, numbers: Tensor) -> Tensor:
        return self.target(*(numbers if value is HERE else value for value in self.args), **dict(self.kwargs))


@dataclass(frozen=True)
class Codes:
    """A tensor of numbers: of which features, int64, and what became of them, in order."""

    ids: Tensor
    steps: tuple[Step, ...] = ()
    what = "input numbers"

    @property
    def planes(self) -> list[Tensor]:
        """All tensors of the numbers' shape: ids, then the constants of each step. Data movement moves them alike."""
        return [self.ids, *(constant for step in self.steps for constant in step.constants)]

    @property
    def kind(self) -> tuple[Any, ...]:
        """What numbers must have in common to be joined."""
        return tuple(step.kind for step in self.steps)

    def of_planes(self, planes: list[Tensor]) -> Codes:
        """The same maps with other planes."""
        rest, steps = list(planes[1:]), []
        for step in self.steps:
            count = len(step.constants)
            steps.append(step.with_constants(rest[:count]))
            rest = rest[count:]
        return Codes(planes[0].long(), tuple(steps))

    def then(self, target: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Codes:
        """With one more step; in `args`, self stands for the numbers."""
        tensors = [value for value in args if isinstance(value, Tensor) and value.ndim]
        shape = torch.broadcast_shapes(self.ids.shape, *(one.shape for one in tensors))  # type: ignore[no-untyped-call]
        here = self.of_planes([plane.expand(shape) for plane in self.planes])
        given = tuple(
            HERE if value is self else value.expand(shape) if isinstance(value, Tensor) and value.ndim else value
            for value in args
        )
        return Codes(here.ids, (*here.steps, Step(target, given, tuple(sorted(kwargs.items())))))


def code_levels(form: InputFormat, numbers: Codes, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Comparisons of numbers (N, F) with thresholds (F, T) as comparisons of codes.

    Returns:
        int64 and bool, both (N, F, T): the comparison is `code >= level`, or, where it falls, `code < level`.

    Raises:
        NotMonotone: there is one that is neither.
    """
    each = thresholds.detach().cpu().expand(*numbers.ids.shape, thresholds.shape[-1])
    planes = numbers.planes if form.per_feature else numbers.planes[1:]
    keys = torch.stack([plane.reshape(-1).double() for plane in planes], dim=1) if planes else None
    if keys is None:
        return _levels(form, list(numbers.steps), each)
    rows, group = torch.unique(keys, dim=0, return_inverse=True)
    group = group.reshape(numbers.ids.shape)
    levels, falls = torch.empty(each.shape, dtype=torch.int64), torch.empty(each.shape, dtype=torch.bool)
    flat = [plane.reshape(-1) for plane in numbers.planes]
    for number in range(len(rows)):
        places = group == number
        first = int(places.reshape(-1).nonzero()[0])
        alike = numbers.of_planes([plane[first : first + 1] for plane in flat])
        one = form.of_feature(int(alike.ids)) if form.per_feature else form
        levels[places], falls[places] = _levels(one, list(alike.steps), each[places])
    return levels, falls


def code_thresholds(form: InputFormat, thresholds: Tensor) -> Tensor:
    """int64, the shape of `thresholds`: the smallest code whose number is above each of them.

    The format is that of one feature, or the same for all. The comparison is evaluated for every code, so
    `code >= result` agrees with it for all of them; a result above the highest code means that it never holds.
    """
    return _levels(form, [], thresholds)[0]


def _levels(form: InputFormat, steps: list[Step], thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """`code_levels` of thresholds of any shape that all compare the same function of a code."""
    codes = form.all_codes()
    numbers = form.values(codes)
    for step in steps:
        numbers = step(numbers)
    unique, inverse = torch.unique(thresholds.detach().cpu(), return_inverse=True)
    levels, falls = [], []
    for part in torch.split(unique, 1024):
        above = encode(numbers.float()[:, None], part[None].float())[:, 0]
        falling = above[0] & ~above[-1]
        rising = above ^ falling
        if bool((rising[1:] < rising[:-1]).any()):
            raise NotMonotone
        levels.append(int(codes[0]) + (~rising).sum(dim=0))
        falls.append(falling)
    return torch.cat(levels)[inverse], torch.cat(falls)[inverse]
