"""Majority pooling: whether at least so many bits of a window are 1."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from difflut.errors import ConfigError, InputShapeError
from difflut.functional import convolve
from difflut.layers.pooling import OrPool, Pooling, window_parts
from difflut.layers.windows import Pair, pair, positions
from difflut.nodes.base import MAX_INPUTS

MOST_BITS = 25  # of a window: 5 x 5; some larger ones do not end in one LUT of MAX_INPUTS
_COUNTED = 6  # bits that one counter reads, what a LUT of most FPGAs has


def majority_pool(
    bits: Tensor,
    kernel_size: int | Pair = 2,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    at_least: int | None = None,
) -> Tensor:
    """Whether at least `at_least` bits of each window and channel are 1: average pooling behind which is a threshold.

    On floating numbers it is the `at_least`-th largest of the window, as max pooling is the largest; the gradient goes
    to the elements equal to it, in equal parts. On bool it is the primitive `convolve` with one table, or where a
    window has more than 8 bits with counters in front of it, so that it has a circuit.

    Args:
        bits: floating or bool (N, C, H, W).
        kernel_size: the window's rows and columns, at most `MOST_BITS` bits.
        stride: rows and columns from one window to the next; the window's size by default.
        padding: rows and columns of zeros on each side of the image.
        at_least: from 1, which is `or_pool`, to the bits of a window, which is their AND; by default half of them,
            rounded up: 2 of 4, so that a tie is 1.

    Returns:
        (N, C, H', W') of the same dtype; a border that fills no window is left out.

    Raises:
        ConfigError: a size or `at_least` is out of range.
        InputShapeError: `bits` are no maps, or smaller than a window.
    """
    window = pair("majority_pool", "kernel_size", kernel_size, 1)
    step = window if stride is None else pair("majority_pool", "stride", stride, 1)
    border = pair("majority_pool", "padding", padding, 0)
    least = _checked("majority_pool", window, at_least)
    if bits.ndim != 4:
        raise InputShapeError(
            f"majority_pool: got bits of shape {tuple(bits.shape)}; expected (samples, channels, rows, columns)"
        )
    size = positions("majority_pool", (bits.shape[2], bits.shape[3]), window, step, border)
    if bits.dtype != torch.bool:
        padded = functional.pad(bits, (border[1], border[1], border[0], border[0])) if any(border) else bits
        ranked: Tensor = _Ranked.apply(padded, window, step, size, least)  # type: ignore[no-untyped-call]
        return ranked
    connections, tables = _circuit(bits.shape[1], window[0] * window[1], least, bits.device)
    pooled: Tensor = convolve(bits, connections, tables, window, step, border)
    return pooled


def _checked(owner: str, window: Pair, at_least: int | None) -> int:
    """`at_least` of a window, or the default."""
    width = window[0] * window[1]
    if width > MOST_BITS:
        raise ConfigError(
            f"{owner}: a window of {window[0]} x {window[1]} has {width} bits; expected at most {MOST_BITS}"
        )
    if at_least is not None and not 1 <= at_least <= width:
        raise ConfigError(
            f"{owner}: at_least is {at_least}; expected 1 to {width}, the bits of a window of {window[0]} x {window[1]}"
        )
    return -(-width // 2) if at_least is None else at_least


class _Ranked(torch.autograd.Function):
    """The k-th largest of each window of floating maps, by minima and maxima of whole maps."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, window: Pair, stride: Pair, size: Pair, k: int) -> Tensor:
        largest: list[Tensor] = []  # of the elements seen so far, in descending order; at most k
        for part in window_parts(maps, window, stride, size):
            rest = part
            for place, value in enumerate(largest):
                largest[place], rest = torch.maximum(value, rest), torch.minimum(value, rest)
            if len(largest) < k:
                largest.append(rest.clone())
        ctx.save_for_backward(maps, largest[-1])
        ctx.options = window, stride, size
        return largest[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        maps, ranked = ctx.saved_tensors
        equal = [part == ranked for part in window_parts(maps, *ctx.options)]
        shared = grads[0] / sum(mask.to(grads[0].dtype) for mask in equal)
        result = torch.zeros_like(maps)
        for mask, out in zip(equal, window_parts(result, *ctx.options), strict=True):
            out += shared * mask
        return result, None, None, None, None


Node = tuple[list[int], list[int], int, int]  # sources, their weights, and what it says of the sum: see `_table`


class _Number(NamedTuple):
    """A number of nets that have weights, and the most that it can be."""

    nets: list[int]
    weights: list[int]
    most: int


def _circuit(channels: int, width: int, at_least: int, device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
    """Connections and tables of `convolve` that compare the count of each channel's `width` bits."""
    connections: list[Tensor] = []
    tables: list[Tensor] = []
    for nodes in _levels(width, at_least):
        n = max(len(sources) for sources, _, _, _ in nodes)
        # A node that reads fewer bits reads its last one again, of which its table takes no notice.
        read = torch.tensor([sources + sources[-1:] * (n - len(sources)) for sources, _, _, _ in nodes], device=device)
        offsets = width * torch.arange(channels, device=device)
        connections.append((read + offsets[:, None, None]).flatten(0, 1))
        tables.append(torch.stack([_table(node, n) for node in nodes]).repeat(channels, 1).to(device))
        width = len(nodes)
    return connections, tables


def _levels(width: int, at_least: int) -> list[list[Node]]:
    """Levels of nodes of which the last one is the result.

    Counters read up to `_COUNTED` bits, or numbers of so many bits in all, until one LUT can read all digits.
    """
    levels: list[list[Node]] = []
    numbers = [_Number([bit], [1], 1) for bit in range(width)]
    while sum(len(number.nets) for number in numbers) > MAX_INPUTS:
        groups = [_Number([], [], 0)]
        for number in numbers:
            if len(groups[-1].nets) + len(number.nets) > _COUNTED:
                groups.append(_Number([], [], 0))
            last = groups[-1]
            groups[-1] = _Number(last.nets + number.nets, last.weights + number.weights, last.most + number.most)
        nodes: list[Node] = []
        numbers = []
        for nets, weights, most in groups:
            digits = range(most.bit_length())
            numbers.append(_Number([len(nodes) + k for k in digits], [1 << k for k in digits], most))
            nodes += [(nets, weights, k, 0) for k in digits]
        levels.append(nodes)
    nets = [net for number in numbers for net in number.nets]
    weights = [weight for number in numbers for weight in number.weights]
    return [*levels, [(nets, weights, -1, at_least)]]


def _table(node: Node, n: int) -> Tensor:
    """bool (2**n,): a digit of the weighted sum of the node's bits, or with digit -1 whether it is at least a bound."""
    _, weights, digit, bound = node
    addresses = torch.arange(1 << n)
    total = sum((addresses >> place & 1) * weight for place, weight in enumerate(weights))
    assert isinstance(total, Tensor)
    return total >= bound if digit < 0 else (total >> digit & 1).bool()


class MajorityPool(Pooling):
    """`majority_pool` as a module: the `at_least`-th largest while training, tables of counts in eval mode.

    Args:
        kernel_size, stride, padding, at_least: as of `majority_pool`.
    """

    def __init__(
        self,
        kernel_size: int | Pair = 2,
        stride: int | Pair | None = None,
        padding: int | Pair = 0,
        at_least: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.at_least = _checked(type(self).__name__, self.kernel_size, at_least)

    def reduce(self, bits: Tensor) -> Tensor:
        return majority_pool(bits, self.kernel_size, self.stride, self.padding, self.at_least)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, at_least={self.at_least}"


POOLINGS: dict[str, type[Pooling]] = {"majority": MajorityPool, "or": OrPool}
