"""What several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from difflut.data import Dataset, Split, load_mnist, mnist_test
from difflut.errors import ConfigError
from difflut.models import BaseModel, zoo

json_option: Callable[..., Any] = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
model_option: Callable[..., Any] = click.option(
    "--model", "model_class", metavar="MODULE:CLASS", help="The class of a checkpoint whose model is not in the zoo."
)


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def percent(fraction: float | None) -> str:
    """An accuracy for people: 98.40 %, or a dash where there are no labels."""
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def load_training_data(directory: Path) -> Dataset:
    """The data set in a user's directory."""
    return load_mnist(directory)


def test_split(model: BaseModel, directory: Path | None) -> tuple[Split, str]:
    """The test samples for a model and their name: from a directory, or what the package ships for a zoo model.

    Raises:
        ConfigError: if there is neither.
    """
    if directory is not None:
        data = load_training_data(directory)
        return data.test, data.name
    entry = zoo().get(model.name)
    if entry is None or entry.dataset != "mnist":
        raise ConfigError(f"the package ships no test samples for model {model.name!r}; give --data DIR")
    return mnist_test(), "MNIST"


test_split.__test__ = False  # type: ignore[attr-defined]  # pytest must not collect it
