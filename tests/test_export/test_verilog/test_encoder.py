"""The printed encoder: plain lookups and Xilinx instances give what the netlist says, and errors in them show."""

from __future__ import annotations

import re
from pathlib import Path

import icarus
import numpy as np
import pytest
from edited_designs import edited
from icarus import check_cycles
from netlists import codes_for

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.families.registry import FAMILIES
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.verilog.netlist import emit


def encoding(signed: bool = False) -> Netlist:
    """Features with one to six thresholds; the comparators' order is not that of the LUTs."""
    form = InputFormat(8, 8, signed)
    found = [[1], [1, 100], [1, 3, 200], [128], [32], [64], [1], [1, 35, 70, 105, 140, 183]]
    builder = NetlistBuilder("encoding", form)
    features = [feature for feature, thresholds in enumerate(found) for _ in thresholds]
    thresholds = np.concatenate(found) + form.lowest
    nets = builder.add_comparators(features[::-1], thresholds[::-1])
    return assign_stages(builder.finish(nets[:, None]))


def every_code(netlist: Netlist) -> np.ndarray:
    form = netlist.input
    every = np.arange(form.lowest, form.highest + 1)
    return np.stack([np.roll(every, 31 * feature) for feature in range(form.features)], axis=1)


@pytest.mark.parametrize("family", ["generic", "xc7", "xcup", "ice40"])
@pytest.mark.parametrize("signed", [False, True])
def test_every_code_of_every_feature_in_simulation(family: str, signed: bool, tmp_path: Path) -> None:
    netlist = encoding(signed)
    check_cycles(netlist, every_code(netlist), tmp_path, family=FAMILIES[family])


def test_instances_are_as_many_as_the_plan_says() -> None:
    netlist = encoding()
    text = emit(netlist, FAMILIES["xcup"]).files["encoding_encoder.v"]
    plan = plan_encoder(netlist, FAMILIES["xcup"])
    assert len(re.findall(r"^  LUT6(?:_2)? #", text, re.MULTILINE)) == plan.luts
    assert len(re.findall(r"\.(?:O|O5|O6)\(", text)) == plan.cells
    assert f"{plan.luts} LUTs in {plan.levels} levels" in text


def one_feature(family: str) -> str:
    """What the encoder of two comparisons computes, as text without the head of the module."""
    builder = NetlistBuilder("two", InputFormat(1, 8))
    netlist = assign_stages(builder.finish(builder.add_comparators([0, 0], [1, 100])[:, None]))
    text = emit(netlist, FAMILIES[family]).files["two_encoder.v"]
    return text[text.index("wire unused_codes") :].partition("\n\n")[2]


def test_one_feature_as_lookups() -> None:
    assert (
        one_feature("generic")
        == """\
  localparam [7:0] T0 = 8'hfe;
  localparam [63:0] T1 = 64'hfffffffffe000000;
  localparam [63:0] T2 = 64'hfffffffffffffffe;

  wire [1:0] lut0_0 = {
      T1[in_codes[7:2]],
      T0[in_codes[2:0]]
  };

  wire [0:0] lut1_0 = {
      T2[{in_codes[7:3], lut0_0[0]}]
  };

  always @(posedge clk) begin
    out_bits[1:0] <= {
      lut0_0[1],
      lut1_0[0]
    };
  end
endmodule
"""
    )


def test_one_feature_as_instances() -> None:
    """Five lower bits tell both comparisons of them, and these and the upper three bits both outputs."""
    low = ", ".join(f".I{i}(in_codes[{i}])" for i in range(5))
    high = ".I0(lut0_0[0]), .I1(in_codes[5]), .I2(in_codes[6]), .I3(in_codes[7]), .I4(lut0_0[1])"
    assert one_feature("xcup").split("\n  always")[0] == (
        "  wire [1:0] lut0_0;\n"
        f"  LUT6_2 #(.INIT(64'hfffffffefffffff0)) cell0 (.O6(lut0_0[0]), .O5(lut0_0[1]), {low}, .I5(1'b1));\n\n"
        "  wire [1:0] lut1_0;\n"
        f"  LUT6_2 #(.INIT(64'hfffefffeffc0ff00)) cell2 (.O6(lut1_0[0]), .O5(lut1_0[1]), {high}, .I5(1'b1));\n"
    )


@pytest.mark.parametrize("family", ["generic", "xcup"])
def test_a_flipped_table_bit_is_noticed(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netlist, target = encoding(), FAMILIES[family]
    design = emit(netlist, target)
    name = "encoding_encoder.v"
    text = design.files[name]
    # Address 0 of the first LUT, all code bits 0, occurs.
    position = re.search(r"(?:T0 = |INIT\()\d+'h([0-9a-f]+)", text)
    assert position is not None
    digit = position.end(1) - 1
    design = edited(design, {name: text[:digit] + f"{int(text[digit], 16) ^ 1:x}" + text[digit + 1 :]})
    monkeypatch.setattr(icarus, "emit", lambda *_, **__: design)
    with pytest.raises(AssertionError, match="at edge"):
        check_cycles(netlist, np.concatenate([every_code(netlist), codes_for(netlist, 50)]), tmp_path, family=target)
