"""From a trained model to a build: trace, passes, schedule, Verilog, interface, description."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from torch import Tensor

from difflut.errors import ConfigError
from difflut.export.builds import design_info, litex, pynq, store
from difflut.export.builds.bench import bench_files
from difflut.export.builds.describe import describe
from difflut.export.builds.design_info import DESIGN_FILE
from difflut.export.builds.evidence import estimated_clock, estimated_size
from difflut.export.builds.fusesoc import core_file, core_name, core_version, vlnv
from difflut.export.builds.info import BuildInfo
from difflut.export.builds.ip_xact import component_file, component_name
from difflut.export.builds.ports import top_ports
from difflut.export.builds.self_check import golden_codes, self_check
from difflut.export.builds.store import MODELS_FOLDER, RTL_FOLDER, Build, pack_netlist
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.text import to_text
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import find_family
from difflut.export.frontend.trace import trace, trace_circuit
from difflut.export.interfaces.framing import Stream
from difflut.export.interfaces.wrapper import HEADER_FOLDER, Plain, Wrapped, choose_interface
from difflut.export.passes import pipelines
from difflut.export.schedule.forms import Form, Planned, parse_form
from difflut.export.schedule.pipelining import AUTO, Pipeline
from difflut.export.verilog import names
from difflut.export.verilog.clock_enable import with_clock_enable
from difflut.export.verilog.design import Design
from difflut.export.verilog.emit import emit_planned
from difflut.hdl_templates import render
from difflut.models.base_model import BaseModel
from difflut.models.wrappers import takes_wrapped
from difflut.progress import note
from difflut.shown import Brief

TARGETS = ("verilog",)
GOLDEN_SAMPLES = 16  # of the test bench


@takes_wrapped
def make_build(
    model: BaseModel,
    *,
    target: str = TARGETS[0],
    interface: str = Plain.name,
    stream: Stream | None = None,
    fpga: str = GENERIC.name,
    outputs: str = "both",
    pipeline: Pipeline | str = AUTO,
    form: Form | str = Form.name,
    clock_enable: bool = False,
    samples: Tensor | None = None,
    name: str | None = None,
) -> Build:
    """Export a fitted model in memory; the same model and options give the same bytes.

    Before it is done, the model loaded again from the build's checkpoint and the circuit must give the model's scores,
    see `difflut.export.builds.self_check`.

    Args:
        model: the model.
        target: the output language, "verilog".
        interface: the ports of the top module, "plain" or "axi-stream".
        stream: width and output of the streams, for "axi-stream" only; its output decides which results the core has.
        fpga: the FPGA family, a name in `difflut.export.families.registry.FAMILIES`.
        outputs: "both" (scores and class), "scores", "class" or "top-K".
        pipeline: where registers go; see `Pipeline`, whose `spec` may be given alone. Kernels of a streaming circuit
            have one behind each level of LUTs.
        form: when and where convolutions are computed: "unrolled", "streaming", "folded=N" with N cycles an image, or
            an object of `difflut.export.schedule.forms`.
        clock_enable: whether the top has an input `ce`: at an edge with it low nothing changes. For "plain" only.
        samples: real samples (N, ...), numbers or codes, to compare a few of besides random codes; by default images
            that the package ships for the model.
        name: of the top module, with which the names of all modules, HDL files and the core begin; made from the
            model's by default. Builds that meet in one design need different ones.

    Raises:
        ConfigError: the name is none that a module may have, an option is unknown, or the options or a layer do not fit
            together.
        TraceError: the model has no circuit, or none of this form.
        SelfCheckError: the checkpoint, loaded again, or the circuit does not compute what the model does.
    """
    made = design_model(
        model,
        target=target,
        interface=interface,
        stream=stream,
        fpga=fpga,
        outputs=outputs,
        pipeline=pipeline,
        form=form,
        clock_enable=clock_enable,
        name=name,
    )
    checkpoint = model.checkpoint_bytes(frozen=True)
    note("self-check")
    self_check(model, made.planned.circuit, checkpoint, samples)
    info, design = made.info, made.design
    drivers = {}
    if info.axi_stream:
        modules = litex.modules(info, sorted(made.wrapped.rtl))
        drivers = {f"{info.name}_pynq.py": pynq.driver(info), f"{info.name}_litex.py": modules}
    files = {
        **_hardware_files(info.name, made.wrapped, design.models),
        f"{HEADER_FOLDER}/{info.name}_codes.h": _codes_header(info).encode(),
        **{f"{HEADER_FOLDER}/{name}": text.encode() for name, text in drivers.items()},
        store.NETLIST_FILE: to_text(made.planned.circuit).encode(),
        store.TRACED_FILE: pack_netlist(to_text(made.traced)),
        DESIGN_FILE: design_info.to_bytes(design),
        store.MODEL_FILE: checkpoint,
    }
    files |= bench_files(Build.of(info, files).info, made.planned.circuit, golden_codes(model, samples, GOLDEN_SAMPLES))
    return Build.of(info, {**files, **_documents(Build.of(info, files), made.planned.family)})


@dataclass(frozen=True, eq=False, repr=False)
class Designed(Brief):
    """What an export makes of a model before it checks itself: the circuit as traced and as planned, its Verilog, and
    `build.json` still without files.
    """

    traced: Circuit
    planned: Planned
    design: Design
    wrapped: Wrapped
    info: BuildInfo


@takes_wrapped
def design_model(
    model: BaseModel,
    *,
    target: str = TARGETS[0],
    interface: str = Plain.name,
    stream: Stream | None = None,
    fpga: str = GENERIC.name,
    outputs: str = "both",
    pipeline: Pipeline | str = AUTO,
    form: Form | str = Form.name,
    clock_enable: bool = False,
    name: str | None = None,
) -> Designed:
    """Everything of an export that needs no checkpoint; see `make_build`."""
    if target not in TARGETS:
        raise ConfigError(
            f"unknown target {target!r}; known: {', '.join(TARGETS)}, and as one file blif, aiger, tables, c "
            "(export_netlist in Python)"
        )
    top = names.identifier(model.name) if name is None else names.check_identifier(name)
    chosen = choose_interface(interface, stream, clock_enable)
    family, asked = find_family(fpga), Pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    form = parse_form(form) if isinstance(form, str) else form
    if outputs == "both" and not model.output_heads.decide:
        outputs = "scores"  # numbers have no class
    ports = chosen.outputs(outputs, model.num_classes)
    note("tracing")
    traced = trace_circuit(model) if form.windowed else Circuit.of(trace(model))
    note("passes")
    circuit, passes = pipelines.run(traced, pipelines.default(family))
    note("schedule")
    planned = form.plan(circuit, family, ports, asked)
    note("Verilog")
    design = emit_planned(planned, f"{top}{chosen.core_suffix}")
    if clock_enable:
        design = with_clock_enable(design)
    wrapped = chosen.wrap(design, planned)
    info = describe(
        *(model, planned, design, wrapped),
        interface=chosen.name,
        clock_enable=clock_enable,
        pipeline=asked,
        passes=passes,
    )
    return Designed(traced, planned, design, wrapped, info)


def export_model(model: BaseModel, out: str | os.PathLike[str], **options: Any) -> Path:
    """Export a fitted model into a build directory, whole or not at all; returns the directory.

    Args:
        model: the model.
        out: the directory; an earlier build there is replaced.
        options: as for `make_build`.

    Raises:
        BundleError: the directory holds something else than a build.
        WriteError: it cannot be written.
        ConfigError, TraceError, SelfCheckError: as `make_build`.
    """
    directory = Path(out)
    store.write(make_build(model, **options), directory)
    return directory


def _hardware_files(name: str, wrapped: Wrapped, models: Mapping[str, str]) -> dict[str, bytes]:
    """The files of a build that hardware tools and drivers read, by path."""
    rtl = {f"{RTL_FOLDER}{file}": content for file, content in wrapped.rtl.items()}
    simulation = {f"{MODELS_FOLDER}{name}_{file}": content for file, content in models.items()}
    headers = {f"{HEADER_FOLDER}/{file}": content for file, content in wrapped.headers.items()}
    return {file: content.encode() for file, content in {**rtl, **headers, **simulation}.items()}


def _documents(build: Build, family: Family) -> dict[str, bytes]:
    """What tells people, FuseSoC and tools that read IP-XACT of a build that has all other files, by path."""
    info, sources = build.info, list(build.rtl)
    models = sorted(name for name in build.files if name.startswith(MODELS_FOLDER))
    version = core_version(info.files)
    described = f"Classifier of lookup tables made from the model {info.model.name}"
    core = core_file(info.name, version=version, description=described, family=family, sources=sources, models=models)
    component = component_file(info, version=version, description=described, sources=sources, models=models)
    readme = render(
        "build_readme.md.j2",
        {
            "build": info,
            "clock": estimated_clock(info),
            "size": estimated_size(info),
            "sources": [PurePosixPath(name).name for name in sources],
            "models": bool(models),
            "golden": GOLDEN_SAMPLES,
            "core": vlnv(info.name, version),
            "ports": top_ports(info),
        },
    )
    texts = {core_name(info.name): core, component_name(info.name): component, "README.md": readme}
    return {file: text.encode() for file, text in texts.items()}


def _codes_header(info: BuildInfo) -> str:
    """The C header that makes input codes of numbers."""
    form = info.input.format
    divisors, offsets = ([str(value) for value in part] for part in form.scaling)
    return render(
        "input_codes.h.j2",
        {
            "name": info.name,
            "shape": " x ".join(map(str, info.input.shape)),
            "features": math.prod(info.input.shape),
            "divisors": divisors,
            "offsets": offsets,
            "lowest": form.lowest,
            "highest": form.highest,
        },
    )
