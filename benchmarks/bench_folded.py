"""The folded form of a convolutional model: cycles, and the memories that its dense part takes.

    python benchmarks/bench_folded.py [--model NAME] [--fpga NAME] [--cycles N ...] [--simulate IMAGES [--data DIR]]
            [--out DIR]

For each N the form `--conv folded=N` is made; seconds are CPU time of tracing, passes and emission. With --simulate its
RTL runs in Verilator on so many random images, or with --data on the first test images of CIFAR-10 in DIR, and is
compared with PyTorch, latency and interval included. With --out the builds are written to DIR/foldedN, for
`difflut synth`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench_convolution import show_simulation

from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.schedule.forms import Folded
from difflut.models import get_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cifar10_conv")
    parser.add_argument("--fpga", default="generic")
    parser.add_argument("--cycles", type=int, nargs="+", default=[1024, 4096], metavar="N")
    parser.add_argument("--simulate", type=int, default=0, metavar="IMAGES")
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="DIR")
    options = parser.parse_args()
    model = get_model(options.model, pretrained=True)
    make_build(model, form="streaming")  # the first trace of a process loads most of torch
    print(f"{options.model}, {options.fpga}, nodes: of the dense part, a cycle; copies: of the bits of maps")
    columns = ("N", "nodes", "latency", "interval", "table bits", "connection bits", "copies", "bits each", "seconds")
    print("".join(f"{column:>{len(column) + 3}}" for column in columns))
    for cycles in options.cycles:
        before = time.process_time()
        made = make_build(model, fpga=options.fpga, form=Folded(cycles))
        seconds = time.process_time() - before
        dense = made.info.folded
        assert dense is not None
        row = (cycles, dense.nodes_per_cycle, made.info.latency_cycles, made.info.initiation_interval,
               dense.table_bits, dense.connection_bits, dense.copies, dense.copy_bits, f"{seconds:.1f}")  # fmt: skip
        print("".join(f"{value:>{len(name) + 3}}" for value, name in zip(row, columns, strict=True)), flush=True)
        if options.out:
            store.write(made, options.out / f"folded{cycles}")
        if options.simulate:
            show_simulation(made, model, options.simulate, options.data)


if __name__ == "__main__":
    main()
