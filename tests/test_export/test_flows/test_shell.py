"""The shell around a core: codes shifted in, results shifted out, in Icarus, against the netlist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from icarus import call
from small_models import Chain, fitted, random_codes
from tools import require_tool

from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate
from difflut.export.families.registry import placed_devices
from difflut.export.flows.shell import PINS, Shell, make_shell
from difflut.input_format import InputFormat

TESTBENCH = """\
module testbench;
  reg clk = 0, rst = 1, in_bit = 0, in_last = 0;
  wire out_bit, out_valid;
  reg [1:0] stimulus [0:{edges} - 1];
  {module} dut (.clk(clk), .rst(rst), .in_bit(in_bit), .in_last(in_last), .out_bit(out_bit), .out_valid(out_valid));
  integer edge_number;
  initial begin
    $readmemb("stimulus.bin", stimulus);
    for (edge_number = 0; edge_number < {edges}; edge_number = edge_number + 1) begin
      rst = edge_number < 30;
      {{in_last, in_bit}} = stimulus[edge_number];
      #1 $display("%b %b", out_valid, out_bit);
      clk = 1;
      #1 clk = 0;
    end
  end
endmodule
"""


def bits_of(values: np.ndarray, width: int) -> str:
    """Codes as bits in the order in which they are shifted."""
    return "".join(f"{int(value) % 2**width:0{width}b}"[::-1] for value in values)


def run(build: Build, shell: Shell, codes: np.ndarray, folder: Path) -> list[str]:
    """The bits that come out behind each out_valid."""
    width = build.info.input.width_bits
    out_bits = sum(bits for _, bits in shell.outputs)
    rows = ["01"] * 30  # during reset
    for row in codes:
        sent = bits_of(row[list(shell.features)], width)
        rows += [f"{int(last)}{bit}" for last, bit in zip([False] * (len(sent) - 1) + [True], sent, strict=True)]
        rows += ["01"] * out_bits  # codes of the next image must not come before the results of this one are out
    rows += ["01"] * (30 + out_bits)
    (folder / "stimulus.bin").write_text("\n".join(rows))
    (folder / "testbench.v").write_text(TESTBENCH.format(module=shell.module, edges=len(rows)))
    (folder / "shell.v").write_text(shell.text)
    sources = ["testbench.v", "shell.v"]
    for name, text in build.rtl.items():
        (folder / Path(name).name).write_text(text)
        sources.append(Path(name).name)
    printed = call(require_tool("iverilog"), "-g2001", "-Wall", "-Wno-timescale", "-o", "sim", *sources, folder=folder)
    assert not printed, printed
    lines = [line.split() for line in call(require_tool("vvp"), "-n", "sim", folder=folder).splitlines()]
    assert {valid for valid, _ in lines[30:]} == {"0", "1"}
    starts = [number for number, (valid, _) in enumerate(lines) if valid == "1"]
    return ["".join(bit for _, bit in lines[start : start + out_bits]) for start in starts]


@pytest.mark.parametrize(("outputs", "enable"), [("both", False), ("class", False), ("scores", True), ("top-2", False)])
def test_the_shell_gives_what_the_netlist_computes(tmp_path: Path, outputs: str, enable: bool) -> None:
    form = InputFormat(width_bits=5, signed=True, divisor=4.0) if outputs == "both" else None
    model = fitted(Chain(features=9, layers=((6, 2), (6, 2)), classes=3, input_format=form))
    build = make_build(model, outputs=outputs, clock_enable=enable)
    shell = make_shell(build)
    assert 0 < len(shell.features) < 9  # some codes are not read
    codes = random_codes(model, 5).numpy()
    found = run(build, shell, codes, tmp_path)
    expected = simulate(build.circuit.body, codes)
    ranking = np.argsort(-expected.scores, axis=1, kind="stable")[:, :2]
    output = build.info.output
    ports = {"scores": output.scores, "class": output.best, "top": output.top}
    widths = {name: port.width_bits for name, port in ports.items() if port is not None}
    values = {"scores": expected.scores, "class": expected.classes[:, None], "top": ranking}
    assert found == ["".join(bits_of(values[name][i], width) for name, width in widths.items()) for i in range(5)]


def test_only_codes_that_are_read_take_registers() -> None:
    model = fitted(Chain(features=9, layers=((6, 2), (6, 2)), classes=3))
    shell = make_shell(make_build(model))
    assert shell.in_bits == 8 * len(shell.features)
    assert shell.registers == shell.in_bits + 2 * sum(width for _, width in shell.outputs) + 3


def test_devices_that_need_places_name_one_for_every_pin() -> None:
    for _, placing, device in placed_devices():
        assert device.pins or placing.unconstrained
        if device.pins:
            assert set(device.pins) == set(PINS) and len(set(device.pins.values())) == len(PINS)
