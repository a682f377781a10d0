"""Integer filters in hardware: LUTs of the kernels that difflut makes, against sums and comparisons of words.

    python benchmarks/bench_filters.py [--flow xcup|ice40|ecp5]

A kernel of one channel with 8-bit codes is synthesised by Yosys, registers at its ends only: as the LUTs of the kernel
after difflut's passes for the family, and as anybody would write it, a sum of products and comparisons, of which Yosys
makes carry chains.
"""

from __future__ import annotations

import argparse

import numpy as np
from bench_encoder import FLOWS, synthesised

from difflut.encoders import KERNELS
from difflut.export.circuit.analysis import levels
from difflut.export.circuit.filter_kernel import filter_kernel
from difflut.export.circuit.netlist import InputFormat, Netlist
from difflut.export.families.registry import find_family
from difflut.export.passes import pipelines

WIDTH = 8
THRESHOLDS = (-64, -31, 31, 64)


def words(weights: np.ndarray) -> str:
    """The sum and its comparisons on signed words that no sum overflows."""
    taps = np.flatnonzero(weights).tolist()
    bits = int(np.abs(weights).sum() * 255).bit_length() + 1
    terms = [
        f"{'-' if weights.flat[tap] < 0 else '+'} {bits}'sd{abs(int(weights.flat[tap]))} * $signed({{1'b0, code{tap}}})"
        for tap in taps
    ]
    rows = [f"reg [{WIDTH - 1}:0] code{tap};" for tap in taps]
    rows += ["always @(posedge clk) begin", *(f"code{tap} <= in_codes[{WIDTH * tap} +: {WIDTH}];" for tap in taps)]
    for place, threshold in enumerate(THRESHOLDS):
        sign = "-" if threshold < 0 else ""
        rows.append(f"out_bits[{place}] <= sum >= {sign}{bits}'sd{abs(threshold)};")
    rows += ["end", f"wire signed [{bits - 1}:0] sum = {' '.join(terms)};"]
    return _module(weights.size, rows)


def looked_up(kernel: Netlist) -> str:
    """The kernel, a table a LUT."""
    area = kernel.input.features // WIDTH
    used = sorted({int(feature) for feature in kernel.compare_feature})
    rows = [f"reg code{feature};" for feature in used]
    rows += ["always @(posedge clk) begin"]
    rows += [f"code{f} <= in_codes[{WIDTH * (f % area) + f // area}];" for f in used]
    rows += [f"out_bits[{place}] <= n{net};" for place, net in enumerate(kernel.head.nets.tolist())]
    rows += ["end", "wire n0 = 1'b0; wire n1 = 1'b1;"]
    rows += [f"wire n{2 + cell} = code{feature};" for cell, feature in enumerate(kernel.compare_feature.tolist())]
    for lut in range(kernel.luts):
        fanin, net = kernel.fanin(lut).tolist(), kernel.first_lut_net + lut
        feeds = ", ".join(f"n{source}" for source in reversed(fanin))
        table = f"{1 << len(fanin)}'h{kernel.table(lut):x}"
        rows.append(f"localparam [{(1 << len(fanin)) - 1}:0] T{lut} = {table}; wire n{net} = T{lut}[{{{feeds}}}];")
    return _module(area, rows)


def _module(area: int, rows: list[str]) -> str:
    ports = f"input clk, input [{WIDTH * area - 1}:0] in_codes, output reg [{len(THRESHOLDS) - 1}:0] out_bits"
    return "\n".join([f"module encoder ({ports});", *rows, "endmodule", ""])


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--flow", choices=FLOWS, action="append", help="may be repeated; default: all")
    options = parser.parse_args()
    print("| kernel | Yosys flow | written as | LUTs of the netlist | levels | LUTs by Yosys | carry cells |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    for name in ("sobel_x", "sobel_y", "laplacian"):
        weights = np.array(KERNELS[name])
        traced = filter_kernel("kernel", InputFormat(1, WIDTH), weights[None, None], [(0, t) for t in THRESHOLDS])
        for family in options.flow or FLOWS:
            kernel = traced
            for step in pipelines.default(find_family(family)):
                kernel = pipelines.result_of(step, kernel).netlist
            depth = int(levels(kernel).max()) - 1
            for style, source, counted in (
                ("LUTs", looked_up(kernel), f"{kernel.luts} | {depth}"),
                ("words", words(weights), " | "),
            ):
                luts, carries, _ = synthesised(source, FLOWS[family])
                print(
                    f"| `{name}` | {FLOWS[family].split()[0]} | {style} | {counted} | {luts} | {carries} |", flush=True
                )


if __name__ == "__main__":
    main()
