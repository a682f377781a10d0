"""The page: what stands where, in which words. Numbers come from `facts`, pictures from `figures`, the form from a
template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup

from difflut._version import __version__
from difflut.export.builds.evidence import ESTIMATED, ROUTED
from difflut.export.builds.info import PassInfo
from difflut.export.circuit.netlist import IntArray, Netlist
from difflut.export.families.family import Family
from difflut.export.families.registry import FAMILIES
from difflut.export.schedule.estimate import ENCODER, GROUP_SUM, LAYER, SELECTION
from difflut.report import compare, figures, svg
from difflut.report.devices import COMFORTABLE, smallest
from difflut.report.facts import Facts, readers
from difflut.report.layer_figure import draw_layers
from difflut.report.synthesis import Synthesis, Used

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More input bits than that, and no package has the pins.
_MANY_PINS = 600
_FEATURE_ROWS = 200
_VIVADO_LOGIC = re.compile(r"LUTs|Registers")
_PART_KINDS = {"encoder": ENCODER, "group_sum": GROUP_SUM, "argmax": SELECTION}


@dataclass(frozen=True)
class Answer:
    """One of the first questions, its answer in a few characters, and what stands behind it."""

    question: str
    answer: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A check that was made: what, how it ended, its outcome in words, when, on which build."""

    what: str
    ok: bool
    outcome: str
    date: str
    digest: str


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure, its caption, and where it goes."""

    name: str
    section: str
    caption: str
    figure: Figure


def draw(facts: Facts) -> list[Drawn]:
    """Every figure that the build has data for.

    Raises:
        ConfigError: if matplotlib is missing.
    """
    figures.require_matplotlib()
    drawn = _layers(facts) if facts.maps else _reads_whole(facts)
    form = facts.encoded.input
    drawn += [
        Drawn(
            "thresholds",
            "reads",
            f"Where the thresholds lie, codes {form.lowest} to {form.highest}",
            figures.thresholds(_thresholds(facts.encoded), form.lowest, form.highest),
        ),
        Drawn(
            "luts",
            "costs",
            f"LUTs by part, estimated for {facts.family.name}",
            figures.luts_by_part(*figures.parts_of(facts.parts), f"LUTs of {facts.family.lut_inputs} inputs, estimate"),
        ),
    ]
    for synthesis in facts.syntheses:
        if synthesis.parts:
            luts = [cells.luts for cells in synthesis.parts.values()]
            kinds = [_PART_KINDS.get(part, LAYER) for part in synthesis.parts]
            caption = f"LUTs by part, {synthesis.tool} for {synthesis.family}, each part by itself"
            figure = figures.luts_by_part(list(synthesis.parts), kinds, luts, "LUTs")
            drawn.append(Drawn(f"luts_{synthesis.name}".replace("-", "_"), "costs", caption, figure))
    if facts.stages:
        caption = (
            f"Delay of each pipeline stage of the {facts.info.schedule.pipelined}, estimated for {facts.family.name}"
        )
        drawn.append(Drawn("stages", "speed", caption, figures.stage_delays(facts.stages)))
    return drawn + _measured(facts)


def _thresholds(encoded: Netlist) -> IntArray:
    """What codes are compared with; bits of codes have no threshold."""
    return encoded.compare_threshold[encoded.compare_feature < encoded.input.features]


def _reads_whole(facts: Facts) -> list[Drawn]:
    """What is read of a sample that comes at once."""
    channel = "; one map a channel" if len(facts.shape) == 3 else ""
    names = facts.info.names.features if facts.info.names else ()
    compared = figures.pixels(facts.comparisons, facts.shape, "comparisons", names)
    read = figures.pixels(readers(facts.netlist), facts.shape, "LUT inputs", names)
    return [
        Drawn("comparisons", "reads", f"How many thresholds each input is compared with{channel}", compared),
        Drawn("readers", "reads", f"How many LUT inputs read a comparison of each input{channel}", read),
        Drawn("per_input", "reads", "Inputs by their number of comparisons", figures.per_pixel(facts.comparisons)),
    ]


def _layers(facts: Facts) -> list[Drawn]:
    """The maps of a stream."""
    drawn = [
        Drawn(
            "layers",
            "layers",
            "The maps to one scale, a sheet for each bit of a pixel up to four; the violet window runs over its map",
            draw_layers(facts.maps, facts.netlist.luts, facts.netlist.head.classes),
        )
    ]
    if any(item.kept_bits for item in facts.maps):
        caption = f"What the dense part reads of the maps, kept {facts.info.schedule.kept}"
        drawn.append(Drawn("kept", "layers", caption, figures.kept(facts.maps)))
    return drawn


def _measured(facts: Facts) -> list[Drawn]:
    rtl = facts.rtl
    if rtl is None:
        return []
    add = partial(Drawn, section="measured")
    drawn, classes = [], facts.netlist.head.classes
    if len(rtl.labels):
        caption = "Confusion matrix: samples by label and the class that the RTL gave"
        names = facts.info.names.classes if facts.info.names else ()
        names = names if len(names) == classes else ()  # a label has two scores and one name
        drawn.append(
            add(
                "confusion",
                caption=caption,
                figure=figures.confusion(rtl, classes, names),
            )
        )
    if rtl.scores is not None and len(rtl.labels) and classes > 1:
        drawn += [
            add("scores", caption="Scores that the RTL gave", figure=figures.scores(rtl.scores, rtl.labels)),
            add(
                "margins",
                caption="Right and wrong answers of the RTL by their margin",
                figure=figures.margins(rtl.scores, rtl.labels),
            ),
        ]
    elif rtl.scores is not None:
        caption = "Scores that the RTL gave" + ("" if len(rtl.labels) else " for random codes")
        drawn.append(add("scores", caption=caption, figure=figures.score_distribution(rtl.scores)))
    return drawn


def render(facts: Facts, drawn: Sequence[Drawn], against: Facts | None = None) -> str:
    """The page as HTML.

    Args:
        facts: the build.
        drawn: its figures.
        against: a build to compare with.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = [
        {
            "section": item.section,
            "caption": item.caption,
            "tall": item.name in ("confusion", "layers"),
            "svg": Markup(svg.inline(item.figure, item.name, item.caption)),
        }
        for item in drawn
    ]
    info = facts.info
    path = info.timing.critical_path if info.timing else None
    limit = limiting(facts)
    return environment.get_template("page.html.j2").render(
        facts=facts,
        info=info,
        title=info.name,
        lead=_lead(facts),
        answers=[_fits(facts), _speed(facts), _accuracy(facts), _exact(facts)],
        strip=_strip(facts),
        strip_by=_strip_by(facts),
        pictures=pictures,
        reads=_reads(facts),
        features=_features(facts)[:_FEATURE_ROWS],
        path=path,
        clock=facts.known.clock,
        limit=limit.path if limit else None,
        slowest=facts.stages[path.stage - 1] if path else None,
        passes=_passes(facts),
        checks=checks(facts),
        claims=facts.proof["claims"] if facts.proof else [],
        measured=facts.measured.report if facts.measured else None,
        against=against,
        differences=compare.by_group(compare.differences(facts, against)) if against else [],
        incomparable=compare.incomparable(facts, against) if against else (),
        options=compare.option_differences(facts, against) if against else [],
        version=__version__,
    )


def _lead(facts: Facts) -> str:
    model, ports = facts.info.model, facts.info.input
    data = model.trained.get("data")
    shape = " × ".join(map(str, facts.shape))
    sign = "signed" if ports.signed else "unsigned"
    return (
        f"The LUT network {model.name} of {model.nodes:,} nodes, "
        f"{f'trained on {data}' if data else 'its training data not recorded'}: {shape} {sign} codes of "
        f"{ports.width_bits} bits, which come in {facts.info.schedule.entry}; {facts.netlist.head.classes} classes."
    )


def _fits(facts: Facts) -> Answer:
    """The best knowledge first: a routed device, then a synthesis, then the estimate."""
    info = facts.info
    bits = info.input.features * info.input.width_bits
    if info.axi_stream is not None:
        pins = f"{bits:,} input bits through an AXI4-Stream of {info.axi_stream.width_bits}"
    elif facts.maps:
        pins = f"{bits:,} input bits: {info.schedule.entry}"
    elif bits > _MANY_PINS:
        pins = f"{bits:,} input bits: more than pins; instantiate it inside a design"
    else:
        pins = f"{bits:,} input bits"
    placed = next((item for item in facts.syntheses if logic_of(item)), None)
    if placed is not None:
        used = max(logic_of(placed), key=lambda item: item.used / max(1, item.available))
        share = 100 * used.used / max(1, used.available)
        detail = f"routed on {placed.device}: {used.used:,} of {used.available:,} {used.kind}"
        return Answer("Does it fit?", f"{share:.0f} % full", (detail, pins))
    size = facts.known.size
    device = _share(FAMILIES[size.family], int(size.value)) if size.family in FAMILIES else []
    return Answer("Does it fit?", size.figure, (size.words, *device, pins))


def logic_of(synthesis: Synthesis) -> list[Used]:
    """The device's LUTs and flip-flops that are taken; pads, clocks and the like do not decide what fits."""
    logic = {kind for family in FAMILIES.values() if family.nextpnr is not None for kind in family.nextpnr.logic}
    return [used for used in synthesis.used if used.kind in logic or _VIVADO_LOGIC.search(used.kind)]


def limiting(facts: Facts) -> Synthesis | None:
    """The synthesis or routing whose clock is the best known one."""
    clock = facts.known.clock
    if clock is None or clock.kind == ESTIMATED:
        return None
    routed = clock.kind == ROUTED
    return next(item for item in facts.syntheses if item.routed == routed and item.fmax_mhz == clock.value)


def _share(family: Family, luts: int) -> list[str]:
    found = smallest(family, luts)
    if found is None:
        return [f"more than {100 * COMFORTABLE:.0f} % of every device known for {family.name}"]
    device, size = found
    example = ", for example," if family.devices_are_examples else ""
    return [f"{100 * luts / size:.0f} % of the LUTs of{example} {device.chip} ({size:,})"]


def _speed(facts: Facts) -> Answer:
    info = facts.info
    clock, cycles = facts.known.clock, info.latency_cycles
    if facts.maps:
        mhz, source = (None, "") if clock is None else (clock.value, clock.words)
        return _images_a_second(facts, mhz, source)
    if clock is None:
        return Answer("How fast?", f"{cycles} cycles", ("no clock is known, neither estimated nor measured",))
    mhz, source = clock.value, clock.words
    if info.axi_stream is not None:
        frame, last = info.axi_stream.cycles_per_frame, info.axi_stream.latency_cycles
        frames = f"a frame every {frame} cycles: {mhz / frame:,.2f} million a second"
        return Answer(
            "How fast?",
            f"{mhz:,.0f} MHz",
            (source, f"last beat in to last beat out {last} cycles = {1e3 * last / mhz:,.0f} ns", frames),
        )
    word = "cycle" if cycles == 1 else "cycles"
    details = [
        source,
        f"latency {cycles} {word} = {1e3 * cycles / mhz:,.0f} ns",
        f"a new input every cycle: {mhz:,.0f} million a second",
    ]
    return Answer("How fast?", f"{mhz:,.0f} MHz", tuple(details))


def _images_a_second(facts: Facts, mhz: float | None, source: str) -> Answer:
    form, interval, cycles = facts.info.pixels, facts.interval_cycles, facts.info.latency_cycles
    assert form is not None  # it has maps
    word, first = form.pixels_per_cycle, form.words - 1 + cycles
    several = f", {word} at a time" if word > 1 else ""
    image = f"an image of {form.pixels:,} pixels{several} every {interval:,} cycles"
    pause = f"{form.pause_cycles:,} of them take no pixel"
    if mhz is None:
        details = (
            image,
            pause,
            f"latency from the last pixel {cycles:,} cycles",
            "no clock yet: `difflut synth` gives one",
        )
        return Answer("How fast?", f"{interval:,} cycles an image", details)
    details = (
        f"at {mhz:,.0f} MHz, {source}",
        f"{image}; {pause}",
        f"latency from the last pixel {cycles:,} cycles = {1e3 * cycles / mhz:,.0f} ns",
        f"from the first pixel {first:,} cycles = {first / mhz:,.2f} µs",
    )
    return Answer("How fast?", f"{1e6 * mhz / interval:,.0f} images/s", details)


def _accuracy(facts: Facts) -> Answer:
    known = facts.known.accuracies
    if not known:
        return Answer("How accurate?", "not known", ("no accuracy is recorded in the model, none was measured",))
    details = [found.words for found in known]
    if not any(found.of == "RTL" for found in known):
        details.append("not measured on the RTL")
    return Answer("How accurate?", f"{100 * known[0].value:.2f} %", tuple(details))


def _exact(facts: Facts) -> Answer:
    question, made = "Is it exact?", checks(facts)
    failed = [f"{check.what}: {check.outcome}" for check in made if not check.ok]
    if failed:
        return Answer(question, "no", tuple(failed))
    details = []
    if facts.proof:
        details.append(f"RTL = traced model for all inputs, {len(facts.proof['claims'])} claims proved")
    if facts.measured is not None:
        step = facts.measured.report["steps"][-1]
        details.append(f"RTL = PyTorch on {step['images'] + step['random']:,} samples, every output")
    elif facts.records:
        step = facts.records[0].report["steps"][0]
        details.append(f"netlist = PyTorch on {step['images'] + step['random']:,} samples; the RTL was not run")
    if facts.proof:
        return Answer(question, "proved", tuple(details))
    details.append("not proved for all inputs")
    return Answer(question, "as far as run" if facts.measured else "not checked", tuple(details))


def checks(facts: Facts) -> list[Check]:
    """Every check of exactly this build."""
    found = []
    for record in facts.records:
        report = record.report
        for step in report["steps"]:
            if step["name"] == "RTL":
                what = f"RTL against PyTorch, {report['simulator']}"
            elif record is facts.records[0]:
                what = "netlist against PyTorch"
            else:
                continue
            samples = f"{step['images']:,} samples of {report['data']} and " if step["images"] else ""
            wrong = step["mismatches"]
            outcome = f"{wrong:,} mismatch{'es' if wrong != 1 else ''} in {samples}{step['random']:,} random ones"
            found.append(Check(what, wrong == 0, outcome, report["date"], report["digest"]))
    if facts.proof:
        claims = facts.proof["claims"]
        proved = sum(claim["verdict"] == "proved" for claim in claims)
        outcome = f"{proved} of {len(claims)} claims proved"
        found.append(Check("all inputs: RTL, netlist, traced model", bool(facts.proof["ok"]), outcome,
                           facts.proof["date"], facts.proof["digest"]))  # fmt: skip
    return found


def _strip(facts: Facts) -> list[dict[str, Any]]:
    """The share of each part, for the bar under the answers."""
    counted = _counted_by_part(facts)
    rows = (
        [(name, _PART_KINDS.get(name, LAYER), cells.luts) for name, cells in counted.parts.items()]
        if counted
        else list(zip(*figures.parts_of(facts.parts), strict=True))
    )
    total = max(1, sum(luts for _, _, luts in rows))
    return [
        {"name": name, "luts": luts, "percent": round(100 * luts / total, 2), "colour": figures.COLOURS[kind]}
        for name, kind, luts in rows
    ]


def _strip_by(facts: Facts) -> str:
    counted = _counted_by_part(facts)
    return f"synthesised: {counted.family} by {counted.tool}, each part by itself" if counted else "estimated"


def _counted_by_part(facts: Facts) -> Synthesis | None:
    """The synthesis of the build's own family, or else of any, that counted each part."""
    found = [item for item in facts.syntheses if item.parts]
    return min(found, key=lambda item: item.family != facts.family.name, default=None)


def _reads(facts: Facts) -> str:
    read = int((facts.comparisons > 0).sum())
    features = len(facts.comparisons)
    if facts.maps:
        colours = ", ".join(f"{count} of colour {colour}" for colour, count in enumerate(facts.comparisons.tolist()))
        compared = len(_thresholds(facts.encoded))
        what = "comparisons" if compared == facts.encoded.comparators else "comparisons and bits"
        return (
            f"{facts.encoded.comparators:,} {what} of a pixel's {features} code{'s' if features > 1 else ''} "
            f"({colours}), the same ones for every pixel: they are the bits of map 0."
        )
    each = facts.netlist.comparators / max(1, read)
    return (
        f"{facts.netlist.comparators:,} comparisons of {read:,} of the {features:,} inputs "
        f"({100 * read / features:.0f} %), {each:.1f} for each that is read. "
        "What the network does not read costs nothing: there is no logic for it."
    )


def _features(facts: Facts) -> list[dict[str, Any]]:
    """One row a feature that is read, where they have names: the most read first, its numbers and thresholds."""
    wording, names = facts.info.wording, facts.info.names
    if names is None or len(names.features) != len(facts.comparisons):  # none, or a stream compares those of a pixel
        return []
    read, netlist = readers(facts.netlist), facts.netlist
    rows = []
    for feature in np.argsort(-read, kind="stable").tolist():
        thresholds = sorted(netlist.compare_threshold[netlist.compare_feature == feature].tolist())
        if thresholds:
            bounds = [wording.number(feature, threshold - 0.5) for threshold in thresholds]
            rows.append(
                {
                    "name": wording.feature(feature),
                    "range": wording.range(feature),
                    "bounds": bounds,
                    "readers": int(read[feature]),
                }
            )
    return rows


def _passes(facts: Facts) -> dict[str, Any]:
    """One row a pass that removed something, and the names of the others; what was there before, in all parts."""
    rows, idle, parts = [], [], dict[str, PassInfo]()
    for report in facts.info.passes:
        parts.setdefault(report.part or "", report)
        comparators = report.comparators_after - report.comparators_before
        luts = report.luts_after - report.luts_before
        if comparators or luts:
            rows.append({"report": report, "comparators": comparators, "luts": luts})
        else:
            idle.append(report.name)
    first = {
        "comparators": sum(part.comparators_before for part in parts.values()),
        "luts": sum(part.luts_before for part in parts.values()),
    }
    return {"first": first, "rows": rows, "idle": list(dict.fromkeys(idle))}
