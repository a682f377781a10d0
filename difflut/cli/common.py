"""What several commands share.

Like the commands themselves it imports torch only inside functions, so that `--help` answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from difflut.errors import ConfigError

if TYPE_CHECKING:
    from difflut.data import Split
    from difflut.models import BaseModel

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


def labelled_test_samples(model: BaseModel, directory: Path | None) -> tuple[Split, str]:
    """The test samples for a model and their name: from a directory, or what the package ships for a zoo model.

    Raises:
        ConfigError: if there is neither.
    """
    from difflut.data import load_mnist, mnist_test
    from difflut.models import zoo

    if directory is not None:
        data = load_mnist(directory)
        return data.test, data.name
    entry = zoo().get(model.name)
    if entry is None or entry.dataset != "mnist":
        raise ConfigError(f"the package ships no test samples for model {model.name!r}; give --data DIR")
    return mnist_test(), "MNIST"
