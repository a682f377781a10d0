"""Pages in a headless Chromium."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tools import require_chromium


def browse(harness: str, folder: Path, width: int = 1000, picture: Path | None = None) -> tuple[Any, list[str]]:
    """Load a page that puts JSON into `<pre id="result">`; return that and the console's messages.

    Args:
        harness: the page as HTML.
        folder: for it and the browser's profile.
        width: of the window, in pixels.
        picture: where a picture of the page goes, if it is wanted.
    """
    chromium = require_chromium()
    page = folder / f"harness{width}.html"
    page.write_text(harness, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    options += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
    options += [f"--user-data-dir={folder / f'profile{width}'}", f"--window-size={width},1000"]
    options += ["--virtual-time-budget=10000"]
    run = subprocess.run(
        [chromium, *options, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    console = re.findall(r"CONSOLE[^\n]*", run.stderr)
    match = re.search(r'<pre id="result">(.*?)</pre>', run.stdout, re.DOTALL)
    assert match is not None, (console, run.stdout[-2000:])
    if picture is not None:
        subprocess.run(
            [chromium, *options, f"--screenshot={picture}", page.as_uri()], capture_output=True, timeout=120, check=True
        )
    return json.loads(html.unescape(match[1])), console
