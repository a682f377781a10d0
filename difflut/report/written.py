"""Writes the page about a build. Free of torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difflut.export.builds.store import WORK_FOLDER, check_output
from difflut.files import WriteError, write_atomically
from difflut.progress import task
from difflut.report.compare import numbers
from difflut.report.facts import Facts, read_facts
from difflut.report.page import draw, render
from difflut.report.svg import save_all
from difflut.shown import Shown


@dataclass(frozen=True, repr=False)
class Page(Shown):
    """A page that was written.

    Attributes:
        facts: what it says.
        path: the HTML file.
        images: the pictures, if any were asked for.
    """

    facts: Facts
    path: Path
    images: tuple[Path, ...] = ()

    def lines(self) -> Iterator[str]:
        """Where it is, and what it lacks."""
        yield f"{self.facts.info.name} -> {self.path}"
        if self.images:
            yield f"  {len(self.images)} pictures in {self.images[0].parent}"
        for item in self.facts.missing:
            yield f"  missing: {item.what}: {item.why}; make it with {item.command}"

    def to_json(self) -> dict[str, Any]:
        """The page's place, every figure on it and what it lacks, as a JSON object."""
        return {
            "page": str(self.path),
            "images": [str(file) for file in self.images],
            "digest": self.facts.digest,
            "numbers": [
                {"group": item.group, "name": item.name, "value": item.value, "unit": item.unit}
                | ({"known": item.kind, "on": item.on} if item.kind else {})
                for item in numbers(self.facts)
            ],
            "missing": [{"what": item.what, "why": item.why, "command": item.command} for item in self.facts.missing],
        }


def write_report(
    directory: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    against: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
) -> Page:
    """Write one self-contained HTML page about a build.

    Args:
        directory: the build directory.
        out: the page; `work/report.html` in the directory by default.
        against: a second build directory to compare with.
        images: a folder that gets the figures as SVG and PNG files.

    Raises:
        BundleError: a directory is no complete, unedited build.
        ConfigError: matplotlib is missing, or a place lies in a build.
        WriteError: a file cannot be written.
    """
    place, pictures = (None if name is None else Path(name) for name in (out, images))
    check_output("--out", place)
    check_output("--images", pictures)
    facts = read_facts(Path(directory))
    other = read_facts(Path(against)) if against is not None else None
    with task("drawing the figures"):
        drawn = draw(facts)
    if place is None:
        place = Path(directory) / WORK_FOLDER / "report.html"
        try:
            place.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise WriteError(f"cannot create {place.parent}: {error.strerror}; give --out FILE") from error
    write_atomically(place, render(facts, drawn, other).encode())
    files = save_all({item.name: item.figure for item in drawn}, pictures) if pictures is not None else []
    return Page(facts, place, tuple(files))
