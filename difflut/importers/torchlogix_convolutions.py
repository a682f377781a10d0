"""torchlogix (0.2): convolutions in a state dict.

Source: torchlogix 0.2.2, its modules layers.conv, layers.pool and connections. Where a tree reads is kept for every
position, in coordinates of the padded map; size of the map, padding and poolings are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from difflut.importers.contents import Content, array_of
from difflut.importers.convolutions import Convolution, Pooling
from difflut.importers.network import Ints
from difflut.importers.said import Said
from difflut.importers.sequential import Tables, integers

_WORD = re.compile(r"(conv|pool)(\d{0,3})(?:/(\d{1,3}))?(?:\+(\d{1,3}))?")
Size = tuple[int, int, int]  # channels, rows, columns


def geometry_of(content: Content, said: Said, convolutions: int) -> list[int | Pooling]:
    """Stages: the padding of a convolution, or a pooling.

    Raises:
        NetworkFileError: it is not said, or says another number of convolutions.
    """
    expected = (
        'a word for each convolution and pooling, in their order, such as "conv+1 pool2 conv pool3/2+1": conv with '
        "padding, pool with window, stride (the window by default) and padding"
    )
    if said.geometry is None or said.image_size is None:
        raise content.refuse(
            "has convolutions, and does not say the size of an image, paddings and poolings; give --image C,H,W and "
            f"--geometry, {expected} (image= and geometry= in Python)"
        )
    stages: list[int | Pooling] = []
    for word in said.geometry.split():
        match = _WORD.fullmatch(word)
        if match is None or (match[1] == "conv") != (match[2] == "") or (match[1] == "conv" and match[3]):
            raise content.refuse(f"the geometry has {word!a:.40}; expected {expected}")
        padding = int(match[4] or 0)
        size = int(match[2] or 0)
        stages.append(padding if match[1] == "conv" else Pooling(size, int(match[3] or size), padding))
        if match[1] == "pool" and (size < 1 or int(match[3] or 1) < 1 or 2 * padding > size):
            raise content.refuse(f"the geometry has {word!a:.40}; a padding is at most half of the window")
    if sum(isinstance(stage, int) for stage in stages) != convolutions:
        raise content.refuse(f"has {convolutions} convolutions, and the geometry {said.geometry!a:.80} others")
    return stages


def stages_of(
    content: Content,
    geometry: list[int | Pooling],
    modules: list[tuple[int, Mapping[str, Any]]],
    tables: list[list[Tables]],
    size: Size,
) -> tuple[tuple[Convolution | Pooling, ...], Size]:
    """The stages of convolutions with tables (nodes, kernels, 2**n) of each level, and the size of the last map."""
    rest = iter(zip(modules, tables, strict=True))
    stages: list[Convolution | Pooling] = []
    for stage in geometry:
        if isinstance(stage, Pooling):
            rows, columns = ((length + 2 * stage.padding - stage.window) // stage.stride + 1 for length in size[1:])
            size = (size[0], rows, columns)
            stages.append(stage)
        else:
            (number, parts), entries = next(rest)
            made, size = _convolution(content, number, parts, entries, size, stage)
            stages.append(made)
        if min(size) < 1:
            raise content.refuse(f"the geometry leaves a map of {size[1]} x {size[2]}; is the image right?")
    return tuple(stages), size


def _convolution(
    content: Content, number: int, parts: Mapping[str, Any], entries: list[Tables], size: Size, padding: int
) -> tuple[Convolution, Size]:
    what = f"{number}.connections._indices_L0"
    leaves = _indices(content, what, parts.get("connections._indices_L0"))
    rank, kernels, _, nodes, _ = leaves.shape
    connections = []
    for level, table in enumerate(entries):
        if table.shape[:2] != (rank ** (len(entries) - 1 - level), kernels):
            raise content.refuse(
                f"{number}.tree_weights.{level} has {table.shape[:2]} nodes and kernels; expected "
                f"{(rank ** (len(entries) - 1 - level), kernels)}"
            )
        if level:
            key = f"connections._indices_L{level}"
            read = integers(content, f"{number}.{key}", parts.get(key), 2)
            if not np.array_equal(read, np.arange(read.size).reshape(-1, rank).T) or read.shape[1] != len(table):
                raise content.refuse(f"{number}.{key} is no tree; expected nodes that read neighbours")
            nodes_of = np.arange(kernels)[:, None, None] * rank * len(table) + read.T[None, :, ::-1]
            connections.append(nodes_of.reshape(-1, rank))
    (rows, columns), stride = _grid(content, what, leaves)
    if nodes != len(entries[0]):
        raise content.refuse(f"{what} is of {nodes} nodes, its tables of {len(entries[0])}")
    padded = [length + 2 * padding for length in size[1:]]
    window = tuple(padded[axis] - (count - 1) * stride[axis] for axis, count in enumerate((rows, columns)))
    offsets = leaves[:, :, 0]  # (rank, kernels, nodes, 3)
    highest = offsets.reshape(-1, 3).max(axis=0).tolist()
    if int(leaves.min()) < 0 or highest[0] >= window[0] or highest[1] >= window[1] or highest[2] >= size[0]:
        raise content.refuse(
            f"{what} reads row {highest[0]}, column {highest[1]} and channel {highest[2]} of windows of {window} of a "
            f"map of {size} with padding {padding}; are image and geometry right?"
        )
    first = (offsets[..., 2] * window[0] + offsets[..., 0]) * window[1] + offsets[..., 1]  # (rank, kernels, nodes)
    connections.insert(0, first.transpose(1, 2, 0)[:, :, ::-1].reshape(-1, rank))
    flat = tuple(table.transpose(1, 0, 2).reshape(-1, table.shape[2]) for table in entries)
    made = Convolution(tuple(connections), flat, (window[0], window[1]), stride, padding)
    return made, (kernels, rows, columns)


def _indices(content: Content, what: str, value: Any) -> Ints:
    array = array_of(content, what, value)
    if array.ndim == 5 and array.shape[-1] != 3:
        raise content.refuse(
            f"{what} is {array.shape}; expected rows, columns and channels: convolutions of 2 dimensions"
        )
    return integers(content, what, value, 5)


def _grid(content: Content, what: str, leaves: Ints) -> tuple[tuple[int, int], tuple[int, int]]:
    """How many rows and columns of positions there are, and the stride."""
    moved = leaves - leaves[:, :, :1]  # (rank, kernels, positions, nodes, 3)
    starts = moved[0, 0, :, 0]
    axes = [np.unique(starts[:, axis]) for axis in (0, 1)]
    counts, stride = [len(one) for one in axes], [int(one[1]) if len(one) > 1 else 1 for one in axes]
    places = np.indices(counts).reshape(2, -1).T * stride
    expected = np.concatenate([places, np.zeros((len(places), 1), np.int64)], axis=1)
    if len(expected) != len(starts) or not (moved == expected[None, None, :, None]).all():
        raise content.refuse(f"{what} is no convolution; expected the same window at every position")
    return (counts[0], counts[1]), (stride[0], stride[1])
