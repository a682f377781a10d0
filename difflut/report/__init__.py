"""The report of a build: one self-contained HTML page and the figures in it. Free of torch; drawing needs
matplotlib.
"""

from __future__ import annotations

from difflut.report.facts import Facts, read_facts
from difflut.report.page import Drawn, draw, render
from difflut.report.svg import save_all

__all__ = ["Drawn", "Facts", "draw", "read_facts", "render", "save_all"]
