"""`difflut prove`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from difflut.cli.common import json_option, print_json

if TYPE_CHECKING:
    from difflut.export.proof.report import ProofReport


@click.command(
    "prove",
    epilog="\b\nExamples:\n  difflut prove build/mnist_fc_8k_dwn\n  difflut prove build/mnist_fc_8k_dwn --json",
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Prove for all inputs that a build's RTL computes what was traced from the model.

    DIR is a directory made by `difflut export`. The RTL is read back with Yosys. Exit status 1 unless all was proved;
    an input that shows the difference is printed, and stored for `difflut verify DIR --replay FILE`.
    """
    report = run(directory)
    if as_json:
        print_json(report.to_json())
    else:
        click.echo(report.text)
    sys.exit(0 if report.ok else 1)


def run(directory: Path) -> ProofReport:
    """Prove with a progress bar on standard error."""
    from tqdm import tqdm

    from difflut.export.proof.build import prove

    with tqdm(total=1, leave=False, disable=None, bar_format="{desc}: {percentage:3.0f}% {elapsed}") as bar:

        def progress(what: str, done: int, total: int) -> None:
            bar.set_description_str(f"proving, {what}", refresh=False)
            bar.total, bar.n = max(1, total), done
            bar.refresh()

        return prove(directory, progress)
