"""A cycle-exact run of an emitted design in Icarus, and what the netlist says that each cycle must show."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tools import require_tool

from difflut.export.circuit.netlist import FIRST_NET, InputFormat, Netlist
from difflut.export.circuit.simulate import simulate, simulate_nets
from difflut.export.verilog.design import Design
from difflut.export.verilog.netlist import emit

_TESTBENCH = """\
module testbench;
  reg clk = 0, rst, in_valid;
  reg [{codes_msb}:0] in_codes;
  reg [{codes_msb} + 2:0] stimulus [0:{edges} - 1];
  wire out_valid;
{wires}
  {top} dut (.clk(clk), .rst(rst), .in_valid(in_valid), .in_codes(in_codes),
             .out_valid(out_valid){ports});
  integer edge_number;
  initial begin
    $readmemh("stimulus.hex", stimulus);
    for (edge_number = 0; edge_number < {edges}; edge_number = edge_number + 1) begin
      {{rst, in_valid, in_codes}} = stimulus[edge_number];
      #1 $display("%b{formats}", out_valid{signals});
      clk = 1;
      #1 clk = 0;
    end
  end
endmodule
"""

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Trace:
    """What Icarus printed just before each rising edge, as strings of 0, 1 and x, most significant bit first."""

    valid: list[str]
    outputs: dict[str, list[str]]
    probes: list[list[str]]


def write(design: Design, folder: Path) -> list[Path]:
    """Write the files of a design and return their paths."""
    files = {**design.files, **design.models}
    paths = [folder / name for name in sorted(files)]
    for path in paths:
        path.write_text(files[path.name], encoding="ascii")
    return paths


def port_widths(design: Design) -> dict[str, int]:
    """The output ports of a design that carry results, and their widths."""
    head = design.head
    widths = {}
    if head.outputs.scores:
        widths["out_scores"] = len(head.sizes) * head.score_bits
    if head.outputs.best:
        widths["out_class"] = max(1, len(head.selection.ranks)) * head.class_bits
    if head.outputs.top:
        widths["out_top"] = head.outputs.top * head.class_bits
    return widths


def run(
    design: Design,
    netlist: Netlist,
    rst: Bits,
    valid: Bits,
    codes: npt.NDArray[np.int64],
    folder: Path,
) -> Trace:
    """Drive one row of rst, valid, codes before each rising edge."""
    form, widths = netlist.input, port_widths(design)
    stimulus = [
        (int(r) << 1 | int(v)) << form.features * form.width_bits | packed(form, row)
        for r, v, row in zip(rst, valid, codes, strict=True)
    ]
    (folder / "stimulus.hex").write_text("\n".join(f"{word:x}" for word in stimulus))
    bench = folder / "testbench.v"
    bench.write_text(
        _TESTBENCH.format(
            top=design.top,
            codes_msb=form.features * form.width_bits - 1,
            wires="\n".join(f"  wire [{width - 1}:0] {port};" for port, width in widths.items()),
            ports="".join(f", .{port}({port})" for port in widths),
            edges=len(codes),
            formats=" %b" * (len(widths) + len(design.probes)),
            signals="".join([f", {port}" for port in widths] + [f", dut.{probe.signal}" for probe in design.probes]),
        )
    )
    sources = [str(path) for path in [*write(design, folder), bench]]
    compiled = call(require_tool("iverilog"), "-g2001", "-Wall", "-o", "simulation", *sources, folder=folder)
    remarks = [line for line in compiled.splitlines() if "timescale" not in line]
    assert not remarks, remarks
    rows = [line.split() for line in call(require_tool("vvp"), "-n", "simulation", folder=folder).splitlines()]
    columns = list(zip(*rows, strict=True))
    outputs = {port: list(column) for port, column in zip(widths, columns[1:], strict=False)}
    return Trace(list(columns[0]), outputs, [list(column) for column in columns[1 + len(widths) :]])


def packed(form: InputFormat, row: npt.NDArray[np.int64]) -> int:
    """The value of the port in_codes."""
    mask = (1 << form.width_bits) - 1
    return sum((int(code) & mask) << form.width_bits * i for i, code in enumerate(row))


def call(*command: str, folder: Path) -> str:
    """Run a tool that must succeed and return all that it prints."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def binary(values: Any, width_bits: int) -> str:
    """Numbers, the first least significant, as one string of bits."""
    return "".join(f"{int(value):0{width_bits}b}" for value in reversed(values))


def check_cycles(netlist: Netlist, codes: npt.NDArray[np.int64], folder: Path, seed: int = 0, **options: Any) -> Design:
    """Emit `netlist`, run it with bubbles, and compare every output and probe in every cycle with `simulate`.

    Each clock edge gets codes, valid or not, so the data path is compared in every cycle. `options` are those of
    `emit`.
    """
    design = emit(netlist, **options)
    latency, edges = design.latency_cycles, len(codes)
    rst = np.arange(edges) < latency
    valid = np.random.default_rng(seed).random(edges) < 0.6
    trace = run(design, netlist, rst, valid, codes, folder)
    outputs, nets = simulate(netlist, codes), simulate_nets(netlist, codes)
    head = design.head
    for edge in range(latency, edges):
        taken = edge - latency
        scores = outputs.scores[taken]
        ranking = sorted(range(len(scores)), key=lambda k: (-scores[k], k))
        expected = {
            "out_scores": binary(scores, head.score_bits),
            "out_class": binary(outputs.classes[taken : taken + 1], netlist.head.class_word_bits),
            "out_top": binary(ranking[: head.outputs.top], head.class_bits),
        }
        assert trace.valid[edge] == str(int(valid[taken] and not rst[taken])), f"valid at edge {edge}"
        for port, column in trace.outputs.items():
            assert column[edge] == expected[port], f"{port} at edge {edge}"
    for probe, column in zip(design.probes, trace.probes, strict=True):
        for edge in range(probe.stage_cycles, edges):
            assert column[edge] == binary(nets[edge - probe.stage_cycles, probe.nets], 1), f"{probe.signal} at {edge}"
    probed = np.sort(np.concatenate([np.zeros(0, np.int64), *(probe.nets for probe in design.probes)]))
    np.testing.assert_array_equal(probed, np.arange(FIRST_NET, netlist.nets))
    return design
