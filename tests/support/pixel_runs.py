"""A run of a streaming design in Icarus: images word by word, with gaps and resets, and what must come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from icarus import call
from tools import require_tool

from difflut.export.circuit.circuit import Circuit
from difflut.export.schedule.stream.words import plan_words
from difflut.export.verilog.design import Design

_TESTBENCH = """\
module testbench;
  reg clk = 0, rst, in_valid, reset, taken;
  reg [15:0] gap;
  reg [{codes_msb}:0] in_codes, codes;
  reg [{codes_msb} + 17:0] stimulus [0:{words} - 1];
  wire in_ready, out_valid;
{wires}
  {top} dut (.clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_codes(in_codes),
             .out_valid(out_valid){ports});
  integer word, idle, edges;
  task cycle;
    begin
      #1 taken = in_valid & in_ready & ~rst;
      $display("%b %b{formats}", taken, out_valid{signals});
      clk = 1;
      #1 clk = 0;
    end
  endtask
  initial begin
    $readmemh("stimulus.hex", stimulus);
    for (word = 0; word < {words}; word = word + 1) begin
      {{reset, gap, codes}} = stimulus[word];
      rst = reset;
      in_valid = reset;
      in_codes = ~codes;
      if (reset) cycle;
      rst = 0;
      in_valid = 0;
      for (idle = 0; idle < gap; idle = idle + 1) cycle;
      in_valid = 1;
      in_codes = codes;
      cycle;
      while (!taken) cycle;
    end
    in_valid = 0;
    for (edges = 0; edges < {tail}; edges = edges + 1) cycle;
  end
endmodule
"""


@dataclass(frozen=True)
class Image:
    """An image to send: codes (features,), idle cycles before each of its words; cut short, it ends with a reset."""

    codes: npt.NDArray[np.int64]
    gaps: npt.NDArray[np.int64]
    cut: bool = False


@dataclass(frozen=True)
class Answer:
    """What the design gave: the edges of its last word and of out_valid, and the bits of the result ports."""

    last_word: int
    edge: int
    ports: dict[str, str]


def send(design: Design, netlist: Circuit, images: Sequence[Image], folder: Path) -> list[Answer]:
    """Reset the design, send images, and give one answer for each that was not cut short.

    A cut image's words are `len(gaps)`, and a reset follows, with another word offered in it.
    """
    form, size, head = netlist.input, netlist.size, netlist.body.head
    width = next(port.width_bits for port in design.module(design.top).ports if port.name == "in_codes")
    words = plan_words(netlist, width // (size.channels * form.width_bits))[0]
    lines, reset, beyond = [], True, np.random.default_rng(len(images))
    for image in images:
        pixels = image.codes.reshape(size).transpose(1, 2, 0)  # (rows, columns, colours)
        parts = [row[first : first + words.pixels] for row in pixels for first in range(0, size.columns, words.pixels)]
        for gap, part in zip(image.gaps.tolist(), parts[: len(image.gaps)], strict=True):
            mask = (1 << form.width_bits) - 1
            # Pixels beyond the row are any pixels.
            surplus = beyond.integers(0, mask + 1, width // form.width_bits - part.size)
            filled = [*part.reshape(-1).tolist(), *surplus.tolist()]
            word = sum((code & mask) << form.width_bits * i for i, code in enumerate(filled))
            lines.append((int(reset) << 16 | gap) << width | word)
            reset = False
        reset = image.cut
    widths = {"out_scores": head.classes * head.score_width_bits, "out_class": head.class_width_bits}
    (folder / "stimulus.hex").write_text("\n".join(f"{line:x}" for line in lines))
    (folder / "testbench.v").write_text(
        _TESTBENCH.format(
            top=design.top,
            codes_msb=width - 1,
            words=len(lines),
            tail=design.latency_cycles + 8,
            wires="\n".join(f"  wire [{bits - 1}:0] {port};" for port, bits in widths.items()),
            ports="".join(f", .{port}({port})" for port in widths),
            formats=" %b" * len(widths),
            signals="".join(f", {port}" for port in widths),
        )
    )
    for name, content in design.files.items():
        (folder / name).write_text(content, encoding="ascii")
    sources = [*sorted(design.files), "testbench.v"]
    compiled = call(require_tool("iverilog"), "-g2001", "-Wall", "-o", "simulation", *sources, folder=folder)
    remarks = [line for line in compiled.splitlines() if "timescale" not in line]
    assert not remarks, remarks
    rows = [line.split() for line in call(require_tool("vvp"), "-n", "simulation", folder=folder).splitlines()]
    taken = [edge for edge, row in enumerate(rows) if row[0] == "1"]
    valid = [edge for edge, row in enumerate(rows) if row[1] != "0" and edge > 0]
    assert len(taken) == len(lines)
    ends = np.cumsum([len(image.gaps) for image in images])
    last = [taken[end - 1] for end, image in zip(ends.tolist(), images, strict=True) if not image.cut]
    assert len(last) == len(valid), (last, valid)
    return [
        Answer(end, edge, dict(zip(widths, rows[edge][2:], strict=True))) for end, edge in zip(last, valid, strict=True)
    ]


def gaps(random: np.random.Generator, words: int, most: int) -> npt.NDArray[np.int64]:
    """Idle cycles before each word, up to `most`, half of them none."""
    result: Any = random.integers(0, most + 1, words) * (random.random(words) < 0.5)
    return result
