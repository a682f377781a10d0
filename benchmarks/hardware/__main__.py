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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hardware import dwn2rtl_design
from benchmarks.hardware.networks import NAMES, trained
from difflut.check.builds import rtl_interface
from difflut.data import mnist_test
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.families.registry import find_family
from difflut.export.flows import yosys
from difflut.export.schedule.pipelining import LEVELS
from difflut.models import BaseModel
from difflut.sim import RtlInterface, run_rtl
from difflut.training import predict_scores

FPGA = "xcup"
DESIGNS = ("difflut", "dwn2rtl", "dwn2rtl, sign bits 0")
PARTS = ("encoder", "layers", "group sum", "argmax", "rest")
INTRODUCTION = """\
# Hardware figures

Printed by `make bench-hw`. The circuits of trained networks as difflut exports them, beside those that dwn2rtl 0.3.0
(from PyPI) writes for the same tables, connections and thresholds. Both are simulated first: the class of {images}
MNIST test images must be PyTorch's. Both are then synthesised alike by Yosys 0.70, `{command}`, after one `flatten` and
the map that turns reads of constant tables into LUT cells.

- LUTs: LUT1 to LUT6 and LUT6_2 count one each, so do inverters and LUTs used as shift registers. What a place-and-route
  tool packs together later counts for neither design.
- Parts: a second synthesis in which encoder, layers, group sum and argmax stay apart, so their sum differs a little
  from the flattened total. "rest" lies between the parts: delays and valid bits.
- MHz: the longest path in one simple delay model (`export/flows/clock.py` with the delays of the FPGA family) before
  placement, the same for all rows. It compares rows; it promises no clock.
- dwn2rtl's inputs are signed words one bit wider than the pixels, and its top gives the class only, with one register
  stage behind encoder, each layer, group sum and argmax. "sign bits 0" is its design with the sign bits, which are
  always 0 for pixels, masked in its encoder. Ours gives the class only, too (`--fpga xcup --outputs class --pipeline
  levels`), and a valid bit.
- mnist_1000_500 and mnist_2000_1000 were trained for 4 epochs (`python -m benchmarks.hardware.train_networks --data
  DIR`): trained tables, not good networks. mnist_fc_8k_dwn is the zoo's.
"""
DWN2RTL_MODULES = ("thermometer_encoder", "*popcount*", "*argmax*")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--network", action="append", choices=NAMES, help="may be repeated; default: all")
    parser.add_argument("--design", action="append", choices=DESIGNS, help="may be repeated; default: all")
    parser.add_argument("--images", type=int, default=1000, help="test images that both circuits are simulated on")
    parser.add_argument("--folder", type=Path, default=Path("build/hardware"), help="for everything that is made")
    parser.add_argument("--dwn2rtl", type=Path, help="folder with the package; fetched by pip if not given")
    options = parser.parse_args()
    print(INTRODUCTION.format(fpga=FPGA, command=yosys.command(find_family(FPGA)), images=f"{options.images:,}"))
    print(
        "| network | design | "
        + " | ".join(PARTS)
        + " | LUTs, flattened | CARRY4/8 | FFs | MHz, estimated | latency |\n"
        "| --- | --- " + "| ---: " * (len(PARTS) + 5) + "|"
    )
    rows: list[Row] = []
    for name in options.network or NAMES:
        model = trained(name)
        for design in options.design or DESIGNS:
            if design == "difflut":
                row = ours(model, options.folder / name / "difflut", options.images)
            else:
                package = options.dwn2rtl or dwn2rtl_design.install(options.folder / "package")
                row = theirs(model, options.folder / name, package, options.images, design == DESIGNS[2])
            rows.append(row)
            print(f"| {name} | {design} | {row.cells()} |", flush=True)
    print("\nCells that count as LUTs, flattened, and the cells on the longest path:\n")
    for row in rows:
        print(
            f"- {row.command}: {listed(row.report['total']['luts_by_kind'])}; path: "
            f"{listed(row.report['path']['cells'])}"
        )
    print(f"\n{comparison(rows)}")


@dataclass(frozen=True)
class Row:
    """One design of one network: the synthesis report, LUTs by part, latency, and what the network is."""

    network: str
    design: str
    report: Mapping[str, Any]
    parts: Mapping[str, int]
    latency_cycles: int
    nodes: int
    summed_bits: int

    @property
    def luts(self) -> int:
        """LUTs of the flattened design."""
        return int(self.report["total"]["luts"])

    @property
    def command(self) -> str:
        """What measures this row alone."""
        return f"`python -m benchmarks.hardware --network {self.network} --design '{self.design}'`"

    def cells(self) -> str:
        """The cells of the table."""
        total = self.report["total"]
        numbers = [f"{self.parts[part]:,}" for part in PARTS]
        numbers += [f"{self.luts:,}", f"{sum(total['carries'].values()):,}", f"{total['flip_flops']:,}"]
        return " | ".join([*numbers, f"{self.report['path']['fmax_mhz']:.0f}", str(self.latency_cycles)])


def row_of(model: Any, design: str, report: Mapping[str, Any], part_of: Callable[[str], str], cycles: int) -> Row:
    """Sum the report's instances up to `PARTS`."""
    parts = dict.fromkeys(PARTS, 0)
    for name, part in report["parts"].items():
        parts[part_of(name)] += part["luts"]
    widths = model.widths
    return Row(model.name, design, report, parts, cycles, sum(widths), widths[-1])


def comparison(rows: list[Row]) -> str:
    """Our figures against the aims, for every network of which all designs were measured."""
    lines = [
        "| network | LUTs against dwn2rtl | against dwn2rtl, sign bits 0 | group sum, LUTs per bit | LUTs per node |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in dict.fromkeys(row.network for row in rows):
        of = {row.design: row for row in rows if row.network == name}
        if set(of) != set(DESIGNS):
            continue
        own = of["difflut"]
        against = [f"{100 * (own.luts / of[design].luts - 1):+.1f} %" for design in DESIGNS[1:]]
        per_bit, per_node = own.parts["group sum"] / own.summed_bits, own.luts / own.nodes
        lines.append(f"| {name} | {' | '.join(against)} | {per_bit:.2f} | {per_node:.2f} |")
    return "\n".join(lines)


def listed(counts: Mapping[str, int]) -> str:
    """Numbers by name in one line."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def ours(model: BaseModel, folder: Path, images: int) -> Row:
    """Export, simulate, synthesise."""
    made = make_build(model, fpga=FPGA, outputs="class", pipeline=LEVELS)
    store.write(made, folder)
    sources = [(folder / name).absolute() for name in made.rtl]
    interface = rtl_interface(made)
    models = [(folder / name).absolute() for name in made.files if name.startswith("sim/")]  # of primitives
    check(model, [*sources, *models], interface, folder / store.WORK_FOLDER, images)
    top = interface.top
    modules = yosys.instantiated(made.text(f"rtl/{top}.v"), [source.stem for source in sources])
    report = synthesis(yosys.Design(model.name, top, tuple(sources), modules), folder.with_name("difflut_synthesis"))
    return row_of(model, DESIGNS[0], report, _our_part, interface.latency_cycles)


def theirs(model: Any, folder: Path, package: Path, images: int, tied: bool) -> Row:
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
    interface = RtlInterface(
        "plain", model.input_size, model.input_format.width_bits, classes, 1, 4, cycles, scores=False
    )
    check(model, [*sources, wrapper], interface, simulated, images)
    absolute = tuple(source.absolute() for source in sources)
    report = synthesis(yosys.Design(model.name, dwn2rtl_design.TOP, absolute, DWN2RTL_MODULES), folder / "synthesis")
    return row_of(model, DESIGNS[2 if tied else 1], report, _their_part, cycles)


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
    scripts = [
        yosys.script(design, find_family(FPGA), name, kept) for name, kept in (("parts", design.modules), ("flat", ()))
    ]
    content = "".join([*scripts, *(source.read_text() for source in design.sources)])
    digest = hashlib.sha256(content.encode()).hexdigest()
    file = folder / "report.json"
    if not file.exists() or json.loads(file.read_text())["digest"] != digest:
        yosys.run(design, find_family(FPGA), folder, digest=digest, report=lambda line: None)
        print(f"{design.name}: {design.top} synthesised", file=sys.stderr)
    report: dict[str, Any] = json.loads(file.read_text())
    return report


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
