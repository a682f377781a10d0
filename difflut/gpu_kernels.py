"""The kernels of `difflut.gpu`, in Triton; float32, one sample beside the other."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def look_up(
    rows, connections, table, addresses, outputs, threshold, samples,
    n: tl.constexpr, wired: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """A node and a block of samples: the addresses, and whether the entries there are above the threshold."""
    node = tl.program_id(0).to(tl.int64)
    sample = tl.program_id(1) * block + tl.arange(0, block)
    within = sample < samples
    address = tl.zeros((block,), tl.int32)
    for i in tl.static_range(n):
        row = node * n + i
        if wired:
            row = tl.load(connections + row)
        value = tl.load(rows + row * samples + sample, mask=within, other=0.0)
        address += (value > 0.5).to(tl.int32) << i
    entry = tl.load(table + (node << n) + address, mask=within, other=0.0)
    place = node * samples + sample
    tl.store(addresses + place, address.to(tl.uint8), mask=within)
    tl.store(outputs + place, (entry > threshold).to(tl.float32), mask=within)


@triton.jit
def row_gradient(
    addresses, grad, slopes, ports, starts, rows, node_stride, input_stride, samples,
    n: tl.constexpr, wired: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """A row and a block of samples: the gradients from the ports that read it, one after the other."""
    row = tl.program_id(0).to(tl.int64)
    sample = tl.program_id(1) * block + tl.arange(0, block)
    within = sample < samples
    first, last = row, row + 1
    if wired:
        first, last = tl.load(starts + row), tl.load(starts + row + 1)
    total = tl.zeros((block,), tl.float32)
    for k in range(first, last):
        port = k
        if wired:
            port = tl.load(ports + k)
        node = port // n
        place = node * samples + sample
        address = tl.load(addresses + place, mask=within, other=0).to(tl.int32)
        slope = tl.load(slopes + node * node_stride + port % n * input_stride + address, mask=within, other=0.0)
        total += slope * tl.load(grad + place, mask=within, other=0.0)
    tl.store(rows + row * samples + sample, total, mask=within)


@triton.jit
def table_gradient(addresses, grad, table, samples, n: tl.constexpr, block: tl.constexpr):
    """A node: the sum of the gradients at each address."""
    node = tl.program_id(0).to(tl.int64)
    entry = tl.arange(0, 1 << n)
    total = tl.zeros((1 << n,), tl.float32)
    for start in range(0, samples, block):
        sample = start + tl.arange(0, block)
        place = node * samples + sample
        address = tl.load(addresses + place, mask=sample < samples, other=0).to(tl.int32)
        value = tl.load(grad + place, mask=sample < samples, other=0.0)
        total += tl.sum(tl.where(address[None, :] == entry[:, None], value[None, :], 0.0), axis=1)
    tl.store(table + (node << n) + entry, total)


@triton.jit
def choice_gradient(
    grad, columns, candidates, weights, ports, per_block, offered, samples,
    tile: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """A tile of ports and candidates: the sums over the samples of gradients times bits as -1/+1."""
    group = tl.program_id(2).to(tl.int64)
    own = tl.program_id(0) * tile + tl.arange(0, tile)
    offer = tl.program_id(1) * tile + tl.arange(0, tile)
    port = group * per_block + own
    has_grad, has_column = (own < per_block) & (port < ports), offer < offered
    column = tl.load(candidates + group * offered + offer, mask=has_column, other=0)
    total = tl.zeros((tile, tile), tl.float32)
    for start in range(0, samples, block):
        sample = start + tl.arange(0, block)
        within = sample < samples
        left = tl.load(
            grad + port[:, None] * samples + sample[None, :], mask=has_grad[:, None] & within[None, :], other=0.0
        )
        right = tl.load(
            columns + column[None, :] * samples + sample[:, None], mask=has_column[None, :] & within[:, None], other=0.0
        )
        total += tl.dot(left, 2 * right - 1, input_precision="ieee")
    to = weights + port[:, None] * offered + offer[None, :]
    tl.store(to, total, mask=(own < per_block)[:, None] & has_column[None, :])
