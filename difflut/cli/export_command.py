"""`difflut export`."""

from __future__ import annotations

from pathlib import Path

import click

from difflut.cli.common import json_option, model_option, print_json


@click.command(
    "export",
    epilog="\b\nExamples:\n"
    "  difflut export mnist_fc_8k_dwn --target verilog\n"
    "  difflut export mnist_fc_8k_dwn --fpga xcup --outputs class\n"
    "  difflut export mnist_fc_8k_dwn --fpga ecp5 --fmax 100\n"
    "  difflut export mnist_fc_8k_dwn --pipeline encoder,1,2,sum2,argmax4\n"
    "  difflut export my.safetensors --model my_models:Net --out build/net",
)
@click.argument("source", metavar="NAME|CKPT")
@click.option("--target", default="verilog", show_default=True, help="Output language: verilog.")
@click.option("--interface", default="plain", show_default=True, help="Ports of the top module: plain.")
@click.option(
    "--fpga",
    default="generic",
    show_default=True,
    metavar="NAME",
    help="FPGA family: generic, xc7, xcup, ice40, ecp5, gowin (difflut list --fpgas).",
)
@click.option(
    "--outputs",
    default="both",
    show_default=True,
    metavar="scores|class|both|top-K",
    help="What the circuit puts out; top-3: the three best classes, best first.",
)
@click.option(
    "--pipeline",
    metavar="levels|auto|PLAN",
    help="Where registers go: after each level (the default), where --fmax or --latency need them (auto), or after the "
    "levels of a PLAN such as encoder,2,sum2,argmax4.",
)
@click.option("--fmax", type=float, metavar="MHZ", help="Fewest cycles that reach this estimated clock (auto).")
@click.option("--latency", type=int, metavar="CYCLES", help="Fastest estimated clock in at most these cycles (auto).")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Build directory; build/NAME by default. An older build is replaced."
)
@model_option
@json_option
def command(
    source: str,
    target: str,
    interface: str,
    fpga: str,
    outputs: str,
    pipeline: str | None,
    fmax: float | None,
    latency: int | None,
    out: Path | None,
    model_class: str | None,
    as_json: bool,
) -> None:
    """Turn a trained model into a circuit: a build directory with Verilog, build.json and a README.

    NAME is a zoo model, CKPT a checkpoint written by `difflut train`.
    """
    from difflut.export import bundle
    from difflut.export.exporter import make_bundle
    from difflut.export.pipelining import AUTO, LEVELS, Pipeline
    from difflut.models import load_model

    asked = Pipeline(pipeline or (LEVELS if fmax is None and latency is None else AUTO), fmax, latency)
    model = load_model(source, model_class)
    directory = out or bundle.default_directory(model.name)
    made = make_bundle(model, target=target, interface=interface, fpga=fpga, outputs=outputs, pipeline=asked).bundle
    bundle.write(made, directory)
    if as_json:
        print_json({"directory": str(directory), "digest": made.digest, **made.manifest})
        return
    manifest = made.manifest
    netlist = manifest["netlist"]
    click.echo(f"{model.name} -> {directory}")
    click.echo(
        f"  {netlist['comparators']} comparators on {netlist['features_read']} of {netlist['features']} inputs, "
        f"{netlist['luts']} LUTs, {netlist['classes']} scores; about {netlist['lut6']['total']} LUT6 in all (estimate)"
    )
    cycles = manifest["latency_cycles"]
    click.echo(f"  latency {cycles} cycle{'s' if cycles != 1 else ''}, a new input every cycle")
    timing = manifest["timing"]
    slowest = timing["critical_path"]
    click.echo(
        f"  about {timing['fmax_mhz']:g} MHz on {manifest['fpga']} (an estimate); slowest is stage {slowest['stage']}: "
        f"{' <- '.join(slowest['path'])}"
    )
    click.echo(f"next: difflut verify {directory}")
