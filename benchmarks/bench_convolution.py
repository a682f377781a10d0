"""The forms of a convolutional model in hardware: LUTs, cycles, and what making each costs.

    python benchmarks/bench_convolution.py [--model NAME] [--fpga NAME] [--pixels P ...] [--simulate IMAGES
            [--data DIR]]
    python benchmarks/bench_convolution.py --small DIR [--fpga NAME] [--pixels P ...]

Each form is made in a process of its own: seconds are CPU time of tracing, passes and emission after a small model has
been traced (the first torch.export of a process loads most of torch), MB the peak memory of the process. --pixels makes
the streaming form once for each number of pixels a cycle. With --simulate the RTL of the streaming form with the last
of these numbers runs in Verilator on so many random images, or with --data on the first test images of CIFAR-10 in
DIR, and is compared with PyTorch; Verilator and the compilation of its code are timed together, as CPU time.
With --small nothing is measured: DIR/streaming, DIR/streaming-P
for P > 1 pixels a cycle and DIR/unrolled become builds of a small convolutional model with random tables, for
`difflut synth`.
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

from difflut.check.builds import rtl_interface, words_of
from difflut.data import load_cifar10
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.frontend.trace import trace
from difflut.export.schedule.forms import Form, Streaming
from difflut.export.schedule.pipelining import LEVELS
from difflut.models import BaseModel, CIFAR10Conv, get_model
from difflut.sim import run_rtl
from difflut.training import predict_scores


def make(name: str, form: str, fpga: str, pixels: int) -> store.Build:
    """The build of a form."""
    model = get_model(name, pretrained=True)
    if form == Streaming.name:
        return make_build(model, fpga=fpga, form=Streaming(pixels), pipeline=LEVELS)
    return make_build(model, fpga=fpga, pipeline=LEVELS)


def measure(name: str, form: str, fpga: str, pixels: int) -> dict[str, Any]:
    """The figures of a form, taken in this process."""
    trace(small_model())
    before = time.process_time()
    info = make(name, form, fpga, pixels).info
    return {
        "buffers": info.pixels.line_buffer_bits if info.pixels else 0,
        "windows": info.pixels.window_bits if info.pixels else 0,
        "luts": info.netlist.luts,
        "latency": info.latency_cycles,
        "interval": info.initiation_interval,
        "seconds": time.process_time() - before,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def images_of(model: BaseModel, count: int, data: Path | None) -> torch.Tensor:
    """The codes of so many images: random ones, or with `data` the first test images of CIFAR-10 there."""
    if data is not None:
        return load_cifar10(data).test.x[:count]
    form, generator = model.input_format, torch.Generator().manual_seed(0)
    return torch.randint(form.lowest, form.highest + 1, (count, *model.input_shape), generator=generator)


def simulate(made: store.Build, model: BaseModel, codes: torch.Tensor) -> tuple[float, int]:
    """Compare the RTL in Verilator with PyTorch; seconds of CPU time, the compilation's included, and the latency."""
    scores, classes = predict_scores(model, codes)
    interface = rtl_interface(made)
    words = words_of(codes.reshape(len(codes), -1).numpy(), interface)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        store.write(made, Path(folder) / "net")
        sources = sorted(path for part in ("rtl", "sim") for path in (Path(folder) / "net" / part).glob("*.v"))
        result = run_rtl(sources, interface, words, build_dir=Path(folder) / "work")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    np.testing.assert_array_equal(result.scores, scores.numpy())
    np.testing.assert_array_equal(result.classes, classes.numpy())
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result.latency_cycles


def show_simulation(made: store.Build, model: BaseModel, images: int, data: Path | None) -> None:
    """Run `simulate` and say what came out."""
    seconds, latency = simulate(made, model, images_of(model, images, data))
    kind = "random images" if data is None else "test images"
    print(f"  Verilator: {images} {kind} agree, latency {latency}; built and run in {seconds:.0f} s CPU", flush=True)


def small_model() -> BaseModel:
    """A model on 16 x 16 pixels with random tables."""
    torch.manual_seed(0)
    model = CIFAR10Conv("small_conv", image_size=16, kernels=(8, 16), widths=(200,))
    form = model.input_format
    model.fit_encoder(torch.randint(form.lowest, form.highest + 1, (64, *model.input_shape), dtype=torch.int32))
    return model.eval()


def write_small(folder: Path, fpga: str, choices: list[int]) -> None:
    """Builds of both forms of a model on 16 x 16 pixels, the streaming form for each number of pixels a cycle."""
    model = small_model()
    for pixels in choices:
        made = make_build(model, fpga=fpga, form=Streaming(pixels), pipeline=LEVELS)
        store.write(made, folder / (Streaming.name if pixels == 1 else f"{Streaming.name}-{pixels}"))
    store.write(make_build(model, fpga=fpga, pipeline=LEVELS), folder / Form.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cifar10_conv")
    parser.add_argument("--fpga", default="generic")
    parser.add_argument("--simulate", type=int, default=0, metavar="IMAGES")
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--pixels", type=int, nargs="+", default=[1], metavar="P")
    parser.add_argument("--form", help=argparse.SUPPRESS)  # what a process of its own measures
    parser.add_argument("--small", type=Path, metavar="DIR")
    options = parser.parse_args()
    if options.small:
        write_small(options.small, options.fpga, options.pixels)
        return
    if options.form:
        print(json.dumps(measure(options.model, options.form, options.fpga, options.pixels[0])))
        return
    print(f"{options.model}, {options.fpga}")
    print(
        f"{'form':<12}{'pixels':>7}{'LUTs':>8}{'latency':>9}{'interval':>10}{'buffers':>9}{'windows':>9}{'seconds':>9}{'MB':>7}"
    )
    for form in (Form.name, Streaming.name):
        for pixels in options.pixels if form == Streaming.name else (0,):
            command = [sys.executable, __file__, "--model", options.model, "--fpga", options.fpga, "--form", form]
            command += ["--pixels", str(pixels)]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"{form:<12}{pixels or 'all':>7}{row['luts']:>8}{row['latency']:>9}{row['interval']:>10}"
                f"{row['buffers']:>9}{row['windows']:>9}{row['seconds']:>9.1f}{row['mb']:>7.0f}",
                flush=True,
            )
    if options.simulate:
        made = make(options.model, Streaming.name, options.fpga, options.pixels[-1])
        show_simulation(made, get_model(options.model, pretrained=True), options.simulate, options.data)


if __name__ == "__main__":
    main()
