"""The shipped 8,000-node model as RTL: how long Verilator's build takes, how fast the simulation is.

    python benchmarks/bench_rtl.py [--model NAME] [--images 10000]

Build and simulation are those of `difflut verify`, in wall seconds; the speed of the simulator model itself is measured
with a C++ driver (one new random sample a cycle), per CPU second.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np
from emission_styles import measure

import difflut
from difflut.check.builds import rtl_interface
from difflut.data import mnist_test
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.circuit.simulate import simulate
from difflut.sim import compare, run_rtl


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="mnist_fc_8k_dwn")
    parser.add_argument("--images", type=int, default=10000)
    options = parser.parse_args()
    made = make_build(difflut.get_model(options.model, pretrained=True))
    codes = mnist_test().x.reshape(-1, 784).numpy()[: options.images]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store.write(made, folder / "net")
        sources = sorted((folder / "net" / "rtl").glob("*.v"))
        result = run_rtl(sources, rtl_interface(made), codes, build_dir=folder / "sim")
    expected = simulate(made.circuit.body, codes.astype(np.int64))
    if not compare(expected.scores, expected.classes, result.scores, result.classes).ok:
        raise SystemExit("the RTL disagrees with the netlist; the figures would mean nothing")
    _, _, printed = measure(made.circuit.body, "words", "recommended", samples=50000)
    speed = int(re.split(r"\s+", printed)[0])
    print(f"| {options.model} | measured | target |\n| --- | ---: | ---: |")
    print(f"| Verilator build, wall s | {result.build_seconds:.1f} | 40 |")
    print(f"| simulation of {len(codes):,} images with the cocotb bench, wall s | {result.run_seconds:.1f} | |")
    print(f"| simulator model alone, samples/s | {speed:,} | 20,000 |")


if __name__ == "__main__":
    main()
