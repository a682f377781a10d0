"""From a trained convolutional model to a build directory with a streaming circuit."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import Any

from difflut._version import __version__
from difflut.errors import ConfigError
from difflut.export.builds import bundle
from difflut.export.builds.bundle import pack_netlist
from difflut.export.builds.make import (
    MODEL_FILE,
    choose_stream,
    hardware_files,
    model_summary,
    output_ports,
    pass_summary,
    pipeline_summary,
    readme_file,
)
from difflut.export.circuit import circuit_text as text
from difflut.export.circuit.circuit import ConvolutionalNetlist
from difflut.export.circuit.netlist import Netlist
from difflut.export.families.family import GENERIC, Target, find_target
from difflut.export.frontend.maps import trace_convolution
from difflut.export.interfaces import PLAIN
from difflut.export.interfaces.framing import Stream
from difflut.export.interfaces.wrapper import CORE_SUFFIX, Wrapped, wrap_pixels
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.passes.parts import optimise
from difflut.export.schedule.folded.plan import FoldedDense, fold_dense, nodes_per_cycle
from difflut.export.schedule.forms import FOLDED, STREAMING
from difflut.export.schedule.head.outputs import Outputs, parse_outputs
from difflut.export.schedule.head.plan import plan_head
from difflut.export.schedule.levels import Plan
from difflut.export.schedule.pipelining import LEVELS, Pipeline, plan_pipeline
from difflut.export.schedule.stream.kernels import stage_kernels
from difflut.export.schedule.stream.plan import Schedule, kernel_luts, plan_schedule
from difflut.export.schedule.stream.words import Words, pixels_per_cycle_for
from difflut.export.schedule.timing import analyse, find_levels
from difflut.export.verilog import names
from difflut.export.verilog.design import Design
from difflut.export.verilog.stream import emit_folded, emit_stream
from difflut.models.base_model import BaseModel

NETLIST_FILE = bundle.CONVOLUTION_FILE


def make_stream_bundle(
    model: BaseModel,
    *,
    target: str = "verilog",
    interface: str = PLAIN,
    stream: Stream | None = None,
    fpga: str = GENERIC.name,
    outputs: str = "both",
    pipeline: Pipeline | str = LEVELS,
    cycles_per_image: int | None = None,
    pixels_per_cycle: int = 1,
    dense_nodes_per_cycle: int | None = None,
) -> bundle.Bundle:
    """Export a fitted convolutional model as a streaming circuit, in memory; the same model and options, the same bytes.

    Args:
        model: the model.
        target: the output language, "verilog".
        interface: the ports of the top module: "plain" (pixels with in_valid and in_ready) or "axi-stream" (images).
        stream: width and output of the streams, for "axi-stream" only; its output decides which results the core has.
        fpga: the FPGA family, a name in `difflut.export.families.family.TARGETS`.
        outputs: "both" (scores and class), "scores", "class" or "top-K".
        pipeline: where registers go in the dense part; kernels have one behind each level of LUTs. The bits that the
            dense part reads are registers, so by default none follow its level "encoder". A folded dense part has registers
            of its own.
        cycles_per_image: fold the circuit so that an image takes about so many cycles, instead of giving the next two: if
            these are fewer than an image has pixels, several of them are taken in a cycle, else the dense part is folded.
        pixels_per_cycle: adjacent pixels of a row that are taken in a cycle, up to a whole row. With P times the pixels each
            kernel is built up to P times; strides restrict P, see `difflut.export.schedule.stream.words`.
        dense_nodes_per_cycle: how many LUTs of a folded dense part are looked up in a cycle; None: it is not folded.

    Raises:
        ConfigError: if an option is unknown or does not fit, or a layer does not fit a stream.
        TraceError: if the model is no stack of whole maps; see `trace_convolution`.
    """
    if target != "verilog":
        raise ConfigError(f"a streaming circuit has the target 'verilog'; got {target!r}")
    stream = choose_stream(interface, stream, outputs)
    family = find_target(fpga)
    traced = trace_convolution(model)
    netlist, reports = optimise(traced, family)
    chosen = parse_outputs(stream.output if stream else outputs, netlist.dense.head.classes)
    asked = Pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    netlist = stage_kernels(netlist)
    top = names.identifier(netlist.name)
    core_top = f"{top}{CORE_SUFFIX}" if stream else top
    if cycles_per_image is not None:
        pixels_per_cycle, dense_nodes_per_cycle = _fold(netlist, cycles_per_image)
    folded: FoldedDense | None = None
    timing: dict[
        str, Any
    ] = {}  # of a folded dense part: its registers are always the same, and delays of memories not known
    if dense_nodes_per_cycle is None:
        plan = _plan_dense(netlist.dense, family, asked, chosen)
        netlist = replace(netlist, dense=assign_stages(netlist.dense, plan.cells))
        schedule = plan_schedule(netlist, pixels_per_cycle)
        design = emit_stream(
            netlist,
            schedule,
            family,
            outputs=chosen,
            head_registers=plan.head_registers,
            last_registered=plan.registers_last_cells,
            top=core_top,
        )
        timing = {
            "pipeline": pipeline_summary(asked, plan),
            "timing": analyse(netlist.dense, family, plan, chosen).to_json(),
        }
    else:
        _check_folded(pixels_per_cycle, dense_nodes_per_cycle, asked)
        folded = fold_dense(netlist, plan_schedule(netlist), dense_nodes_per_cycle)
        schedule = folded.schedule
        design = emit_folded(netlist, folded, family, outputs=chosen, top=core_top)
    wrapped = wrap_pixels(design, netlist, stream, schedule) if stream else Wrapped(design.files, {}, {})
    manifest = _manifest(model, netlist, design, schedule, family, folded)
    manifest |= {
        "name": top,
        "interface": interface,
        **timing,
        "passes": [{"part": part, **pass_summary(report)} for part, made in reports.items() for report in made],
        "versions": {"difflut": __version__},
        **wrapped.manifest,
    }
    about = f"Streaming classifier of lookup tables made from the model {model.name}"
    files = hardware_files(manifest, wrapped, design.models, about)
    files[NETLIST_FILE] = text.to_text(netlist).encode()
    files[bundle.TRACED_FILE] = pack_netlist(text.to_text(traced))
    files[MODEL_FILE] = model.checkpoint_bytes(frozen=True)
    readme = "build_readme_axi_stream.md.j2" if stream else "build_readme_stream.md.j2"
    files["README.md"] = readme_file(readme, manifest, wrapped, design.models)
    return bundle.Bundle(manifest, files)


def _plan_dense(dense: Netlist, family: Target, asked: Pipeline, outputs: Outputs) -> Plan:
    if asked.spec != LEVELS:
        return plan_pipeline(dense, family, asked, outputs)
    levels = find_levels(dense, plan_head(dense.head, family, outputs))
    return Plan(levels, tuple(place for place, name in enumerate(levels.names) if name != "encoder"))


def _fold(netlist: ConvolutionalNetlist, cycles: int) -> tuple[int, int | None]:
    """Pixels a cycle and nodes of the dense part a cycle (None: all at once) of a circuit with so many cycles an image."""
    if cycles < netlist.size.pixels:
        return pixels_per_cycle_for(netlist, cycles), None
    return 1, nodes_per_cycle(netlist, plan_schedule(netlist), cycles)


def _check_folded(pixels_per_cycle: int, nodes_per_cycle: int, pipeline: Pipeline) -> None:
    """Raise ConfigError unless a folded dense part goes with these options."""
    if pixels_per_cycle != 1:
        raise ConfigError(
            f"pixels_per_cycle is {pixels_per_cycle}: a circuit with a folded dense part takes one pixel a cycle"
        )
    if pipeline != Pipeline(LEVELS):
        raise ConfigError("a folded circuit has registers of its own: leave out --pipeline, --fmax and --latency")
    if nodes_per_cycle < 1:
        raise ConfigError(f"dense_nodes_per_cycle is {nodes_per_cycle}; expected at least 1")


def _folded_figures(folded: FoldedDense) -> dict[str, Any]:
    """What `build.json` says of a folded dense part."""
    program = folded.program
    return {
        "nodes_per_cycle": program.lanes,
        "program_cycles": program.rows,
        "idle_lanes": program.idle_lanes,
        "hold_cycles": folded.schedule.hold_cycles,
        "table_bits": folded.table_bits,
        "connection_bits": folded.connection_bits,
        "copies": folded.copies,
        "copy_bits": folded.layout.copy_bits,
        "banks": [
            {"words": bank.halves * bank.words, "width_bits": bank.width_bits, "map": keeper.map if keeper else None}
            for bank, keeper in zip_longest(folded.layout.banks, folded.keepers)
        ],
    }


def _manifest(
    model: BaseModel,
    netlist: ConvolutionalNetlist,
    design: Design,
    schedule: Schedule,
    family: Target,
    folded: FoldedDense | None,
) -> dict[str, Any]:
    size, form, kernels = netlist.size, netlist.input, kernel_luts(netlist, schedule)
    words = schedule.words[0]
    return {
        "target": "verilog",
        "fpga": family.name,
        "outputs": design.head.outputs.name,
        "model": model_summary(model),
        "input": {
            "port": "in_codes",
            "shape": list(model.input_shape),
            "features": words.pixels * size.channels,
            "width_bits": form.width_bits,
            "signed": form.signed,
            "divisor": model.input_format.divisor,
            "meaning": _meaning(words, size.channels, form.width_bits)
            + f"; the model sees code / {model.input_format.divisor:g}",
        },
        "output": output_ports(design.head.outputs, netlist.dense.head),
        "latency_cycles": design.latency_cycles,
        "initiation_interval": design.initiation_interval,
        "convolution": {
            "form": STREAMING if folded is None else FOLDED,
            "pixels": schedule.pixels,
            "pixels_per_cycle": words.pixels,
            "words": words.total,
            "dense_latency_cycles": design.latency_cycles - schedule.collect_cycles,
            "pause_cycles": schedule.pause_cycles,
            "line_buffer_bits": schedule.buffer_bits,
            "window_bits": schedule.window_bits,
            "collected_bits": schedule.collected_bits,
            **({} if folded is None else {"folded": _folded_figures(folded)}),
            "maps": [
                {
                    "size": list(maps),
                    "source": layer.source,
                    "window": list(layer.window),
                    "stride": list(layer.stride),
                    "padding": list(layer.padding),
                    "luts": layer.kernel.luts,
                    "lanes": steps.lanes.count,
                    "registers": steps.register_levels,
                }
                for layer, steps, maps in zip(netlist.layers, schedule.layers, netlist.maps[1:], strict=True)
            ],
        },
        "netlist": {
            "comparators": words.pixels * len(netlist.compare_channel),
            "luts": kernels + netlist.dense.luts,
            "kernel_luts": kernels,
            "dense_luts": netlist.dense.luts,
            "classes": netlist.dense.head.classes,
        },
    }


def _meaning(words: Words, colours: int, width_bits: int) -> str:
    """What the port `in_codes` shows."""
    if words.pixels == 1:
        return f"one pixel a cycle, row by row; colour c is the code at in_codes[{width_bits}*c +: {width_bits}]"
    meaning = (
        f"{words.pixels} adjacent pixels of a row a cycle, row by row; colour c of pixel p, the leftmost first, is the code at "
        f"in_codes[{width_bits}*({colours}*p + c) +: {width_bits}]"
    )
    last = words.columns - (words.row - 1) * words.pixels
    return meaning if last == words.pixels else f"{meaning}; of the last word of a row only the low {last} count"
