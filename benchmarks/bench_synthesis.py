"""Synthesis by Yosys of a large network without convolutions: untrained, random tables and connections.

    python benchmarks/bench_synthesis.py                                      60,000 and 40,000 nodes, xcup
    python benchmarks/bench_synthesis.py --widths 2000 1000 --no-keep-luts    as small networks are synthesised

What synthesis takes, not what a trained network would need: its tables have no structure that a pass could use. CPU
seconds of Yosys' two runs, and the larger peak of their memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import torch

from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.flows import yosys
from difflut.models import FullyConnected


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[60_000, 40_000], help="nodes of each layer")
    parser.add_argument("--fpga", default="xcup")
    parser.add_argument("--keep-luts", action=argparse.BooleanOptionalAction, help="as of difflut synth")
    parser.add_argument("--folder", type=Path, default=Path("build/synthesis"), help="for the build")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = FullyConnected("large", (28, 28), 10, options.widths)
    model.fit_encoder(torch.randint(0, 256, (500, 28, 28))).eval()
    started = time.process_time()
    build = make_build(model, fpga=options.fpga, outputs="class")
    store.write(build, options.folder)
    print(f"{build.info.netlist.luts:,} LUTs behind the passes; exported in {time.process_time() - started:.0f} CPU s")
    print(yosys.synthesise(options.folder, keep_luts=options.keep_luts).text)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"Yosys: {children.ru_utime + children.ru_stime:.0f} CPU s, {children.ru_maxrss // 1024:,} MB")


if __name__ == "__main__":
    main()
