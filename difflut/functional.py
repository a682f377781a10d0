"""The primitives: every model in eval mode is a composition of these operators and pure data movement.

They are registered as PyTorch custom operators in the namespace `difflut`, so that `torch.export` keeps each as one
node of the graph and `difflut.export.frontend.trace` can turn it into cells. Bits are `torch.bool`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from difflut.errors import ConfigError, DataError


@torch.library.custom_op("difflut::nearest_numbers", mutates_args=())
def nearest_numbers(x: Tensor, divisor: Tensor, offset: Tensor, lowest: int, highest: int) -> Tensor:
    """The numbers that the input codes nearest to `x` stand for: what hardware can be told of `x`.

    Args:
        x: float32 (N, F), or of any shape if divisor and offset have one element.
        divisor, offset: float32 (F,) or (1,); code c stands for offset + c / divisor.
        lowest, highest: the codes that there are; `x` beyond them clamps.

    Returns:
        float32, the shape of `x`.

    Raises:
        DataError: if `x` contains NaN.
    """
    _refuse_nan(x)
    codes = ((x - offset) * divisor).round().clamp(lowest, highest)  # as `difflut.codes.nearest_codes`
    return codes / divisor + offset


@nearest_numbers.register_fake
def _(x: Tensor, divisor: Tensor, offset: Tensor, lowest: int, highest: int) -> Tensor:
    return torch.empty_like(x)


def _refuse_nan(x: Tensor) -> None:
    if bool(torch.isnan(x).any()):
        raise DataError("the model's input contains NaN; replace missing values before calling the model")


@torch.library.custom_op("difflut::filter_codes", mutates_args=())
def filter_codes(x: Tensor, weights: Tensor, divisor: Tensor, offset: Tensor, lowest: int, highest: int) -> Tensor:
    """Integer sums of the codes in the window around each pixel: a cross-correlation, as `conv2d` is.

    The codes are those nearest to the numbers, as for `nearest_numbers`; beyond the border they are 0.

    Args:
        x: float32 (N, C, H, W).
        weights: integer (sums, C, rows, columns), rows and columns odd.
        divisor, offset: float32 (1,); code c stands for offset + c / divisor.
        lowest, highest: the codes that there are.

    Returns:
        float32 (N, sums, H, W), integers: sum k at pixel (y, x) is the sum over c, i and j of `weights[k, c, i, j]`
        times the code of channel c at pixel (y + i - rows // 2, x + j - columns // 2).

    Raises:
        DataError: if `x` contains NaN.
        ConfigError: if a sum may be `MOST_SUM` or more, so that float32 would not have all of them.
    """
    _refuse_nan(x)
    check_sums(weights, max(-lowest, highest))
    codes = ((x - offset) * divisor).round().clamp(lowest, highest).to(torch.int32)
    rows, columns = weights.shape[2:]
    down, right = rows // 2, columns // 2
    height, width = x.shape[2:]
    padded = functional.pad(codes, (right, right, down, down))
    sums = codes.new_zeros(len(x), len(weights), height, width)
    factors = weights.tolist()
    for number, channel, i, j in weights.nonzero().tolist():
        part = padded[:, channel, i : i + height, j : j + width]
        sums[:, number].add_(part, alpha=factors[number][channel][i][j])
    return sums.to(torch.float32)


@filter_codes.register_fake
def _(x: Tensor, weights: Tensor, divisor: Tensor, offset: Tensor, lowest: int, highest: int) -> Tensor:
    return x.new_empty((x.shape[0], weights.shape[0], *x.shape[2:]), dtype=torch.float32)


MOST_SUM = 1 << 24  # from where on float32 has not every integer


def check_sums(weights: Tensor, largest: int) -> None:
    """Raise ConfigError if a sum of codes up to `largest` with `weights`, integer (sums, ...), may be `MOST_SUM`."""
    for number, one in enumerate(weights.flatten(1).tolist()):
        most = sum(map(abs, one)) * largest
        if most >= MOST_SUM:
            raise ConfigError(
                f"filter: sum {number} may be {most:,} with codes up to {largest:,}; expected less than {MOST_SUM:,}, "
                "as float32 has no larger integers without gaps: use smaller weights or narrower input codes"
            )


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
    _refuse_nan(x)
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
    return _look_up(bits.t(), connections, tables).t().contiguous()


def _look_up(columns: Tensor, connections: Tensor, tables: Tensor) -> Tensor:
    """`lut_lookup` with one sample a column: bool (nodes, N) from bool (W, N)."""
    columns = columns.to(torch.uint8, memory_format=torch.contiguous_format)
    address = columns.index_select(0, connections[:, 0])
    for i in range(1, connections.shape[1]):
        address |= columns.index_select(0, connections[:, i]) << i
    return tables.gather(1, address.long())


@lut_lookup.register_fake
def _(bits: Tensor, connections: Tensor, tables: Tensor) -> Tensor:
    return bits.new_empty((bits.shape[0], connections.shape[0]))


@torch.library.custom_op("difflut::lut_graph", mutates_args=())
def lut_graph(
    bits: Tensor, steps: Sequence[int], inputs: Sequence[int], connections: Tensor, tables: Tensor, outputs: Tensor
) -> Tensor:
    """Look up the nodes of a graph without loops, step by step.

    The nets are numbered: 0 and 1 are the constants, then come the bits, then the nodes in their order.

    Args:
        bits: bool (N, W).
        steps: the number of nodes of each step.
        inputs: n of each step's nodes; 1 <= n <= 8.
        connections: integer (C,), for each node, one behind the other, the n nets that it reads; they come before the
            nodes of its step.
        tables: bool (T,), for each node, one behind the other, 2**n entries; index bit i = input i.
        outputs: integer (outputs,), nets.

    Returns:
        bool (N, outputs).
    """
    count, width = bits.shape
    nets = torch.empty((2 + width + sum(steps), count), dtype=torch.uint8, device=bits.device)
    nets[0], nets[1] = 0, 1
    nets[2 : 2 + width] = bits.t()
    for first, wires, entries in graph_steps(width, steps, inputs, connections, tables):
        nets[first : first + len(wires)] = _look_up(nets, wires, entries)
    return nets.index_select(0, outputs).t().to(torch.bool, memory_format=torch.contiguous_format)


@lut_graph.register_fake
def _(
    bits: Tensor, steps: Sequence[int], inputs: Sequence[int], connections: Tensor, tables: Tensor, outputs: Tensor
) -> Tensor:
    return bits.new_empty((bits.shape[0], outputs.shape[0]))


def graph_steps(
    width: int, steps: Sequence[int], inputs: Sequence[int], connections: Tensor, tables: Tensor
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """The steps of `lut_graph`: the net of the first node, connections (nodes, n) and tables (nodes, 2**n)."""
    net, wire, entry = 2 + width, 0, 0
    for nodes, n in zip(steps, inputs, strict=True):
        wires, entries = nodes * n, nodes << n
        yield net, connections[wire : wire + wires].view(nodes, n), tables[entry : entry + entries].view(nodes, 1 << n)
        net, wire, entry = net + nodes, wire + wires, entry + entries


@torch.library.custom_op("difflut::convolve", mutates_args=())
def convolve(
    bits: Tensor,
    connections: Sequence[Tensor],
    tables: Sequence[Tensor],
    window: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
) -> Tensor:
    """Look up, at every position of an image, the nodes of levels of LUTs that read its window.

    Level 0 reads the window's bits, element (i, j) of channel c as bit (c * window[0] + i) * window[1] + j; each
    further level reads the nodes of the one before. The nodes of the last level are the output channels.

    Args:
        bits: bool (N, C, H, W).
        connections: for each level int64 (nodes, n), as for `lut_lookup`; at least one level.
        tables: for each level bool (nodes, 2**n).
        window: rows and columns of the window.
        stride: rows and columns from one position to the next.
        padding: rows and columns of zeros on each side of the image.

    Returns:
        bool (N, nodes of the last level, H', W'), as many positions as there are whole windows in the padded image.
    """
    columns = window_columns(bits, window, stride, padding)
    for sources, truth in zip(connections, tables, strict=True):
        columns = _look_up(columns, sources, truth)
    size = _positions(bits, window, stride, padding)
    return columns.reshape(len(columns), bits.shape[0], *size).transpose(0, 1).contiguous()


@convolve.register_fake
def _(
    bits: Tensor,
    connections: Sequence[Tensor],
    tables: Sequence[Tensor],
    window: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
) -> Tensor:
    return bits.new_empty((bits.shape[0], connections[-1].shape[0], *_positions(bits, window, stride, padding)))


def window_columns(images: Tensor, window: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> Tensor:
    """The windows of images (N, C, H, W), one a column: (C * rows * columns, N * H' * W'), padded with zeros.

    Row (c * rows + i) * columns + j holds element (i, j) of channel c; the windows follow sample by sample, row by row.
    """
    (rows, columns), (down, right) = window, padding
    if down or right:
        images = functional.pad(images, (right, right, down, down))
    # Tensor.unfold, because torch.nn.functional.unfold does not take bool.
    windows = images.unfold(2, rows, stride[0]).unfold(3, columns, stride[1])
    count = windows.shape[0] * windows.shape[2] * windows.shape[3]
    return windows.permute(1, 4, 5, 0, 2, 3).reshape(images.shape[1] * rows * columns, count)


def _positions(images: Tensor, window: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> tuple[int, int]:
    height, width = ((images.shape[2 + a] + 2 * padding[a] - window[a]) // stride[a] + 1 for a in (0, 1))
    return height, width


@torch.library.custom_op("difflut::group_sum", mutates_args=())
def group_sum(bits: Tensor, classes: int) -> Tensor:
    """Count the ones of each class: the bits are split into `classes` consecutive groups of equal size.

    Args:
        bits: bool (N, W), W a multiple of `classes`.
        classes: the number of groups.

    Returns:
        int64 (N, classes), the scores.
    """
    return count_groups(bits, classes)


@group_sum.register_fake
def _(bits: Tensor, classes: int) -> Tensor:
    check_groups(bits.shape[1], classes)
    return bits.new_empty((bits.shape[0], classes), dtype=torch.int64)


@torch.library.custom_op("difflut::threshold_sum", mutates_args=())
def threshold_sum(bits: Tensor, thresholds: Tensor, tau: float) -> Tensor:
    """Count the ones of each label and compare the count with a threshold.

    Args:
        bits: bool (N, W), W a multiple of the number of labels: consecutive groups of equal size.
        thresholds: int64 (labels,), T, from 1 to the size of a group and 1.
        tau: the temperature, positive.

    Returns:
        float32 (N, labels), (count - T + 1/2) / tau, positive where count >= T.
    """
    counts = count_groups(bits, len(thresholds))
    return (counts.float() - thresholds + 0.5) / tau


@threshold_sum.register_fake
def _(bits: Tensor, thresholds: Tensor, tau: float) -> Tensor:
    check_groups(bits.shape[1], len(thresholds))
    return bits.new_empty((bits.shape[0], len(thresholds)), dtype=torch.float32)


def threshold_scores(bits: Tensor, thresholds: Tensor) -> Tensor:
    """int64 (N, 2 * labels): the scores that a circuit of `threshold_sum` has, for each label T - 1 and the count."""
    counts = count_groups(bits, len(thresholds))
    return torch.stack([(thresholds - 1).expand_as(counts), counts], dim=2).reshape(len(bits), -1)


def effective_thresholds(thresholds: Tensor, group_size: int) -> Tensor:
    """int64: thresholds of groups of a size; 0 stands for half of it, and beyond `group_size` nothing changes."""
    half = torch.full_like(thresholds, group_size // 2 + 1)
    return torch.where(thresholds > 0, thresholds, half).clamp(1, group_size + 1)


@torch.library.custom_op("difflut::number_sum", mutates_args=())
def number_sum(bits: Tensor, outputs: int, scale: float, offset: float) -> Tensor:
    """Count the ones of each output, bool (N, W) in consecutive groups of equal size; float32 (N, outputs), offset +
    scale * count.
    """
    return count_groups(bits, outputs).float() * scale + offset


@number_sum.register_fake
def _(bits: Tensor, outputs: int, scale: float, offset: float) -> Tensor:
    check_groups(bits.shape[1], outputs)
    return bits.new_empty((bits.shape[0], outputs), dtype=torch.float32)


def count_groups(bits: Tensor, groups: int) -> Tensor:
    """int64 (N, groups): the ones in consecutive groups of equal size."""
    check_groups(bits.shape[1], groups)
    return bits.reshape(len(bits), groups, bits.shape[1] // groups).sum(dim=2)


def check_groups(width: int, classes: int) -> None:
    """Raise ConfigError unless `width` bits split into `classes` equal, non-empty groups."""
    if classes < 1 or width < classes or width % classes:
        raise ConfigError(
            f"group sum: {width} bits do not split into {classes} equal groups; make the last layer's number of nodes "
            f"a multiple of the number of classes"
        )
