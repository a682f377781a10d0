"""The folded form of a convolutional model: cycles, and the memories that its dense part takes.

    python benchmarks/bench_folded.py [--model NAME] [--fpga NAME] [--cycles N ...] [--simulate IMAGES [--data DIR]] [--out DIR]

For each N the form `--conv folded=N` is made; seconds are CPU time of tracing, passes and emission. With --simulate its RTL
runs in Verilator on so many random images, or with --data on the first test images of CIFAR-10 in DIR, and is
compared with PyTorch, latency and interval included. With --out the builds are written to DIR/foldedN, for `difflut synth`.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from difflut.builds import rtl_interface, words_of
from difflut.data import load_cifar10
from difflut.export import bundle
from difflut.export.convolution.build import make_stream_bundle
from difflut.models import BaseModel, get_model
from difflut.sim import run_rtl
from difflut.training import predict_scores


def simulate(made: bundle.Bundle, model: BaseModel, codes: torch.Tensor) -> tuple[float, int]:
    """Compare the RTL in Verilator with PyTorch; seconds of CPU time, the compilation's included, and the latency."""
    scores, classes = predict_scores(model, codes)
    interface = rtl_interface(made)
    words = words_of(codes.reshape(len(codes), -1).numpy(), interface)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        bundle.write(made, Path(folder) / "net")
        sources = sorted(path for part in ("rtl", "sim") for path in (Path(folder) / "net" / part).glob("*.v"))
        result = run_rtl(sources, interface, words, build_dir=Path(folder) / "work")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    np.testing.assert_array_equal(result.scores, scores.numpy())
    np.testing.assert_array_equal(result.classes, classes.numpy())
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result.latency_cycles


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
    form = model.input_format
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(form.lowest, form.highest + 1, (options.simulate, *model.input_shape), generator=generator)
    if options.simulate and options.data:
        codes = load_cifar10(options.data).test.x[: options.simulate]
    make_stream_bundle(model)  # the first trace of a process loads most of torch
    print(f"{options.model}, {options.fpga}, nodes: of the dense part, a cycle; copies: of the bits of maps")
    columns = ("N", "nodes", "latency", "interval", "table bits", "connection bits", "copies", "bits each", "seconds")
    print("".join(f"{column:>{len(column) + 3}}" for column in columns))
    for cycles in options.cycles:
        before = time.process_time()
        made = make_stream_bundle(model, fpga=options.fpga, cycles_per_image=cycles)
        seconds = time.process_time() - before
        dense = made.manifest["convolution"]["folded"]
        row = (cycles, dense["nodes_per_cycle"], made.manifest["latency_cycles"], made.manifest["initiation_interval"],
               dense["table_bits"], dense["connection_bits"], dense["copies"], dense["copy_bits"], f"{seconds:.1f}")  # fmt: skip
        print("".join(f"{value:>{len(name) + 3}}" for value, name in zip(row, columns, strict=True)), flush=True)
        if options.out:
            bundle.write(made, options.out / f"folded{cycles}")
        if options.simulate:
            seconds, latency = simulate(made, model, codes)
            kind = "test images" if options.data else "random images"
            print(
                f"  Verilator: {options.simulate} {kind} agree, latency {latency}; built and run in {seconds:.0f} s CPU"
            )


if __name__ == "__main__":
    main()
