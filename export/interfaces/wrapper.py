"""Puts a core into its AXI wrapper: files, what `build.json` says of them, and a C header."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from difflut.errors import ConfigError
from difflut.export.circuit.circuit import ConvolutionalNetlist
from difflut.export.circuit.netlist import Head, InputFormat, Netlist
from difflut.export.interfaces.axi_stream import emit_wrapper
from difflut.export.interfaces.framing import Framing, Layout, PixelFraming, Stream, plan_framing
from difflut.export.interfaces.registers import c_header, register_map
from difflut.export.schedule.stream.plan import Schedule
from difflut.export.verilog.design import Design

CORE_SUFFIX = "_core"
HEADER_FOLDER = "sw"


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A core in its wrapper.

    Attributes:
        rtl: file name -> text, the core's files among them.
        headers: file name -> text of C headers.
        manifest: the entries `core` and `stream` of `build.json`.
    """

    rtl: Mapping[str, str]
    headers: Mapping[str, str]
    manifest: Mapping[str, Any]


def core_digest(files: Mapping[str, str]) -> str:
    """SHA-256 of what `sha256sum` prints for the core's files, in the order of their names.

    `cd DIR && LC_ALL=C sha256sum rtl/NAME_core*.v | sha256sum` prints the same.
    """
    lines = [f"{hashlib.sha256(files[name].encode()).hexdigest()}  rtl/{name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def wrap(design: Design, netlist: Netlist, stream: Stream) -> Wrapped:
    """Wrap a core, whose name ends in `CORE_SUFFIX` and whose only result is `stream.output`.

    Raises:
        ConfigError: its frames are too long.
    """
    results, result_bits = _result(netlist.head, stream)
    framing = plan_framing(
        stream,
        features=netlist.input.features,
        code_bits=netlist.input.width_bits,
        results=results,
        result_bits=result_bits,
        core_latency_cycles=design.latency_cycles,
    )
    return _wrap(design, netlist, netlist.head, framing, stream.output)


def wrap_pixels(design: Design, netlist: ConvolutionalNetlist, stream: Stream, schedule: Schedule) -> Wrapped:
    """Wrap a streaming core, whose name ends in `CORE_SUFFIX` and whose only result is `stream.output`.

    Args:
        design: the core.
        netlist: what it was emitted from.
        stream: width and output of the streams.
        schedule: when the core takes and gives what.

    Raises:
        ConfigError: a row is not made of whole words.
    """
    form, pixels_per_word = netlist.input, schedule.words[0].pixels
    if netlist.size.columns % pixels_per_word:
        raise ConfigError(
            f"interface axi-stream: rows of {netlist.size.columns} pixels are not made of whole words of {pixels_per_word}; "
            f"use the plain interface, or a number of pixels a cycle that divides a row"
        )
    framing = PixelFraming(
        Layout(netlist.size.bits, form.width_bits, stream.width_bits),
        Layout(*_result(netlist.dense.head, stream), stream.width_bits),
        design.latency_cycles,
        word_values=netlist.size.channels * pixels_per_word,
        pause_cycles=schedule.pause_cycles,
        interval_cycles=design.initiation_interval,
    )
    return _wrap(design, netlist, netlist.dense.head, framing, stream.output)


def _result(head: Head, stream: Stream) -> tuple[int, int]:
    """How many numbers a result has, and the bits of each."""
    return (head.classes, head.score_width_bits) if stream.output == "scores" else (1, head.class_width_bits)


def _wrap(
    design: Design,
    netlist: Netlist | ConvolutionalNetlist,
    head: Head,
    framing: Framing,
    output: str,
) -> Wrapped:
    form: InputFormat = netlist.input
    top, digest = design.top.removesuffix(CORE_SUFFIX), core_digest(design.files)
    registers = register_map(framing, digest, output=output, signed=form.signed, classes=head.classes)
    files = emit_wrapper(top, design.top, netlist.name, framing, output, registers)
    pixels = {"word_values": framing.word_values} if isinstance(framing, PixelFraming) else {}
    described = {
        "width_bits": framing.codes.width_bits,
        "output": output,
        "framing": "every number takes whole bytes, low byte first, the first number in the lowest byte of the first beat; "
        "TLAST at the last beat"
        + ("; an image pixel by pixel, row by row, of each pixel the colours in order" if pixels else ""),
        "codes": _describe(framing.codes),
        "results": _describe(framing.results),
        **pixels,
        "credits": framing.credits,
        "cycles_per_frame": framing.cycles_per_frame,
        "latency_cycles": framing.latency_cycles,
        "core_digest": digest,
        "registers": [
            {
                "name": register.name,
                "offset": register.offset,
                "access": register.access,
                "value": register.value,
                "meaning": register.meaning,
            }
            for register in registers
        ],
    }
    header = {f"{top}_registers.h": c_header(top, registers)}
    return Wrapped({**design.files, **files}, header, {"core": design.top, "stream": described})


def _describe(layout: Layout) -> dict[str, int]:
    return {
        "count": layout.count,
        "value_bits": layout.value_bits,
        "value_bytes": layout.value_bytes,
        "beats": layout.beats,
    }
