"""The head in LUTs: what the plan says, and what Yosys makes of the emitted modules.

    python benchmarks/bench_head.py [--sizes 10 40 100 400 1000] [--targets generic xc7 xcup ice40 ecp5] [--argmax]

One row a group size and target: one counter with registers behind every level. A LUT6_2 counts as one LUT. `generic` is
synthesised by `synth_xilinx -family xcup`. With --argmax: ten groups of 400, the argmax module alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from difflut.export.circuit.netlist import Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.families.registry import find_family
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.head.cost import selection_luts
from difflut.export.schedule.head.outputs import Outputs, parse_outputs
from difflut.export.verilog.netlist import emit

XILINX = "synth_xilinx -family {family} -flatten -noiopad -noclkbuf -top {top}"
SYNTHESIS = {
    "generic": XILINX.replace("{family}", "xcup"),
    "xc7": XILINX.replace("{family}", "xc7"),
    "xcup": XILINX.replace("{family}", "xcup"),
    "ice40": "synth_ice40 -flatten -top {top}",
    "ecp5": "synth_ecp5 -flatten -top {top}",
}


def counting(sizes: list[int]) -> Netlist:
    """One bit per feature, straight into groups of the given sizes."""
    total = sum(sizes)
    builder = NetlistBuilder("head", InputFormat(total, 1))
    nets = builder.add_comparators(np.arange(total), np.full(total, 1))
    return assign_stages(builder.finish(Head(np.cumsum([0, *sizes]), nets)))


def cells(files: dict[str, str], top: str, synthesis: str) -> dict[str, int]:
    """The cells that Yosys makes of the module `top`, by type."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text)
        script = [f"read_verilog {file}" for file in files if not file.endswith("_encoder.v")]
        script += [f"hierarchy -top {top}", synthesis.format(top=top), "tee -q -o stat.json stat -json"]
        (folder / "script.ys").write_text("\n".join(script))
        program = "from pyosys import libyosys; libyosys.run_pass('script script.ys', libyosys.Design())"
        done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"Yosys failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        modules = json.loads((folder / "stat.json").read_text())["modules"]
        counts: dict[str, int] = modules[f"\\{top}"]["num_cells_by_type"]
        return counts


def luts(counts: dict[str, int]) -> int:
    """LUTs of any size; inverters that Yosys leaves apart are in front of registers' data and count as LUTs too."""
    return sum(count for cell, count in counts.items() if cell.startswith(("LUT", "SB_LUT", "INV")))


def carries(counts: dict[str, int]) -> int:
    """Carry primitives."""
    return sum(count for cell, count in counts.items() if cell in ("CARRY4", "CARRY8", "SB_CARRY", "CCU2C"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 40, 100, 400, 1000])
    parser.add_argument("--targets", nargs="+", choices=SYNTHESIS, default=list(SYNTHESIS))
    parser.add_argument("--argmax", action="store_true", help="measure the argmax of ten groups of 400 instead")
    options = parser.parse_args()
    if options.argmax:
        print(
            "| target | outputs | levels | LUTs, plan | LUTs, Yosys | carries |\n"
            "| --- | --- | ---: | ---: | ---: | ---: |"
        )
        for name in options.targets:
            for text in ("both", "class", "top-3"):
                outputs: Outputs = parse_outputs(text, 10)
                design = emit(counting([400] * 10), find_family(name), outputs=outputs)
                counts = cells(design.files, "head_argmax", SYNTHESIS[name])
                planned = selection_luts(design.head, find_family(name))
                print(f"| {name} | {text} | {len(design.head.selection.levels)} | {planned} | {luts(counts)} | "
                      f"{carries(counts)} |", flush=True)  # fmt: skip
        return
    print("| bits | target | levels | LUTs, plan | LUTs, Yosys | LUTs a bit, Yosys | carries |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for size in options.sizes:
        for name in options.targets:
            design = emit(counting([size]), find_family(name))
            plan = design.head.counters[size]
            counts = cells(design.files, f"head_count{size}", SYNTHESIS[name])
            print(
                f"| {size} | {name} | {len(plan.levels)} | {plan.luts} | {luts(counts)} | {luts(counts) / size:.2f} "
                f"| {carries(counts)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
