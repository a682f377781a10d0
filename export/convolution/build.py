"""From a trained convolutional model to a build directory with a streaming circuit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from difflut._version import __version__
from difflut.errors import ConfigError
from difflut.export import bundle
from difflut.export.backends import names
from difflut.export.backends.verilog_stream import StreamDesign, emit_stream
from difflut.export.convolution import text
from difflut.export.convolution.ir import ConvolutionalNetlist
from difflut.export.convolution.optimise import optimise
from difflut.export.convolution.stages import stage_kernels
from difflut.export.convolution.trace import trace_convolution
from difflut.export.exporter import (
    MODEL_FILE,
    MODELS_FOLDER,
    choose_stream,
    model_summary,
    output_ports,
    pass_summary,
    pipeline_summary,
)
from difflut.export.fusesoc import core_file, core_name
from difflut.export.heads.outputs import Outputs, parse_outputs
from difflut.export.heads.plan import plan_head
from difflut.export.interfaces import PLAIN
from difflut.export.interfaces.framing import Stream
from difflut.export.interfaces.wrapper import CORE_SUFFIX, HEADER_FOLDER, Wrapped, wrap_pixels
from difflut.export.ir import Netlist
from difflut.export.levels import Plan
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.pipelining import LEVELS, Pipeline, plan_pipeline
from difflut.export.proof.build import pack_netlist
from difflut.export.targets import GENERIC, Target, find_target
from difflut.export.timing import analyse, find_levels
from difflut.hdl_templates import render
from difflut.models.base_model import BaseModel

NETLIST_FILE = bundle.CONVOLUTION_FILE
UNROLLED, STREAMING = "unrolled", "streaming"
FORMS = (UNROLLED, STREAMING)


def make_stream_bundle(
    model: BaseModel,
    *,
    target: str = "verilog",
    interface: str = PLAIN,
    stream: Stream | None = None,
    fpga: str = GENERIC.name,
    outputs: str = "both",
    pipeline: Pipeline | str = LEVELS,
) -> bundle.Bundle:
    """Export a fitted convolutional model as a streaming circuit, in memory; the same model and options, the same bytes.

    Args:
        model: the model.
        target: the output language, "verilog".
        interface: the ports of the top module: "plain" (pixels with in_valid and in_ready) or "axi-stream" (images).
        stream: width and output of the streams, for "axi-stream" only; its output decides which results the core has.
        fpga: the FPGA family, a name in `difflut.export.targets.TARGETS`.
        outputs: "both" (scores and class), "scores", "class" or "top-K".
        pipeline: where registers go in the dense part; kernels have one behind each level of LUTs. The bits that the
            dense part reads are registers, so by default none follow its level "encoder".

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
    plan = _plan_dense(netlist.dense, family, asked, chosen)
    dense = assign_stages(netlist.dense, plan.cells)
    netlist = stage_kernels(replace(netlist, dense=dense))
    top = names.identifier(netlist.name)
    design = emit_stream(
        netlist,
        family,
        outputs=chosen,
        head_registers=plan.head_registers,
        last_registered=plan.registers_last_cells,
        top=f"{top}{CORE_SUFFIX}" if stream else top,
    )
    wrapped = wrap_pixels(design, netlist, stream) if stream else Wrapped(design.files, {}, {})
    manifest = _manifest(model, netlist, design, family)
    manifest |= {
        "name": top,
        "interface": interface,
        "pipeline": pipeline_summary(asked, plan),
        "timing": analyse(dense, family, plan, chosen).to_json(),
        "passes": [{"part": part, **pass_summary(report)} for part, made in reports.items() for report in made],
        "versions": {"difflut": __version__},
        **wrapped.manifest,
    }
    files = {f"rtl/{name}": content.encode() for name, content in wrapped.rtl.items()}
    files |= {f"{HEADER_FOLDER}/{name}": content.encode() for name, content in wrapped.headers.items()}
    files |= {f"{MODELS_FOLDER}/{name}": content.encode() for name, content in design.models.items()}
    core = core_file(
        top,
        version=__version__,
        description=f"Streaming classifier of lookup tables made from the model {model.name}",
        fpga=family.name,
        sources=sorted(f"rtl/{name}" for name in wrapped.rtl),
        models=sorted(f"{MODELS_FOLDER}/{name}" for name in design.models),
    )
    files[core_name(top)] = core.encode()
    files[NETLIST_FILE] = text.to_text(netlist).encode()
    files[bundle.TRACED_FILE] = pack_netlist(text.to_text(traced))
    files[MODEL_FILE] = model.checkpoint_bytes(frozen=True)
    files["README.md"] = render(
        "build_readme_axi_stream.md.j2" if stream else "build_readme_stream.md.j2",
        {"build": manifest, "sources": sorted(wrapped.rtl), "models": bool(design.models)},
    ).encode()
    return bundle.Bundle(manifest, files)


def _plan_dense(dense: Netlist, family: Target, asked: Pipeline, outputs: Outputs) -> Plan:
    if asked.spec != LEVELS:
        return plan_pipeline(dense, family, asked, outputs)
    levels = find_levels(dense, plan_head(dense.head, family, outputs))
    return Plan(levels, tuple(place for place, name in enumerate(levels.names) if name != "encoder"))


def _manifest(model: BaseModel, netlist: ConvolutionalNetlist, design: StreamDesign, family: Target) -> dict[str, Any]:
    schedule, size, form = design.schedule, netlist.size, netlist.input
    return {
        "target": "verilog",
        "fpga": family.name,
        "outputs": design.head.outputs.name,
        "model": model_summary(model),
        "input": {
            "port": "in_codes",
            "shape": list(model.input_shape),
            "features": size.channels,
            "width_bits": form.width_bits,
            "signed": form.signed,
            "divisor": model.input_format.divisor,
            "meaning": f"one pixel a cycle, row by row; colour c is the code at in_codes[{form.width_bits}*c +: "
            f"{form.width_bits}]; the model sees code / {model.input_format.divisor:g}",
        },
        "output": output_ports(design.head.outputs, netlist.dense.head),
        "latency_cycles": design.latency_cycles,
        "initiation_interval": schedule.initiation_interval,
        "convolution": {
            "form": STREAMING,
            "pixels": schedule.pixels,
            "dense_latency_cycles": design.latency_cycles - schedule.collect_cycles,
            "pause_cycles": schedule.pause_cycles,
            "line_buffer_bits": schedule.buffer_bits,
            "window_bits": schedule.window_bits,
            "collected_bits": schedule.collected_bits,
            "maps": [
                {
                    "size": list(maps),
                    "source": layer.source,
                    "window": list(layer.window),
                    "stride": list(layer.stride),
                    "padding": list(layer.padding),
                    "luts": layer.kernel.luts,
                    "registers": steps.register_levels,
                }
                for layer, steps, maps in zip(netlist.layers, schedule.layers, netlist.maps[1:], strict=True)
            ],
        },
        "netlist": {
            "comparators": len(netlist.compare_channel),
            "luts": netlist.luts,
            "kernel_luts": netlist.luts - netlist.dense.luts,
            "dense_luts": netlist.dense.luts,
            "classes": netlist.dense.head.classes,
        },
    }
