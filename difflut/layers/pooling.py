"""OR pooling: the maximum over windows, which on bits is their OR."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from difflut.errors import InputShapeError
from difflut.functional import lut_lookup
from difflut.layers.windows import Pair, from_columns, pair, positions, window_columns
from difflut.nodes.base import MAX_INPUTS


def or_pool(bits: Tensor, kernel_size: int | Pair = 2, stride: int | Pair | None = None) -> Tensor:
    """The OR of each window and channel.

    On floating numbers this is max pooling, whose gradient goes to the first largest element of the window. On bool it
    is the primitive `lut_lookup` with OR tables, in trees where a window has more than 8 bits, so that it has a
    circuit. Source: Petersen et al., "Convolutional Differentiable Logic Gate Networks", NeurIPS 2024.

    Args:
        bits: floating or bool (N, C, H, W).
        kernel_size: the window's rows and columns.
        stride: rows and columns from one window to the next; the window's size by default.

    Returns:
        (N, C, H', W') of the same dtype; a border that fills no window is left out.
    """
    window = pair("or_pool", "kernel_size", kernel_size, 1)
    step = window if stride is None else pair("or_pool", "stride", stride, 1)
    if bits.ndim != 4:
        raise InputShapeError(
            f"or_pool: got bits of shape {tuple(bits.shape)}; expected (samples, channels, rows, columns)"
        )
    size = positions("or_pool", (bits.shape[2], bits.shape[3]), window, step)
    if bits.dtype != torch.bool:
        return functional.max_pool2d(bits, window, step)
    channels = bits.shape[1]
    rows = window_columns(bits, window, step).t()
    width = window[0] * window[1]
    while width > 1:
        connections = _tree_level(channels, width).to(bits.device)
        n = connections.shape[1]
        tables = torch.arange(1 << n, device=bits.device).bool().expand(len(connections), -1)
        rows = lut_lookup(rows, connections, tables)
        width = len(connections) // channels
    return from_columns(rows.t(), bits.shape[0], size)


def _tree_level(channels: int, width: int) -> Tensor:
    """int64 (channels * nodes, n): nodes that reduce each channel's `width` bits; the last one may read a bit twice."""
    nodes = -(-width // MAX_INPUTS)
    n = -(-width // nodes)
    one = torch.arange(nodes * n).clamp_(max=width - 1).view(1, nodes, n)
    return (one + width * torch.arange(channels)[:, None, None]).view(channels * nodes, n)


class OrPool(nn.Module):
    """`or_pool` as a module: max pooling while training, OR tables in eval mode."""

    def __init__(self, kernel_size: int | Pair = 2, stride: int | Pair | None = None) -> None:
        super().__init__()
        self.kernel_size = pair("OrPool", "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else pair("OrPool", "stride", stride, 1)

    def forward(self, bits: Tensor) -> Tensor:
        """(N, C, H', W') from bits (N, C, H, W); bool in eval mode, floating while training."""
        bits = bits.to(torch.get_default_dtype()) if self.training else bits.bool()
        return or_pool(bits, self.kernel_size, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}"
