"""Fits the delay models of `difflut.export.families.family` to designs that nextpnr placed and routed, and says how
well they fit.

    python benchmarks/calibrate_timing.py [--family ecp5 ...] [--seeds 2] [--keep DIR]

Needs pyosys and nextpnr, as `difflut synth --flow nextpnr` does. Random networks of two LUT layers, of several sizes
and pipelines, go through Yosys and nextpnr; codes come in and results go out through shift registers, so that few pins
are needed.

Fitted, for each family: the delays of wires (non-negative least squares over the wires of all critical paths: a
constant, the doublings of the fan-out, the square root of the design's LUTs) and, as the mean over these paths, those
of registers, LUTs, multiplexers and carry chains (their LUT included). Then the model's clock is compared with the
routed one of designs that were not fitted to: other sizes and node widths.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import numpy as np
from netlists import layered_netlist

from difflut.export.circuit.netlist import Netlist
from difflut.export.families.family import Family
from difflut.export.families.registry import find_family
from difflut.export.flows.tools import Tool, find_tool
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.passes.pipelines import run
from difflut.export.schedule.estimate import estimate_luts
from difflut.export.schedule.pipelining import Pipeline, plan_pipeline
from difflut.export.schedule.timing import analyse
from difflut.export.verilog.netlist import emit

_HARNESS = """\
module harness (input clk, input rst, input din, output reg dout);
  reg [{codes} - 1:0] codes;
  reg valid;
  wire out_valid;
  wire [{scores} - 1:0] scores;
  wire [{classes} - 1:0] index;
  reg [{scores} + {classes} - 1:0] result;
  always @(posedge clk) begin
    codes <= {{codes, din}};
    valid <= din;
    result <= out_valid ? {{scores, index}} : result >> 1;
    dout <= result[0];
  end
  {top} dut (.clk(clk), .rst(rst), .in_valid(valid), .in_codes(codes), .out_valid(out_valid), .out_scores(scores),
             .out_class(index));
endmodule
"""


@dataclass(frozen=True)
class Flow:
    """How one family is synthesised, placed and routed."""

    target: str
    part: str
    synthesis: str
    options: tuple[str, ...]
    pins: str = ""


FAMILIES = {
    "ice40": Flow(
        "ice40", "iCE40 HX8K", "synth_ice40",
        ("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"),
    ),
    "ecp5": Flow(
        "ecp5", "ECP5 25F, speed grade 6", "synth_ecp5",
        ("--25k", "--package", "CABGA256", "--speed", "6", "--lpf-allow-unconstrained"),
    ),
    "gowin": Flow(
        "gowin", "GW1NR-9C C6/I5", "synth_gowin",
        ("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C", "--vopt", "cst=pins.cst"),
        'IO_LOC "clk" 52;\nIO_LOC "rst" 25;\nIO_LOC "din" 26;\nIO_LOC "dout" 27;\n',
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One random network and how it is pipelined; `fitted` says whether the model may learn from it."""

    nodes: int
    n: int
    pipeline: str
    fitted: bool

    def netlist(self) -> Netlist:
        raw = layered_netlist(
            (self.nodes, self.nodes), n=self.n, features=32, comparators=128, name=f"net{self.nodes}x{self.n}"
        )
        return run(raw)[0]


CASES = (
    Case(50, 4, "levels", True),
    Case(150, 4, "levels", True),
    Case(150, 4, "encoder,2,argmax2,argmax4", True),
    Case(300, 4, "levels", True),
    Case(100, 6, "levels", False),
    Case(100, 4, "1,2,argmax2,argmax4", False),
)


@dataclass(frozen=True)
class Routed:
    """What nextpnr made of a case: the critical path's parts, and the luts that the model counts."""

    case: Case
    fmax_mhz: float
    model_luts: int
    wires: list[tuple[float, int]]  # delay in ns and fan-out
    cells: list[tuple[str, float]]  # kind and delay in ns


_CARRY_IN, _CARRY_OUT = ("CIN", "FCI"), ("COUT", "FCO")
_LUT_PINS = ("I0", "I1", "I2", "I3", "A", "B", "C", "D")


def kind_of(hop: dict[str, Any], family: Flow) -> str:
    """What a hop of a path stands for in the model."""
    source, drain = hop["from"]["port"], hop["to"]["port"]
    if hop["type"] == "setup":  # of an iCE40 logic cell: through its LUT
        return "lut" if drain in _LUT_PINS else "register"
    if hop["type"] == "clk-to-q" or (hop["type"] == "routing" and drain == "DI"):  # ECP5: inside the slice
        return "register"
    if hop["type"] == "routing":
        if drain in _CARRY_IN or hop["delay"] == 0:
            return "nothing"
        return "carry entry" if source in _CARRY_OUT else "wire"
    if source in _CARRY_IN or drain in _CARRY_OUT:
        return "carry bit" if source in _CARRY_IN and drain in _CARRY_OUT else "carry entry"
    mux = (drain == "OFX" and source not in _LUT_PINS) or (drain == "O" and family.target == "gowin")
    return "mux" if mux else "lut"


def route(family: Flow, case: Case, seed: int, folder: Path, tool: Tool) -> Routed:
    """Synthesise, place and route."""
    folder.mkdir(parents=True, exist_ok=True)
    netlist = case.netlist()
    target = find_family(family.target)
    plan = plan_pipeline(netlist, target, Pipeline(case.pipeline))
    staged = assign_stages(netlist, plan.cells)
    design = emit(staged, target, head_registers=plan.head_registers, last_registered=plan.registers_last_cells)
    form, head = netlist.input, netlist.head
    if not (folder / "design.json").exists():
        for name, text in design.files.items():
            (folder / name).write_text(text)
        (folder / "harness.v").write_text(
            _HARNESS.format(
                top=design.top, codes=form.features * form.width_bits, scores=head.classes * head.score_width_bits,
                classes=head.class_width_bits,
            )
        )  # fmt: skip
        reads = [f"read_verilog {name}" for name in [*sorted(design.files), "harness.v"]]
        script = [*reads, f"{family.synthesis} -top harness -json design.json"]
        (folder / "script.ys").write_text("\n".join(script) + "\n")
        program = "from pyosys import libyosys; libyosys.run_pass('script script.ys', libyosys.Design())"
        call([sys.executable, "-c", program], folder, "yosys.log")
    (folder / "pins.cst").write_text(family.pins)
    report = folder / f"report{seed}.json"
    if not report.exists():
        command = [
            *tool.command,
            "--json",
            "design.json",
            "--report",
            report.name,
            "--seed",
            str(seed),
            "--freq",
            "250",
        ]
        call([*command, "--timing-allow-fail", *family.options], folder, f"nextpnr{seed}.log")
    result = json.loads(report.read_text())
    fanouts = count_fanouts(json.loads((folder / "design.json").read_text()))
    (clock,) = result["fmax"]
    (path,) = [p["path"] for p in result["critical_paths"] if p["from"] == p["to"] == f"posedge {clock}"]
    wires = [(hop["delay"], fanouts.get(hop["net"], 1)) for hop in path if kind_of(hop, family) == "wire"]
    cells = [(kind, hop["delay"]) for hop in path if (kind := kind_of(hop, family)) not in ("wire", "nothing")]
    return Routed(case, result["fmax"][clock]["achieved"], estimate_luts(netlist, target).total, wires, cells)


def call(command: list[str], folder: Path, log: str) -> None:
    """Run a tool; its output goes to a file."""
    with (folder / log).open("w") as output:
        subprocess.run(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, check=True)


def count_fanouts(design: dict[str, Any]) -> dict[str, int]:
    """The number of readers of each named net of a Yosys JSON file."""
    top = design["modules"]["harness"]
    readers: dict[int, int] = defaultdict(int)
    for cell in top["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for bit in bits:
                    readers[bit] += 1
    return {
        (name if len(net["bits"]) == 1 else f"{name}[{i}]"): readers[bit]
        for name, net in top["netnames"].items()
        for i, bit in enumerate(net["bits"])
    }


def fit_wires(runs: list[Routed]) -> tuple[float, float, float]:
    """Non-negative least squares over all wires: constant, per doubling of the fan-out, per square root of the LUTs."""
    rows = [(1.0, np.log2(max(fanout, 1)), np.sqrt(r.model_luts), delay) for r in runs for delay, fanout in r.wires]
    table = np.array(rows)
    best, best_error = np.zeros(3), np.inf
    for size in (1, 2, 3):
        for columns in itertools.combinations(range(3), size):
            found, *_ = np.linalg.lstsq(table[:, columns], table[:, 3], rcond=None)
            error = float(np.square(table[:, columns] @ found - table[:, 3]).sum())
            if (found >= 0).all() and error < best_error:
                best, best_error = np.zeros(3), error
                best[list(columns)] = found
    return float(best[0]), float(best[1]), float(best[2])


def estimate_mhz(case: Case, target: Family) -> float:
    """The model's clock."""
    netlist = case.netlist()
    return analyse(netlist, target, plan_pipeline(netlist, target, Pipeline(case.pipeline))).fmax_mhz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", action="append", choices=list(FAMILIES))
    parser.add_argument("--seeds", type=int, default=2, help="placements of each design; their clocks are averaged")
    parser.add_argument("--keep", type=Path, help="keep all files here and reuse what is there")
    parser.add_argument("--cases", type=int, default=len(CASES), help="use the first cases only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        base = (options.keep or Path(temporary)).absolute()
        for name in options.family or list(FAMILIES):
            family = FAMILIES[name]
            placed = find_family(family.target).nextpnr
            assert placed is not None
            tool = find_tool(placed.place)
            runs: dict[Case, list[Routed]] = {}
            for number, case in enumerate(CASES[: options.cases]):
                folder = base / f"{name}-{case.nodes}x{case.n}-{case.pipeline.replace(',', '-')}"
                runs[case] = []
                for seed in range(1, options.seeds + 1):
                    try:
                        runs[case].append(route(family, case, seed, folder, tool))
                    except subprocess.CalledProcessError as error:
                        print(f"{name}: {case} seed {seed}: no result: {error}", file=sys.stderr, flush=True)
                print(f"{name}: {number + 1} of {options.cases} cases", file=sys.stderr, flush=True)
            show(family, runs)


def show(family: Flow, runs: dict[Case, list[Routed]]) -> None:
    """Print the fit and the comparison."""
    target = find_family(family.target)
    fitted = [routed for case, found in runs.items() if case.fitted for routed in found]
    constant, fanout, span = fit_wires(fitted)
    print(f"\n### {family.part}\n")
    print("| delay | fitted | in `export/families/` |\n| --- | --- | --- |")
    delays = target.delays
    print(f"| wire, ns | {constant:.2f} | {delays.net_delay_ns} |")
    print(f"| per doubling of the fan-out, ns | {fanout:.3f} | {delays.fanout_delay_ns} |")
    print(f"| per square root of the LUTs, ns | {span:.4f} | {delays.span_delay_ns} |")
    kinds: dict[str, list[float]] = defaultdict(list)
    for routed in fitted:
        ends = 2  # hops into and out of a chain
        chains = sum(kind == "carry entry" for kind, _ in routed.cells) / ends or 1.0
        for kind in {kind for kind, _ in routed.cells} & {"register", "carry entry"}:
            total = sum(delay for other, delay in routed.cells if other == kind)
            kinds[kind].append(total / chains if kind == "carry entry" else total)
        for kind, delay in routed.cells:
            if kind not in ("register", "carry entry"):
                kinds[kind].append(delay)
    stated = {
        "register": delays.register_delay_ns, "lut": delays.lut_delay_ns, "mux": delays.mux_delay_ns,
        "carry bit": delays.carry_delay_ns_per_bit,
        "carry entry": delays.carry_entry_delay_ns + delays.lut_delay_ns * (family.target != "ice40"),
    }  # fmt: skip
    for kind, found in sorted(kinds.items()):
        print(f"| {kind}, mean of {len(found)}, ns | {np.mean(found):.3f} | {stated[kind] or 0:.3g} |")
    print("\n| nodes | inputs | registers after | routed, MHz | model, MHz | error | |\n|" + " --- |" * 7)
    for case, found in runs.items():
        if found:
            routed_mhz = float(np.mean([routed.fmax_mhz for routed in found]))
            model = estimate_mhz(case, target)
            print(
                f"| 2 x {case.nodes} | {case.n} | {case.pipeline} | {routed_mhz:.0f} | {model:.0f} | "
                f"{100 * (model / routed_mhz - 1):+.0f} % | {'fitted' if case.fitted else 'not fitted'} |"
            )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
