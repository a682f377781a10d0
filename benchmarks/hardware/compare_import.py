"""Networks of other libraries: the circuit that their own exporter writes beside ours of the same file.

    python -m benchmarks.hardware.compare_import [--torchlogix PYTHON] [--dwn2rtl FOLDER] [--folder FOLDER]

dwn2rtl is fetched from PyPI. torchlogix needs Python 3.12 or newer: `--torchlogix` names one that has it, and without
one its rows are left out. All circuits are simulated by Icarus on the same samples against what the library's own model
(torchlogix) or an evaluation of the tables (dwn2rtl) gives, then synthesised alike by Yosys.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import difflut
from benchmarks.hardware import dwn2rtl_design
from benchmarks.hardware.__main__ import FPGA, synthesis
from difflut import InputFormat
from difflut.check.builds import rtl_interface
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.flows import yosys
from difflut.models import BaseModel
from difflut.sim import RtlInterface, run_rtl
from difflut.training import predict_scores

Ints = npt.NDArray[np.int64]
BITS = 8  # fraction bits of dwn2rtl's features, which have a sign as well
FEATURES, CLASSES = 16, 5  # as jet tagging has; the network is drawn, not trained


@dataclass(frozen=True)
class Samples:
    """Input codes (N, features), scores (N, classes) and classes (N,)."""

    codes: Ints
    scores: Ints
    classes: Ints


def main() -> None:
    """Make, simulate, synthesise, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torchlogix", type=Path, help="a Python that has torchlogix")
    parser.add_argument("--dwn2rtl", type=Path, help="folder with the package; fetched by pip if not given")
    parser.add_argument("--folder", type=Path, default=Path("build/compare_import"), help="for everything that is made")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    print("| network | exporter | LUTs | carry | FFs | MHz, estimated | cycles | wrong scores | wrong classes |")
    print("| --- | --- " + "| ---: " * 7 + "|", flush=True)
    dwn(folder / "dwn", options.dwn2rtl or dwn2rtl_design.install(folder / "package"))
    if options.torchlogix is None:
        print("torchlogix is left out: give --torchlogix PYTHON", file=sys.stderr)
    else:
        torchlogix(folder / "torchlogix", options.torchlogix)


def dwn(folder: Path, package: Path) -> None:
    """A dictionary of dwn2rtl: 16 features of 60 thresholds, 50 nodes of six inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    file = folder / "network.pt"
    thresholds = torch.randint(-(1 << BITS) + 1, 1 << BITS, (FEATURES, 60)).sort(dim=1).values / (1 << BITS)
    state = {"0.luts": torch.randn(50, 64), "0.mapping": torch.randint(0, FEATURES * 60, (50, 6)).int()}
    config = {"n": 6, "num_classes": CLASSES, "layers": [50], "thermometer_bits": 60}
    torch.save({"config": config, "state_dict": state, "thermometer": {"thresholds": thresholds}}, file)
    codes = np.random.default_rng(1).integers(-(1 << BITS), 1 << BITS, (300, FEATURES))
    bits = (codes[:, :, None] / (1 << BITS) > thresholds.numpy()).reshape(len(codes), -1)
    address = (bits[:, state["0.mapping"].numpy()] << np.arange(6)).sum(axis=2)
    outputs = state["0.luts"].numpy()[np.arange(50), address] > 0
    scores = outputs.reshape(len(codes), CLASSES, -1).sum(axis=2)
    samples = Samples(codes, scores, scores.argmax(axis=1))
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "dwn2rtl.cli", "build", str(file), "--out", str(folder), "--input-bits", str(BITS)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path})
    cycles = dwn2rtl_design.latency_cycles(folder)
    width = FEATURES * (BITS + 1)
    wrapper = shell(
        width, 0, 3, cycles, f"{dwn2rtl_design.TOP} network (.clk(clk), .x_flat(in_codes), .class_idx(out_class));"
    )
    interface = RtlInterface("plain", FEATURES, BITS + 1, CLASSES, 1, 3, cycles, scores=False)
    sources = sorted(folder.glob("*.v"))
    theirs(folder, "dwn 50 x 6", "dwn2rtl", (sources, dwn2rtl_design.TOP), wrapper, interface, samples)
    model = difflut.load_network(
        file, tau=1.0, input_format=InputFormat(BITS + 1, signed=True, divisor=float(1 << BITS)), name="dwn"
    )
    ours(folder / "ours", "dwn 50 x 6", model, samples, "class")


def torchlogix(folder: Path, python: Path) -> None:
    """A network of 1,000 gates, its Circuit as it is and after simplify()."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [python, Path(__file__).with_name("torchlogix_circuits.py"), folder], check=True, capture_output=True
    )
    held = np.load(folder / "samples.npz")
    samples = Samples(held["x"].astype(np.int64), held["y"], held["y"].argmax(axis=1))
    inputs, classes = samples.codes.shape[1], samples.scores.shape[1]
    for name in ("plain", "simplified"):
        network = f"torchlogix 1,000 gates, {name}"
        width = 8  # of each of its scores
        line = f"wire [{width * classes - 1}:0] found; circuit network (.inp(in_codes), .scores_flat(found)); "
        line += "always @(posedge clk) out_scores <= found;"
        wrapper = shell(inputs, width * classes, 0, 1, line)
        interface = RtlInterface("plain", inputs, 1, classes, width, 4, 1, best=False)
        theirs(folder / name, network, "torchlogix", ([folder / f"{name}.v"], "plain"), wrapper, interface, samples)
        model = difflut.load_network(folder / f"{name}.json", name=f"torchlogix_{name}")
        ours(folder / name / "ours", network, model, samples, "scores")


def shell(inputs: int, scores: int, best: int, cycles: int, body: str) -> str:
    """A module `plain` with the ports of our exports around another top."""
    ports = [f"output {'reg' if scores else 'wire'} [{scores - 1}:0] out_scores"] if scores else []
    ports += [f"output wire [{best - 1}:0] out_class"] if best else []
    shifted = f"{{valid[{cycles - 2}:0], in_valid}}" if cycles > 1 else "in_valid"
    return f"""\
module plain (input wire clk, input wire rst, input wire in_valid, input wire [{inputs - 1}:0] in_codes,
    output wire out_valid, {", ".join(ports)});
  reg [{cycles - 1}:0] valid;
  always @(posedge clk) valid <= rst ? {cycles}'d0 : {shifted};
  assign out_valid = valid[{cycles - 1}];
  {body}
endmodule
"""


def theirs(
    folder: Path,
    network: str,
    exporter: str,
    design: tuple[list[Path], str],
    wrapper: str,
    interface: RtlInterface,
    samples: Samples,
) -> None:
    """Simulate and synthesise the Verilog of another exporter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "simulation").mkdir(exist_ok=True)
    place = folder / "simulation" / "shell.v"
    place.write_text(wrapper)
    sources, top = design
    row(folder, network, exporter, (*sources, place), top, interface, samples)


def ours(folder: Path, network: str, model: BaseModel, samples: Samples, outputs: str) -> None:
    """Export, simulate and synthesise a model; its scores in PyTorch are those of the samples."""
    scores, classes = predict_scores(model, torch.from_numpy(samples.codes))
    assert np.array_equal(scores.numpy(), samples.scores) and np.array_equal(classes.numpy(), samples.classes)
    made = make_build(model, fpga=FPGA, outputs=outputs)
    store.write(made, folder)
    sources = [folder / name for name in made.files if name.endswith(".v") and name.startswith(("rtl/", "sim/"))]
    row(folder, network, "difflut", tuple(sources), rtl_interface(made).top, rtl_interface(made), samples)


def row(
    folder: Path,
    network: str,
    exporter: str,
    sources: tuple[Path, ...],
    top: str,
    interface: RtlInterface,
    samples: Samples,
) -> None:
    """Print one row."""
    build = folder.with_name(f"{folder.name}_rtl")
    result: Any = run_rtl(list(sources), interface, samples.codes, simulator="icarus", build_dir=build)
    wrong_scores = "-" if not interface.scores else f"{(result.scores != samples.scores).sum():,}"
    given = result.classes if interface.best else result.scores.argmax(axis=1)
    simulated_only = {"shell"} if top != "plain" else set()
    synthesised = tuple(one for one in sources if one.stem not in simulated_only and one.parent.name != "sim")
    report = synthesis(yosys.Design(network, top, synthesised, ()), folder.with_name(f"{folder.name}_synthesis"))
    total = report["total"]
    cells = [f"{total['luts']:,}", f"{sum(total['carries'].values()):,}", f"{total['flip_flops']:,}"]
    cells += [f"{report['path']['fmax_mhz']:.0f}", str(interface.latency_cycles), wrong_scores]
    print(f"| {network} | {exporter} | {' | '.join(cells)} | {(given != samples.classes).sum():,} |", flush=True)


if __name__ == "__main__":
    main()
