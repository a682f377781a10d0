"""Size and estimated clock of trained networks, ours and dwn2rtl's of the same tables: `make bench-hw`.

    python -m benchmarks.hardware [--network NAME] [--design NAME] [--images 1000] [--folder build/hardware]

Both designs of a network are first simulated: their classes must be PyTorch's on test images. A synthesis whose sources
have not changed is not repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hardware import dwn2rtl_design
from benchmarks.hardware.networks import NAMES, trained
from difflut.data import mnist_test
from difflut.export import bundle
from difflut.export.exporter import make_bundle
from difflut.export.flows import yosys
from difflut.models import BaseModel
from difflut.sim import RtlInterface, run_rtl
from difflut.training import predict_scores
from difflut.verification import rtl_interface

FPGA = "xcup"
DESIGNS = ("difflut", "dwn2rtl", "dwn2rtl, sign bits 0")
PARTS = ("encoder", "layers", "group sum", "argmax", "rest")
DWN2RTL_MODULES = ("thermometer_encoder", "*popcount*", "*argmax*")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--network", action="append", choices=NAMES, help="may be repeated; default: all")
    parser.add_argument("--design", action="append", choices=DESIGNS, help="may be repeated; default: all")
    parser.add_argument("--images", type=int, default=1000, help="test images that both circuits are simulated on")
    parser.add_argument("--folder", type=Path, default=Path("build/hardware"), help="for everything that is made")
    parser.add_argument("--dwn2rtl", type=Path, help="folder with the package; fetched by pip if not given")
    options = parser.parse_args()
    print(
        f"| network | design | {' | '.join(PARTS)} | LUTs, flattened | by kind | CARRY4/8 | FFs | MHz, estimated | latency |"
    )
    print("| --- | --- " + "| ---: " * (len(PARTS) + 1) + "| --- " + "| ---: " * 4 + "|")
    for name in options.network or NAMES:
        model = trained(name)
        for design in options.design or DESIGNS:
            if design == "difflut":
                row = ours(model, options.folder / name / "difflut", options.images)
            else:
                package = options.dwn2rtl or dwn2rtl_design.install(options.folder / "package")
                row = theirs(model, options.folder / name, package, options.images, design == DESIGNS[2])
            print(f"| {name} | {design} | {row} |", flush=True)


def ours(model: BaseModel, folder: Path, images: int) -> str:
    """Export, simulate, synthesise."""
    made = make_bundle(model)
    bundle.write(made.bundle, folder)
    names = sorted(name for name in made.bundle.files if name.startswith("rtl/") and name.endswith(".v"))
    sources = [(folder / name).absolute() for name in names]
    interface = rtl_interface(made.bundle)
    check(model, sources, interface, folder / bundle.WORK_FOLDER, images)
    top = interface.top
    modules = yosys.instantiated(made.bundle.text(f"rtl/{top}.v"), [source.stem for source in sources])
    report = synthesis(
        yosys.Design(model.name, top, tuple(sources), modules), folder / bundle.WORK_FOLDER / "synthesis"
    )
    return cells(report, _our_part, interface.latency_cycles)


def theirs(model: Any, folder: Path, package: Path, images: int, tied: bool) -> str:
    """dwn2rtl's design of the same tables: build, simulate, synthesise."""
    original = folder / "dwn2rtl"
    sources = dwn2rtl_design.build(model, original, package)
    if tied:
        folder = folder / "dwn2rtl_tied"
        sources = dwn2rtl_design.without_sign_bits(sources, model, folder)
    else:
        folder = original
    cycles = dwn2rtl_design.latency_cycles(original)
    simulated = folder / "simulation"
    simulated.mkdir(exist_ok=True)
    wrapper = simulated / "plain.v"
    wrapper.write_text(dwn2rtl_design.plain_interface(model, cycles))
    classes = model.num_classes
    interface = RtlInterface("plain", model.input_size, model.input_format.width_bits, classes, 1, 4, cycles)
    check(model, [*sources, wrapper], interface, simulated, images)
    absolute = tuple(source.absolute() for source in sources)
    report = synthesis(yosys.Design(model.name, dwn2rtl_design.TOP, absolute, DWN2RTL_MODULES), folder / "synthesis")
    return cells(report, _their_part, cycles)


def check(model: BaseModel, sources: list[Path], interface: RtlInterface, folder: Path, images: int) -> None:
    """Stop unless the circuit gives PyTorch's class on test images."""
    if not images:
        return
    codes = mnist_test().x[:images]
    _, expected = predict_scores(model, codes)
    result = run_rtl(sources, interface, codes.reshape(len(codes), -1).numpy(), build_dir=folder / "rtl")
    wrong = int(np.count_nonzero(result.classes != expected.numpy()))
    if wrong or not len(expected):
        raise SystemExit(
            f"{folder}: {wrong} of {len(expected)} classes differ from PyTorch's; the figures mean nothing"
        )


def synthesis(design: yosys.Design, folder: Path) -> Mapping[str, Any]:
    """The report of a synthesis, from an earlier run if sources and scripts are the same."""
    scripts = [yosys.script(design, FPGA, name, kept) for name, kept in (("parts", design.modules), ("flat", ()))]
    content = "".join([*scripts, *(source.read_text() for source in design.sources)])
    digest = hashlib.sha256(content.encode()).hexdigest()
    file = folder / "report.json"
    if not file.exists() or json.loads(file.read_text())["digest"] != digest:
        yosys.run(design, FPGA, folder, digest=digest, report=lambda line: None)
        print(f"{design.name}: {design.top} synthesised", file=sys.stderr)
    report: dict[str, Any] = json.loads(file.read_text())
    return report


def cells(report: Mapping[str, Any], part_of: Any, cycles: int) -> str:
    """The table cells of one synthesis."""
    parts = dict.fromkeys(PARTS, 0)
    for name, part in report["parts"].items():
        parts[part_of(name)] += part["luts"]
    total = report["total"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in total["luts_by_kind"].items())
    carries = sum(total["carries"].values())
    mhz = report["path"]["fmax_mhz"]
    numbers = [f"{parts[name]:,}" for name in PARTS] + [f"**{total['luts']:,}**", kinds, str(carries)]
    return " | ".join([*numbers, f"{total['flip_flops']:,}", f"{mhz:.0f}", str(cycles)])


def _our_part(instance: str) -> str:
    if instance == "top":
        return "rest"
    return instance.replace("_", " ") if instance in ("encoder", "group_sum", "argmax") else "layers"


def _their_part(instance: str) -> str:
    for key, part in (("u_enc", "encoder"), ("u_pc", "group sum"), ("u_argmax", "argmax")):
        if key in instance:
            return part
    return "layers"


if __name__ == "__main__":
    main()
