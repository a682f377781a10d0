"""The report's figures, as matplotlib figures without a window; each function draws one and decides nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from difflut.check.records import RtlOutputs
from difflut.errors import ConfigError
from difflut.export.builds.info import PartInfo
from difflut.export.schedule.estimate import ENCODER, GROUP_SUM, KERNEL, LAYER, SELECTION
from difflut.report.facts import Stage
from difflut.report.maps import MapFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Text, axes and grid; the page replaces it by the colour of its text.
INK = "#1d2129"
COLOURS = {ENCODER: "#3b82c4", KERNEL: "#8b6fc9", LAYER: "#2a9d8f", GROUP_SUM: "#e9963e", SELECTION: "#d1495b"}
BLUE, ORANGE, GREY = "#3b82c4", "#e9963e", "#8a929e"
WIDTH_IN = 4.7  # half the page; narrow screens show it at about its size
_PANELS = 4
_BINS = 32
_SKEWED = 20  # a largest bar this many times the median one hides the others
_ANNOTATED_CLASSES = 20
_NAMED_BARS = 40
_MOST_LETTERS = 24


def require_matplotlib() -> None:
    """Refuse to go on without the library that draws.

    Raises:
        ConfigError: if matplotlib is missing.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"drawing needs matplotlib ({error}): pip install 'difflut[report]'") from error


def _colour_map() -> Any:
    """Viridis without its darkest fifth, which a dark page would swallow."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["viridis"](np.linspace(0.2, 1, 256)))


def blues(faintest: float) -> Any:
    """Blue over whatever ground there is: `faintest`, 0 to 1, of it for the least value, all of it for the largest.

    A map from white would glow where a dark page has its rare values.
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    return LinearSegmentedColormap.from_list("blues", [to_rgba(BLUE, faintest), to_rgba(BLUE, 1)])


def _figure(height_in: float, rows: int = 1, columns: int = 1) -> tuple[Figure, npt.NDArray[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    grid: npt.NDArray[Any] = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        plain(axes)
    return figure, grid


def plain(axes: Axes) -> None:
    """Ink for everything that is no data, no box."""
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_linewidth(0.7)
        spine.set_visible(side in ("left", "bottom"))
    axes.tick_params(colors=INK, labelsize=8, width=0.7, length=3)
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_color(INK)
        label.set_fontsize(9)


def _grid(axes: Axes, axis: Any) -> None:
    axes.grid(axis=axis, color=INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)


def _legend(axes: Axes, **options: Any) -> None:
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, **options)


def pixels(values: npt.NDArray[Any], shape: tuple[int, ...], what: str, names: Sequence[str] = ()) -> Figure:
    """How much is read of each input: a map for images (H, W), (C, H, W) or (H, W, C), else bars.

    Args:
        values: int (features,).
        shape: of one sample.
        what: the unit, for the scale.
        names: of the features, empty if they have none.
    """
    planes = _planes(values, shape)
    if planes is None:
        return _profile(values, what, names)
    names = [f"channel {number}" for number in range(len(planes))] if len(planes) > 1 else [""]
    return _maps(dict(zip(names, planes, strict=True)), what)


def kept(maps: Sequence[MapFacts]) -> Figure:
    """How many bits of each pixel of a stream's maps the dense part reads; of up to four maps, the last ones."""
    some = [item for item in maps if item.kept_bits][-_PANELS:]
    return _maps({item.name: item.kept for item in some}, "bits that the dense part reads")


def _maps(planes: Mapping[str, npt.NDArray[Any]], what: str) -> Figure:
    """Maps side by side under their names, on one scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, Normalize

    figure, grid = _figure(4.0 if len(planes) == 1 else 2.3, 1, len(planes))
    most = max(1, *(int(plane.max(initial=0)) for plane in planes.values()))
    norm = BoundaryNorm(np.arange(0.5, most + 1.5), 256) if most <= 12 else Normalize(1, most)
    for axes, (name, plane) in zip(grid.flat, planes.items(), strict=True):
        _image(axes, np.ma.masked_equal(plane, 0), norm)
        axes.set_title(name, color=INK, fontsize=9)
    bar = figure.colorbar(
        ScalarMappable(norm, _colour_map()),
        ax=list(grid.flat),
        orientation="horizontal" if len(planes) > 1 else "vertical",
        shrink=0.8,
        aspect=30,
        ticks=np.arange(1, most + 1, max(1, -(-most // 8))),
    )
    bar.set_label(f"{what} (blank: none)", color=INK, fontsize=9)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=8, width=0.7, length=3)
    bar.ax.minorticks_off()
    return figure


def _planes(values: npt.NDArray[Any], shape: tuple[int, ...]) -> list[npt.NDArray[Any]] | None:
    """The images that a sample consists of; None if it is none, or too many."""
    if len(shape) == 2 and min(shape) > 1:
        return [values.reshape(shape)]
    if len(shape) == 3 and shape[0] <= _PANELS:
        return list(values.reshape(shape))
    if len(shape) == 3 and shape[2] <= _PANELS:
        return list(np.moveaxis(values.reshape(shape), 2, 0))
    return None


def _image(axes: Axes, plane: npt.NDArray[Any], norm: Any, cmap: Any = None) -> None:
    axes.imshow(plane, cmap=cmap or _colour_map(), norm=norm, interpolation="none")
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_alpha(0.4)
    axes.tick_params(length=2, labelsize=7)


def _profile(values: npt.NDArray[Any], what: str, names: Sequence[str] = ()) -> Figure:
    if 0 < len(names) <= _NAMED_BARS:
        return _named_profile(values, what, names)
    figure, grid = _figure(2.4)
    axes: Axes = grid[0, 0]
    axes.stairs(values, np.arange(len(values) + 1) - 0.5, fill=True, color=BLUE)
    axes.set(xlabel="feature", ylabel=what, xlim=(-0.5, len(values) - 0.5), ylim=(0, None))
    _whole_numbers(axes, "y")
    _grid(axes, "y")
    return figure


def _named_profile(values: npt.NDArray[Any], what: str, names: Sequence[str]) -> Figure:
    figure, grid = _figure(0.9 + 0.24 * len(names))
    axes: Axes = grid[0, 0]
    axes.barh(range(len(values)), values, color=BLUE, height=0.7)
    axes.set_yticks(range(len(values)), [shortened(name) for name in names], parse_math=False)
    axes.invert_yaxis()
    axes.set(xlabel=what)
    _whole_numbers(axes, "x")
    _grid(axes, "x")
    return figure


def shortened(name: str) -> str:
    """A name as a figure has room for it."""
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"


def _whole_numbers(axes: Axes, axis: str) -> None:
    from matplotlib.ticker import MaxNLocator

    (axes.xaxis if axis == "x" else axes.yaxis).set_major_locator(MaxNLocator(integer=True, nbins=6))


def per_pixel(comparisons: npt.NDArray[Any]) -> Figure:
    """How many inputs have how many comparisons; `comparisons` int (features,)."""
    figure, grid = _figure(2.4)
    axes: Axes = grid[0, 0]
    counts = np.bincount(comparisons)
    bars = axes.bar(range(len(counts)), counts, color=[GREY, *[BLUE] * (len(counts) - 1)])
    if len(counts) <= 12:
        axes.bar_label(bars, fontsize=8, color=INK, padding=2)
    axes.set(xlabel="comparisons of one input", ylabel="inputs")
    axes.margins(y=0.12)
    _whole_numbers(axes, "x")
    _grid(axes, "y")
    return figure


def thresholds(values: npt.NDArray[Any], lowest: int, highest: int) -> Figure:
    """Where the thresholds lie; `values` int (comparators,), codes from `lowest` to `highest`."""
    figure, grid = _figure(2.4)
    axes: Axes = grid[0, 0]
    count = min(_BINS, highest - lowest + 1)
    edges = np.unique(np.round(np.linspace(lowest, highest + 1, count + 1)).astype(np.int64))
    counts = np.histogram(values, edges)[0]
    axes.hist(values, bins=[float(edge) for edge in edges], color=BLUE, rwidth=0.9)
    filled = counts[counts > 0]
    skewed = len(filled) > 1 and filled.max() > _SKEWED * np.median(filled)
    axes.set(
        xlabel="threshold: the bit is 1 for codes at or above",
        ylabel="comparisons (log scale)" if skewed else "comparisons",
        xlim=(lowest, highest + 1),
        yscale="log" if skewed else "linear",
    )
    _grid(axes, "y")
    return figure


def luts_by_part(names: Sequence[str], kinds: Sequence[str], luts: Sequence[int], label: str) -> Figure:
    """Bars of LUTs by part, the input on top."""
    figure, grid = _figure(0.9 + 0.3 * len(names))
    axes: Axes = grid[0, 0]
    bars = axes.barh(range(len(names)), luts, color=[COLOURS[kind] for kind in kinds], height=0.7)
    total = max(1, sum(luts))
    axes.bar_label(bars, [f"{n:,} ({100 * n / total:.0f} %)" for n in luts], fontsize=8, color=INK, padding=3)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=label, xlim=(0, 1.28 * max(1, *luts)))
    _grid(axes, "x")
    return figure


def parts_of(parts: Sequence[PartInfo]) -> tuple[list[str], list[str], list[int]]:
    """Names, kinds and LUTs."""
    return [part.name for part in parts], [part.kind for part in parts], [part.estimated_luts or 0 for part in parts]


def stage_delays(stages: Sequence[Stage]) -> Figure:
    """Bars of the stages' delays, the first on top, the slowest marked."""
    figure, grid = _figure(0.9 + 0.26 * len(stages))
    axes: Axes = grid[0, 0]
    delays = [stage.delay_ns for stage in stages]
    axes.barh(range(len(stages)), delays, color=[COLOURS[stage.kind] for stage in stages], height=0.72)
    for place, delay in enumerate(delays):
        axes.annotate(f"{delay:.2f}", (delay, place), (-4, 0), textcoords="offset points", ha="right", va="center",
                      fontsize=8, color="#ffffff")  # fmt: skip
    axes.axvline(max(delays), color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(stages)), [f"{stage.number}: {_shortened(stage.words)}" for stage in stages])
    axes.invert_yaxis()
    axes.set(xlabel="estimated delay, ns; dashed: the clock period", xlim=(0, 1.04 * max(delays)))
    _grid(axes, "x")
    return figure


def _shortened(levels: Sequence[str]) -> str:
    return ", ".join(levels) if len(levels) <= 3 else f"{levels[0]} … {levels[-1]}"


def confusion(outputs: RtlOutputs, classes: int, names: Sequence[str] = ()) -> Figure:
    """How often the RTL took which class for which; labelled samples only. `names` are those of the classes."""
    from matplotlib.colors import LogNorm

    matrix = confusion_matrix(outputs, classes)
    figure, grid = _figure(4.2)
    axes: Axes = grid[0, 0]
    _image(axes, np.ma.masked_equal(matrix, 0), LogNorm(1, max(2, int(matrix.max()))), blues(0.12))
    if classes <= _ANNOTATED_CLASSES:
        ticks = range(classes)
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
        if names:
            words = [shortened(name) for name in names]
            across = 90 if sum(map(len, words)) > 40 else 0
            axes.set_xticks(ticks, words, rotation=across, parse_math=False)
            axes.set_yticks(ticks, words, parse_math=False)
        full = matrix > matrix.max() ** 0.8
        for row, column in zip(*np.nonzero(matrix), strict=True):
            axes.text(
                column,
                row,
                str(matrix[row, column]),
                ha="center",
                va="center",
                fontsize=8 if classes <= 10 else 5,
                color="#ffffff" if full[row, column] else INK,
            )
    axes.set(xlabel="class that the RTL gave", ylabel="label")
    axes.tick_params(length=0, labelsize=8)
    return figure


def confusion_matrix(outputs: RtlOutputs, classes: int) -> npt.NDArray[np.int64]:
    """int64 (classes, classes): labelled samples by label (rows) and the class that the RTL gave (columns)."""
    labels = outputs.labels
    predicted = outputs.predicted()[: len(labels)]
    known = (labels >= 0) & (labels < classes)
    counts = np.bincount(labels[known] * classes + predicted[known], minlength=classes * classes)
    return counts.reshape(classes, classes)


def scores(scores: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> Figure:
    """Histograms of the score of the label's class and of the best other class, over labelled samples."""
    own, other = _own_and_best_other(scores, labels)
    figure, grid = _figure(2.6)
    axes: Axes = grid[0, 0]
    bins = _integer_bins(int(min(own.min(), other.min())), int(max(own.max(), other.max())))
    axes.hist(own, bins=bins, color=BLUE, alpha=0.75, label="class of the label")
    axes.hist(other, bins=bins, color=ORANGE, alpha=0.65, label="best other class")
    axes.set(xlabel="score (ones in the group)", ylabel="samples")
    axes.margins(y=0.25)
    _legend(axes, loc="upper center", ncols=2)
    _grid(axes, "y")
    return figure


def margins(scores: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> Figure:
    """Histogram of the label's score less the best other one: negative is wrong, 0 a tie that the lower class wins."""
    own, other = _own_and_best_other(scores, labels)
    margin = own - other
    figure, grid = _figure(2.6)
    axes: Axes = grid[0, 0]
    bins = _integer_bins(int(margin.min()), int(margin.max()))
    groups = [("wrong", margin < 0, COLOURS[SELECTION]), ("tie", margin == 0, GREY), ("right", margin > 0, BLUE)]
    for name, chosen, colour in groups:
        axes.hist(margin[chosen], bins=bins, color=colour, label=f"{name}: {int(chosen.sum()):,}")
    axes.set(xlabel="score of the label's class − best other score", ylabel="samples")
    axes.margins(y=0.25)
    _legend(axes, loc="upper center", ncols=3, columnspacing=1.0, handlelength=1.2)
    _grid(axes, "y")
    return figure


def score_distribution(scores: npt.NDArray[np.int64]) -> Figure:
    """Histogram of the best score and the next, where no label says which is right; `scores` int (N, classes >= 1)."""
    ordered = np.sort(scores, axis=1)[:, ::-1]
    figure, grid = _figure(2.6)
    axes: Axes = grid[0, 0]
    bins = _integer_bins(int(ordered[:, :2].min()), int(ordered[:, 0].max()))
    axes.hist(ordered[:, 0], bins=bins, color=BLUE, alpha=0.75, label="best score")
    if scores.shape[1] > 1:
        axes.hist(ordered[:, 1], bins=bins, color=ORANGE, alpha=0.65, label="next score")
    axes.set(xlabel="score (ones in the group)", ylabel="samples")
    axes.margins(y=0.25)
    _legend(axes, loc="upper center", ncols=2)
    _grid(axes, "y")
    return figure


def _own_and_best_other(
    scores: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The score at each label that the model has and the largest elsewhere; scores int (N, classes >= 2)."""
    known = (labels >= 0) & (labels < scores.shape[1])
    rows, labels = np.arange(int(known.sum())), labels[known]
    others = scores[: len(known)][known]
    own = others[rows, labels]
    others[rows, labels] = np.iinfo(np.int64).min
    return own, others.max(axis=1)


def _integer_bins(low: int, high: int) -> list[float]:
    """Edges of at most about 50 equal bins, each centred on whole numbers."""
    step = max(1, -(-(high - low + 1) // 50))
    return [low - 0.5 + step * index for index in range((high - low) // step + 2)]
