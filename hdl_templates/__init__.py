"""The HDL templates (`*.v.j2`) and the one function that renders them.

Templates hold boilerplate; whatever needs a computation is computed by the back-end and handed over as text or numbers.
"""

from __future__ import annotations

from pathlib import Path

import jinja2

from difflut.errors import DifflutError
from difflut.quoting import FILTERS

_DIRECTORY = Path(__file__).parent


class TemplateError(DifflutError):
    """A template is missing, malformed, or uses a name that it was not given; names the template and the line."""


def _environment(directory: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    return environment


def _place(error: Exception, directory: Path) -> str:
    """Where in which template `error` was raised: Jinja gives the frames of rendered templates their own lines."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"template {error.name}, line {error.lineno}"
    place = "template"
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.suffix == ".j2" and file.parent == directory:
            place = f"template {file.name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


def render(template: str, context: dict[str, object], directory: Path = _DIRECTORY) -> str:
    """Render the template file named `template` (for example "top.v.j2") with the names in `context`.

    Raises:
        TemplateError: the template does not exist, has a syntax error, or fails while it is rendered.
    """
    try:
        return _environment(directory).get_template(template).render(context)
    except jinja2.TemplateNotFound as error:
        raise TemplateError(f"there is no template {error.name!r} in {directory.name}/; reinstall difflut") from error
    except Exception as error:
        raise TemplateError(f"{_place(error, directory)}: {error}") from error
