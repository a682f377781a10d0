"""A picture of a training run; matplotlib is optional."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from difflut.errors import ConfigError
from difflut.files import write_atomically

FORMATS = ("pdf", "png", "svg")


def check_plot(path: Path) -> None:
    """Refuse a picture that could not be written, before training for hours.

    Raises:
        ConfigError: if matplotlib is missing, or the file's suffix is no picture format, or its folder does not exist.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"--plot {path}: drawing needs matplotlib ({error}): pip install matplotlib") from error
    if path.suffix[1:] not in FORMATS:
        raise ConfigError(f"--plot {path}: unknown picture format {path.suffix!r}; use .{', .'.join(FORMATS)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--plot {path}: the folder {path.parent} does not exist; make it first")


def plot_history(history: Mapping[str, Sequence[float | None]], path: Path, title: str) -> None:
    """Draw the loss and the held-out accuracy over the epochs.

    Args:
        history: equally long lists `epoch`, `loss` and `validation_accuracy` (fractions), as in a checkpoint's
            info["history"].
        path: the picture, .pdf, .png or .svg.
        title: what stands above it.

    Raises:
        ConfigError: see `check_plot`.
        WriteError: if the file cannot be written.
    """
    check_plot(path)
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 5.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    epochs = history["epoch"]
    marker = "o" if len(epochs) < 30 else ""
    loss = [math.nan if value is None else value for value in history["loss"]]
    above.plot(epochs, loss, marker=marker, markersize=4, color="C0")
    above.set(title=title, ylabel="training loss")
    percent = [100 * (value or 0.0) for value in history["validation_accuracy"]]
    below.plot(epochs, percent, marker=marker, markersize=4, color="C1")
    best = max(range(len(percent)), key=percent.__getitem__)
    below.plot(
        epochs[best], percent[best], "k*", markersize=10, label=f"chosen: epoch {epochs[best]}, {percent[best]:.2f} %"
    )
    below.set(xlabel="epoch", ylabel="held-out accuracy (%)")
    below.legend(loc="lower right")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:], dpi=150)
    write_atomically(path, buffer.getvalue())
