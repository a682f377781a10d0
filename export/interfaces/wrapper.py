"""What surrounds a core: nothing, or AXI4-Streams on either side of it and an AXI4-Lite register block beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch

from difflut.errors import ConfigError
from difflut.export.interfaces.axi_stream import emit_wrapper
from difflut.export.interfaces.framing import Framing, Layout, PixelFraming, Stream, plan_framing
from difflut.export.interfaces.registers import Register, c_header, register_map
from difflut.export.schedule.forms import Planned, Streamed
from difflut.export.schedule.head.outputs import Outputs, parse_outputs
from difflut.export.verilog.design import Design

CORE_SUFFIX = "_core"
HEADER_FOLDER = "sw"


@dataclass(frozen=True, eq=False)
class Streams:
    """The streams and registers around a core.

    Attributes:
        framing: how samples and results lie in beats.
        output: "scores" or "class".
        registers: the register map.
        core_digest: SHA-256 of the core's files.
    """

    framing: Framing
    output: str
    registers: tuple[Register, ...]
    core_digest: str


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A design with its interface.

    Attributes:
        top: the name of the top module.
        core: that of the module with the plain interface.
        rtl: file name -> text, the core's files among them.
        headers: file name -> text of C headers.
        streams: what is around the core, None for nothing.
    """

    top: str
    core: str
    rtl: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    streams: Streams | None = None


@dataclass(frozen=True)
class Plain:
    """The core itself: valid and data in, valid and data out."""

    name = "plain"
    core_suffix = ""

    def outputs(self, asked: str, classes: int) -> Outputs:
        """The result ports of the core; raises ConfigError if they cannot be."""
        return parse_outputs(asked, classes)

    def wrap(self, design: Design, planned: Planned) -> Wrapped:
        """The design as it is."""
        return Wrapped(design.top, design.top, design.files)


@dataclass(frozen=True)
class AxiStream:
    """An AXI4-Stream on either side and AXI4-Lite registers.

    Attributes:
        stream: width and output of the streams, and which registers there are.
    """

    stream: Stream = field(default_factory=Stream)
    name = "axi-stream"
    core_suffix = CORE_SUFFIX

    def outputs(self, asked: str, classes: int) -> Outputs:
        """As `Plain.outputs`; the core has the one result that the stream carries."""
        if asked not in ("both", self.stream.output):
            raise ConfigError(
                f"outputs {asked!r} with interface {self.name!r}: the stream carries {self.stream.output}; choose "
                "what it carries with the stream's output (--stream-output), and leave the outputs out"
            )
        return parse_outputs(self.stream.output, classes)

    def wrap(self, design: Design, planned: Planned) -> Wrapped:
        """Wrap a core, whose name ends in `CORE_SUFFIX` and whose only result is that of the stream.

        Raises:
            ConfigError: its frames are too long, or a row of pixels is not made of whole words.
        """
        head, output = planned.circuit.body.head, self.stream.output
        count, bits = (head.classes, head.score_width_bits) if output == "scores" else (1, head.class_word_bits)
        framing = _framing(planned, design, self.stream, Layout(count, bits, self.stream.width_bits))
        top, digest = design.top.removesuffix(CORE_SUFFIX), core_digest(design.files)
        signed = planned.circuit.input.signed
        registers = register_map(
            framing, digest, output=output, signed=signed, classes=head.classes, registers=self.stream.registers
        )
        files = emit_wrapper(top, design.top, planned.circuit.name, framing, output, registers)
        header = {f"{top}_registers.h": c_header(top, registers)} if registers else {}
        return Wrapped(top, design.top, {**design.files, **files}, header, Streams(framing, output, registers, digest))


@singledispatch
def _framing(planned: Planned, design: Design, stream: Stream, results: Layout) -> Framing:
    """The frames of a core that takes a sample in one cycle."""
    form = planned.circuit.input
    return plan_framing(
        stream,
        features=form.features,
        code_bits=form.width_bits,
        results=results.count,
        result_bits=results.value_bits,
        core_latency_cycles=design.latency_cycles,
    )


@_framing.register
def _(planned: Streamed, design: Design, stream: Stream, results: Layout) -> Framing:
    size, pixels, width = planned.circuit.size, planned.schedule.words[0].pixels, stream.width_bits
    if size.columns % pixels:
        raise ConfigError(
            f"interface axi-stream: rows of {size.columns} pixels are not made of whole words of {pixels}; "
            f"use the plain interface, or a number of pixels a cycle that divides a row"
        )
    return PixelFraming(
        Layout(size.bits, planned.circuit.input.width_bits, width),
        results,
        design.latency_cycles,
        word_values=size.channels * pixels,
        pause_cycles=planned.schedule.pause_cycles,
        interval_cycles=planned.schedule.initiation_interval,
    )


Interface = Plain | AxiStream
INTERFACES = (Plain.name, AxiStream.name)


def choose_interface(name: str, stream: Stream | None = None, clock_enable: bool = False) -> Interface:
    """The interface of a name; `stream` goes with streams only, a clock enable with the plain interface only.

    Raises:
        ConfigError: there is no such interface, or the stream or the clock enable does not fit it.
    """
    if name == AxiStream.name:
        if clock_enable:
            raise ConfigError(
                f"a clock enable with interface {name!r}: its handshakes stop the streams; hold m_axis_tready low "
                f"instead, or export the interface {Plain.name!r}"
            )
        return AxiStream(stream or Stream())
    if name != Plain.name:
        raise ConfigError(f"unknown interface {name!r}; known: {', '.join(INTERFACES)}")
    if stream is not None:
        raise ConfigError(f"a stream needs the interface {AxiStream.name!r}; got {name!r}")
    return Plain()


def core_digest(files: Mapping[str, str]) -> str:
    """SHA-256 of what `sha256sum` prints for the core's files, in the order of their names.

    `cd DIR && LC_ALL=C sha256sum rtl/NAME_core*.v | sha256sum` prints the same.
    """
    lines = [f"{hashlib.sha256(files[name].encode()).hexdigest()}  rtl/{name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
