"""The forms of a convolutional model in hardware: LUTs, cycles, and what making each costs.

    python benchmarks/bench_convolution.py [--model NAME] [--fpga NAME] [--simulate IMAGES]
    python benchmarks/bench_convolution.py --small DIR [--fpga NAME]

Each form is made in a process of its own: seconds are CPU time of tracing, passes and emission after one model has been
traced (the first torch.export of a process loads most of torch), MB the peak memory of the process. With --simulate the
RTL of the streaming form runs in Verilator on so many random images, and is compared with PyTorch; Verilator and the
compilation of its code are timed together, as CPU time. With --small nothing is measured: DIR/streaming and DIR/unrolled
become builds of a small convolutional model with random tables, for `difflut synth`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from difflut.builds import rtl_interface, words_of
from difflut.export import bundle
from difflut.export.convolution.build import FORMS, STREAMING, UNROLLED, make_stream_bundle
from difflut.export.exporter import make_bundle
from difflut.export.trace import trace
from difflut.models import CIFAR10Conv, get_model
from difflut.sim import run_rtl
from difflut.training import predict_scores


def make(name: str, form: str, fpga: str) -> bundle.Bundle:
    """The build of a form."""
    model = get_model(name, pretrained=True)
    return make_stream_bundle(model, fpga=fpga) if form == STREAMING else make_bundle(model, fpga=fpga).bundle


def measure(name: str, form: str, fpga: str) -> dict[str, Any]:
    """The figures of a form, taken in this process."""
    trace(get_model("cifar10_conv", pretrained=True))
    before = time.process_time()
    manifest = make(name, form, fpga).manifest
    return {
        "form": form,
        "luts": manifest["netlist"]["luts"],
        "latency": manifest["latency_cycles"],
        "interval": manifest["initiation_interval"],
        "seconds": time.process_time() - before,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def simulate(name: str, fpga: str, images: int) -> None:
    """Run the streaming form in Verilator."""
    model = get_model(name, pretrained=True)
    made = make(name, STREAMING, fpga)
    interface = rtl_interface(made)
    form = model.input_format
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(form.lowest, form.highest + 1, (images, *model.input_shape), generator=generator)
    scores, classes = predict_scores(model, codes)
    words = words_of(codes.reshape(images, -1).numpy(), interface)
    with tempfile.TemporaryDirectory() as folder:
        bundle.write(made, Path(folder) / "net")
        sources = sorted(path for part in ("rtl", "sim") for path in (Path(folder) / "net" / part).glob("*.v"))
        for run in ("built and run", "run again"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            result = run_rtl(sources, interface, words, build_dir=Path(folder) / "work")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"Verilator, {run}: {seconds:.1f} s CPU, {images} images, latency {result.latency_cycles} cycles")
            np.testing.assert_array_equal(result.scores, scores.numpy())
            np.testing.assert_array_equal(result.classes, classes.numpy())


def write_small(folder: Path, fpga: str) -> None:
    """Builds of both forms of a model on 16 x 16 pixels."""
    torch.manual_seed(0)
    model = CIFAR10Conv("small_conv", image_size=16, kernels=(8, 16), widths=(200,))
    form = model.input_format
    model.fit_encoder(torch.randint(form.lowest, form.highest + 1, (64, *model.input_shape), dtype=torch.int32))
    model.eval()
    bundle.write(make_stream_bundle(model, fpga=fpga), folder / STREAMING)
    bundle.write(make_bundle(model, fpga=fpga).bundle, folder / UNROLLED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cifar10_conv")
    parser.add_argument("--fpga", default="generic")
    parser.add_argument("--simulate", type=int, default=0, metavar="IMAGES")
    parser.add_argument("--form", help=argparse.SUPPRESS)  # what a process of its own measures
    parser.add_argument("--small", type=Path, metavar="DIR")
    options = parser.parse_args()
    if options.small:
        write_small(options.small, options.fpga)
        return
    if options.form:
        print(json.dumps(measure(options.model, options.form, options.fpga)))
        return
    print(f"{options.model}, {options.fpga}")
    print(f"{'form':<12}{'LUTs':>8}{'latency':>9}{'interval':>10}{'seconds':>9}{'MB':>7}")
    for form in FORMS:
        command = [sys.executable, __file__, "--model", options.model, "--fpga", options.fpga, "--form", form]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{form:<12}{row['luts']:>8}{row['latency']:>9}{row['interval']:>10}{row['seconds']:>9.1f}{row['mb']:>7.0f}"
        )
    if options.simulate:
        simulate(options.model, options.fpga, options.simulate)


if __name__ == "__main__":
    main()
