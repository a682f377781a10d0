"""How a table of real numbers is evaluated while training: softly, or hard with a gradient of its own.

The functions take the gathered inputs of a layer, floating (nodes, n, N), and a table, floating (nodes, 2**n), with
input i in address bit i. At 0/1 inputs they give exactly an entry of the table or its rounding, so that
`Nodes.truth_tables` can be read off the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from difflut import kernels
from difflut.nodes.base import address_bits, addresses

BLOCK_VALUES = 1 << 18
TILE_VALUES = 1 << 19


def multilinear(inputs: Tensor, table: Tensor) -> Tensor:
    """The multilinear extension of each node's table at its inputs: (nodes, N).

    It is the expected entry when input i is an independent bit that is 1 with probability inputs[:, i]. Differentiable
    once towards both arguments.

    The 2**n weights of the entries are never written out: they are products of a factor of the first inputs and one of
    the others, about 2**(n/2) of each, which makes the sum over the entries a small matrix product per node.
    """
    output: Tensor = _Multilinear.apply(inputs, table)  # type: ignore[no-untyped-call]
    return output


def hard_lookup(inputs: Tensor, table: Tensor, slopes: Tensor | None, threshold: float = 0.5) -> Tensor:
    """1 where the addressed entry of a table is above the threshold, else 0: (nodes, N).

    The gradient towards the table goes straight through to the addressed entry, as if it were not rounded. The gradient
    towards input i is slopes[:, i] at the address; slopes, floating (nodes, n, 2**n), counts as a constant. It may be
    None where the inputs take no gradient.
    """
    output: Tensor = _HardLookup.apply(inputs, table, slopes, threshold)  # type: ignore[no-untyped-call]
    return output


def wired_lookup(columns: Tensor, connections: Tensor, table: Tensor, slopes: Tensor | None) -> Tensor:
    """`hard_lookup`, above 0, of the inputs that connections, int64 (nodes, n), select among columns (in_width, N).

    Only where `kernels.wires` them.
    """
    output: Tensor = _WiredLookup.apply(columns, connections, table, slopes)  # type: ignore[no-untyped-call]
    return output


@torch.no_grad()
def differences(table: Tensor) -> Tensor:
    """(nodes, n, 2**n): [:, i, a] is the entry at a with bit i set, less the one at a with bit i clear.

    This is the derivative of the multilinear extension towards input i at the 0/1 inputs of address a.
    """
    nodes, entries = table.shape
    n = entries.bit_length() - 1
    result = table.new_empty(nodes, n, entries)
    for i in range(n):
        pairs = table.view(nodes, -1, 2, 1 << i)
        result[:, i].view(pairs.shape).copy_(pairs[:, :, 1:] - pairs[:, :, :1])
    return result


def characters(n: int) -> Tensor:
    """(2**n, 2**n), of the default floating dtype: [s, a] is the product over the inputs in s of +1 (set in a) or -1.

    Row s is the Walsh function, or Fourier character, of the input subset whose bit mask is s.
    """
    bits = address_bits(n)
    clear = bits @ (1 - bits).t()
    return 1 - 2 * (clear % 2)


class _Multilinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, table)
        output = inputs.new_empty(inputs.shape[0], inputs.shape[2])
        for part in _blocks(inputs):
            first, second, matrix = _split(inputs[part], table[part])
            torch.sum(torch.bmm(matrix, _weights(first)).mul_(_weights(second)), 1, out=output[part])
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        # The weights are computed again: kept, they would take 2**(n/2) times the memory of the outputs.
        inputs, table = ctx.saved_tensors
        grad_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        grad_table = torch.empty_like(table) if ctx.needs_input_grad[1] else None
        for part in _blocks(inputs):
            grad = grads[0][part, None]
            first, second, matrix = _split(inputs[part], table[part])
            first_weights, second_weights = _weights(first), _weights(second)
            scaled = second_weights * grad
            if grad_table is not None:
                grad_table[part] = torch.bmm(scaled, first_weights.transpose(1, 2)).flatten(1)
            if grad_inputs is not None:
                towards_first, towards_second = _halves(grad_inputs[part])
                towards_second_weights = torch.bmm(matrix, first_weights).mul_(grad)
                _weights_backward(first, first_weights, torch.bmm(matrix.transpose(1, 2), scaled), towards_first)
                _weights_backward(second, second_weights, towards_second_weights, towards_second)
        return grad_inputs, grad_table


class _HardLookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, table: Tensor, slopes: Tensor | None, threshold: float) -> Tensor:
        ctx.shapes = inputs.shape, table.shape
        found = kernels.look_up(inputs, None, table, threshold)
        if found is not None:
            ctx.save_for_backward(found[0], slopes)
            return found[1]
        # An address has at most 8 bits; gather takes 64, so that a tile's addresses are widened while in the cache.
        address = inputs.new_empty(inputs.shape[0], inputs.shape[2], dtype=torch.uint8)
        output = inputs.new_empty(address.shape)
        bits = (table > threshold).to(inputs.dtype)
        for nodes, samples in _tiles(inputs.shape, inputs.device):
            position = addresses(inputs[nodes, :, samples])
            address[nodes, samples] = position
            output[nodes, samples] = bits[nodes].gather(1, position)
        ctx.save_for_backward(address, slopes)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (grad,) = grads
        address, slopes = ctx.saved_tensors
        inputs_shape, table_shape = ctx.shapes
        n, dense = inputs_shape[1], grad.contiguous()
        grad_inputs = grad_table = None
        inputs_too, table_too = ctx.needs_input_grad[:2]
        if inputs_too:
            grad_inputs = kernels.row_gradient(address, dense, slopes, None, inputs_shape)
        if table_too:
            grad_table = kernels.table_gradient(address, dense, n)
        if (grad_inputs is not None or not inputs_too) and (grad_table is not None or not table_too):
            return grad_inputs, grad_table, None, None
        grad_inputs = grad.new_empty(inputs_shape) if inputs_too else None
        grad_table = grad.new_zeros(table_shape) if table_too else None
        for nodes, samples in _tiles(inputs_shape, grad.device):
            position, part = address[nodes, samples].long(), grad[nodes, samples]
            if grad_inputs is not None:
                for i in range(n):
                    torch.mul(slopes[nodes, i].gather(1, position), part, out=grad_inputs[nodes, i, samples])
            if grad_table is not None:
                grad_table[nodes].scatter_add_(1, position, part)
        return grad_inputs, grad_table, None, None


class _WiredLookup(torch.autograd.Function):
    """The inputs of all nodes, several times as many as the columns, are never written out."""

    @staticmethod
    def forward(ctx: Any, columns: Tensor, connections: Tensor, table: Tensor, slopes: Tensor | None) -> Tensor:
        found = kernels.look_up(columns, connections, table, 0.0)
        assert found is not None  # see `wired_lookup`
        address, output = found
        ctx.save_for_backward(address, connections, slopes)
        ctx.shape = columns.shape
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, Tensor | None, None]:
        address, connections, slopes = ctx.saved_tensors
        grad, columns_too = grads[0].contiguous(), ctx.needs_input_grad[0]
        grad_columns = kernels.row_gradient(address, grad, slopes, connections, ctx.shape) if columns_too else None
        return grad_columns, None, kernels.table_gradient(address, grad, connections.shape[1]), None


def _tiles(shape: Sequence[int], device: torch.device) -> list[tuple[slice, slice]]:
    """Ranges of nodes and of samples that are looked up together, of inputs (nodes, n, N).

    On a CPU the inputs of a tile are about `TILE_VALUES`, so that they and what is derived from them stay in the cache;
    other devices take everything at once.
    """
    nodes, n, samples = shape
    if device.type != "cpu":
        return [(slice(0, nodes), slice(0, samples))]
    width = max(1, min(samples, TILE_VALUES // n))
    height = max(1, TILE_VALUES // (n * width))
    return [
        (slice(node, node + height), slice(sample, sample + width))
        for node in range(0, nodes, height)
        for sample in range(0, samples, width)
    ]


def _blocks(inputs: Tensor) -> list[slice]:
    """Ranges of nodes that are evaluated together.

    On a CPU the weights of a block fit into about a megabyte, which stays in the cache and is allocated anew without
    page faults; other devices take all nodes at once.
    """
    nodes, n, samples = inputs.shape
    size = max(1, BLOCK_VALUES // max(1, samples << (n + 1) // 2)) if inputs.device.type == "cpu" else nodes
    return [slice(start, start + size) for start in range(0, nodes, size)]


def _split(inputs: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The halves of the inputs, and the table as (nodes, addresses of the second half, addresses of the first)."""
    first, second = _halves(inputs)
    return first, second, table.reshape(-1, 1 << second.shape[1], 1 << first.shape[1])


def _halves(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The first (n + 1) // 2 inputs of (nodes, n, N), and the others."""
    count = (inputs.shape[1] + 1) // 2
    return inputs[:, :count], inputs[:, count:]


def _weights(inputs: Tensor) -> Tensor:
    """(nodes, 2**m, N) from (nodes, m, N): the probability of each address, the inputs being probabilities."""
    nodes, m, samples = inputs.shape
    weights = inputs.new_empty(nodes, 1 << m, samples)
    weights[:, 0] = 1
    for i in range(m):
        clear, both = weights[:, : 1 << i], weights[:, 1 << i : 2 << i]
        torch.mul(clear, inputs[:, i : i + 1], out=both)
        clear -= both
    return weights


def _weights_backward(inputs: Tensor, weights: Tensor, grad: Tensor, result: Tensor) -> None:
    """Write the gradient towards the inputs of `_weights` into `result`, from `grad`, the one towards its output."""
    for i in reversed(range(inputs.shape[1])):
        half = 1 << i
        rise = grad[:, half:] - grad[:, :half]
        weights = weights[:, :half] + weights[:, half:]  # those of the inputs below i
        torch.sum(weights.mul_(rise) if i == 0 else weights * rise, 1, out=result[:, i])
        grad = rise.mul_(inputs[:, i : i + 1]).add_(grad[:, :half])
