"""Two builds side by side: everything that is a number, and the options that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from difflut.export.builds.info import BuildInfo
from difflut.report.facts import Facts

LOWER, HIGHER, NEITHER = "lower", "higher", ""
_RECORDED = ("best_epoch", "history", "test_accuracy", "test_samples", "validation_accuracy", "seconds")


# Figures of a streaming circuit: name, key in `build.json`, unit.
_STREAM = (
    ("pause between images", "pause_cycles", "cycles"),
    ("line buffers", "line_buffer_bits", "bits"),
    ("window registers", "window_bits", "bits"),
    ("registers for what the dense part reads", "collected_bits", "bits"),
)


@dataclass(frozen=True)
class Number:
    """One figure of a build.

    Attributes:
        group: the heading under which it stands.
        name: what it is; equal names of two builds are compared.
        value: the figure.
        unit: behind it, empty for counts; "%" for fractions, which are stored as percentages.
        better: LOWER, HIGHER or NEITHER.
        kind, on: how it is known and on what, where there are several ways.
    """

    group: str
    name: str
    value: float
    unit: str = ""
    better: str = LOWER
    kind: str = ""
    on: str = ""

    @property
    def text(self) -> str:
        """For people."""
        return with_unit(self.value, self.unit)


@dataclass(frozen=True)
class Difference:
    """A figure of two builds; None where one of them does not have it."""

    group: str
    name: str
    here: Number | None
    there: Number | None

    @property
    def changed(self) -> bool:
        """Whether both have it and it differs, or only one has it."""
        return self.here is None or self.there is None or self.here.value != self.there.value

    @property
    def change(self) -> str:
        """Here less there, with a sign, and in per cent where that makes sense; empty if one is missing."""
        if self.here is None or self.there is None:
            return ""
        change = self.here.value - self.there.value
        if change == 0:
            return "same"
        points = " points" if self.here.unit == "%" else ""
        text = f"{'+' if change > 0 else '−'}{with_unit(abs(change), '' if points else self.here.unit)}{points}"
        if points or not self.there.value:
            return text
        return f"{text} ({100 * change / self.there.value:+.1f} %)".replace("-", "−")

    @property
    def verdict(self) -> str:
        """ "better", "worse" or "": of this build against the other."""
        if self.here is None or self.there is None or not self.changed or self.here.better == NEITHER:
            return ""
        return "better" if (self.here.value < self.there.value) == (self.here.better == LOWER) else "worse"


@dataclass(frozen=True)
class OptionDifference:
    """An option or property of two builds that is not the same; a dash where one does not have it."""

    name: str
    here: str
    there: str


def with_unit(value: float, unit: str) -> str:
    """A figure for people: thousands separated, two decimals for fractions."""
    whole = unit == "/s" or (float(value).is_integer() and unit not in ("%", "ns"))
    text = f"{value:,.0f}" if whole else f"{value:,.2f}"
    if unit == "MHz":
        text = f"{value:,.1f}"
    return f"{text} {'cycle' if (unit, value) == ('cycles', 1) else unit}".strip()


def numbers(facts: Facts) -> Iterator[Number]:
    """Every figure of a build, in the order of the report."""
    info, stream = facts.info, facts.info.pixels
    of_body = " of the dense part" if stream else ""
    read = int((facts.comparisons > 0).sum())
    for size in facts.known.sizes:
        yield Number("Size", f"{size.unit} in all, {size.kind}", size.value, kind=size.kind, on=size.words)
    for part in facts.parts:
        yield Number("Size, estimated", f"LUTs of {part.name}", part.estimated_luts or 0)
    yield Number("Size, estimated", f"register bits{of_body}", sum(stage.register_bits for stage in facts.stages))
    yield Number("Network", "nodes of the model", info.model.nodes, better=NEITHER)
    yield Number("Network", "LUTs in the netlist", info.netlist.luts)
    if stream:
        yield Number("Network", "comparisons of a pixel", facts.encoded.comparators)
        yield from (Number("Stream", name, getattr(stream, key), unit) for name, key, unit in _STREAM)
        yield Number("Stream", "first pixel in to result", stream.words - 1 + info.latency_cycles, "cycles")
    else:
        yield Number("Network", "comparisons in the encoder", facts.encoded.comparators)
        yield Number("Network", "inputs read", read, better=NEITHER)
    yield Number("Speed", "latency", info.latency_cycles, "cycles")
    yield Number("Speed", "initiation interval", info.initiation_interval, "cycles")
    for clock in facts.known.clocks:
        kind, mhz, on = clock.kind, clock.value, clock.words
        yield Number("Speed", f"clock, {kind}", mhz, "MHz", HIGHER, kind, on)
        yield Number("Speed", f"latency at the {kind} clock", 1e3 * info.latency_cycles / mhz, "ns", LOWER, kind, on)
        rate = 1e6 * mhz / facts.interval_cycles
        yield Number("Speed", f"samples a second at the {kind} clock", rate, "/s", HIGHER, kind, on)
    if info.axi_stream is not None:
        yield Number("Speed", "cycles a frame", info.axi_stream.cycles_per_frame, "cycles")
        yield Number("Speed", "last beat in to last beat out", info.axi_stream.latency_cycles, "cycles")
    for accuracy in facts.known.accuracies:
        name = f"accuracy, {accuracy.of}"
        yield Number("Accuracy", name, 100 * accuracy.value, "%", HIGHER, accuracy.of, accuracy.words)
    if isinstance(held_out := info.model.trained.get("validation_accuracy"), float):
        yield Number("Accuracy", "accuracy, held-out", 100 * held_out, "%", HIGHER)
    yield from _measured(facts)
    for synthesis in facts.syntheses:
        group = f"Synthesis, {synthesis.name}"
        if synthesis.total is not None:
            yield Number(group, "LUTs", synthesis.total.luts)
            yield Number(group, "flip-flops", synthesis.total.flip_flops)
            yield Number(group, "carry cells", synthesis.total.carries)
        for name, cells in synthesis.parts.items():
            yield Number(group, f"LUTs of {name}", cells.luts)
        for used in synthesis.used:
            yield Number(group, f"{used.kind} used", used.used)
        if synthesis.fmax_mhz is not None:
            yield Number(group, "clock", synthesis.fmax_mhz, "MHz", HIGHER)


def _measured(facts: Facts) -> Iterator[Number]:
    if facts.measured is None or facts.rtl is None:
        return
    step = facts.measured.report["steps"][-1]
    if step.get("accuracy") is not None:
        yield Number("Accuracy", "labelled samples run on the RTL", step["images"], better=NEITHER)
    yield Number("Accuracy", "mismatches of the RTL with PyTorch", step["mismatches"])


def differences(here: Facts, there: Facts) -> list[Difference]:
    """Every figure of the two builds, those of `here` first."""
    own = {(number.group, number.name): number for number in numbers(here)}
    other = {(number.group, number.name): number for number in numbers(there)}
    return [Difference(*key, own.get(key), other.get(key)) for key in [*own, *(key for key in other if key not in own)]]


def by_group(found: Sequence[Difference]) -> list[tuple[str, list[Difference]]]:
    """The differences under their headings, in the order in which these first occur."""
    groups = dict.fromkeys(item.group for item in found)
    return [(group, [item for item in found if item.group == group]) for group in groups]


def option_differences(here: Facts, there: Facts) -> list[OptionDifference]:
    """The options and properties that are not the same."""
    own, other = _options(here.info), _options(there.info)
    names = [*own, *(name for name in other if name not in own)]
    return [
        OptionDifference(name, own.get(name, "–"), other.get(name, "–"))
        for name in names
        if own.get(name) != other.get(name)
    ]


def incomparable(here: Facts, there: Facts) -> tuple[str, ...]:
    """What the two builds have under one name, or one of them alone, without being comparable; in sentences."""
    if bool(here.maps) == bool(there.maps):
        return ()
    entry = (
        f"This build takes an image {here.info.schedule.entry}, the other one {there.info.schedule.entry}. Latency "
        "counts from the last word of an image on the port."
    )
    size = (
        "The stream has few copies of each kernel and the other circuit one for every position, so LUTs of kernels "
        "stand against those of the model's layers, and their lines have no counterpart. Masks, counters, line "
        "buffers and kept bits of the stream are in no estimate of LUTs; a synthesis of both counts them."
    )
    return entry, size


def _options(info: BuildInfo) -> dict[str, str]:
    model, ports, pipeline = info.model, info.input, info.pipeline
    chosen: dict[str, Any] = {
        "name": info.name,
        "model": model.name,
        "model class": model.class_name,
        "FPGA family": info.fpga,
        "outputs": info.outputs,
        "form": info.schedule.form,
        "samples enter": info.schedule.entry,
        "interface": info.interface,
        "stream width": info.axi_stream.width_bits if info.axi_stream else None,
        "pipeline": pipeline.spec if pipeline else None,
        "clock asked for": pipeline.fmax_mhz if pipeline else None,
        "latency asked for": pipeline.latency_cycles if pipeline else None,
        "registers after": ", ".join(pipeline.registers_after) if pipeline else None,
        "input shape": " × ".join(map(str, ports.shape)),
        "input code": f"{ports.width_bits} bits, {'signed' if ports.signed else 'unsigned'}; {ports.format.meaning}",
        "difflut": info.versions.difflut,
    }
    for key, value in model.trained.items():
        if key not in _RECORDED:
            chosen |= (
                {f"trained: {key}": value}
                if not isinstance(value, dict)
                else {f"trained: {inner}": setting for inner, setting in value.items()}
            )
    return {name: str(value) for name, value in chosen.items() if value is not None}
