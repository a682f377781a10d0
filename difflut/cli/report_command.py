"""`difflut report`."""

from __future__ import annotations

from pathlib import Path

import click

from difflut.cli.common import check_output, json_option, print_json


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
    from difflut.export.builds.store import WORK_FOLDER
    from difflut.files import WriteError, write_atomically
    from difflut.report import draw, read_facts, render, save_all
    from difflut.report.compare import numbers

    check_output("--out", out)
    check_output("--images", images)
    facts = read_facts(directory)
    other = read_facts(against) if against is not None else None
    drawn = draw(facts)
    page = out or directory / WORK_FOLDER / "report.html"
    if out is None:
        try:
            page.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise WriteError(f"cannot create {page.parent}: {error.strerror}; give --out FILE") from error
    write_atomically(page, render(facts, drawn, other).encode())
    files = save_all({item.name: item.figure for item in drawn}, images) if images is not None else []
    if as_json:
        print_json(
            {
                "page": str(page),
                "images": [str(file) for file in files],
                "digest": facts.digest,
                "numbers": [
                    {"group": item.group, "name": item.name, "value": item.value, "unit": item.unit}
                    | ({"known": item.kind, "on": item.on} if item.kind else {})
                    for item in numbers(facts)
                ],
                "missing": [{"what": item.what, "why": item.why, "command": item.command} for item in facts.missing],
            }
        )
        return
    click.echo(f"{facts.info.name} -> {page}")
    if files:
        click.echo(f"  {len(files)} pictures in {images}")
    for item in facts.missing:
        click.echo(f"  missing: {item.what}: {item.why}; make it with {item.command}")
