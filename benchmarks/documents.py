"""Where the effect scripts and the zoo's table write: figures, and marked blocks in the documents."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from difflut.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]


def replaced(text: str, name: str, content: str) -> str:
    """The text with `content` between its marks `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise SystemExit(f"expected one line {begin!r} and, after it, one {end!r} in the document")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"


def block(text: str, name: str) -> str:
    """What stands between the marks; see `replaced`."""
    return text.partition(f"<!-- begin {name} -->")[2].partition(f"<!-- end {name} -->")[0].strip()


def replace_block(path: Path, name: str, content: str) -> None:
    """Write `content` between a document's marks; see `replaced`."""
    write_atomically(path, replaced(path.read_text(encoding="utf-8"), name, content).encode())


def write_figure(figure: Figure, path: Path) -> None:
    """Write a PNG; equal figures give equal bytes with one version of matplotlib."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, buffer.getvalue())
