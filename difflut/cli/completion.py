"""Values that a shell completes. Free of torch, so that a key press is answered at once."""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.resources import files
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from difflut.export.families.registry import FAMILIES

if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:  # older versions of click have no kinds of it
    _Text = click.ParamType


def zoo_names() -> list[str]:
    """The models that ship with the package, and those of installed ones; imports none of them."""
    weights = (item.name for item in files("difflut").joinpath("models", "pretrained").iterdir())
    shipped = {name.removesuffix(".safetensors") for name in weights if name.endswith(".safetensors")}
    return sorted(shipped | {point.name for point in entry_points(group="difflut.models")})


class ModelName(_Text):
    """A zoo model; what else a text may be, such as a file, the command finds out."""

    name = "model"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so, or files if none does."""
        found = [CompletionItem(name) for name in zoo_names() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]


class FpgaName(_Text):
    """An FPGA family."""

    name = "fpga"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The families whose names begin so, each with its description."""
        return [
            CompletionItem(name, help=family.description)
            for name, family in FAMILIES.items()
            if name.startswith(incomplete)
        ]
