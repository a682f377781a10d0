"""`difflut prove`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from difflut.cli.common import json_option, print_json


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
    from difflut.door import prove

    report = prove(directory)
    if as_json:
        print_json(report.to_json())
    else:
        click.echo(report.text)
    sys.exit(0 if report.ok else 1)
