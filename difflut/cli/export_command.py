"""`difflut export`."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from difflut.cli.circuit_options import circuit_arguments, circuit_options
from difflut.cli.common import json_option, model_option, print_json
from difflut.cli.completion import ModelName
from difflut.cli.foreign_options import foreign_arguments, foreign_options, split_options
from difflut.errors import ConfigError

if TYPE_CHECKING:
    from difflut.models import BaseModel


SAID = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


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
    "  difflut export mnist_bitflip_20 --target blif --out net.blif\n"
    "  difflut export mnist_bitflip_20 --target c --out net.c\n"
    "  difflut export my.safetensors --model my_models:Net --name net_a\n"
    "  difflut export state.pt --classes 10 --tau 30 --binary-inputs 784",
)
@click.argument("source", type=ModelName(), metavar="NAME|CKPT|FILE")
@click.option(
    "--target",
    default="verilog",
    show_default=True,
    help="verilog; blif, aiger or tables (one file for other tools); c (C99 for any processor).",
)
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
    library; options say what it does not hold, as those of `difflut import`. With --target blif, aiger or tables the
    whole circuit without registers is written as one file, with --target c as a C file and its header.
    """
    from difflut.door import export_model, prove
    from difflut.export.exchange.make import TARGETS

    if prove_it and target in TARGETS:
        raise ConfigError(f"--prove is of a build; read the file back with difflut import to check --target {target}")
    circuit, said = split_options(options)
    model = model_of(source, model_class, foreign_arguments(**said))
    if target in TARGETS:
        _one_file(model, out, target, name, as_json, **circuit)
        return
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


def _one_file(model: BaseModel, out: Path | None, target: str, name: str | None, as_json: bool, **circuit: Any) -> None:
    """Write a file for other tools; options about registers, ports and forms have no meaning there."""
    from difflut.export.exchange.make import export_netlist

    free = {"fpga", "device", "outputs"}
    source = click.get_current_context().get_parameter_source
    given = [f"--{one.replace('_', '-')}" for one in circuit if one not in free and source(one) in SAID]
    if given:
        raise ConfigError(f"--target {target} is a circuit without registers; leave {', '.join(sorted(given))} out")
    arguments = circuit_arguments(**circuit)
    made = export_netlist(model, out, target=target, name=name, fpga=arguments["fpga"], outputs=arguments["outputs"])
    if as_json:
        print_json({**asdict(made), "path": str(made.path)})
        return
    click.echo(made.text)


def model_of(source: str, model_class: str | None, said: dict[str, Any]) -> BaseModel:
    """The model of a name, a checkpoint, or a file of another library.

    Raises:
        ConfigError: options contradict each other.
    """
    from difflut.importers import is_network, load_network
    from difflut.models import load_model

    if not said and not is_network(source):
        return load_model(source, model_class)
    if model_class is not None:
        raise ConfigError("--model makes the model of a checkpoint; a network of another library has its own")
    return load_network(source, **said)
