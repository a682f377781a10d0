"""A picture of a streaming circuit's maps, one below the other, drawn to one scale, with the windows that lie in
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from difflut.export.schedule.estimate import KERNEL, LAYER
from difflut.report.figures import BLUE, COLOURS, INK, WIDTH_IN
from difflut.report.maps import MapFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches.
_ROW, _LARGEST, _SMALLEST, _SHEET = 0.95, 0.6, 0.05, 0.035
_CENTRE, _RAIL, _WORDS = 0.7, 1.3, 1.5
_MOST_SHEETS = 4


def draw_layers(maps: Sequence[MapFacts], dense_luts: int, classes: int) -> Figure:
    """The picture.

    Args:
        maps: of the circuit, the encoded image first.
        dense_luts: LUTs of the part behind the maps.
        classes: scores that it gives.
    """
    from matplotlib.figure import Figure

    height = _ROW * (len(maps) + 0.75)
    figure = Figure(figsize=(WIDTH_IN, height))
    axes: Axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH_IN), ylim=(height, 0))
    axes.set_axis_off()
    scale = _LARGEST / max(max(item.size.rows, item.size.columns) for item in maps)
    boxes = [_sheets(axes, item, scale) for item in maps]
    for item in maps[1:]:
        assert item.source is not None and item.window is not None
        _window(axes, item.source, item.window[0] * scale, item.window[1] * scale)
        _arrow(axes, item.source, item.number, boxes)
    kept = [item for item in maps if item.kept_bits]
    bottom = _middle(len(maps)) - 0.12
    for item in kept:
        axes.plot([_CENTRE + boxes[item.number][0], _RAIL, _RAIL], [_middle(item.number)] * 2 + [bottom],
                  color=COLOURS[LAYER], linewidth=1.2)  # fmt: skip
    axes.plot([_RAIL], [bottom], marker="v", color=COLOURS[LAYER], markersize=5)
    for item in maps:
        _words(axes, item)
    _box(axes, _CENTRE - 0.3, bottom, _RAIL + 0.1 - (_CENTRE - 0.3), 0.34, COLOURS[LAYER], 0.3)
    bits, scores = sum(item.kept_bits for item in kept), f"{classes} score{'s' if classes != 1 else ''}"
    _line(axes, bottom + 0.1, "dense part", 9)
    _line(axes, bottom + 0.28, f"reads {bits:,} bits of the maps; {dense_luts:,} LUTs; {scores}", 8)
    return figure


def _middle(row: int) -> float:
    return _ROW * (row + 0.5)


def _sheets(axes: Axes, item: MapFacts, scale: float) -> tuple[float, float]:
    """Draw a map as one sheet a channel, or a few for many; half of its width and height, sheets included."""
    width, height = max(_SMALLEST, item.size.columns * scale), max(_SMALLEST, item.size.rows * scale)
    behind = min(_MOST_SHEETS, item.size.channels) - 1
    for sheet in reversed(range(behind + 1)):
        _box(
            axes,
            _CENTRE - width / 2 + sheet * _SHEET,
            _middle(item.number) - height / 2 - sheet * _SHEET,
            width,
            height,
            BLUE,
            0.35 if sheet == 0 else 0.12,
        )
    return width / 2 + behind * _SHEET, height / 2 + behind * _SHEET


def _box(axes: Axes, left: float, top: float, width: float, height: float, colour: str, alpha: float) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    patch = Rectangle(
        (left, top), width, height, facecolor=to_rgba(colour, alpha), edgecolor=to_rgba(colour), linewidth=0.9
    )
    axes.add_patch(patch)


def _window(axes: Axes, source: int, height: float, width: float) -> None:
    _box(axes, _CENTRE - width / 2, _middle(source) - height / 2, width, height, COLOURS[KERNEL], 0.75)


def _arrow(axes: Axes, source: int, to: int, boxes: Sequence[tuple[float, float]]) -> None:
    """From one map to the one made of it; around those between."""
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.8, "shrinkA": 2, "shrinkB": 2, "mutation_scale": 8}
    if to == source + 1:
        ends = (_CENTRE, _middle(source) + boxes[source][1]), (_CENTRE, _middle(to) - boxes[to][1])
    else:
        ends = (_CENTRE - boxes[source][0], _middle(source)), (_CENTRE - boxes[to][0], _middle(to))
        style["connectionstyle"] = "arc3,rad=0.35"
    axes.annotate("", xy=ends[1], xytext=ends[0], arrowprops=style)


def _words(axes: Axes, item: MapFacts) -> None:
    size = item.size
    bits = f"{size.channels:,} bit{'s' if size.channels != 1 else ''}"
    lines = [f"{item.name}: {size.rows} × {size.columns} pixels of {bits}", item.made]
    if item.window is not None:
        kernel = f"kernel of {item.luts:,} LUT{'s' if item.luts != 1 else ''}"
        lines.append(f"{kernel}, {item.line_buffer_bits:,} bits of line buffers")
    if item.kept_bits:
        lines.append(f"{item.kept_bits:,} of its {size.bits:,} bits kept for the dense part")
    top = _middle(item.number) - 0.09 * (len(lines) - 1)
    for number, text in enumerate(lines):
        _line(axes, top + 0.18 * number, text, 8 if number else 9)


def _line(axes: Axes, at: float, text: str, size: int) -> None:
    axes.text(_WORDS, at, text, fontsize=size, color=INK, va="center", fontweight="bold" if size > 8 else "normal")
