"""A hand-written top module with the plain interface, its reference model, and broken variants of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from difflut.sim import RtlInterface

FEATURES, CLASSES, GROUP, THRESHOLD = 12, 3, 4, 100
INTERFACE = RtlInterface(
    top="vote",
    features=FEATURES,
    width_bits=8,
    classes=CLASSES,
    score_width_bits=3,
    class_width_bits=2,
    latency_cycles=3,
)

_BITS = """\
module vote_bits (input clk, input [95:0] codes, output reg [11:0] out_bits);
  integer i;
  always @(posedge clk)
    for (i = 0; i < 12; i = i + 1) out_bits[i] <= codes[8*i +: 8] >= (i == 5 ? 8'd100 : 8'd100);
endmodule
"""

_TOP = """\
module vote (
    input clk, input rst, input in_valid, input [95:0] in_codes,
    output out_valid, output [8:0] out_scores, output [1:0] out_class);
  wire [11:0] bits;
  reg valid1, valid2, valid3;
  reg [8:0] scores2, scores3;
  reg [1:0] class3;
  wire s1_gt = scores2[5:3] > scores2[2:0];
  wire [2:0] best01 = s1_gt ? scores2[5:3] : scores2[2:0];
  vote_bits encoder (.clk(clk), .codes(in_codes), .out_bits(bits));
  assign out_valid = valid3;
  assign out_scores = scores3;
  assign out_class = class3;
  always @(posedge clk) begin
    valid1 <= in_valid & ~rst;
    valid2 <= valid1 & ~rst;
    valid3 <= valid2 & ~rst;
    scores2[2:0] <= {2'b0, bits[0]} + {2'b0, bits[1]} + {2'b0, bits[2]} + {2'b0, bits[3]};
    scores2[5:3] <= {2'b0, bits[4]} + {2'b0, bits[5]} + {2'b0, bits[6]} + {2'b0, bits[7]};
    scores2[8:6] <= {2'b0, bits[8]} + {2'b0, bits[9]} + {2'b0, bits[10]} + {2'b0, bits[11]};
    scores3 <= scores2;
    class3 <= scores2[8:6] > best01 ? 2'd2 : {1'b0, s1_gt};
  end
endmodule
"""

_LATE = """\
module vote (
    input clk, input rst, input in_valid, input [95:0] in_codes,
    output reg out_valid, output reg [8:0] out_scores, output reg [1:0] out_class);
  wire valid; wire [8:0] scores; wire [1:0] index;
  vote_inner inner (.clk(clk), .rst(rst), .in_valid(in_valid), .in_codes(in_codes),
                    .out_valid(valid), .out_scores(scores), .out_class(index));
  always @(posedge clk) begin
    out_valid <= valid & ~rst;
    out_scores <= scores;
    out_class <= index;
  end
endmodule
"""

_REPLACEMENTS = {
    "wrong tie-break": ("wire s1_gt = scores2[5:3] > scores2[2:0]", "wire s1_gt = scores2[5:3] >= scores2[2:0]"),
    "threshold off by one": ("(i == 5 ? 8'd100", "(i == 5 ? 8'd101"),
    "stuck high": ("assign out_valid = valid3", "assign out_valid = 1'b1"),
    "stuck low": ("assign out_valid = valid3", "assign out_valid = 1'b0"),
    "valid early": ("assign out_valid = valid3", "assign out_valid = valid2"),
    "stale after a bubble": ("    scores3 <= scores2;", "    if (in_valid) scores3 <= scores2;"),
    "drops a sample": ("assign out_valid = valid3", "assign out_valid = valid3 & ~(valid1 & ~valid2)"),
    "reset ignored": ("& ~rst;", ";\n    if (rst === 1'bx) $finish;"),
    "reset clears one stage": ("valid2 <= valid1 & ~rst", "valid2 <= valid1"),
    "unknown score": ("    scores3 <= scores2;", "    scores3 <= {1'bx, scores2[7:0]};"),
    "does not compile": ("wire s1_gt", "wire [7:0 s1_gt"),
    "no reset port": ("rst", "clear"),
    "score bus too narrow": ("output [8:0] out_scores", "output [7:0] out_scores"),
}


def write_rtl(folder: Path, fault: str | None = None) -> list[Path]:
    """Write the sources, with a fault, and return their paths."""
    bits, top = _BITS, _TOP
    if fault == "one cycle late":
        top = top.replace("module vote (", "module vote_inner (") + _LATE
    elif fault is not None:
        old, new = _REPLACEMENTS[fault]
        assert old in bits + top
        bits, top = bits.replace(old, new), top.replace(old, new)
    if fault == "reset ignored":  # known at power-up, as in an FPGA, and busy
        top = top.replace("reg valid1, valid2, valid3;", "reg valid1 = 1, valid2 = 1, valid3 = 1;")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "vote_bits.v", folder / "vote.v"]
    for path, text in zip(paths, (bits, top), strict=True):
        path.write_text(text, encoding="ascii")
    return paths


def sample_codes(samples: int, seed: int = 1) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Codes near the threshold, uint8 (samples, 12); many of the scores tie."""
    return np.random.default_rng(seed).integers(THRESHOLD - 2, THRESHOLD + 2, (samples, FEATURES)).astype(np.uint8)


def reference(codes: Any) -> tuple[Any, Any]:
    """Scores int (N, 3) and classes int (N,)."""
    scores = (codes >= THRESHOLD).reshape(-1, CLASSES, GROUP).sum(axis=2)
    return scores, scores.argmax(axis=1)


PROBES = [
    SimpleNamespace(signal="encoder.out_bits", nets=np.arange(2, 2 + FEATURES, dtype=np.int32), stage_cycles=1),
    SimpleNamespace(signal="scores2", nets=np.arange(9, dtype=np.int32), stage_cycles=2),
]
