"""Kernels of the training step on a GPU: what `difflut.kernels` has for a CPU, in Triton, which CUDA's PyTorch brings.

`difflut.kernels` calls them for tensors that `takes` accepts. Outputs are PyTorch's bit for bit; sums have an order of
their own, the same each time. Triton's interpreter runs them on a CPU (TRITON_INTERPRET=1), for tests.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import cache
from subprocess import SubprocessError
from types import ModuleType

import torch
from torch import Tensor, nn

from difflut.progress import LOGGER

INTERPRETER = "TRITON_INTERPRET"
_TILE, _TILE_SAMPLES = 64, 32
_TABLE_VALUES = 4096
_WITHOUT = "training goes on without Triton's kernels: %s"


def takes(tensor: Tensor, dtype: torch.dtype = torch.float32) -> bool:
    """Whether the kernels can read a tensor's memory as it is."""
    return (
        type(tensor) in (Tensor, nn.Parameter)  # others may have no memory, as those of a graph that is captured
        and (tensor.device.type == "cuda" or (tensor.device.type == "cpu" and os.environ.get(INTERPRETER) == "1"))
        and tensor.dtype == dtype
        and tensor.is_contiguous()
        and not torch.compiler.is_compiling()
        and _kernels(tensor.device.type) is not None
    )


def look_up(rows: Tensor, connections: Tensor | None, table: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """See `difflut.kernels.look_up`."""
    nodes, samples = len(table), rows.shape[-1]
    addresses, outputs = rows.new_empty(nodes, samples, dtype=torch.uint8), rows.new_empty(nodes, samples)
    n, block = table.shape[1].bit_length() - 1, _block(samples)
    wiring = table if connections is None else connections.contiguous()
    if outputs.numel():
        with _device_of(rows):
            _loaded(rows).look_up[nodes, -(-samples // block)](
                *(rows, wiring, table, addresses, outputs, threshold, samples),
                n=n, wired=connections is not None, block=block,
            )  # fmt: skip
    return addresses, outputs


def row_gradient(
    addresses: Tensor, grad: Tensor, slopes: Tensor, connections: Tensor | None, shape: torch.Size
) -> Tensor:
    """See `difflut.kernels.row_gradient`. Where there are connections, each row adds up what its readers have."""
    rows, (samples, n) = grad.new_empty(shape), (grad.shape[1], slopes.shape[1])
    count, block = rows.numel() // max(1, samples), _block(samples)
    ports = starts = addresses
    if connections is not None:
        read, ports = connections.reshape(-1).sort(stable=True)
        starts = torch.searchsorted(read, torch.arange(count + 1, device=read.device))
    if rows.numel():
        with _device_of(grad):
            _loaded(grad).row_gradient[count, -(-samples // block)](
                *(addresses, grad, slopes, ports, starts, rows, slopes.stride(0), slopes.stride(1), samples),
                n=n, wired=connections is not None, block=block,
            )  # fmt: skip
    return rows


def table_gradient(addresses: Tensor, grad: Tensor, n: int) -> Tensor:
    """See `difflut.kernels.table_gradient`."""
    nodes, samples = grad.shape
    table = grad.new_empty(nodes, 1 << n)
    with _device_of(grad):
        block = min(_block(samples), _TABLE_VALUES >> n)
        _loaded(grad).table_gradient[nodes,](addresses, grad, table, samples, n=n, block=block)
    return table


def choice_gradient(grad: Tensor, columns: Tensor, candidates: Tensor, shape: torch.Size) -> Tensor | None:
    """See `difflut.kernels.choice_gradient`; None where all columns are offered, as that is one matrix product."""
    blocks, per_block, offered = shape
    if offered == len(columns):
        return None
    weights, (ports, samples) = grad.new_empty(shape), grad.shape
    with _device_of(grad):
        _loaded(grad).choice_gradient[-(-per_block // _TILE), -(-offered // _TILE), blocks](
            *(grad, columns, candidates, weights, ports, per_block, offered, samples),
            tile=_TILE, block=_TILE_SAMPLES,
        )  # fmt: skip
    return weights


def _device_of(tensor: Tensor) -> AbstractContextManager[None]:
    """Triton's programs run on the current GPU."""
    return torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]


def _block(samples: int) -> int:
    """How many samples a program computes: a power of two."""
    return min(512, max(32, 1 << (samples - 1).bit_length()))


def _loaded(tensor: Tensor) -> ModuleType:
    kernels = _kernels(tensor.device.type)
    assert kernels is not None  # see `takes`
    return kernels


@cache
def _kernels(device: str) -> ModuleType | None:
    try:
        from triton.errors import TritonError

        from difflut import gpu_kernels
    except ImportError as error:
        LOGGER.info(_WITHOUT, error)
        return None
    value, octet = torch.zeros(2, device=device), torch.zeros(2, dtype=torch.uint8, device=device)
    try:  # Triton needs a driver and a C compiler, which a first call shows
        gpu_kernels.table_gradient[1,](octet, value, value, 1, n=1, block=32)
    except (TritonError, OSError, RuntimeError, SubprocessError) as error:
        LOGGER.info(_WITHOUT, error)
        return None
    return gpu_kernels
