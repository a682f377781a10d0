"""What several commands share.

Like the commands themselves it imports torch only inside functions, so that `--help` answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from difflut.errors import ConfigError
from difflut.progress import task
from difflut.quoting import json_text
from difflut.shown import quality

if TYPE_CHECKING:
    from difflut.data import Dataset, Split
    from difflut.models import BaseModel

json_option: Callable[..., Any] = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
model_option: Callable[..., Any] = click.option(
    "--model",
    "model_class",
    metavar="MODULE:NAME|FILE.PY:NAME",
    help="What makes the model of a checkpoint that is not in the zoo: its class, which gets the arguments that the "
    "checkpoint keeps, or a function without arguments.",
)

MOST = (1 << 31) - 1  # what simulators and placers take, too
FROM_0, FROM_1, SEED = click.IntRange(0, MOST), click.IntRange(1, MOST), click.IntRange(0, MOST)


class Finite(click.FloatRange):
    """A number in a range; NaN and infinity are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


POSITIVE = Finite(min=0, min_open=True)


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    click.echo(json_text(value))


def rounding_words(rounded: float, unrounded: float | None, measure: str = "accuracy") -> str | None:
    """What rounding numbers to input codes does to an accuracy; None where it does nothing."""
    if unrounded is None or unrounded == rounded:
        return None
    return f"{quality(unrounded, measure)} on the numbers before they are rounded to the input codes that hardware gets"


def data_options(required: bool, data_help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that say what data to use: `data_dir`, `dataset`, `data_note`, `download`."""
    options = [
        click.option("--data", "data_dir", required=required, type=click.Path(path_type=Path), help=data_help),
        click.option(
            "--dataset",
            metavar="NAME",
            help="mnist, fashion_mnist, cifar10 or npz; npz for an .npz file, else the model's own by default.",
        ),
        click.option("--data-note", metavar="TEXT", help="What sets this copy apart; kept beside every accuracy."),
        click.option("--download", is_flag=True, help="Let torchvision fetch the data into the directory first."),
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def default_dataset(model_name: str) -> str:
    """The name of the data set that a zoo model is for; "mnist" for any other model."""
    from difflut.models import zoo

    entry = zoo().get(model_name)
    return entry.dataset if entry else "mnist"


def whole_dataset(
    model_name: str, directory: Path, dataset: str | None = None, note: str | None = None, download: bool = False
) -> Dataset:
    """The data set in a directory or file: of the name that is given, else an npz file's own, else the model's."""
    from difflut.data import load_dataset

    if dataset is None:
        dataset = "npz" if directory.suffix == ".npz" else default_dataset(model_name)
    with task(f"reading {directory}"):
        return load_dataset(dataset, directory, note=note, download=download)


def labelled_test_samples(
    model: BaseModel | str,
    directory: Path | None,
    dataset: str | None = None,
    note: str | None = None,
    download: bool = False,
) -> tuple[Split, str]:
    """The test samples for a model and their name: from a directory, or what the package ships for a zoo model.

    Args:
        model: the model that is to be measured, or its name.
        directory: where the data set is; None for the MNIST test images in the package.
        dataset: a name of `difflut.data.DATASETS`; the model's own by default.
        note: what sets this copy apart; it becomes part of the name.
        download: let torchvision fetch the data into the directory first.

    Raises:
        ConfigError: if there is no directory and the package has no samples.
    """
    from difflut.data import mnist_test, with_note
    from difflut.models import zoo

    model_name = model if isinstance(model, str) else model.name
    if directory is not None:
        data = whole_dataset(model_name, directory, dataset, note, download)
        return data.test, data.name
    if download:
        raise ConfigError("--download needs a directory to put the data into; give --data DIR")
    if dataset is None and model_name not in zoo():
        raise ConfigError(f"the package ships no test samples for model {model_name!r}; give --data DIR")
    name = dataset or default_dataset(model_name)
    if name != "mnist":
        raise ConfigError(f"the package ships no test samples of {name}, only MNIST's; give --data DIR")
    return mnist_test(), with_note("MNIST", note)


def chosen_device(name: str) -> str:
    """What the value of `--device`, cpu, cuda or auto, is on this machine: cpu or cuda.

    Raises:
        ConfigError: there is no GPU.
    """
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: this PyTorch finds no CUDA device; use --device cpu or auto")
    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
