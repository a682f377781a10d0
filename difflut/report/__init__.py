"""The report of a build: one self-contained HTML page and the figures in it. Free of torch; drawing needs
matplotlib.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

from difflut.report.facts import Facts, read_facts
from difflut.report.page import Drawn, draw, render
from difflut.report.svg import save_all
from difflut.report.written import Page, write_report

__all__ = ["Drawn", "Facts", "Page", "draw", "read_facts", "render", "save_all", "write_report"]


class _Room(ModuleType):
    """This package, which can be called: `difflut.report(build)` stands beside `difflut.verify(build)`, and importing
    the package puts it in that place.
    """

    def __call__(self, build: Any, out: str | os.PathLike[str] | None = None, **options: Any) -> Page:
        from difflut import door

        return door.report(build, out, **options)


sys.modules[__name__].__class__ = _Room
