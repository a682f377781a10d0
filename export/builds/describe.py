"""What `build.json` says, from what was planned and emitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from difflut._version import __version__
from difflut.export.builds.info import (
    AxiStreamInfo,
    BankInfo,
    BuildInfo,
    ClassPort,
    HeadInfo,
    InputInfo,
    LayoutInfo,
    MapInfo,
    ModelInfo,
    NetlistInfo,
    OutputInfo,
    PartInfo,
    PassInfo,
    PathInfo,
    PipelineInfo,
    Pixels,
    PointInfo,
    ProgramInfo,
    RegisterInfo,
    ScoresPort,
    StageInfo,
    TimingInfo,
    TopPort,
    Versions,
    WholeSamples,
    WrapperPathInfo,
)
from difflut.export.circuit.netlist import Head
from difflut.export.interfaces.framing import Layout
from difflut.export.interfaces.timing import wrapper_paths
from difflut.export.interfaces.wrapper import Streams, Wrapped
from difflut.export.passes.pipelines import PassReport
from difflut.export.schedule.estimate import ENCODER, LAYER, Part
from difflut.export.schedule.folded.plan import FoldedDense
from difflut.export.schedule.forms import FoldedStream, Planned, Streamed
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.pipelining import Pipeline
from difflut.export.verilog.design import Design

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel


def describe(
    model: BaseModel,
    planned: Planned,
    design: Design,
    wrapped: Wrapped,
    *,
    interface: str,
    clock_enable: bool,
    pipeline: Pipeline,
    passes: Sequence[PassReport],
) -> BuildInfo:
    """The description of a build, still without the digests of its files.

    Args:
        model: what was exported.
        planned: its circuit.
        design: the core.
        wrapped: the core with its interface.
        interface, clock_enable, pipeline: what was asked for.
        passes: what each pass changed.
    """
    several = len(planned.circuit.parts()) > 1
    return BuildInfo(
        name=wrapped.top,
        core=wrapped.core,
        target="verilog",
        fpga=planned.family.name,
        interface=interface,
        clock_enable=clock_enable,
        outputs=planned.outputs.name,
        model=ModelInfo(
            name=model.name,
            class_name=f"{type(model).__module__}:{type(model).__qualname__}",
            nodes=model.node_count,
            trained=dict(model.info),
        ),
        input=_input(model, planned),
        output=_output(model, planned.outputs, planned.circuit.body.head),
        latency_cycles=design.latency_cycles,
        initiation_interval=design.initiation_interval,
        schedule=_schedule(planned, design),
        netlist=_netlist(planned),
        parts=_parts(planned, design),
        passes=tuple(
            PassInfo(
                name=report.name,
                comparators_before=report.comparators_before,
                comparators_after=report.comparators_after,
                luts_before=report.luts_before,
                luts_after=report.luts_after,
                part=report.part if several else None,
            )
            for report in passes
        ),
        versions=Versions(difflut=__version__),
        names=model.names,
        pipeline=_pipeline(pipeline, planned),
        timing=_timing(planned, wrapped),
        axi_stream=_streams(wrapped.streams) if wrapped.streams else None,
    )


def _input(model: BaseModel, planned: Planned) -> InputInfo:
    form = model.input_format
    features, meaning = planned.codes_port()
    return InputInfo(
        port="in_codes",
        shape=tuple(model.input_shape),
        features=features,
        width_bits=form.width_bits,
        signed=form.signed,
        divisor=form.divisor,
        offset=form.offset,
        meaning=f"{meaning}; {form.meaning}",
    )


def _output(model: BaseModel, outputs: Outputs, head: Head) -> OutputInfo:
    best = ClassPort(port="out_class", width_bits=head.class_word_bits, ties="lowest index")
    top = TopPort(
        port="out_top",
        count=max(1, outputs.top),
        width_bits=head.class_width_bits,
        order="descending scores, of equal ones the lowest index first",
    )
    return OutputInfo(
        classes=head.classes,
        heads=tuple(heads_of(model, head)),
        scores=ScoresPort(port="out_scores", classes=head.classes, width_bits=head.score_width_bits)
        if outputs.scores
        else None,
        best=best if outputs.best else None,
        top=top if outputs.top else None,
    )


def heads_of(model: BaseModel, head: Head) -> Iterator[HeadInfo]:
    """What the scores and the fields of the class word mean."""
    width, score, bit = head.class_width_bits, 0, 0
    for name, item in model.output_heads.by_name.items():
        scale, offset = item.linear or (None, None)
        yield HeadInfo(
            name=name or item.kind,
            kind=item.kind,
            results=item.results,
            meaning=item.meaning(score, bit, width),
            scale=scale,
            offset=offset,
        )
        score += sum(item.decisions)
        bit += width * sum(count > 1 for count in item.decisions)


@singledispatch
def _schedule(planned: Planned, design: Design) -> WholeSamples | Pixels:
    return WholeSamples()


@_schedule.register
def _(planned: FoldedStream, design: Design) -> Pixels:
    return replace(_pixels(planned, design), program=_program(planned.folded))


@_schedule.register
def _pixels(planned: Streamed, design: Design) -> Pixels:
    circuit, schedule = planned.circuit, planned.schedule
    return Pixels(
        pixels=schedule.pixels,
        pixels_per_cycle=schedule.words[0].pixels,
        words=schedule.words[0].total,
        body_latency_cycles=design.latency_cycles - schedule.collect_cycles,
        pause_cycles=schedule.pause_cycles,
        line_buffer_bits=schedule.buffer_bits,
        window_bits=schedule.window_bits,
        collected_bits=schedule.collected_bits,
        maps=tuple(
            MapInfo(
                size=(size.channels, size.rows, size.columns),
                source=layer.source,
                window=layer.window,
                stride=layer.stride,
                padding=layer.padding,
                luts=layer.kernel.luts,
                lanes=steps.lanes.count,
                registers=steps.register_levels,
            )
            for layer, steps, size in zip(circuit.layers, schedule.layers, circuit.maps[1:], strict=True)
        ),
    )


def _program(folded: FoldedDense) -> ProgramInfo:
    program = folded.program
    return ProgramInfo(
        nodes_per_cycle=program.lanes,
        program_cycles=program.rows,
        idle_lanes=program.idle_lanes,
        hold_cycles=folded.schedule.hold_cycles,
        table_bits=folded.table_bits,
        connection_bits=folded.connection_bits,
        copies=folded.copies,
        copy_bits=folded.layout.copy_bits,
        banks=tuple(
            BankInfo(words=bank.halves * bank.words, width_bits=bank.width_bits, map=keeper.map if keeper else None)
            for bank, keeper in zip_longest(folded.layout.banks, folded.keepers)
        ),
    )


def _netlist(planned: Planned) -> NetlistInfo:
    head = planned.circuit.body.head
    return NetlistInfo(
        comparators=planned.comparators,
        luts=planned.luts,
        features=planned.circuit.input.features,
        features_read=planned.features_read,
        classes=head.classes,
        score_width_bits=head.score_width_bits,
    )


def _parts(planned: Planned, design: Design) -> tuple[PartInfo, ...]:
    """The parts of the circuit and the instances that compute them; those of a layer are the stages that hold LUTs of
    it.
    """
    body, in_body = planned.circuit.body, "body, " if len(planned.circuit.parts()) > 1 else ""
    stages, layers = body.stage[body.comparators :], body.lut_layer

    def instances(part: Part) -> tuple[str, ...]:
        if part.kind == LAYER and part.layer is not None:
            names = [f"{in_body}stage {stage}" for stage in np.unique(stages[layers == part.layer]).tolist()]
        else:
            names = ["encoder" if part.kind == ENCODER else part.name, f"{in_body}{part.name}"]
        return tuple(place for name in dict.fromkeys(names) for place in design.parts.get(name, ()))

    return tuple(
        PartInfo(
            name=part.name,
            kind=part.kind,
            luts=part.luts,
            copies=part.copies,
            estimated_luts=part.estimated_luts,
            instances=instances(part),
        )
        for part in planned.parts()
    )


def _pipeline(asked: Pipeline, planned: Planned) -> PipelineInfo | None:
    plan = planned.registers
    if plan is None:
        return None
    return PipelineInfo(
        spec=asked.spec,
        fmax_mhz=asked.fmax_mhz,
        latency_cycles=asked.latency_cycles,
        levels=plan.levels.names,
        registers_after=plan.names,
        register_bits=sum(stage.register_bits for stage in planned.timing.stages) if planned.timing else 0,
        trade_off=tuple(
            PointInfo(
                latency_cycles=point.latency_cycles,
                fmax_mhz=round(point.fmax_mhz, 1),
                register_bits=point.register_bits,
            )
            for point in plan.trade_off
        ),
    )


def _timing(planned: Planned, wrapped: Wrapped) -> TimingInfo | None:
    """Delays in whole picoseconds, so that equal exports are equal bytes."""
    timing = planned.timing
    if timing is None:
        return None
    luts = sum(part.estimated_luts or 0 for part in planned.parts())
    streams = wrapped.streams
    around = wrapper_paths(streams.framing, streams.registers, planned.family, luts) if streams else ()
    slowest = max([1e3 / timing.fmax_mhz, *(path.delay_ns for path in around)])
    return TimingInfo(
        estimate=timing.words,
        fmax_mhz=round(1e3 / slowest, 1),
        stages=tuple(
            StageInfo(levels=stage.levels, delay_ns=round(stage.delay_ns, 3), register_bits=stage.register_bits)
            for stage in timing.stages
        ),
        critical_path=PathInfo(stage=timing.critical, path=timing.stages[timing.critical - 1].path),
        wrapper=tuple(WrapperPathInfo(delay_ns=round(path.delay_ns, 3), path=path.path) for path in around),
    )


def _streams(streams: Streams) -> AxiStreamInfo:
    framing = streams.framing
    return AxiStreamInfo(
        width_bits=framing.codes.width_bits,
        output=streams.output,
        framing="every number takes whole bytes, low byte first, the first number in the lowest byte of the first "
        f"beat; TLAST at the last beat{framing.order}",
        codes=_layout(framing.codes),
        results=_layout(framing.results),
        credits=framing.credits,
        cycles_per_frame=framing.cycles_per_frame,
        latency_cycles=framing.latency_cycles,
        core_digest=streams.core_digest,
        registers=tuple(
            RegisterInfo(
                name=register.name,
                offset=register.offset,
                access=register.access,
                value=register.value,
                meaning=register.meaning,
            )
            for register in streams.registers
        ),
        word_values=framing.core_codes,
    )


def _layout(layout: Layout) -> LayoutInfo:
    return LayoutInfo(
        count=layout.count, value_bits=layout.value_bits, value_bytes=layout.value_bytes, beats=layout.beats
    )
