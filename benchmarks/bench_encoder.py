"""The encoder in hardware: LUTs by plan and by Yosys, against plain comparisons.

    python benchmarks/bench_encoder.py [--model NAME] [--flow xcup|ice40|ecp5] [--style TEXT]

Of each zoo model the encoder module alone is synthesised, once written as `code >= constant`
and once as the plan that is emitted for the family. A dual-output LUT counts once. Seconds are wall time of Yosys.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from difflut.export.circuit.netlist import Netlist
from difflut.export.families.registry import find_family
from difflut.export.frontend.trace import trace
from difflut.export.passes.pipelines import run
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.verilog import names
from difflut.export.verilog.netlist import emit
from difflut.models import get_model

MODELS = ("mnist_fc_8k_dwn", "mnist_fc_8k_linear")
FLOWS = {
    "xcup": "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top encoder",
    "ice40": "synth_ice40 -flatten -top encoder",
    "ecp5": "synth_ecp5 -flatten -top encoder",
}


def comparisons(netlist: Netlist) -> str:
    """The encoder as anybody would write it."""
    form = netlist.input
    low = netlist.compare_threshold.astype(np.int64) - form.lowest
    rows = [
        f"  out_bits[{i}] <= in_codes[{form.width_bits * feature} +: {form.width_bits}] >= "
        f"{names.literal(threshold, form.width_bits)};"
        for i, (feature, threshold) in enumerate(zip(netlist.compare_feature.tolist(), low.tolist(), strict=True))
    ]
    ports = f"input clk, input [{form.features * form.width_bits - 1}:0] in_codes, "
    ports += f"output reg [{netlist.comparators - 1}:0] out_bits"
    return "\n".join([f"module encoder ({ports});", "always @(posedge clk) begin", *rows, "end", "endmodule", ""])


def planned(netlist: Netlist, family: str) -> str:
    """The encoder module of the emitted design."""
    design = emit(netlist, find_family(family))
    return design.files[f"{design.top}_encoder.v"].replace(f"module {design.top}_encoder", "module encoder")


def synthesised(source: str, flow: str) -> tuple[int, int, float]:
    """LUTs, carry cells and seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "encoder.v").write_text(source)
        (folder / "script.ys").write_text(f"read_verilog encoder.v\n{flow}\ntee -q -o stat.json stat -json\n")
        program = "from pyosys import libyosys; libyosys.run_pass('script script.ys', libyosys.Design())"
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        cells = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    luts = sum(
        number for kind, number in cells.items() if kind.lstrip("$\\").upper().startswith(("LUT", "SB_LUT", "INV"))
    )
    carries = sum(number for kind, number in cells.items() if "CARRY" in kind or "CCU2C" in kind)
    return luts, carries, seconds


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", choices=MODELS, action="append", help="may be repeated; default: both")
    parser.add_argument("--flow", choices=FLOWS, action="append", help="may be repeated; default: all")
    parser.add_argument("--style", default="", help="only styles that contain this text, such as 'plan'")
    options = parser.parse_args()
    print("| model | comparisons | Yosys flow | written as | LUTs by plan | levels | LUTs by Yosys | carry cells | s |")
    print("| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for name in options.model or MODELS:
        netlist, _ = run(trace(get_model(name, pretrained=True)))
        for family in options.flow or FLOWS:
            flow = FLOWS[family]
            styles = {"comparisons": (comparisons(netlist), None)}
            for target in dict.fromkeys(("generic", family)):
                plan = plan_encoder(netlist, find_family(target))
                styles[f"plan for {target}"] = (planned(netlist, target), plan)
            for style, (source, plan) in styles.items():
                if options.style not in style:
                    continue
                luts, carries, seconds = synthesised(source, flow)
                counted = f"{plan.luts:,} | {plan.levels}" if plan else "| "
                print(
                    f"| {name} | {netlist.comparators} | {flow.split()[0]} | {style} | {counted} | {luts:,} | "
                    f"{carries} | {seconds:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
