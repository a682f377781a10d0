"""From a trained model to a build directory: trace, passes, back-end, bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from difflut._version import __version__
from difflut.errors import ConfigError
from difflut.export.builds import bundle
from difflut.export.builds.bundle import pack_netlist
from difflut.export.builds.fusesoc import core_file, core_name
from difflut.export.circuit import text
from difflut.export.circuit.netlist import Head, Netlist
from difflut.export.families.family import GENERIC, Target, find_target
from difflut.export.frontend.trace import trace
from difflut.export.interfaces import AXI_STREAM, INTERFACES, PLAIN
from difflut.export.interfaces.framing import Stream
from difflut.export.interfaces.wrapper import CORE_SUFFIX, HEADER_FOLDER, Wrapped, wrap
from difflut.export.passes import pipelines
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.estimate import summarise
from difflut.export.schedule.head.outputs import Outputs, parse_outputs
from difflut.export.schedule.levels import Plan
from difflut.export.schedule.pipelining import LEVELS, Pipeline, plan_pipeline
from difflut.export.schedule.timing import Timing, analyse
from difflut.export.verilog import names
from difflut.export.verilog.design import Design
from difflut.export.verilog.netlist import emit
from difflut.hdl_templates import render
from difflut.models.base_model import BaseModel

NETLIST_FILE = bundle.NETLIST_FILE
MODEL_FILE = bundle.MODEL_FILE
# Simulation models of the primitives that the RTL instantiates, where there are any.
MODELS_FOLDER = "sim"
VERILOG = "verilog"  # the output language


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Attributes:
        bundle: everything that goes into the directory.
        netlist: the netlist that was emitted.
        passes: what each pass changed.
        timing: the estimated delays of its stages on the FPGA family.
    """

    bundle: bundle.Bundle
    netlist: Netlist
    passes: list[pipelines.PassReport]
    timing: Timing


def make_bundle(
    model: BaseModel,
    *,
    target: str = "verilog",
    interface: str = PLAIN,
    stream: Stream | None = None,
    fpga: str = GENERIC.name,
    outputs: str = "both",
    pipeline: Pipeline | str = LEVELS,
) -> Exported:
    """Export a fitted model in memory; the same model and options give the same bytes.

    Args:
        model: the model.
        target: the output language.
        interface: the ports of the top module, "plain" or "axi-stream".
        stream: width and output of the streams, for "axi-stream" only; its output decides which results the core has.
        fpga: the FPGA family, a name in `difflut.export.families.family.TARGETS`.
        outputs: "both" (scores and class), "scores", "class" or "top-K".
        pipeline: where registers go; see `Pipeline`, whose `spec` may be given alone.

    Raises:
        ConfigError: if the target, the interface, the FPGA family or the outputs are unknown or do not fit together, or
            the pipeline cannot be.
        TraceError: if the model has no circuit.
    """
    if target != VERILOG:
        raise ConfigError(f"unknown target {target!r}; known: {VERILOG}")
    stream = choose_stream(interface, stream, outputs)
    family = find_target(fpga)
    traced = trace(model)
    netlist, reports = pipelines.run(traced, pipelines.default(family))
    chosen = parse_outputs(stream.output if stream else outputs, netlist.head.classes)
    asked = Pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    plan = plan_pipeline(netlist, family, asked, chosen)
    netlist = assign_stages(netlist, plan.cells)
    timing = analyse(netlist, family, plan, chosen)
    top = names.identifier(netlist.name)
    design = emit(
        netlist,
        family,
        outputs=chosen,
        head_registers=plan.head_registers,
        last_registered=plan.registers_last_cells,
        top=f"{top}{CORE_SUFFIX}" if stream else top,
    )
    wrapped = wrap(design, netlist, stream) if stream else Wrapped(design.files, {}, {})
    manifest = _manifest(model, netlist, design, reports, target, interface, family)
    manifest |= {"name": top, "pipeline": pipeline_summary(asked, plan), "timing": timing.to_json(), **wrapped.manifest}
    files = hardware_files(
        manifest, wrapped, design.models, f"Classifier of lookup tables made from the model {model.name}"
    )
    files[NETLIST_FILE] = text.to_text(netlist).encode()
    files[bundle.TRACED_FILE] = pack_netlist(text.to_text(traced))
    files[MODEL_FILE] = model.checkpoint_bytes(frozen=True)
    readme = "build_readme_axi_stream.md.j2" if stream else "build_readme.md.j2"
    files["README.md"] = readme_file(readme, manifest, wrapped, design.models)
    return Exported(bundle.Bundle(manifest, files), netlist, reports, timing)


def hardware_files(
    manifest: Mapping[str, Any], wrapped: Wrapped, models: Mapping[str, str], description: str
) -> dict[str, bytes]:
    """The files of a build that hardware tools and drivers read, by path.

    Args:
        manifest: `build.json`, of which the name and the FPGA family are read.
        wrapped: Verilog and C headers.
        models: file name -> text of the simulation models of the primitives that the RTL instantiates.
        description: a line for the FuseSoC core file.
    """
    rtl = {f"rtl/{name}": content for name, content in wrapped.rtl.items()}
    simulation = {f"{MODELS_FOLDER}/{name}": content for name, content in models.items()}
    headers = {f"{HEADER_FOLDER}/{name}": content for name, content in wrapped.headers.items()}
    core = core_file(
        manifest["name"],
        version=__version__,
        description=description,
        fpga=manifest["fpga"],
        sources=sorted(rtl),
        models=sorted(simulation),
    )
    files = {**rtl, **headers, **simulation, core_name(manifest["name"]): core}
    return {name: content.encode() for name, content in files.items()}


def readme_file(template: str, manifest: Mapping[str, Any], wrapped: Wrapped, models: Mapping[str, str]) -> bytes:
    """The README of a build from a template; the other arguments are those of `hardware_files`."""
    about = {"build": manifest, "sources": sorted(wrapped.rtl), "models": bool(models)}
    return render(template, about).encode()


def choose_stream(interface: str, stream: Stream | None, outputs: str) -> Stream | None:
    """The stream of an AXI interface, None for the plain one; raises ConfigError if the options do not fit together."""
    if interface not in INTERFACES:
        raise ConfigError(f"unknown interface {interface!r}; known: {', '.join(INTERFACES)}")
    if interface == PLAIN:
        if stream is not None:
            raise ConfigError(f"a stream needs the interface {AXI_STREAM!r}; got {interface!r}")
        return None
    chosen = stream or Stream()
    if outputs not in ("both", chosen.output):
        raise ConfigError(
            f"outputs {outputs!r} with interface {AXI_STREAM!r}: the stream carries {chosen.output}; choose what it carries "
            f"with the stream's output (--stream-output), and leave the outputs out"
        )
    return chosen


def pipeline_summary(asked: Pipeline, plan: Plan) -> dict[str, Any]:
    """What was asked of the pipeline and where registers stand, for `build.json`."""
    return {
        "spec": asked.spec,
        "fmax_mhz": asked.fmax_mhz,
        "latency_cycles": asked.latency_cycles,
        "levels": list(plan.levels.names),
        "registers_after": list(plan.names),
    }


def export_model(
    model: BaseModel,
    directory: Path | None = None,
    *,
    target: str = "verilog",
    interface: str = PLAIN,
    stream: Stream | None = None,
    fpga: str = GENERIC.name,
    outputs: str = "both",
    pipeline: Pipeline | str = LEVELS,
) -> Path:
    """Export a fitted model into a build directory (build/<name> by default) and return its path.

    The options are those of `make_bundle`.
    """
    out = directory or bundle.default_directory(model.name)
    made = make_bundle(
        model, target=target, interface=interface, stream=stream, fpga=fpga, outputs=outputs, pipeline=pipeline
    )
    bundle.write(made.bundle, out)
    return out


def _manifest(
    model: BaseModel,
    netlist: Netlist,
    design: Design,
    reports: list[pipelines.PassReport],
    target: str,
    interface: str,
    family: Target,
) -> dict[str, Any]:
    head = netlist.head
    return {
        "name": design.top,
        "target": target,
        "interface": interface,
        "fpga": family.name,
        "outputs": design.head.outputs.name,
        "model": model_summary(model),
        "input": {
            "port": "in_codes",
            "shape": list(model.input_shape),
            "features": netlist.input.features,
            "width_bits": netlist.input.width_bits,
            "signed": netlist.input.signed,
            "divisor": model.input_format.divisor,
            "meaning": f"feature i is the code at in_codes[{netlist.input.width_bits}*i +: {netlist.input.width_bits}]; "
            f"the model sees code / {model.input_format.divisor:g}",
        },
        "output": output_ports(design.head.outputs, head),
        "latency_cycles": design.latency_cycles,
        "initiation_interval": 1,
        "netlist": summarise(netlist, family, design.head.outputs).to_json(),
        "passes": [pass_summary(report) for report in reports],
        "versions": {"difflut": __version__},
    }


def model_summary(model: BaseModel) -> dict[str, Any]:
    """What a build is made from, for `build.json`."""
    return {
        "name": model.name,
        "class": f"{type(model).__module__}:{type(model).__qualname__}",
        "nodes": sum(layer.out_width for _, layer in model.lut_layers()),
        "trained": model.info,
    }


def pass_summary(report: pipelines.PassReport) -> dict[str, Any]:
    """What a pass changed, for `build.json`; without the seconds, since equal exports are equal bytes."""
    return {key: value for key, value in asdict(report).items() if key != "seconds"}


def output_ports(outputs: Outputs, head: Head) -> dict[str, Any]:
    """The ports that there are; `classes` is the number of classes whatever the ports."""
    ports: dict[str, Any] = {"classes": head.classes, "scores": None, "class": None, "top": None}
    if outputs.scores:
        ports["scores"] = {"port": "out_scores", "classes": head.classes, "width_bits": head.score_width_bits}
    if outputs.best:
        ports["class"] = {"port": "out_class", "width_bits": head.class_width_bits, "ties": "lowest index"}
    if outputs.top:
        ports["top"] = {
            "port": "out_top",
            "count": outputs.top,
            "width_bits": head.class_width_bits,
            "order": "descending scores, of equal ones the lowest index first",
        }
    return {name: port for name, port in ports.items() if port is not None}
