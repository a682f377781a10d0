"""Wrong circuits by name: a build, and what is changed in which of its files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from convolutions import LONG, Plan, Stack, Step, made
from small_models import Chain, fitted

from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.schedule.forms import Folded

Change = tuple[str, str, str]  # file, text, replacement of its first occurrence

PLAN = Plan((2, 6, 5), (Step(4, (3, 3), padding=(1, 1), depth=2), Step(0, (2, 2), (2, 1))), read=(0, 2), bits=2)
_DENSE = "  stack_dense dense (\n"
_KERNEL = "  stack_kernel1 kernel (\n"
_FIRST = "  stack_map1 map1 (\n"

STREAMING: dict[str, Sequence[Change]] = {
    "scores rotated": [("stack", ".out_scores(out_scores)", ".out_scores({out_scores[0], out_scores[5:1]})")],
    "class inverted": [
        ("stack", ".out_class(out_class)", ".out_class(right)"),
        ("stack", _DENSE, "  wire [0:0] right;\n  assign out_class = ~right;\n" + _DENSE),
    ],
    "always valid": [
        ("stack", ".out_valid(out_valid)\n  );\nend", ".out_valid()\n  );\n  assign out_valid = 1'b1;\nend")
    ],
    "the first valid bit": [
        ("stack", ".out_valid(out_valid)\n  );\nend", ".out_valid()\n  );\n  assign out_valid = finished[11];\nend")
    ],
    "dense part on the falling edge": [("stack", _DENSE + "      .clk(clk)", _DENSE + "      .clk(~clk)")],
    "dense part without a clock": [("stack", _DENSE + "      .clk(clk)", _DENSE + "      .clk(1'b0)")],
    "dense part never reset": [
        ("stack", _DENSE + "      .clk(clk),\n      .rst(rst)", _DENSE + "      .clk(clk),\n      .rst(1'b0)")
    ],
    "dense part's inputs inverted": [("stack", ".in_codes(dense_bits)", ".in_codes(~dense_bits)")],
    "layer on the falling edge": [("stack", _FIRST + "      .clk(clk)", _FIRST + "      .clk(~clk)")],
    "layer never reset": [
        ("stack", _FIRST + "      .clk(clk),\n      .rst(rst)", _FIRST + "      .clk(clk),\n      .rst(1'b0)")
    ],
    "kernel on the falling edge": [("stack_map1", _KERNEL + "      .clk(clk)", _KERNEL + "      .clk(~clk)")],
    "kernel outputs rotated": [("stack_map1", ".out_bits(out_bits)", ".out_bits({out_bits[0], out_bits[3:1]})")],
    "top on the falling edge": [("stack", "posedge clk", "negedge clk")],
    "window on the falling edge": [
        ("stack_map1", "always @(posedge clk) if (step) window", "always @(negedge clk) if (step) window")
    ],
    "line buffer on the falling edge": [
        (
            "stack_map1",
            "@(posedge clk) begin\n    if (step) begin\n      lines",
            "@(negedge clk) begin\n    if (step) begin\n      lines",
        )
    ],
    "table on the falling edge": [("stack_kernel1", "posedge", "negedge")],
    "head on the falling edge": [("stack_dense_argmax", "posedge", "negedge")],
    "asynchronous reset": [
        (
            "stack",
            "always @(posedge clk) begin\n    if (rst) begin",
            "always @(posedge clk or posedge rst) begin\n    if (rst) begin",
        )
    ],
    "first valid bit not reset": [("stack", "valid0 <= take & ~rst;", "valid0 <= take;")],
    "taken while not ready": [("stack", "wire take = in_valid & in_ready;", "wire take = in_valid;")],
    "never ready": [("stack", "assign in_ready = pause == 4'd0;", "assign in_ready = 1'b0;")],
    "always ready": [("stack", "assign in_ready = pause == 4'd0;", "assign in_ready = 1'b1;")],
    "pause too short": [("stack", "pause <= 4'hb", "pause <= 4'ha")],
    "pause not reset": [("stack", "      pause <= 4'd0;\n", "")],
    "an image too short": [("stack", "count == 5'h1d;", "count == 5'h1c;")],
    "dense part starts early": [("stack", ".in_valid(finished[12])", ".in_valid(finished[11])")],
    "kept one pixel late": [("stack", "word2 == 4'h0) collected2", "word2 == 4'h1) collected2")],
    "image centred elsewhere": [("stack_map1", "count >= 6'h06", "count >= 6'h05")],
    "flushed too late": [("stack_map1", "count >= 6'h1e", "count >= 6'h1f")],
    "a border not masked": [("stack_map1", "COLUMN_IN0 = 5'h1e", "COLUMN_IN0 = 5'h1f")],
    "a row masked": [("stack_map1", "ROW_IN2 = 6'h1f", "ROW_IN2 = 6'h0f")],
    "a result not marked": [("stack_map1", "ROW_OUT = 6'h3f", "ROW_OUT = 6'h1f")],
    "a row too short": [("stack_map1", "column == 3'h4", "column == 3'h3")],
    "line buffer too short": [("stack_map1", "address == 3'h4", "address == 3'h3")],
    "line buffer not stopped": [("stack_map1", "if (step) begin\n      lines", "if (1'b1) begin\n      lines")],
    "window not stopped": [("stack_map1", "if (step) window", "window")],
    "older rows swapped": [("stack_map1", "{in_bits, older}", "{in_bits, older[3:0], older[7:4]}")],
    "another bit of the window": [("stack_map1", "window[19],", "window[18],")],
    "marked a cycle late": [("stack_map1", "assign out_valid = delayed[1]", "assign out_valid = delayed[0]")],
    "marks not reset": [("stack_map1", "if (rst) delayed <= 2'd0;\n    else delayed", "delayed")],
    "marked while reset": [("stack_map1", "valid <= ~rst & step", "valid <= step")],
    "layer counts without words": [("stack_map1", "else if (step) begin\n      count", "else begin\n      count")],
    "kernel reads in_valid": [("stack_map1", "window[19],", "window[19] & in_valid,")],
    "class renamed": [
        ("stack", "output wire [0:0] out_class", "output wire [0:0] out_klass"),
        ("stack", ".out_class(out_class)", ".out_class(out_klass)"),
    ],
    "scores cut": [("stack", "output wire [5:0] out_scores", "output wire [4:0] out_scores")],
    "bits numbered from the other end": [("stack", "output wire [5:0] out_scores", "output wire [0:5] out_scores")],
    "a port too many": [("stack", "    input wire rst,\n", "    input wire rst,\n    input wire enable,\n")],
    "kernel's input cut": [("stack_kernel1", "input wire [28:0] in_bits", "input wire [27:0] in_bits")],
    "cut off by a comment": [
        (
            "stack",
            ".out_valid(out_valid)\n  );\nendmodule",
            ".out_valid()\n  );\n  /* endmodule */\n  assign out_valid = 1'b1;\nendmodule",
        )
    ],
    "cut off by a comment in a layer": [
        ("stack_map1", "  assign out_valid", "  // endmodule\n  assign out_valid = 1'b1; //")
    ],
    "driven twice": [("stack", _DENSE, "  assign out_class = 1'b0;\n" + _DENSE)],
    "two texts": [
        (
            "stack",
            "assign in_ready = pause == 4'd0;",
            (
                "assign in_ready = pause == 4'd0\n"
                "  // synthesis translate_off\n  || 1'b1\n  // synthesis translate_on\n  ;"
            ),
        )
    ],
}

# The encoder, whatever its family, and the wires around it.
_ENCODER = "  stack_encoder encoder (\n      .clk(clk)"
_WIRE = "  wire [3:0] encoder_bits;\n"
_BITS = "bits0 = encoder_bits;"
_SECOND = _ENCODER.replace("encoder (", "second (") + ",\n      .in_codes(~in_codes),\n      .out_bits(other)\n  );\n"
_HIDDEN = "  // synthesis translate_off\n  or negedge clk\n  // synthesis translate_on\n"
ENCODER: dict[str, Sequence[Change]] = {
    "on the falling edge": [("stack", _ENCODER, _ENCODER.replace("(clk)", "(~clk)"))],
    "without a clock": [("stack", _ENCODER, _ENCODER.replace("(clk)", "(1'b0)"))],
    "on another signal": [("stack", _ENCODER, _ENCODER.replace("(clk)", "(valid0)"))],
    "on a gated clock": [("stack", _ENCODER, _ENCODER.replace("(clk)", "(clk & in_valid)"))],
    "registers on the falling edge": [("stack_encoder", "posedge", "negedge")],
    "registers at any time": [("stack_encoder", "always @(posedge clk)", "always @*")],
    "registers that wait": [("stack_encoder", "always @(posedge clk)", "always @(posedge clk) if (in_codes[0])")],
    "registers of another clock": [
        ("stack", _ENCODER, _ENCODER.replace("(clk)", "(late)")),
        ("stack", _WIRE, _WIRE + "  reg late;\n  always @(posedge clk) late <= ~late;\n"),
    ],
    "codes rotated": [("stack", ".in_codes(in_codes)", ".in_codes({in_codes[0], in_codes[15:1]})")],
    "colours swapped": [("stack", ".in_codes(in_codes)", ".in_codes({in_codes[7:0], in_codes[15:8]})")],
    "codes a cycle late": [
        ("stack", ".in_codes(in_codes)", ".in_codes(late)"),
        ("stack", _WIRE, _WIRE + "  reg [15:0] late;\n  always @(posedge clk) late <= in_codes;\n"),
    ],
    "codes cut": [("stack", ".in_codes(in_codes)", ".in_codes({8'd0, in_codes[7:0]})")],
    "codes not connected": [("stack", ".in_codes(in_codes)", ".in_codes()")],
    "codes that depend on in_valid": [("stack", ".in_codes(in_codes)", ".in_codes(in_codes & {16{valid0}})")],
    "outputs rotated": [("stack", ".out_bits(encoder_bits)", ".out_bits({encoder_bits[0], encoder_bits[3:1]})")],
    "outputs not connected": [("stack", ".out_bits(encoder_bits)", ".out_bits()")],
    "outputs cut": [("stack", ".out_bits(encoder_bits)", ".out_bits(encoder_bits[2:0])")],
    "outputs driven twice": [("stack", _WIRE, _WIRE + "  assign encoder_bits = 4'd0;\n")],
    "bits swapped": [("stack", _BITS, "bits0 = {encoder_bits[2], encoder_bits[3], encoder_bits[1:0]};")],
    "a bit inverted": [("stack", _BITS, "bits0 = encoder_bits ^ 4'h4;")],
    "a bit twice": [("stack", _BITS, "bits0 = {encoder_bits[3:1], encoder_bits[1]};")],
    "a bit constant": [("stack", _BITS, "bits0 = {1'b1, encoder_bits[2:0]};")],
    "bits a cycle late": [
        ("stack", "wire [3:0] " + _BITS, "reg [3:0] bits0;\n  always @(posedge clk) bits0 <= encoder_bits;"),
    ],
    "bits cleared by rst": [("stack", _BITS, "bits0 = encoder_bits & {4{~rst}};")],
    "one kept bit of another bit": [("stack", "collected0[0] <= bits0[2]", "collected0[0] <= encoder_bits[1]")],
    "one layer with other bits": [
        ("stack", ".in_bits(bits0)", ".in_bits({encoder_bits[2], encoder_bits[3], encoder_bits[1:0]})"),
    ],
    "a second one for a layer": [
        ("stack", ".in_bits(bits0)", ".in_bits(other)"),
        ("stack", _FIRST, f"  wire [3:0] other;\n{_SECOND}{_FIRST}"),
    ],
    "cut off by a comment": [
        ("stack_encoder", "endmodule", "/* endmodule */\nendmodule"),
        ("stack", _BITS, "bits0 = ~encoder_bits;"),
    ],
    "two texts": [("stack_encoder", "posedge clk", f"posedge clk\n{_HIDDEN}  ")],
}  # fmt: skip

# By the outputs of the build.
PLAIN: dict[str, tuple[str, Sequence[Change]]] = {
    "class renamed": (
        "both",
        [
            ("chain", "output wire [1:0] out_class", "output wire [1:0] out_klass"),
            ("chain", ".out_class(out_class)", ".out_class(out_klass)"),
        ],
    ),
    "class missing": (
        "both",
        [
            (
                "chain",
                ",\n    // the class of the largest score, the lowest of equals\n    output wire [1:0] out_class",
                "",
            ),
            ("chain", ".out_class(out_class)", ".out_class()"),
        ],
    ),
    "ranking cut": ("top-3", [("chain", "output wire [5:0] out_top", "output wire [3:0] out_top")]),
    "ranking rotated": ("top-3", [("chain", ".out_top(out_top)", ".out_top({out_top[1:0], out_top[5:2]})")]),
    "scores missing": (
        "scores",
        [("chain", "out_scores\n);", "out_skores\n);"), ("chain", "assign out_scores", "assign out_skores")],
    ),
    "codes cut": ("class", [("chain", "input wire [47:0] in_codes", "input wire [46:0] in_codes")]),
    "valid renamed": (
        "both",
        [
            ("chain", "output wire out_valid", "output wire out_valix"),
            ("chain", "assign out_valid", "assign out_valix"),
        ],
    ),
    "falling edge": ("class", [("chain_stage2", "posedge", "negedge")]),
    "inverted clock": (
        "class",
        [("chain", "chain_stage3 stage3 (\n      .clk(clk)", "chain_stage3 stage3 (\n      .clk(~clk)")],
    ),
    "never reset": ("both", [("chain", "if (rst) valid", "if (1'b0) valid")]),
    "an output driven twice": (
        "both",
        [("chain", "  wire [7:0] scores;", "  wire [7:0] scores;\n  assign out_class = 2'd0;")],
    ),
    "cut off by a comment": (
        "both",
        [("chain", "assign out_valid = valid[5];", "/* endmodule */ assign out_valid = 1'b1;")],
    ),
}


# A folded dense part: 25 rows of 2 lanes, of which the first 9 have results that others read.
FOLDED: dict[str, Sequence[Change]] = {
    "a bit of a table": [("stack_dense_program", "tables[20] = 128'h", "tables[20] = 128'h1 ^ 128'h")],
    "a row of tables missing": [("stack_dense_program", "    tables[12] =", "    // tables[12] =")],
    "an address": [("stack_dense_program", "connections[3] = 85'h", "connections[3] = 85'h1 ^ 85'h")],
    "a mark": [("stack_dense_program", "connections[17] = 85'h", "connections[17] = 85'h100000000000000000000 ^ 85'h")],
    "program written": [
        ("stack_dense_program", "out_connections <=", "begin connections[in_row] <= 85'd0; out_connections <="),
        ("stack_dense_program", "connections[in_row];\n", "connections[in_row]; end\n"),
    ],
    "tables a row late": [("stack_dense", ".in_table_row(row2)", ".in_table_row(row3)")],
    "a lane's table": [("stack_dense", ".in_table(tables[63:0])", ".in_table(tables[127:64])")],
    "one copy of another address": [("stack_dense_lane", "in_addresses[6:0]", "in_addresses[13:7]")],
    "copies not written": [("stack_dense_lane", ".in_write1(in_write1)", ".in_write1(1'b0)")],
    "the other half": [("stack_dense", "half <= ~half;", "half <= half;")],
    "half a cycle early": [("stack_dense", ".in_half(half1)", ".in_half(half)")],
    "half not reset": [("stack_dense", "half <= 1'b1;", "half <= half;")],
    "results of one row less": [("stack_dense", "row5 <= 5'h08", "row5 <= 5'h07")],
    "results written late": [("stack_dense", "row5[3:0]", "row4[3:0]")],
    "a lane not counted": [("stack_dense", "{1'd0, nodes[0]} + ", "")],
    "sum not reset": [("stack_dense", "if (rst) sum <= 4'd0;\n    else if", "if")],
    "sum never 0": [("stack_dense", "score_ends[4] ? 4'd0 : total", "total")],
    "marks a row late": [("stack_dense", "score_ends[3:0], connections[84]", "score_ends[3:0], connections[83]")],
    "scores swapped": [("stack_dense", "{total[3:0], scores[7:4]}", "{scores[3:0], total[3:0]}")],
    "a row too few": [("stack_dense", "row == 5'h18", "row == 5'h17")],
    "running for ever": [("stack_dense", "running <= ~last_row", "running <= 1'b1")],
    "answered early": [("stack_dense", "else answered <= ends[6]", "else answered <= ends[5]")],
    "scores inverted": [("stack_dense", ".in_scores(scores)", ".in_scores(~scores)")],
    "place a cycle early": [("stack_dense_bits", "place <= read_place", "place <= in_address[1:0]")],
    "bank by another bit": [("stack_dense_bits", "read_bank <= in_address[6]", "read_bank <= in_address[5]")],
    "a bit of the word": [("stack_dense_bits", "word1[place[1:0]]", "word1[~place[1:0]]")],
    "memory on the falling edge": [("stack_dense_bits", "posedge", "negedge")],
    "position not counted": [("stack_dense_keep1", "address + 4'd1", "address")],
    "an image too short": [("stack_dense_keep1", "address == 4'hf", "address == 4'he")],
    "half not turned": [("stack_dense_keep1", "half ^ last", "half")],
    "channels swapped": [("stack", "{bits1[2], bits1[1], bits1[0]}", "{bits1[0], bits1[1], bits1[2]}")],
    "never held": [("stack", "hold == 5'd0", "1'b1")],
    "held too short": [("stack", "hold <= 5'h18", "hold <= 5'h17")],
    "started early": [("stack", ".in_start(finished[7])", ".in_start(finished[6])")],
}  # fmt: skip


class Layers(Stack):
    """The model of `PLAN`."""

    def __init__(self) -> None:
        super().__init__(PLAN)


@cache
def streaming_build(fpga: str = "generic") -> Build:
    """A streaming circuit of two layers, of which the first has borders and makes steps after the last pixel."""
    return make_build(made(PLAN), form="streaming", fpga=fpga, pipeline="levels")


@cache
def folded_build() -> Build:
    """A circuit whose dense part takes longer than the pixels; its model is `convolutions:Long`."""
    return make_build(made(LONG), form=Folded(nodes_per_cycle=2))


@cache
def plain_build(outputs: str = "both", fpga: str = "generic", pipeline: str = "levels") -> Build:
    """A circuit that takes whole samples."""
    return make_build(fitted(Chain()), outputs=outputs, fpga=fpga, pipeline=pipeline)


def changed(build: Build, changes: Sequence[Change]) -> Build:
    """A build with other texts, digests and all."""
    files = dict(build.files)
    for module, old, new in changes:
        text = files[f"rtl/{module}.v"].decode()
        assert old in text and old != new, f"{old!r} does not occur in {module}.v"
        files[f"rtl/{module}.v"] = text.replace(old, new, 1).encode()
    return Build.of(build.info, files)
