"""A picture of one sample's way through a circuit: the sample, each layer as a map of bits, the scores as bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from difflut.report.figures import BLUE, INK, ORANGE, blues, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from difflut.inspect.input_trace import InputTrace

_COLUMNS = 4


def draw_trace(trace: InputTrace, shape: tuple[int, ...], title: str) -> Figure:
    """The picture.

    Args:
        trace: what the circuit did.
        shape: of one sample.
        title: what stands above.
    """
    from matplotlib.figure import Figure

    panels = len(trace.layers) + 2
    rows = -(-panels // _COLUMNS)
    columns = -(-panels // rows)
    figure = Figure(figsize=(2.5 * columns, 2.7 * rows + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=11, color=INK, parse_math=False)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid:
        plain(axes)
    draw_sample(grid[0], trace.codes, shape)
    for axes, layer in zip(grid[1:], trace.layers, strict=False):
        _bits(axes, layer.bits)
        axes.set_title(f"{layer.name}: {int(layer.bits.sum()):,} of {len(layer.bits):,}", fontsize=9)
    draw_scores(grid[panels - 1], trace.scores, trace.predicted)
    for axes in grid[panels:]:
        axes.set_axis_off()
    return figure


def draw_sample(axes: Axes, codes: npt.NDArray[np.int64], shape: tuple[int, ...]) -> None:
    """A sample of codes (features,): an image of one or three colours, or bars."""
    axes.set_title("input codes", fontsize=9)
    image = codes.reshape(shape)
    if len(shape) == 2:
        axes.imshow(image, cmap="gray", interpolation="none")
    elif len(shape) == 3 and shape[0] == 3:
        low, high = codes.min(), max(codes.max(), codes.min() + 1)
        axes.imshow(np.moveaxis((image - low) / (high - low), 0, 2), interpolation="none")
    else:
        axes.bar(range(len(codes)), codes, color=BLUE, width=1.0)
        return
    _no_ticks(axes)


def _bits(axes: Axes, bits: npt.NDArray[np.bool_]) -> None:
    """Bits in rows, the first at the top left; what is left of the last row stays blank."""
    width = max(1, math.ceil(math.sqrt(len(bits))))
    padded = np.full(-(-len(bits) // width) * width, np.nan)
    padded[: len(bits)] = bits
    axes.imshow(padded.reshape(-1, width), cmap=blues(0.12), vmin=0, vmax=1, interpolation="none")
    _no_ticks(axes)


def _no_ticks(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def draw_scores(axes: Axes, scores: Sequence[int], predicted: int) -> None:
    """Bars of the scores, that of the class marked."""
    axes.set_title(f"scores: class {predicted}", fontsize=9)
    colours = [ORANGE if k == predicted else BLUE for k in range(len(scores))]
    axes.bar(range(len(scores)), scores, color=colours)
    if len(scores) <= 20:
        axes.set_xticks(range(len(scores)))
    axes.tick_params(labelsize=7)
