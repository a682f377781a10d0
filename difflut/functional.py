"""The primitives: every model in eval mode is a composition of these operators and pure data movement.

They are registered as PyTorch custom operators in the namespace `difflut`, so that `torch.export` keeps each as one
node of the graph and `difflut.export.trace` can turn it into cells. Bits are `torch.bool`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from difflut.errors import ConfigError, DataError


@torch.library.custom_op("difflut::encode", mutates_args=())
def encode(x: Tensor, thresholds: Tensor) -> Tensor:
    """Compare every feature with its thresholds.

    Args:
        x: floating (N, F).
        thresholds: floating (F, T), the same dtype as `x`.

    Returns:
        bool (N, F, T); bit t of feature f is `x[:, f] > thresholds[f, t]`.

    Raises:
        DataError: if `x` contains NaN.
    """
    if bool(torch.isnan(x).any()):
        raise DataError("the model's input contains NaN; replace missing values before calling the model")
    return x.unsqueeze(-1) > thresholds


@encode.register_fake
def _(x: Tensor, thresholds: Tensor) -> Tensor:
    return x.new_empty((x.shape[0], *thresholds.shape), dtype=torch.bool)


@torch.library.custom_op("difflut::lut_lookup", mutates_args=())
def lut_lookup(bits: Tensor, connections: Tensor, tables: Tensor) -> Tensor:
    """Look every node's output up in its table.

    Args:
        bits: bool (N, W).
        connections: int64 (nodes, n), which input bit feeds which node input; 1 <= n <= 8.
        tables: bool (nodes, 2**n); index bit i = input i.

    Returns:
        bool (N, nodes).
    """
    n = connections.shape[1]
    columns = bits.t().to(torch.uint8, memory_format=torch.contiguous_format)
    address = columns.index_select(0, connections[:, 0])
    for i in range(1, n):
        address |= columns.index_select(0, connections[:, i]) << i
    return tables.gather(1, address.long()).t().contiguous()


@lut_lookup.register_fake
def _(bits: Tensor, connections: Tensor, tables: Tensor) -> Tensor:
    return bits.new_empty((bits.shape[0], connections.shape[0]))


@torch.library.custom_op("difflut::group_sum", mutates_args=())
def group_sum(bits: Tensor, classes: int) -> Tensor:
    """Count the ones of each class: the bits are split into `classes` consecutive groups of equal size.

    Args:
        bits: bool (N, W), W a multiple of `classes`.
        classes: the number of groups.

    Returns:
        int64 (N, classes), the scores.
    """
    check_groups(bits.shape[1], classes)
    groups = bits.reshape(len(bits), classes, bits.shape[1] // classes)
    return groups.sum(dim=2)


@group_sum.register_fake
def _(bits: Tensor, classes: int) -> Tensor:
    check_groups(bits.shape[1], classes)
    return bits.new_empty((bits.shape[0], classes), dtype=torch.int64)


def check_groups(width: int, classes: int) -> None:
    """Raise ConfigError unless `width` bits split into `classes` equal, non-empty groups."""
    if classes < 1 or width < classes or width % classes:
        raise ConfigError(
            f"group sum: {width} bits do not split into {classes} equal groups; make the last layer's number of nodes "
            f"a multiple of the number of classes"
        )
