"""`difflut export`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click

from difflut.cli.common import FROM_0, POSITIVE, json_option, model_option, print_json
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import FAMILIES


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
    from difflut.door import export_model
    from difflut.export.interfaces.framing import Stream
    from difflut.export.schedule.forms import parse_form
    from difflut.export.schedule.pipelining import AUTO, Pipeline
    from difflut.models import load_model

    asked = Pipeline(pipeline or AUTO, fmax, latency)
    given = {"width_bits": stream_width, "output": stream_output}
    given = {name: value for name, value in given.items() if value is not None}
    made = export_model(
        load_model(source, model_class),
        out,
        target=target,
        interface=interface,
        stream=Stream(**given) if given else None,  # type: ignore[arg-type]
        fpga=fpga,
        outputs=outputs,
        pipeline=asked,
        form=parse_form(conv),
        name=name,
    )
    proof = prove_command.run(made.directory) if prove_it else None
    if as_json:
        result = {"directory": str(made), **json.loads(made.build.manifest_bytes), "digest": made.digest}
        print_json(result if proof is None else {**result, "proof": proof.to_json()})
        sys.exit(0 if proof is None or proof.ok else 1)
    click.echo(made.text)
    if proof is not None:
        click.echo(proof.text)
        if not proof.ok:
            click.echo(f"the build stays in {made}, but it is not proved to compute what the model does", err=True)
            sys.exit(1)
    named = ["--model", model_class] if model_class else []
    click.echo(f"next: {shlex.join(['difflut', 'verify', str(made), *named])}")
