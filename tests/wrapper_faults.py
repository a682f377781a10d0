"""Faults of emitted AXI wrappers that simulation shows and a proof must not overlook: what is replaced in which file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Edit = Callable[[Mapping[str, str], str], dict[str, str]]


def replaced(part: str, old: str, new: str) -> Edit:
    """One text of the file of a part by another; `old` is a pattern that must be found."""

    def edit(files: Mapping[str, str], top: str) -> dict[str, str]:
        name = f"{top}{part}.v"
        text, count = re.subn(old, new, files[name], flags=re.MULTILINE)
        assert count and text != files[name], f"{old!r} does not change {name}"
        return {**files, name: text}

    return edit


def both(first: Edit, second: Edit) -> Edit:
    """One edit after the other."""
    return lambda files, top: second(first(files, top), top)


def _end_of_module(files: Mapping[str, str], top: str) -> dict[str, str]:
    wrapper = [f"{top}{part}.v" for part in ("", "_frames", "_results", "_registers")]
    return {**files, **{name: f"{files[name]}/* endmodule */\n" for name in wrapper}}


def _put_between(output: str, width: str, expression: str) -> Edit:
    """An output of the top that is not what its unit gives, but an expression of `inner`."""
    connected = replaced("", rf"\.{output}\({output}\)", f".{output}(inner)")
    declared = f"  wire [{width}:0] inner;\n  assign {output} = {expression};\n"
    return both(connected, replaced("", r"^  wire available,", declared + "  wire available,"))


# What is wrong whatever the width and the framing
FAULTS: dict[str, Edit] = {
    "read data inverted": _put_between("s_axil_rdata", "31", "~inner"),
    "core clocked by the other edge": replaced("", r"\.clk\(aclk\)", ".clk(~aclk)"),
    "core not reset": replaced("", r"\.rst\(~aresetn\)", ".rst(1'b0)"),
    "frames at the falling edge": replaced("_frames", "posedge", "negedge"),
    "results at the falling edge": replaced("_results", "posedge", "negedge"),
    "registers at the falling edge": replaced("_registers", "posedge", "negedge"),
    "asynchronous reset": replaced(
        "_results", r"@\(posedge aclk\) begin\n    if \(!aresetn\) begin\n      outst", r"@(posedge aclk or negedge aresetn) begin\n    if (!aresetn) begin\n      outst"
    ),
    "never ready": replaced("_frames", r"assign s_axis_tready = .*;", "assign s_axis_tready = 1'b0;"),
    "registers never ready": replaced("_registers", r"assign s_axil_arready = .*;", "assign s_axil_arready = 1'b0;"),
    "never a result": replaced("_results", r"stored <= stored \+", r"stored <= 1'b0 \& stored +"),
    "always valid": replaced("_results", r"assign m_axis_tvalid = .*;", "assign m_axis_tvalid = 1'b1;"),
    "always valid behind a comment": both(
        replaced("_results", r"assign m_axis_tvalid = .*;", "assign m_axis_tvalid = 1'b1;"), _end_of_module
    ),
    "two drivers": replaced("", "^endmodule", "  assign m_axis_tvalid = 1'b1;\nendmodule"),
    "an assumption in the text": replaced("", "^endmodule", "  always @* assume(1'b0);\nendmodule"),
    "other text for other tools": replaced("_results", "^endmodule", "`ifdef YOSYS\n`endif\nendmodule"),
    "port missing": both(
        replaced("", r"^    input wire \[2:0\] s_axil_arprot,\n", ""),
        replaced("", r"^  wire available,", "  wire [2:0] s_axil_arprot = 3'd0;\n  wire available,"),
    ),
    "port too many": replaced("", r"^    input wire aclk,", "    input wire spare,\n    input wire aclk,"),
    "port narrow": replaced("", r"^    input wire \[2:0\] s_axil_arprot", "    input wire [1:0] s_axil_arprot"),
    "unit's port narrow": replaced("_registers", r"^    input wire \[2:0\] s_axil_arprot", "    input wire [1:0] s_axil_arprot"),
    "write while one is held": replaced("_registers", r"running & ~address_held;", "running;"),
    "data while some are held": replaced("_registers", r"running & ~data_held;", "running;"),
    "cleared without CONTROL": replaced("_registers", r"address_known & clear_asked", "clear_asked"),
    "cleared without the strobe": replaced("_registers", r"s_axil_wdata\[0\] & s_axil_wstrb\[0\]", "s_axil_wdata[0]"),
    "latency one too many": replaced("_registers", r"cycles <= 32'd1;", "cycles <= 32'd2;"),
    "latency of the frame before": replaced("_registers", r"ahead <= pending - ", "ahead <= pending + "),
    "latency never measured": replaced("_registers", r"last_latency <= cycles", "last_latency <= last_latency"),
    "results not counted": replaced("_registers", r"results <= results \+ \{31'd0, result_sent\};", ""),
    "counters swapped": replaced("_registers", r"s_axil_rdata <= dropped_short;", "s_axil_rdata <= dropped_long;"),
}  # fmt: skip


def faults_of_width(width: int, result_bits: int) -> dict[str, Edit]:
    """What is wrong in how data are connected, for TDATA of `width` bits and results of `result_bits` bits."""
    half = width // 2
    swapped = f"{{s_axis_tdata[{half - 1}:0], s_axis_tdata[{width - 1}:{half}]}}"
    rotated = f"{{out_result[0], out_result[{result_bits - 1}:1]}}"
    found = {
        "data inverted": _put_between("m_axis_tdata", str(width - 1), "~inner"),
        "data swapped": replaced("", r"\.s_axis_tdata\(s_axis_tdata\)", f".s_axis_tdata({swapped})"),
        "codes constant": replaced("_frames", r"assign (out_codes\S*(?: \+: \d+\])?) = .*;", r"assign \1 = 1'b1;"),
        "never ready": FAULTS["never ready"],
    }
    if result_bits > 1:
        found["results rotated"] = replaced("", r"\.in_result\(out_result\)", f".in_result({rotated})")
    return found
