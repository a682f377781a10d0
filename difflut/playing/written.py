"""Writes the page in which a circuit runs. Free of torch."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from difflut._version import __version__
from difflut.export.builds.store import WORK_FOLDER, check_output, default_directory
from difflut.export.circuit.text import to_text
from difflut.files import WriteError, write_atomically
from difflut.playing.packed import check_size, circuit_value
from difflut.playing.samples import Samples
from difflut.playing.subject import Subject
from difflut.quoting import script_json
from difflut.shown import Shown

STYLES = ("../report/page.css", "circuit.css")
# In the order in which they build on each other.
SCRIPTS = (
    *("circuit", "wiring", "naming", "dom", "cells", "grid", "grids", "image_input", "table_input", "results"),
    *("inspector", "page"),
)
_PLANES = 4  # as many channels are an image


@dataclass(frozen=True, repr=False)
class CircuitPage(Shown):
    """A page that was written.

    Attributes:
        name: of the model.
        path: the HTML file.
        samples: how many it has to choose from.
        size: of the file in bytes.
    """

    name: str
    path: Path
    samples: int
    size: int

    def lines(self) -> Iterator[str]:
        """Where it is, and what is in it."""
        yield f"{self.name} -> {self.path}"
        yield f"  {self.samples} samples to choose from, {self.size / 1e6:.2f} MB; open it in a browser"

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return {"page": str(self.path), "samples": self.samples, "bytes": self.size}


def write_page(subject: Subject, samples: Samples, out: Path | None = None) -> CircuitPage:
    """Write one self-contained HTML page in which a circuit runs.

    Args:
        subject: the circuit.
        samples: what it has to choose from.
        out: the page; by default `work/circuit.html` in a build, build/NAME.html of a model.

    Raises:
        ConfigError: the circuit is too large for a page, or the place lies in a build.
        WriteError: the file cannot be written.
    """
    check_output("--out", out)
    content = render(subject, samples).encode()
    place = _default_place(subject) if out is None else out
    write_atomically(place, content)
    return CircuitPage(subject.name, place, len(samples.names), len(content))


def _default_place(subject: Subject) -> Path:
    if subject.build is not None:
        place = subject.build / WORK_FOLDER / "circuit.html"
    else:
        model = default_directory(subject.name)
        place = model.with_name(f"{model.name}.html")
    try:
        place.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot create {place.parent}: {error.strerror}; give --out FILE") from error
    return place


def render(subject: Subject, samples: Samples) -> str:
    """The page as HTML.

    Raises:
        ConfigError: the circuit is too large for a page.
    """
    check_size(subject.circuit)
    here = Path(__file__).parent
    style, script = (
        "".join((here / name).read_text(encoding="utf-8") for name in names)
        for names in (STYLES, [f"{name}.js" for name in SCRIPTS])
    )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("circuit.html.j2").render(
        name=subject.name,
        lead=_lead(subject),
        digest=hashlib.sha256(to_text(subject.circuit).encode()).hexdigest(),
        data=Markup(script_json(page_value(subject, samples))),
        style=Markup(style),
        script=Markup(script),
        style_source=_source(style),
        script_source=_source(script),
        version=__version__,
    )


def _source(text: str) -> str:
    """What a content security policy calls a text that may run."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _lead(subject: Subject) -> str:
    circuit = subject.circuit
    return (
        f"The circuit of {subject.name} runs in this page, bit for bit as on the chip: {circuit.input.features:,} "
        f"codes in, {circuit.luts:,} LUTs, {circuit.body.head.classes} scores out. Choose or change an input and see "
        "every comparator, node and count."
    )


def page_value(subject: Subject, samples: Samples) -> dict[str, Any]:
    """Everything that the page's script knows."""
    form, wording = subject.circuit.input, subject.wording
    image = _image(wording.shape)
    return {
        "shape": wording.shape,
        "lowest": form.lowest,
        "highest": form.highest,
        "image": image,
        "named": wording.named,
        "features": [] if image else [_feature(subject, place) for place in range(form.features)],
        "heads": [
            {
                "name": head.name,
                "kind": head.kind,
                "results": head.results,
                "meaning": head.meaning,
                "scale": 1 if head.scale is None else head.scale,
                "offset": head.offset or 0,
            }
            for head in subject.heads
        ],
        "results": wording.names.classes if wording.names else (),
        "circuit": circuit_value(subject.circuit),
        "samples": samples.value(subject),
    }


def _image(shape: tuple[int, ...]) -> dict[str, Any] | None:
    """How a sample is an image, (H, W), (C, H, W) or (H, W, C); None if it is none.

    The code of channel c at pixel (y, x) is that of feature c, y, x times the strides.
    """
    if len(shape) not in (2, 3):
        return None
    channels, rows, columns = (1, *shape) if len(shape) == 2 else shape
    strides = (rows * columns, columns, 1)
    if channels > _PLANES:
        rows, columns, channels = shape
        strides = (1, columns * channels, channels)
    if channels > _PLANES or min(rows, columns) < 2:
        return None
    return {"channels": channels, "rows": rows, "columns": columns, "strides": strides}


def _feature(subject: Subject, place: int) -> dict[str, Any]:
    wording = subject.wording
    divisor, offset = (float(part[0]) for part in wording.form.of_feature(place).scaling)
    return {"name": wording.feature(place), "unit": wording.unit(place), "divisor": divisor, "offset": offset}
