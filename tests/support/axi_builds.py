"""A small network behind AXI4-Streams of several shapes, and broken variants of its wrapper."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from small_models import Chain, fitted

from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.interfaces.framing import Stream
from difflut.input_format import InputFormat

MODEL = "axi_builds:Signed"


class Signed(Chain):
    """Six signed codes of 12 bits, two bytes each."""

    def __init__(self) -> None:
        super().__init__(6, classes=4, input_format=InputFormat(12, True, 8.0))


# Beats of a frame and of a result, and credits: 12, 4, 1; 6, 1, 2; 3, 1, 3; 1, 1, 7.
SHAPES = {
    "narrow": Stream(8, "scores"),
    "class": Stream(16, "class"),
    "wide": Stream(32, "scores"),
    "one beat": Stream(512, "scores"),
}

# Other registers than all.
REGISTERS = {"identity": Stream(8, "class", "identity"), "none": Stream(8, "class", "none")}

# What is wrong -> file, text, replacement. Every one changes what a stream or register shows; see the tests.
FAULTS = {
    "valid falls": (
        "results",
        "assign m_axis_tvalid = stored != ",
        "reg blink;\n  always @(posedge aclk) blink <= m_axis_tready;\n  assign m_axis_tvalid = blink & stored != ",
    ),
    "data change": ("results", "assign head = result;", "assign head = result ^ {4{m_axis_tready, 1'b0}};"),
    "swapped lanes": ("results", "packed_result[7:0] = {6'd0, head[1:0]}", "packed_result[7:0] = {6'd0, head[3:2]}"),
    "padding not zero": ("results", "packed_result[7:0] = {6'd0, head[1:0]}", "packed_result[7:0] = {6'd1, head[1:0]}"),
    "result one beat short": ("results", "assign m_axis_tlast = beat == 2'd3;", "assign m_axis_tlast = beat == 2'd2;"),
    "result kept after a reset": ("results", "stored <= 1'd0;\n", ""),
    "one result too many": ("results", "assign available = outstanding != 1'd1;", "assign available = 1'b1;"),
    "frame one beat short": ("frames", "wire at_end = beat == 4'd11;", "wire at_end = beat == 4'd10;"),
    "early TLAST ignored": ("frames", "beat <= dropping | at_end | s_axis_tlast ?", "beat <= dropping | at_end ?"),
    "missing TLAST ignored": (
        "frames",
        "full <= (take & ~dropping & at_end & s_axis_tlast)",
        "full <= (take & ~dropping & at_end)",
    ),
    "no resynchronisation": ("frames", "dropping <= (dropping | at_end) & ~s_axis_tlast;", "dropping <= 1'b0;"),
    "beats lost under stalls": ("frames", "if (shift) frame <=", "if (shift & available) frame <="),
    "codes one beat late": ("frames", "shift <= take;", "shift <= take & ~full;"),
    "ready stuck": (
        "frames",
        "assign s_axis_tready = running & (~full | available);",
        "assign s_axis_tready = running & (~full | available) & ~dropping;",
    ),
    "wrong identity": ("registers", "32'h444c5554", "32'h444c5555"),
    "a counter that does not count": ("registers", "dropped_short_event = frame_short;", "dropped_short_event = 1'b0;"),
    "unknown address accepted": ("registers", "unknown ? SLVERR : OKAY", "OKAY"),
}


@cache
def axi_build(shape: str = "narrow", seed: int = 0) -> Build:
    """The build of a shape."""
    return make_build(
        fitted(Signed(), seed), interface="axi-stream", stream=(SHAPES | REGISTERS)[shape], pipeline="levels"
    )


def broken(fault: str) -> Build:
    """The narrow build with a fault, digests and all."""
    made = axi_build("narrow")
    part, old, new = FAULTS[fault]
    name = f"rtl/chain_{part}.v"
    text = made.text(name)
    assert text.count(old) == 1, f"{fault}: {old!r} occurs {text.count(old)} times in {name}"
    return Build.of(made.info, {**made.files, name: text.replace(old, new).encode()})


def rtl(made: Build) -> dict[str, str]:
    """File name -> text of the RTL."""
    return {Path(name).name: made.text(name) for name in made.files if name.startswith("rtl/")}
