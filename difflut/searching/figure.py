"""The figure of a search: held-out accuracy against LUTs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difflut.report.figures import BLUE, GREY, INK, ORANGE, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from difflut.searching.result import SearchResult


def pareto(result: SearchResult) -> Figure:
    """All candidates that were trained to the end, the Pareto set as steps, and the budget as a line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    plain(axes)
    axes.scatter(
        [one.luts for one in result.others],
        [100 * one.held_out for one in result.others],
        s=14,
        color=GREY,
        alpha=0.7,
        label="other candidates",
    )
    luts, held_out = [one.luts for one in result.pareto], [100 * one.held_out for one in result.pareto]
    axes.step(luts, held_out, where="post", color=BLUE, linewidth=1.2)
    axes.scatter(luts, held_out, s=26, color=BLUE, label="Pareto set", zorder=3)
    if result.budget.max_luts is not None:
        axes.axvline(result.budget.max_luts, color=ORANGE, linewidth=1, linestyle="--", label="budget")
    elif result.budget.min_accuracy is not None:
        axes.axhline(100 * result.budget.min_accuracy, color=ORANGE, linewidth=1, linestyle="--", label="budget")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(f"LUTs of {result.budget.fpga}, estimated")
    axes.set_ylabel("held-out accuracy (%)")
    axes.set_title(result.data, parse_math=False)
    plain(axes)
    axes.grid(color=INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure
