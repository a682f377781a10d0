"""How long a large random netlist takes: build, check, passes, text, parse, and Verilog where the back-end is there.

    python benchmarks/synthetic.py [--luts 100000] [--layers 4] [--no-verilog]

Prints CPU seconds of each step and the peak memory of the process so far.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from netlists import layered_netlist

from difflut.export.circuit.rules import check
from difflut.export.circuit.text import from_text, to_text
from difflut.export.families.generic import GENERIC
from difflut.export.passes.pipelines import run
from difflut.export.schedule.estimate import netlist_parts

T = TypeVar("T")
started = time.process_time()


def step(name: str, function: Callable[[], T]) -> T:
    """Run and print one step."""
    before = time.process_time()
    result = function()
    now = time.process_time()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<10} {now - before:7.2f} s   total {now - started:7.2f} s   peak {peak_mb:7.0f} MB", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--luts", type=int, default=100_000)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--no-verilog", action="store_true", help="leave out the Verilog back-end")
    options = parser.parse_args()
    layers = (options.luts // options.layers // 10 * 10,) * options.layers
    print(f"{options.layers} layers of {layers[0]:,} six-input LUTs")
    raw = step("build", lambda: layered_netlist(layers, comparators=20_000))
    step("check", lambda: check(raw))
    netlist, reports = step("passes", lambda: run(raw))
    for report in reports:
        print(f"  {report.name:<18} {report.luts_before:>8} -> {report.luts_after:>8} LUTs   {report.seconds:.2f} s")
    step("estimate", lambda: netlist_parts(netlist, GENERIC))
    text = step("to_text", lambda: to_text(netlist))
    print(f"  {len(text) / 1e6:.1f} MB")
    if not options.no_verilog:
        try:
            from difflut.export.verilog.netlist import emit
        except ImportError as error:
            print(f"verilog    not measured: {error}")
        else:
            design = step("verilog", lambda: emit(netlist))
            print(f"  {sum(map(len, design.files.values())) / 1e6:.1f} MB in {len(design.files)} files")
    assert step("from_text", lambda: from_text(text).body) == netlist


if __name__ == "__main__":
    main()
