"""Pooling of maps of bits, and its plainest form: the maximum over windows, which on bits is their OR."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from difflut import kernels
from difflut.errors import ConfigError, InputShapeError
from difflut.functional import convolve
from difflut.layers.windows import Pair, pair, positions
from difflut.nodes.base import MAX_INPUTS


def or_pool(
    bits: Tensor, kernel_size: int | Pair = 2, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The OR of each window and channel.

    On floating numbers this is max pooling, whose gradient goes to the first largest element of the window. On bool it
    is the primitive `convolve` with OR tables, in trees where a window has more than 8 bits, so that it has a circuit.
    Source: Petersen et al., "Convolutional Differentiable Logic Gate Networks", NeurIPS 2024.

    Args:
        bits: floating or bool (N, C, H, W).
        kernel_size: the window's rows and columns.
        stride: rows and columns from one window to the next; the window's size by default.
        padding: rows and columns of zeros on each side of the image, at most half of the window.

    Returns:
        (N, C, H', W') of the same dtype; a border that fills no window is left out.
    """
    window = pair("or_pool", "kernel_size", kernel_size, 1)
    step = window if stride is None else pair("or_pool", "stride", stride, 1)
    if bits.ndim != 4:
        raise InputShapeError(
            f"or_pool: got bits of shape {tuple(bits.shape)}; expected (samples, channels, rows, columns)"
        )
    border = pair("or_pool", "padding", padding, 0)
    size = positions("or_pool", (bits.shape[2], bits.shape[3]), window, step, border)
    if bits.dtype != torch.bool:
        if window == step and border == (0, 0):
            output: Tensor = _MaxPool.apply(bits, window, size)  # type: ignore[no-untyped-call]
            return output
        return functional.max_pool2d(bits, window, step, border)
    channels = bits.shape[1]
    connections: list[Tensor] = []
    tables: list[Tensor] = []
    width = window[0] * window[1]
    while width > 1 or not connections:  # a window of one bit passes through a LUT of one input
        level = _tree_level(channels, width).to(bits.device)
        connections.append(level)
        tables.append(torch.arange(1 << level.shape[1], device=bits.device).bool().repeat(len(level), 1))
        width = len(level) // channels
    pooled: Tensor = convolve(bits, connections, tables, window, step, border)
    return pooled


class _MaxPool(torch.autograd.Function):
    """`max_pool2d` with windows that do not overlap, whole slices at a time, which on a CPU is faster."""

    @staticmethod
    def forward(ctx: Any, bits: Tensor, window: Pair, size: Pair) -> Tensor:
        planes = _planes(bits)
        found = kernels.max_pool(planes, window)
        if found is not None:
            ctx.save_for_backward(planes, found)
            ctx.options = window, size, planes is bits
            return found if planes is bits else found.transpose(0, 1)
        parts = window_parts(bits, window, window, size)
        largest = parts[0].clone()
        for part in parts[1:]:
            torch.maximum(largest, part, out=largest)
        ctx.save_for_backward(bits, largest)
        ctx.options = window, size, True
        return largest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        bits, largest = ctx.saved_tensors
        window, size, samples_first = ctx.options
        grad = grads[0] if samples_first else grads[0].transpose(0, 1)
        result = kernels.max_pool_gradient(bits, largest, grad.contiguous(), window)
        if result is None:
            left = grad.clone()  # what no earlier element of the window has got
            result = torch.zeros_like(bits)
            layout = window, window, size
            for part, out in zip(window_parts(bits, *layout), window_parts(result, *layout), strict=True):
                torch.mul(left, part == largest, out=out)
                left -= out
        return result if samples_first else result.transpose(0, 1), None, None


def _planes(images: Tensor) -> Tensor:
    """Images (N, C, H, W) as they lie in memory: with channels first behind a convolution."""
    return images if images.is_contiguous() else images.transpose(0, 1)


def window_parts(maps: Tensor, window: Pair, stride: Pair, size: Pair) -> list[Tensor]:
    """Element (i, j) of all windows of maps (N, C, H, W), as views (N, C, H', W') of `size`, row by row."""
    (rows, columns), (down, right) = size, stride
    return [
        maps[..., i : i + rows * down : down, j : j + columns * right : right]
        for i, j in itertools.product(*map(range, window))
    ]


def _tree_level(channels: int, width: int) -> Tensor:
    """int64 (channels * nodes, n): nodes that reduce each channel's `width` bits; the last one may read a bit twice."""
    nodes = -(-width // MAX_INPUTS)
    n = -(-width // nodes)
    one = torch.arange(nodes * n).clamp_(max=width - 1).view(1, nodes, n)
    return (one + width * torch.arange(channels)[:, None, None]).view(channels * nodes, n)


class Pooling(nn.Module):
    """A reduction of each window and channel of a map to one bit: its sizes and their checks; `forward` is the form's.

    Args:
        kernel_size, stride, padding: as of `or_pool`.

    Raises:
        ConfigError: a size is out of range, or the padding is more than half of the window.
    """

    def __init__(self, kernel_size: int | Pair = 2, stride: int | Pair | None = None, padding: int | Pair = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = pair(name, "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else pair(name, "stride", stride, 1)
        self.padding = pair(name, "padding", padding, 0)
        if any(2 * border > size for border, size in zip(self.padding, self.kernel_size, strict=True)):
            raise ConfigError(f"{name}: padding {self.padding} is more than half of the window {self.kernel_size}")

    def output_size(self, height: int, width: int) -> Pair:
        """(H', W') for images of H x W.

        Raises:
            InputShapeError: if the padded image is smaller than a window.
        """
        return positions(type(self).__name__, (height, width), self.kernel_size, self.stride, self.padding)

    def forward(self, bits: Tensor) -> Tensor:
        """(N, C, H', W') from bits (N, C, H, W); bool in eval mode, floating while training."""
        return self.reduce(bits.to(torch.get_default_dtype()) if self.training else bits.bool())

    def reduce(self, bits: Tensor) -> Tensor:
        """The form's function of floating or bool maps (N, C, H, W)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        border = f", padding={self.padding}" if any(self.padding) else ""
        return f"kernel_size={self.kernel_size}, stride={self.stride}{border}"


class OrPool(Pooling):
    """`or_pool` as a module: max pooling while training, OR tables in eval mode."""

    def reduce(self, bits: Tensor) -> Tensor:
        return or_pool(bits, self.kernel_size, self.stride, self.padding)
