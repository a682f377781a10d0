"""`difflut export`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from difflut.cli.common import FROM_0, POSITIVE, json_option, model_option, print_json
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import FAMILIES

if TYPE_CHECKING:
    from difflut.export.builds.info import BuildInfo, PipelineInfo, Pixels
    from difflut.report.evidence import Known


@click.command(
    "export",
    epilog="\b\nExamples:\n"
    "  difflut export mnist_fc_8k_dwn --target verilog\n"
    "  difflut export mnist_fc_8k_dwn --fpga xcup --outputs class\n"
    "  difflut export mnist_fc_8k_dwn --prove\n"
    "  difflut export mnist_fc_8k_dwn --fpga ecp5 --fmax 100\n"
    "  difflut export mnist_fc_8k_dwn --interface axi-stream --stream-width 64 --stream-output class\n"
    "  difflut export mnist_fc_8k_dwn --pipeline encoder,1,2,sum2,argmax4\n"
    "  difflut export cifar10_conv --conv streaming\n"
    "  difflut export cifar10_conv --conv folded=32\n"
    "  difflut export cifar10_conv --conv folded=4096\n"
    "  difflut export my.safetensors --model my_models:Net --name net_a",
)
@click.argument("source", metavar="NAME|CKPT")
@click.option("--target", default="verilog", show_default=True, help="Output language: verilog.")
@click.option(
    "--interface", default="plain", show_default=True, metavar="plain|axi-stream", help="Ports of the top module."
)
@click.option("--stream-width", type=int, metavar="8..512", help="Width of TDATA in bits (axi-stream); 32 by default.")
@click.option("--stream-output", metavar="scores|class", help="What the stream gives (axi-stream); scores by default.")
@click.option(
    "--fpga",
    default=GENERIC.name,
    show_default=True,
    metavar="NAME",
    help=f"FPGA family: {', '.join(FAMILIES)} (difflut list --fpgas).",
)
@click.option(
    "--outputs",
    default="both",
    show_default=True,
    metavar="scores|class|both|top-K",
    help="What the circuit puts out; top-3: the three best classes, best first. With axi-stream: see --stream-output.",
)
@click.option(
    "--pipeline",
    metavar="auto|levels|PLAN",
    help="Where registers go: the fastest clock in as few cycles as it takes, or what --fmax and --latency ask for "
    "(auto, the default), after each level, or after the levels of a PLAN such as encoder,2,sum2,argmax4.",
)
@click.option(
    "--conv",
    default="unrolled",
    show_default=True,
    metavar="unrolled|streaming|folded=N",
    help="Convolutions: every position at once, an image a cycle; or each kernel once, a pixel a cycle; or an image "
    "about every N cycles: several pixels a cycle if N is less than an image has, else the layers behind them in "
    "memories.",
)
@click.option("--fmax", type=POSITIVE, metavar="MHZ", help="Fewest cycles that reach this estimated clock (auto).")
@click.option(
    "--latency",
    type=FROM_0,
    metavar="CYCLES",
    help="Fastest estimated clock in at most these cycles (auto).",
)
@click.option(
    "--name",
    help="Top module, with which all modules, HDL files and the FuseSoC core are named; the model's name by default.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Build directory; build/NAME by default. An older build is replaced."
)
@click.option("--prove", "prove_it", is_flag=True, help="Prove the build for all inputs; exit status 1 if that fails.")
@model_option
@json_option
def command(
    source: str,
    target: str,
    interface: str,
    stream_width: int | None,
    stream_output: str | None,
    fpga: str,
    outputs: str,
    pipeline: str | None,
    conv: str,
    fmax: float | None,
    latency: int | None,
    name: str | None,
    out: Path | None,
    prove_it: bool,
    model_class: str | None,
    as_json: bool,
) -> None:
    """Turn a trained model into a circuit: a build directory with Verilog, build.json and a README.

    NAME is a zoo model, CKPT a checkpoint written by `difflut train`.
    """
    from difflut.cli import prove_command
    from difflut.export.builds import store
    from difflut.export.builds.make import make_build
    from difflut.export.interfaces.framing import Stream
    from difflut.export.schedule.forms import parse_form
    from difflut.export.schedule.pipelining import AUTO, Pipeline
    from difflut.models import load_model
    from difflut.report.evidence import Known
    from difflut.report.synthesis import syntheses

    asked = Pipeline(pipeline or AUTO, fmax, latency)
    given = {"width_bits": stream_width, "output": stream_output}
    given = {name: value for name, value in given.items() if value is not None}
    stream = Stream(**given) if given else None  # type: ignore[arg-type]
    form = parse_form(conv)
    model = load_model(source, model_class)
    directory = out or store.default_directory(model.name if name is None else name)
    made = make_build(
        model,
        target=target,
        interface=interface,
        stream=stream,
        fpga=fpga,
        outputs=outputs,
        pipeline=asked,
        form=form,
        name=name,
    )
    store.write(made, directory)
    proof = prove_command.run(directory) if prove_it else None
    if as_json:
        result = {"directory": str(directory), **json.loads(made.manifest_bytes), "digest": made.digest}
        print_json(result if proof is None else {**result, "proof": proof.to_json()})
        sys.exit(0 if proof is None or proof.ok else 1)
    click.echo(f"{model.name} -> {directory}")
    fresh = [found for found in syntheses(directory) if found.digest == made.digest]
    for line in lines(made.info, Known.of(made.info, fresh)):
        click.echo(f"  {line}")
    if proof is not None:
        prove_command.show(proof, directory)
        if not proof.ok:
            click.echo(f"the build stays in {directory}, but it is not proved to compute what the model does", err=True)
            sys.exit(1)
    named = ["--model", model_class] if model_class else []
    click.echo(f"next: {shlex.join(['difflut', 'verify', str(directory), *named])}")


def lines(info: BuildInfo, known: Known) -> Iterator[str]:
    """What a build is, for people."""
    netlist, pixels = info.netlist, info.pixels
    if pixels is None:
        yield (
            f"{netlist.comparators} comparators on {netlist.features_read} of {netlist.features} inputs, "
            f"{netlist.luts} LUTs, {netlist.classes} scores; about {known.size}"
        )
        yield f"latency {info.latency_cycles} cycle{'s' if info.latency_cycles != 1 else ''}, a new input every cycle"
    else:
        yield from _stream_lines(info, pixels)
    if (streams := info.axi_stream) is not None:
        yield (
            f"AXI4-Stream of {streams.width_bits} bits: {streams.codes.beats} beats a frame, {streams.results.beats} a "
            f"result; last beat in to last beat out {streams.latency_cycles} cycles"
        )
    if known.clock is not None:
        yield f"about {known.clock}"
    if (timing := info.timing) is not None:
        yield f"slowest by the estimate is {timing.slowest}"
    if info.pipeline is not None:
        yield from _trade_off(info, info.pipeline)


def _trade_off(info: BuildInfo, pipeline: PipelineInfo) -> Iterator[str]:
    """What other registers would cost and give, and which of it this build is."""
    of = f"the {info.schedule.pipelined}'s cycles"
    yield f"trade-off by the estimate, of {of}, clock and data flip-flops (--latency, --fmax, --pipeline choose):"
    assert info.timing is not None  # where registers are planned, stages are estimated
    slowest = max(stage.delay_ns for stage in info.timing.stages)
    own = (len(pipeline.registers_after), round(1e3 / slowest, 1), pipeline.register_bits)
    points = [(point.latency_cycles, point.fmax_mhz, point.register_bits) for point in pipeline.trade_off]
    for cycles, mhz, bits in sorted({*points, own}):
        mark = "*" if (cycles, bits) == (own[0], own[2]) else " "
        note = "" if (cycles, mhz, bits) in points else "  not among the best"
        yield f"{mark} {cycles:>3} cycle{' ' if cycles == 1 else 's'}{mhz:>8.1f} MHz{bits:>9,} FFs{note}"


def _stream_lines(info: BuildInfo, pixels: Pixels) -> Iterator[str]:
    """The same of a circuit that images enter pixel by pixel."""
    yield (
        f"{pixels.form}: {info.netlist.comparators} comparators, {info.luts_of('kernel')} LUTs of kernels and "
        f"{info.luts_of('layer')} of the dense part; {info.netlist.classes} scores"
    )
    buffers = f"{pixels.line_buffer_bits} bits of line buffers, {pixels.window_bits} of windows"
    if (program := pixels.program) is not None:
        yield (
            f"dense part: {program.nodes_per_cycle} LUT{'s' if program.nodes_per_cycle > 1 else ''} a cycle for "
            f"{program.program_cycles} cycles, with {program.table_bits} bits of tables and {program.connection_bits} "
            "of connections in memory"
        )
        yield f"{buffers}, {program.copies} copies of {program.copy_bits} bits of maps for the dense part"
    else:
        yield f"{buffers}, {pixels.collected_bits} of maps for the dense part"
    several = f", {pixels.pixels_per_cycle} at a time," if pixels.pixels_per_cycle > 1 else ""
    yield (
        f"latency {info.latency_cycles} cycles from the last pixel, an image of {pixels.pixels} pixels{several} "
        f"every {info.initiation_interval} cycles"
    )
