"""Time the page in which a circuit runs, in a headless Chromium: until it stands, one sample, drawing all its bits.

    python benchmarks/bench_play.py [--luts 8000 100000 500000]

Random netlists of four layers of six-input LUTs on an image of 28 x 28 pixels.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from netlists import layered_netlist

from difflut.data_names import Wording
from difflut.export.builds.info import HeadInfo
from difflut.export.circuit.circuit import Circuit
from difflut.input_format import InputFormat
from difflut.playing.samples import random_samples
from difflut.playing.subject import Subject
from difflut.playing.written import render

LAYERS, RUNS, CLASSES = 4, 5, 10
# What --dump-dom prints is the document once all frames are loaded, in real time.
HARNESS = """<!doctype html><meta charset="utf-8"><body><script>
function time(page) {
  const opened = page.performance.now();
  const of = (work) => {
    const before = page.performance.now();
    for (let i = 0; i < %d; i++) work();
    return (page.performance.now() - before) / %d;
  };
  const run = of(() => page.page.circuit.run(page.page.codes));
  const draw = of(() => page.page.grids.forEach((grid) => grid.draw()));
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify([opened, run, draw]);
  document.body.append(result);
}
</script><iframe style="width:1300px;height:900px" onload="time(this.contentWindow)" srcdoc="%s"></iframe></body>"""


def subject(luts: int) -> Subject:
    netlist = layered_netlist((luts // LAYERS // CLASSES * CLASSES,) * LAYERS, comparators=1500)
    heads = (HeadInfo(name="class", kind="classes", results=netlist.head.classes, meaning=""),)
    shape = (28, netlist.input.features // 28)
    form = InputFormat(netlist.input.width_bits, netlist.input.signed)
    return Subject(f"{luts} LUTs", Circuit.of(netlist), heads, Wording(None, form, shape))


def measure(page: str) -> list[float]:
    """Milliseconds until the page stands, of one sample, and of drawing."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise SystemExit("no Chromium on PATH")
    with tempfile.TemporaryDirectory() as folder:
        harness = Path(folder, "harness.html")
        harness.write_text(HARNESS % (RUNS, RUNS, html.escape(page)), encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}/profile"]
        command = [browser, *options, "--dump-dom", harness.as_uri()]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    if found is None:
        raise SystemExit(f"the page did not open: {done.stderr[-500:]}")
    times: list[float] = json.loads(found[1])
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--luts", type=int, nargs="+", default=[8_000, 100_000, 500_000])
    print("| LUTs | file MB | opens in s | one sample ms | drawing ms |\n| ---: | ---: | ---: | ---: | ---: |")
    for luts in parser.parse_args().luts:
        made = subject(luts)
        page = render(made, random_samples(made))
        opened, run, draw = measure(page)
        print(f"| {luts:,} | {len(page) / 1e6:.1f} | {opened / 1e3:.1f} | {run:.1f} | {draw:.0f} |", flush=True)


if __name__ == "__main__":
    main()
