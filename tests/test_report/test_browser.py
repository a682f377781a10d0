"""The page in a real browser: it renders without errors, nothing sticks out sideways, every figure shows."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest
from browser import browse
from convolutions import Plan, Step, made
from report_builds import complete
from small_models import Chain, SmallImages
from tools import require_package

from difflut.report import draw, read_facts, render

WIDTHS = (1280, 400)

# The page runs in a frame of the wanted width: windows cannot be made as narrow as a telephone.
HARNESS = """<!doctype html><meta charset="utf-8"><body>
<iframe id="frame" style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>
<script>
const frame = document.getElementById("frame");
frame.addEventListener("load", () => {{
  const page = frame.contentDocument;
  const boxes = [...page.querySelectorAll("figure")].map((figure) => {{
    const svg = figure.querySelector("svg"), box = svg.getBoundingClientRect();
    const bars = [...svg.querySelectorAll("path, image")].filter((mark) => mark.getBoundingClientRect().width > 0);
    return {{width: box.width, height: box.height, right: box.right, marks: bars.length}};
  }});
  const text = JSON.stringify({{
    inner: frame.contentWindow.innerWidth, scroll: page.documentElement.scrollWidth,
    title: page.title,
    cut: [...page.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth)
      .map((box) => box.textContent.trim().slice(0, 60)),
    headings: [...page.querySelectorAll("h1, h2")].map((node) => node.textContent), figures: boxes,
  }});
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = text;
  document.body.append(result);
}});
</script></body>"""


def look(page: str, width: int, folder: Path) -> tuple[dict[str, Any], list[str], Path]:
    """Load the page in a frame; return what it looks like, the console's messages, and a picture."""
    picture = folder / f"page{width}.png"
    harness = HARNESS.format(width=width, page=html.escape(page, quote=True))
    seen, console = browse(harness, folder, width + 40, picture)
    return seen, console, picture


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    require_package("matplotlib", "report")
    folder = tmp_path_factory.mktemp("größe")
    complete(SmallImages(), folder / "images")
    complete(Chain(name="chain_with_a_rather_long_name_that_has_nowhere_to_break"), folder / "chain", fpga="ecp5")
    steps = (Step(8, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2)), Step(5, (3, 1)))
    complete(made(Plan((3, 9, 9), steps, bits=2, read=(0, 2, 3))), folder / "stream", form="streaming")
    found = {}
    for name, other in (("images", None), ("chain", "images"), ("stream", "images")):
        facts = read_facts(folder / name)
        drawn = draw(facts)
        found[name] = (render(facts, drawn, read_facts(folder / other) if other else None), len(drawn))
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["images", "chain", "stream"])
def test_the_page_renders(pages: dict[str, tuple[str, int]], tmp_path: Path, name: str, width: int) -> None:
    page, figures = pages[name]
    seen, console, picture = look(page, width, tmp_path)
    assert console == []
    assert seen["inner"] == width
    assert seen["scroll"] <= width, "something is wider than the page"
    assert seen["cut"] == [], "a table has columns that only scrolling shows"
    assert len(seen["figures"]) == figures >= 9
    for box in seen["figures"]:
        assert box["width"] > 200 and box["height"] > 60 and box["right"] <= width and box["marks"] >= 3
    assert "Does it fit?" in seen["headings"] and "Checks and proofs" in seen["headings"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_check_can_fail(tmp_path: Path) -> None:
    page = "<!doctype html><title>x</title><h1>x</h1><p style='width:900px'>wide</p><script>nothing()</script>"
    seen, console, _ = look(page, 400, tmp_path)
    assert seen["scroll"] > 400
    assert any("nothing is not defined" in line for line in console)
