"""`build.json`: what a build says of itself, as one typed object with one reader and one writer.

The classes here are the specification of the format. A key that is missing, unknown or of another type makes a
`BundleError`. `FORMAT_VERSION` moves whenever a key does that every build has.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from difflut.data_names import DataNames, Wording
from difflut.errors import ConfigError
from difflut.export.builds.values import LONGEST_NAME, LONGEST_TEXT, ValueRefused, check_texts, one_line
from difflut.export.builds.writing import FORMAT, MANIFEST, description_digest
from difflut.export.families.registry import find_family
from difflut.export.schedule.head.outputs import parse_outputs
from difflut.input_format import InputFormat
from difflut.shown import brief

FORMAT_VERSION = 5
Codes = npt.NDArray[np.integer[Any]]

# A name of Verilog that needs no escape; tools and scripts get it as it is.
Identifier = Annotated[str, Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]*\Z", max_length=LONGEST_NAME)]
# Names of instances, joined by dots.
Path = Annotated[str, Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z", max_length=LONGEST_TEXT)]
Word = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.+-]*\Z", max_length=LONGEST_NAME)]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
# A line for people; `check_texts` sees to it that it prints.
Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
# More than any circuit has, less than would make a tool run for ever.
Count = Annotated[int, Meta(ge=0, le=1 << 40)]
Positive = Annotated[int, Meta(ge=1, le=1 << 40)]
Cycles = Annotated[int, Meta(ge=0, le=1 << 24)]
Size = Annotated[int, Meta(ge=1, le=1 << 24)]
PortBits = Annotated[int, Meta(ge=1, le=1 << 28)]
Divisor = Annotated[float, Meta(gt=0, le=1e300)]
Offset = Annotated[float, Meta(ge=-1e300, le=1e300)]
Amount = Annotated[float, Meta(ge=0, le=1e12)]
NotEmpty = Meta(min_length=1)


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all parts of `build.json` have in common: unknown keys are refused, None is left out."""

    def __repr__(self) -> str:
        return brief(self)


class ModelInfo(Record, frozen=True, rename={"class_name": "class"}):
    """The model that a build was made from.

    Attributes:
        name: the model's.
        class_name: `module:Class`.
        nodes: trainable LUTs.
        trained: what its checkpoint says of its training: data, recipe, history, accuracies.
    """

    name: Text
    class_name: Text
    nodes: Count
    trained: dict[str, Any]


class InputInfo(Record, frozen=True):
    """The input port.

    Attributes:
        port: its name.
        shape: of one sample of the model.
        features: the codes on the port in one cycle: of a sample, or of the pixels taken in a cycle.
        width_bits: of one code.
        signed: whether codes are two's complement.
        divisor, offset: the model sees offset + code / divisor; one number, or one for each feature of a sample.
        meaning: the same for people.
    """

    port: Identifier
    shape: Annotated[tuple[Size, ...], NotEmpty]
    features: Size
    width_bits: Annotated[int, Meta(ge=1, le=31)]
    signed: bool
    divisor: Divisor | Annotated[tuple[Divisor, ...], Meta(max_length=1 << 24)]
    offset: Offset | Annotated[tuple[Offset, ...], Meta(max_length=1 << 24)]
    meaning: Text

    @property
    def format(self) -> InputFormat:
        """What its codes stand for.

        Raises:
            ConfigError: there is no such format.
        """
        return InputFormat(self.width_bits, self.signed, self.divisor, self.offset)


class ScoresPort(Record, frozen=True):
    """The port with all scores: score k at bits [width_bits*k +: width_bits]."""

    port: Identifier
    classes: Size
    width_bits: PortBits


class ClassPort(Record, frozen=True):
    """The port with the class index."""

    port: Identifier
    width_bits: PortBits
    ties: Text


class TopPort(Record, frozen=True):
    """The port with the best classes, rank i at bits [width_bits*i +: width_bits]."""

    port: Identifier
    count: Size
    width_bits: PortBits
    order: Text


class HeadInfo(Record, frozen=True):
    """What one head of the model gives.

    Attributes:
        name: the model's attribute.
        kind: "classes", "labels", "numbers" or "bits".
        results: how many.
        scale, offset: number k is offset + scale * score k, counted among the head's scores; of numbers only.
        meaning: where its results are, for people.
    """

    name: Text
    kind: Literal["classes", "labels", "numbers", "bits"]
    results: Size
    meaning: Text
    scale: Annotated[float, Meta(ge=-1e30, le=1e30)] | None = None
    offset: Annotated[float, Meta(ge=-1e30, le=1e30)] | None = None


class OutputInfo(Record, frozen=True, rename={"best": "class"}):
    """The result ports that there are; `classes` is the number of scores whatever the ports, `heads` what they mean."""

    classes: Size
    heads: tuple[HeadInfo, ...]
    scores: ScoresPort | None = None
    best: ClassPort | None = None
    top: TopPort | None = None

    @property
    def ports(self) -> tuple[tuple[str, int], ...]:
        """Name and width in bits of each result port, scores, class, top."""
        found = []
        if self.scores is not None:
            found.append((self.scores.port, self.scores.classes * self.scores.width_bits))
        if self.best is not None:
            found.append((self.best.port, self.best.width_bits))
        if self.top is not None:
            found.append((self.top.port, self.top.count * self.top.width_bits))
        return tuple(found)


class WholeSamples(Record, frozen=True, tag_field="takes", tag="samples"):
    """A sample enters in one cycle, a new one each cycle; every node is built at every position."""

    form: ClassVar[str] = "unrolled"
    entry: ClassVar[str] = "whole"
    pixels: ClassVar[int] = 0
    pixels_per_cycle: ClassVar[int] = 1
    pause_cycles: ClassVar[int] = 0
    program: ClassVar[None] = None
    pipelined: ClassVar[str] = "core"
    kept: ClassVar[str] = ""
    held_bits: ClassVar[int] = 0
    ready_ports: ClassVar[tuple[str, ...]] = ()
    clock_scope: ClassVar[str] = ""
    not_estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, shape: tuple[int, ...]) -> int:
        """Pixels of a row in which a sample of this shape enters, 1 where it does not enter by pixels."""
        return 1

    def frame_order(self, codes: Codes) -> Codes:
        """Codes (N, features) in the order of the model, in the order in which a stream brings them."""
        return codes


class BankInfo(Record, frozen=True):
    """One memory of a folded body; `map` is what it holds, None for results of earlier rows."""

    words: Positive
    width_bits: PortBits
    map: Count | None = None


class ProgramInfo(Record, frozen=True):
    """A body that is a program in memories, looked up `nodes_per_cycle` LUTs at a time."""

    nodes_per_cycle: Positive
    program_cycles: Positive
    idle_lanes: Count
    hold_cycles: Cycles
    table_bits: Count
    connection_bits: Count
    copies: Count
    copy_bits: Count
    banks: tuple[BankInfo, ...]


class MapInfo(Record, frozen=True):
    """One map of bits of an image, and the kernel that makes it.

    Attributes:
        size: channels, rows, columns.
        source: the map that its windows lie on, 0 for the encoded image.
        window, stride, padding: rows, columns.
        luts: of one kernel.
        lanes: how many kernels are built side by side.
        registers: levels of registers in the kernel.
    """

    size: tuple[Size, Size, Size]
    source: Count
    window: tuple[Size, Size]
    stride: tuple[Size, Size]
    padding: tuple[Count, Count]
    luts: Count
    lanes: Positive
    registers: Cycles


class Pixels(Record, frozen=True, tag_field="takes", tag="pixels"):
    """An image enters pixel by pixel; each kernel is built once for each position that it makes in a cycle.

    Attributes:
        pixels: of an image.
        pixels_per_cycle: adjacent pixels of a row that enter in a cycle.
        words: cycles in which an image enters.
        body_latency_cycles: of the layers behind the windows.
        pause_cycles: after an image in which no pixel may enter.
        line_buffer_bits, window_bits: of all maps.
        collected_bits: registers for what the body reads of the maps.
        maps: those behind the encoded image.
        program: of a body that is folded into memories, else None.
    """

    pixels: Size
    pixels_per_cycle: Size
    words: Size
    body_latency_cycles: Cycles
    pause_cycles: Cycles
    line_buffer_bits: Count
    window_bits: Count
    collected_bits: Count
    maps: tuple[MapInfo, ...]
    program: ProgramInfo | None = None

    pipelined: ClassVar[str] = "dense part"
    ready_ports: ClassVar[tuple[str, ...]] = ("in_ready",)
    clock_scope: ClassVar[str] = "of the dense part alone"

    @property
    def kept(self) -> str:
        """Where what the body reads of the maps lies, for people."""
        return "in memory" if self.program else "in registers until it starts"

    @property
    def held_bits(self) -> int:
        """Registers of windows and of what the body reads, beside those of pipelines."""
        return self.window_bits + self.collected_bits

    @property
    def hold_cycles(self) -> int:
        """Least cycles between the last words of two images that a program asks for."""
        return self.program.hold_cycles if self.program else 0

    @property
    def not_estimated(self) -> tuple[str, ...]:
        """What the estimate of LUTs leaves out, for people."""
        folded = () if self.program is None else ("the dense part, which is read from memories",)
        return ("masks, counters and buffers", *folded)

    @property
    def form(self) -> str:
        """As `--conv` names it."""
        return "streaming" if self.program is None else "folded"

    @property
    def entry(self) -> str:
        """How a sample comes in, for people."""
        return "a pixel at a time" if self.pixels_per_cycle == 1 else f"{self.pixels_per_cycle} pixels at a time"

    def columns(self, shape: tuple[int, ...]) -> int:
        """As `WholeSamples.columns`."""
        return shape[-1]

    def frame_order(self, codes: Codes) -> Codes:
        """As `WholeSamples.frame_order`: row by row, of each pixel its colours in order."""
        return codes.reshape(len(codes), -1, self.pixels).transpose(0, 2, 1).reshape(len(codes), -1)


class NetlistInfo(Record, frozen=True):
    """What was emitted: comparators and LUTs as they are built, codes of a sample and how many of them are read."""

    comparators: Count
    luts: Count
    features: Size
    features_read: Count
    classes: Size
    score_width_bits: PortBits


class PartInfo(Record, frozen=True):
    """One part of the circuit.

    Attributes:
        name: for people, such as "layer 2".
        kind: what it is.
        luts: nodes of the netlist in one copy of it; 0 for the encoder and the head, which are planned from words.
        copies: how often it is built.
        estimated_luts: the LUTs of the family that all copies take, estimated; None for what lies in memory.
        instances: where it is in the hierarchy below the core, from names of instances joined by dots.
    """

    name: Text
    kind: Annotated[str, Meta(pattern=r"\A(encoder|kernel|layer|group sum|argmax)\Z")]
    luts: Count
    copies: Positive = 1
    estimated_luts: Count | None = None
    instances: tuple[Path, ...] = ()


class PassInfo(Record, frozen=True):
    """What one pass changed; `part` names a part of a circuit that has several."""

    name: Text
    comparators_before: Count
    comparators_after: Count
    luts_before: Count
    luts_after: Count
    part: Text | None = None


class PointInfo(Record, frozen=True):
    """One way of placing registers, by the delay model of the core."""

    latency_cycles: Cycles
    fmax_mhz: Amount
    register_bits: Count


class PipelineInfo(Record, frozen=True):
    """Where registers are: what was asked for, all levels, those with a register behind them, the bits of these
    registers, and the ways that no other beats in cycles, clock and register bits."""

    spec: Text
    levels: tuple[Word, ...]
    registers_after: tuple[Word, ...]
    register_bits: Count
    trade_off: tuple[PointInfo, ...]
    fmax_mhz: Amount | None = None
    latency_cycles: Cycles | None = None


class StageInfo(Record, frozen=True):
    """One register-to-register stage; `register_bits` stand at its end, 0 if it ends at a port without a register."""

    levels: Annotated[tuple[Word, ...], NotEmpty]
    delay_ns: Amount
    register_bits: Count


class PathInfo(Record, frozen=True):
    """The longest path: the number of its stage, and from its end back to where it starts."""

    stage: Positive
    path: tuple[Text, ...]


class WrapperPathInfo(Record, frozen=True):
    """A path of the wrapper: from its end back to where it starts."""

    delay_ns: Amount
    path: tuple[Text, ...]


class TimingInfo(Record, frozen=True):
    """The estimated clock of the core and of what is wrapped around it; of a streaming circuit that of its body.

    Attributes:
        estimate: what the estimate is worth.
        fmax_mhz: the clock.
        stages: those of the core.
        critical_path: the longest path of the core.
        wrapper: the paths of the wrapper, the longest first.
    """

    estimate: Text
    fmax_mhz: Amount
    stages: Annotated[tuple[StageInfo, ...], NotEmpty]
    critical_path: PathInfo
    wrapper: tuple[WrapperPathInfo, ...] = ()

    @property
    def slowest(self) -> str:
        """Where the longest path of all lies, and the path."""
        stage = self.critical_path.stage
        if self.wrapper and self.wrapper[0].delay_ns > self.stages[stage - 1].delay_ns:
            return f"the wrapper: {' <- '.join(self.wrapper[0].path)}"
        return f"stage {stage}: {' <- '.join(self.critical_path.path)}"


class LayoutInfo(Record, frozen=True):
    """How many numbers a frame has, the bits and bytes of each, and its beats."""

    count: Size
    value_bits: Size
    value_bytes: Size
    beats: Size


class RegisterInfo(Record, frozen=True):
    """One register of the AXI4-Lite block; `value` is what a constant reads."""

    name: Annotated[str, Meta(pattern=r"\A[A-Z][A-Z0-9_]*\Z", max_length=40)]
    offset: Count
    access: Annotated[str, Meta(pattern=r"\A(constant|counter|write)\Z")]
    meaning: Text
    value: Count | None = None


class AxiStreamInfo(Record, frozen=True):
    """The streams and registers around the core.

    Attributes:
        width_bits: of TDATA.
        output: what a result frame has.
        framing: for people.
        codes, results: the frames.
        credits: results that may be under way.
        cycles_per_frame: from one frame to the next.
        latency_cycles: from the last beat of a frame to the last beat of its result.
        core_digest: SHA-256 of the core's files.
        registers: in the order of their offsets.
        word_values: codes that enter the core in a cycle, where images enter pixel by pixel.
    """

    width_bits: Size
    output: Annotated[str, Meta(pattern=r"\A(scores|class)\Z")]
    framing: Text
    codes: LayoutInfo
    results: LayoutInfo
    credits: Positive
    cycles_per_frame: Cycles
    latency_cycles: Cycles
    core_digest: Digest
    registers: tuple[RegisterInfo, ...]
    word_values: Size | None = None


class Versions(Record, frozen=True):
    """Of the tools that made a build."""

    difflut: Word


class BuildInfo(Record, frozen=True):
    """`build.json`.

    Attributes:
        name: the top module.
        core: the module with the plain interface; `name` unless an interface is wrapped around it.
        target: the output language.
        fpga: the FPGA family.
        interface: of the top module.
        outputs: "both", "scores", "class" or "top-K".
        model, input, output: what went in, the ports of the core.
        latency_cycles: of the core, from the edge that takes an input, or the last word of an image, to the result.
        initiation_interval: cycles from one sample to the next in the core.
        schedule: when and where the parts are computed.
        netlist, parts: what was emitted.
        passes: what they saved.
        versions: of the tools that made it.
        clock_enable: whether the core has an input `ce`, without which edges of the clock do nothing.
        names: of features and classes, None if the model has none.
        pipeline, timing: where registers are and the estimated clock; None where they are not planned but given.
        axi_stream: the streams, None for the plain interface.
        files: SHA-256 of every other file.
    """

    name: Identifier
    core: Identifier
    target: Literal["verilog"]
    fpga: Identifier
    interface: Annotated[str, Meta(pattern=r"\A(plain|axi-stream)\Z")]
    outputs: Word
    model: ModelInfo
    input: InputInfo
    output: OutputInfo
    latency_cycles: Cycles
    initiation_interval: Cycles
    schedule: WholeSamples | Pixels
    netlist: NetlistInfo
    parts: Annotated[tuple[PartInfo, ...], NotEmpty]
    passes: tuple[PassInfo, ...]
    versions: Versions
    clock_enable: bool = False
    names: DataNames | None = None
    pipeline: PipelineInfo | None = None
    timing: TimingInfo | None = None
    axi_stream: AxiStreamInfo | None = None
    files: dict[str, Digest] = {}

    @property
    def wording(self) -> Wording:
        """Codes and classes in the words of the data."""
        return Wording(self.names, self.input.format, self.input.shape)

    @property
    def pixels(self) -> Pixels | None:
        """The schedule of images that enter pixel by pixel."""
        return self.schedule if isinstance(self.schedule, Pixels) else None

    @property
    def folded(self) -> ProgramInfo | None:
        """The program of a body that is folded into memories."""
        return self.schedule.program

    @property
    def estimated_luts(self) -> int:
        """The estimated LUTs of all parts that are not in memory."""
        return sum(part.estimated_luts or 0 for part in self.parts)

    def luts_of(self, kind: str) -> int:
        """Nodes in all copies of the parts of a kind."""
        return sum(part.luts * part.copies for part in self.parts if part.kind == kind)


def to_bytes(info: BuildInfo) -> bytes:
    """`build.json`; the same description gives the same bytes.

    Raises:
        ValueRefused: it has a text that cannot be written.
    """
    described: dict[str, Any] = msgspec.to_builtins(info)
    check_texts(described)
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, **described, "digest": description_digest(described)}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def from_bytes(content: bytes) -> BuildInfo:
    """Read `build.json`.

    Raises:
        ValueRefused: it is no description of a build, of another version, or edited; says where.
    """
    try:
        raw = msgspec.json.decode(content)
        if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
            raise ValueRefused(f"{MANIFEST}: is no difflut build description; expected one made by `difflut export`")
        version, digest = raw.pop("format_version", None), raw.pop("digest", None)
        if version != FORMAT_VERSION:
            raise ValueRefused(f"{MANIFEST}: has build format {version!a:.20}, this difflut reads {FORMAT_VERSION}")
        check_texts(raw)
        info = msgspec.convert(raw, BuildInfo)
        find_family(info.fpga)
        parse_outputs(info.outputs, info.output.classes)
        _check_input(info)
        _check_timing(info.timing)
        if info.names is not None:
            results = sum(head.results for head in info.output.heads)
            info.names.check(math.prod(info.input.shape), results)
    except (msgspec.DecodeError, ConfigError, RecursionError, UnicodeDecodeError) as error:
        raise ValueRefused(f"{MANIFEST}: cannot be read: {one_line(error)}") from error
    if digest != description_digest(raw):
        raise ValueRefused(f"{MANIFEST}: was edited: its content does not have the digest that it names")
    return info


def _check_timing(timing: TimingInfo | None) -> None:
    """Raise ConfigError unless the longest path lies in one of the stages."""
    if timing is not None and timing.critical_path.stage > len(timing.stages):
        raise ConfigError(
            f"timing.critical_path.stage is {timing.critical_path.stage}; the core has {len(timing.stages)} stages"
        )


def _check_input(info: BuildInfo) -> None:
    """Raise ConfigError unless there is such an input format, for samples of that shape, which enter in such parts."""
    given, schedule = info.input, info.schedule
    features = math.prod(given.shape)
    if given.format.features not in (None, features):
        raise ConfigError(
            f"divisor and offset are of {given.format.features} features; a sample of shape {list(given.shape)} has "
            f"{features}"
        )
    pixels = schedule.pixels or 1
    columns = schedule.columns(given.shape)
    if features * schedule.pixels_per_cycle != given.features * pixels or pixels % columns:
        raise ConfigError(
            f"{given.features} codes enter in a cycle, {schedule.pixels_per_cycle} of {pixels} pixels; a sample of "
            f"shape {list(given.shape)} has {features} codes"
        )
