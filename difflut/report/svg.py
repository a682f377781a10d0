"""Figures as pictures: SVG for the page, which takes the page's colours and fonts, and SVG and PNG files for
documents.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from difflut.files import WriteError, write_atomically
from difflut.report.figures import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png")
# Of a file: light or dark as its reader's system is.
_GROUND = """<style>
svg { color: #1d2129; background: #fff; }
@media (prefers-color-scheme: dark) { svg { color: #e6e9ee; background: #14171c; } }
</style>
"""
PNG_DOTS_PER_INCH = 144


def inline(figure: Figure, name: str, description: str) -> str:
    """An `<svg>` element; ink becomes the page's text colour, text stays text in the page's font.

    Args:
        figure: what to show.
        name: unique on the page: the element's ids derive from it.
        description: for readers who do not see it.
    """
    text = _svg(figure, name)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[^"]*_\d+"', "", text)  # of groups, the same in every figure; nothing refers to them
    text = re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 sans-serif", re.sub(r"font-family: [^;\"]*;? ?", "", text))
    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', text)[:2]
    opening = f'<svg role="img" aria-label="{_escaped(description)}" data-width="{width}" style="max-width:{width}pt"'
    text = re.sub(r'^<svg(.*?) width="[\d.]+pt"', rf"{opening}\1", text, count=1, flags=re.DOTALL)
    return re.sub(rf' height="{re.escape(height)}pt"', "", text, count=1)


def _svg(figure: Figure, name: str) -> str:
    """A document without a ground, whose ink is the current colour."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    # No date and salted ids: the same build gives the same page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return buffer.getvalue().replace(INK, "currentColor").replace(INK.upper(), "currentColor")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a file: .svg on a light or dark ground as its reader's system is, .png on a white one.

    Raises:
        WriteError: if it cannot be written.
    """
    if path.suffix == ".svg":
        content = re.sub(r"(<svg[^>]*>\n?)", rf"\1{_GROUND}", _svg(figure, path.stem), count=1).encode()
    else:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=PNG_DOTS_PER_INCH, metadata={"Software": None})
        content = buffer.getvalue()
    write_atomically(path, content)


def save_all(figures: dict[str, Figure], folder: Path) -> list[Path]:
    """Write every figure into a folder, in both formats; the folder is made.

    Raises:
        WriteError: if the folder cannot be made or a file not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot create {folder}: {error.strerror}; choose a place that is writable") from error
    paths = [folder / f"{name}{suffix}" for name in figures for suffix in FORMATS]
    for path in paths:
        save(figures[path.stem], path)
    return paths


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
