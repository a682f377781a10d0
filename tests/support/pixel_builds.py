"""Small streaming networks behind AXI4-Streams of several shapes, and broken variants of their wrapper."""

from __future__ import annotations

from functools import cache

from convolutions import Plan, Step, made

from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.interfaces.framing import Stream
from difflut.export.schedule.forms import Folded, Form, Streaming
from difflut.export.schedule.pipelining import AUTO, LEVELS
from difflut.input_format import InputFormat

MODEL = "convolutions:stack"

_BORDERS = (Step(2, (3, 3), padding=(1, 1)),)
# Bytes of a beat and of a pixel: 1 and 2; 4 and 3, the last beat with padding; 2 and 4; 8 and 1, the plan of `Stack()`;
# an image in one beat, of which the core has two whole before it answers; words of two pixels, which are 6 bytes; a
# dense part that takes longer than the pixels, so that the last pixel of an image waits.
SHAPES: dict[str, tuple[Plan, Stream]] = {
    "narrow": (Plan((2, 4, 3), _BORDERS, bits=2), Stream(8, "scores")),
    "colours": (Plan((3, 3, 5), _BORDERS), Stream(32, "class")),
    "signed": (
        Plan((2, 3, 3), (Step(6, (3, 3), padding=(1, 1)),), options={"input_format": InputFormat(12, True, 8.0)}),
        Stream(16, "scores"),
    ),
    "wide": (Plan((1, 4, 4), _BORDERS), Stream(64, "scores")),
    "one beat": (Plan((1, 2, 2), (Step(2, (1, 1)),)), Stream(32, "class")),
    "words": (Plan((3, 3, 4), _BORDERS), Stream(32, "scores")),
    "folded": (Plan((1, 4, 4), _BORDERS, widths=(40, 30)), Stream(16, "scores")),
}

# How a shape is built, if not as a circuit that takes a pixel a cycle.
FORMS: dict[str, Form] = {"words": Streaming(2), "folded": Folded(nodes_per_cycle=1)}

# What is wrong -> shape, part of the wrapper, text, replacement. Every one changes what a stream shows; see the tests.
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "one result too many": ("narrow", "_frames", "(~last_word | available)", "1'b1"),
    "no room taken": (
        "narrow",
        "_frames",
        "assign issue = entered & ~filling;",
        "assign issue = 1'b0 & entered & ~filling;",
    ),
    "dropped frames answered": ("narrow", "_frames", "assign keep = answer & flags[0];", "assign keep = answer;"),
    "flags kept": ("narrow", "_frames", "(answer ? flags >> 1 : flags)", "flags"),
    "images not filled up": (
        "narrow",
        "_frames",
        "filling <= (accept & (at_end != s_axis_tlast))",
        "filling <= 1'b0 & (accept & (at_end != s_axis_tlast))",
    ),
    "no resynchronisation": (
        "narrow",
        "_frames",
        "dropping <= (dropping | at_end) & ~s_axis_tlast;",
        "dropping <= 1'b0;",
    ),
    "early TLAST ignored": (
        "narrow",
        "_frames",
        "beat <= dropping | at_end | s_axis_tlast ?",
        "beat <= dropping | at_end ?",
    ),
    "padding taken": ("colours", "_frames", "(at_end ? 4'd1 : 4'd4)", "4'd4"),
    "swapped colours": (
        "narrow",
        "_frames",
        "assign out_codes[7:0] = buffer[7:0];",
        "assign out_codes[7:0] = buffer[15:8];",
    ),
    "bytes one place off": (
        "colours",
        "_frames",
        "4'd1: buffer <= {32'd0, s_axis_tdata, shifted[7:0]};",
        "4'd1: buffer <= {40'd0, s_axis_tdata};",
    ),
    "beats lost when full": ("narrow", "_frames", "~ended & level <= 2'd2", "~ended"),
    "pause ignored": ("narrow", "", ".out_ready(in_ready)", ".out_ready(1'b1 | in_ready)"),
    "forgotten while the core takes the next image": (
        "narrow",
        "_frames",
        "(answer ? flags >> 1 : flags)",
        "(answer | (give & held != 1'd0) ? flags >> 1 : flags)",
    ),
    "result kept after a reset": ("narrow", "_results", "stored <= 1'd0;\n", ""),
}


@cache
def pixel_build(shape: str = "narrow") -> Build:
    """The build of a shape."""
    plan, stream = SHAPES[shape]
    form = FORMS.get(shape, Streaming())
    pipeline = AUTO if isinstance(form, Folded) else LEVELS
    return make_build(made(plan), interface="axi-stream", stream=stream, form=form, pipeline=pipeline)


def broken(fault: str) -> Build:
    """A build with a fault, digests and all."""
    shape, part, old, new = FAULTS[fault]
    right = pixel_build(shape)
    name = f"rtl/stack{part}.v"
    text = right.text(name)
    assert text.count(old) == 1, f"{fault}: {old!r} occurs {text.count(old)} times in {name}"
    return Build.of(right.info, {**right.files, name: text.replace(old, new).encode()})
