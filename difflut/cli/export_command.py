"""`difflut export`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from difflut.cli.circuit_options import circuit_arguments, circuit_options
from difflut.cli.common import json_option, model_option, print_json
from difflut.cli.completion import ModelName
from difflut.cli.foreign_options import foreign_arguments, foreign_options, split_options
from difflut.errors import ConfigError

if TYPE_CHECKING:
    from difflut.models import BaseModel


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
    "  difflut export my.safetensors --model my_models:Net --name net_a\n"
    "  difflut export state.pt --classes 10 --tau 30 --binary-inputs 784",
)
@click.argument("source", type=ModelName(), metavar="NAME|CKPT|FILE")
@click.option("--target", default="verilog", show_default=True, help="Output language: verilog.")
@circuit_options
@click.option(
    "--name",
    help="Top module, with which all modules, HDL files and the FuseSoC core are named; the model's name by default.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Build directory; build/NAME by default. An older build is replaced."
)
@click.option("--prove", "prove_it", is_flag=True, help="Prove the build for all inputs; exit status 1 if that fails.")
@model_option
@foreign_options
@json_option
def command(
    source: str,
    target: str,
    name: str | None,
    out: Path | None,
    prove_it: bool,
    model_class: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Turn a trained model into a circuit: a build directory with Verilog, build.json and a README.

    NAME is a zoo model, CKPT a checkpoint written by `difflut train` or `difflut import`, FILE a network of another
    library; options say what it does not hold, as those of `difflut import`.
    """
    from difflut.door import export_model, prove

    circuit, said = split_options(options)
    model = _model(source, model_class, foreign_arguments(**said))
    made = export_model(model, out, target=target, name=name, **circuit_arguments(**circuit))
    proof = prove(made) if prove_it else None
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


def _model(source: str, model_class: str | None, said: dict[str, Any]) -> BaseModel:
    """The model of a name, a checkpoint, or a file of another library."""
    from difflut.importers import is_network, load_network
    from difflut.models import load_model

    if not said and not is_network(source):
        return load_model(source, model_class)
    if model_class is not None:
        raise ConfigError("--model makes the model of a checkpoint; a network of another library has its own")
    return load_network(source, **said)
