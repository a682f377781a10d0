"""`difflut report`."""

from __future__ import annotations

from pathlib import Path

import click

from difflut.cli.common import json_option, print_json


@click.command(
    "report",
    epilog="\b\nExamples:\n"
    "  difflut report build/mnist_fc_8k_dwn\n"
    "  difflut report build/new --against build/old --out report.html\n"
    "  difflut report build/mnist_fc_8k_dwn --images pictures/",
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--against", metavar="OTHER", type=click.Path(path_type=Path), help="A second build to compare with.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="The page; DIR/work/report.html by default."
)
@click.option(
    "--images", metavar="DIR", type=click.Path(path_type=Path), help="Write the figures as .svg and .png files too."
)
@json_option
def command(directory: Path, against: Path | None, out: Path | None, images: Path | None, as_json: bool) -> None:
    """Write one self-contained HTML page about a build: size, speed, accuracy, what costs where, what was checked.

    DIR is a directory made by `difflut export`. Measured figures are those that `difflut verify`, `difflut prove` and
    `difflut synth` left in it; what is missing or was made from another build is named with the command that makes it.
    """
    from difflut.report import write_report

    page = write_report(directory, out, against=against, images=images)
    if as_json:
        print_json(page.to_json())
    else:
        click.echo(page.text)
