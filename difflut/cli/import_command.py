"""`difflut import`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from difflut.cli.common import json_option, print_json
from difflut.cli.foreign_options import foreign_arguments, foreign_options


@click.command(
    "import",
    epilog="\b\nExamples:\n"
    "  difflut import jsc.pt --out jsc.safetensors --tau 1 --input-bits 12 --signed --divisor 256\n"
    "  difflut import state.pt --out net.safetensors --classes 10 --tau 3.3 --arrays beside.npz --input-bits 8 "
    "--divisor 255\n"
    "  difflut import state.safetensors --out net.safetensors --classes 10 --tau 3.3 --binary-inputs 2352\n"
    "  difflut import adder.blif --out adder.safetensors --numbers 8,1",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Checkpoint to write.")
@click.option("--name", help="Name of the model; the file's stem by default.")
@foreign_options
@json_option
def command(
    file: Path,
    out: Path,
    name: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Make a checkpoint of the trained network of another library, for every other command.

    Nothing is unpickled. What FILE does not say is given by options; docs/import.md says what that is.
    """
    from difflut.importers import IMPORTERS, load_network

    model = load_network(file, name=name, **foreign_arguments(**said))
    model.save_checkpoint(out)
    importer = IMPORTERS[model.info["imported"]["format"]]
    result: dict[str, Any] = {
        "checkpoint": str(out),
        "model": model.name,
        **model.info["imported"],
        "features": model.input_size,
        "thresholds_per_feature": model.encoder.bits,
        "layers": [{"nodes": nodes, "n": n} for nodes, n in model.shape],
        "classes": model.num_classes,
        "tau": model.tau,
        "scaled": model.scaled,
        "input_format": model.input_format.to_json(),
        "taken": importer.takes,
    }
    if as_json:
        print_json(result)
        return
    scaled = ", scaled" if model.scaled else ""
    click.echo(f"{file} ({result['format']}) -> {out}: {model.name}")
    click.echo(
        f"  {model.input_size} features of {model.input_format.width_bits} bits{scaled}, {model.encoder.bits} "
        f"thresholds each; {model.structure}; {model.num_classes} {model.result_kind}"
    )
    if importer.takes:
        click.echo(f"  taken, as the file does not tell: {importer.takes}")
    click.echo(f"next: {shlex.join(['difflut', 'export', str(out)])}")
