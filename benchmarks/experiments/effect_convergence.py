"""How fast a deep network converges from nodes that pass an input through, and from random ones.

    python benchmarks/experiments/effect_convergence.py

Draws the histories in benchmarks/model_zoo.json, which benchmarks/train_zoo.py measured: docs/images/convergence.png
and its table in docs/training-aids.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))
from documents import ROOT, replace_block, write_figure
from train_zoo import read_results

NAMES = ("mnist_gradnorm_none", "mnist_residual_init")
# Per model: (seeds, epochs).
Curves = dict[str, npt.NDArray[np.float64]]


def curves(name_of_value: str) -> Curves:
    """A value of the histories: `loss` or `validation_accuracy`."""
    results = read_results()
    return {name: np.array([record["history"][name_of_value] for record in results[name].values()]) for name in NAMES}


def draw(loss: Curves, held_out: Curves, path: Path) -> None:
    """Mean and range over seeds, epoch by epoch."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, values, scale in ((left, loss, 1), (right, held_out, 100)):
        for color, name in enumerate(NAMES):
            epochs = range(1, values[name].shape[1] + 1)
            scaled = scale * values[name]
            axes.plot(epochs, scaled.mean(0), marker="o", color=f"C{color}", label=name)
            axes.fill_between(epochs, scaled.min(0), scaled.max(0), color=f"C{color}", alpha=0.2)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    left.set(ylabel="training loss (mean of the epoch)")
    left.legend()
    right.set(ylabel="held-out accuracy (%)")
    write_figure(figure, path)


def table(loss: Curves, held_out: Curves) -> str:
    """Markdown: mean and range over seeds."""
    heads = [f"`{name}`, {what}" for name in NAMES for what in ("loss", "held out, %")]
    lines = [f"| epoch | {' | '.join(heads)} |", f"| ---: |{' ---: |' * len(heads)}"]
    for epoch in range(max(values.shape[1] for values in loss.values())):
        cells = []
        for name in NAMES:
            for values, digits in ((loss[name], 3), (100 * held_out[name], 2)):
                column = values[:, epoch]
                cells.append(f"{column.mean():.{digits}f} ({column.min():.{digits}f} to {column.max():.{digits}f})")
        lines.append(f"| {epoch + 1} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    loss, held_out = curves("loss"), curves("validation_accuracy")
    draw(loss, held_out, ROOT / "docs/images/convergence.png")
    seeds = " and ".join(f"{len(values)}" for values in loss.values())
    text = f"Mean and range over seeds ({seeds}); 5,000 held-out training images.\n\n{table(loss, held_out)}"
    replace_block(ROOT / "docs/training-aids.md", "convergence", text)
    print(text)


if __name__ == "__main__":
    main()
