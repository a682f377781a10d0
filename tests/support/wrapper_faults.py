"""Faults of emitted AXI wrappers that simulation shows and a proof must not overlook: what is replaced in which
file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

Edit = Callable[[Mapping[str, str], str], dict[str, str]]


class Fault(NamedTuple):
    """A fault.

    Attributes:
        claim: the claim about the wrapper that it makes false; empty if the text is refused.
        edit: makes it, of the files of a build with a top module.
    """

    claim: str
    edit: Edit


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


def _dropped(part: str, pattern: str) -> Edit:
    return replaced(part, pattern, "")


_ALWAYS_VALID = replaced("_results", r"assign m_axis_tvalid = .*;", "assign m_axis_tvalid = 1'b1;")
_NEVER_READY = replaced("_frames", r"assign s_axis_tready = .*;", "assign s_axis_tready = 1'b0;")
_OUTSTANDING = r"begin\n    if \(!aresetn\) begin\n      outstanding"
_PROT = r"^    input wire \[2:0\] s_axil_arprot"
_FIRST_WIRE = r"^  wire available,"

# What is wrong whatever the width and the framing
FAULTS: dict[str, Fault] = {
    "core clocked by the other edge": Fault("wrapper", replaced("", r"\.clk\(aclk\)", ".clk(~aclk)")),
    "frames at the falling edge": Fault("wrapper", replaced("_frames", "posedge", "negedge")),
    "results at the falling edge": Fault("wrapper", replaced("_results", "posedge", "negedge")),
    "registers at the falling edge": Fault("wrapper", replaced("_registers", "posedge", "negedge")),
    "asynchronous reset": Fault(
        "wrapper",
        replaced("_results", rf"@\(posedge aclk\) (?={_OUTSTANDING})", "@(posedge aclk or negedge aresetn) "),
    ),
    "two drivers": Fault("wrapper", replaced("", "^endmodule", "  assign m_axis_tvalid = s_axis_tvalid;\nendmodule")),
    "a constant driver": Fault("", replaced("", "^endmodule", "  assign m_axis_tvalid = 1'b1;\nendmodule")),
    "other text for other tools": Fault(
        "wrapper", replaced("_results", "^endmodule", "`ifdef YOSYS\n`endif\nendmodule")
    ),
    "an assumption in the text": Fault("", replaced("", "^endmodule", "  always @* assume(1'b0);\nendmodule")),
    "port missing": Fault(
        "wrapper",
        both(
            _dropped("", _PROT + r",\n"),
            replaced("", _FIRST_WIRE, "  wire [2:0] s_axil_arprot = 3'd0;\n  wire available,"),
        ),
    ),
    "port too many": Fault(
        "wrapper", replaced("", r"^    input wire aclk,", "    input wire spare,\n    input wire aclk,")
    ),
    "port narrow": Fault("wrapper", replaced("", _PROT, "    input wire [1:0] s_axil_arprot")),
    "unit's port narrow": Fault("wrapper", replaced("_registers", _PROT, "    input wire [1:0] s_axil_arprot")),
    "core not reset": Fault("streams", replaced("", r"\.rst\(~aresetn\)", ".rst(1'b0)")),
    "never ready": Fault("streams", _NEVER_READY),
    "never a result": Fault("streams", replaced("_results", r"stored <= stored \+", r"stored <= 1'b0 & stored +")),
    "always valid": Fault("streams", _ALWAYS_VALID),
    "always valid behind a comment": Fault("streams", both(_ALWAYS_VALID, _end_of_module)),
}

# The register block, which is the same for all framings
REGISTER_FAULTS: dict[str, Edit] = {
    "read data inverted": _put_between("s_axil_rdata", "31", "~inner"),
    "never ready": replaced("_registers", r"assign s_axil_arready = .*;", "assign s_axil_arready = 1'b0;"),
    "write while one is held": replaced("_registers", r"running & ~address_held;", "running;"),
    "data while some are held": replaced("_registers", r"running & ~data_held;", "running;"),
    "cleared without CONTROL": replaced("_registers", r"address_known & clear_asked;", "clear_asked;"),
    "cleared without the strobe": replaced("_registers", r"s_axil_wdata\[0\] & s_axil_wstrb\[0\]", "s_axil_wdata[0]"),
    "latency one too many": replaced("_registers", r"latency_1 <= 3'd1;", "latency_1 <= 3'd2;"),
    "latency of the frame before": replaced("_registers", r": pending\) - ", ": pending) + "),
    "latency never measured": replaced("_registers", r"second \^ \(measured", "second ^ (1'b0"),
    "measured through a clear": replaced("_registers", r"measuring <= aresetn & ~clear &", "measuring <= aresetn &"),
    "results not counted": replaced("_registers", r"results_event = result_sent;", "results_event = 1'b0;"),
    "counters swapped": replaced("_registers", r"turn\[4:1\]\}", "{turn[4:3], turn[1], turn[2]}}"),
    "a carry lost": replaced("_registers", r"\(turn\[3\] & dropped_long_carry\) \| ", ""),
    "a carry twice": replaced("_registers", r"\(results_carry & ~turn\[1\]\)", "results_carry"),
    "an event at the turn lost": replaced(
        "_registers", r"\(frames_event & frames == 3'd7\)", "(frames_event & frames == 3'd7 & ~turn[0])"
    ),
    "the latency before it not forgotten": _dropped("_registers", r"      if \(stale\) ring_5 <= 29'd0;\n"),
    "a read of the one that measures": replaced("_registers", r"\{second \? ", "{~second ? "),
    "low bits of another turn": replaced("_registers", r"low_behind <= low;", "low_behind <= frames;"),
    "a ring that is short": replaced("_registers", r"ring_2 <= ring_3;", "ring_2 <= ring_4;"),
    "a counter kept through a clear": _dropped("_registers", r"      ring_4 <= 29'd0;\n"),
    "an address that moves": replaced("_registers", r"if \(s_axil_arready\) begin", "begin"),
}


def faults_of_width(width: int, result_bits: int) -> dict[str, Fault]:
    """What is wrong in how data are connected, for TDATA of `width` bits and results of more than one bit."""
    half = width // 2
    swapped = f"{{s_axis_tdata[{half - 1}:0], s_axis_tdata[{width - 1}:{half}]}}"
    rotated = f"{{out_result[0], out_result[{result_bits - 1}:1]}}"
    constant = replaced("_frames", r"assign (out_codes\S*(?: \+: \d+\])?) = .*;", r"assign \1 = 1'b1;")
    return {
        "data inverted": Fault("results", _put_between("m_axis_tdata", str(width - 1), "~inner")),
        "results rotated": Fault("results", replaced("", r"\.in_result\(out_result\)", f".in_result({rotated})")),
        "data swapped": Fault("frames", replaced("", r"\.s_axis_tdata\(s_axis_tdata\)", f".s_axis_tdata({swapped})")),
        "codes constant": Fault("frames", constant),
        "never ready": Fault("streams", _NEVER_READY),
    }
