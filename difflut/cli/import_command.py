"""`difflut import`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from difflut.cli.common import FROM_1, POSITIVE, Finite, json_option, print_json
from difflut.errors import ConfigError

if TYPE_CHECKING:
    from difflut.input_format import InputFormat


@click.command(
    "import",
    epilog="\b\nExamples:\n"
    "  difflut import jsc.pt --out jsc.safetensors --tau 1 --input-bits 12 --signed --divisor 256\n"
    "  difflut import state.pt --out net.safetensors --classes 10 --tau 3.3 --arrays beside.npz --input-bits 8 "
    "--divisor 255\n"
    "  difflut import state.safetensors --out net.safetensors --classes 10 --tau 3.3 --binary-inputs 2352",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Checkpoint to write.")
@click.option("--format", "format_name", help="torch_dwn, dwn2rtl or tables; what the file is by default.")
@click.option("--name", help="Name of the model; the file's stem by default.")
@click.option("--classes", type=FROM_1, help="Classes of the group sum, where the file does not say them.")
@click.option("--tau", type=POSITIVE, help="By which the group sum is divided, where the file does not say it.")
@click.option(
    "--arrays",
    type=click.Path(path_type=Path),
    help="npz file with what the network's file does not hold: thresholds, mean and scale, permutation.",
)
@click.option("--binary-inputs", type=FROM_1, help="The network has no thermometer: so many bits are its inputs.")
@click.option("--input-bits", type=click.IntRange(1, 16), help="Bits of the integer code of a feature.")
@click.option("--signed", is_flag=True, help="Codes are two's complement.")
@click.option("--divisor", type=POSITIVE, help="Code c stands for the feature offset + c / divisor.")
@click.option("--offset", type=Finite(), help="The feature of code 0; 0 by default.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="npz file whose training samples give divisor and offset of each feature.",
)
@json_option
def command(
    file: Path,
    out: Path,
    format_name: str | None,
    name: str | None,
    classes: int | None,
    tau: float | None,
    arrays: Path | None,
    binary_inputs: int | None,
    input_bits: int | None,
    signed: bool,
    divisor: float | None,
    offset: float | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Make a checkpoint of the trained network of another library, for every other command.

    Nothing is unpickled. What FILE does not say is given by options; docs/import.md says what that is.
    """
    from difflut.importers import IMPORTERS, load_network
    from difflut.importers.arrays import beside

    model = load_network(
        file,
        format=format_name,
        input_format=_input_format(input_bits, signed, divisor, offset, data),
        name=name,
        classes=classes,
        tau=tau,
        binary_inputs=binary_inputs,
        **(beside(arrays) if arrays is not None else {}),
    )
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
    layers = ", ".join(f"{nodes} nodes of {n} inputs" for nodes, n in model.shape)
    scaled = ", scaled" if model.scaled else ""
    click.echo(f"{file} ({result['format']}) -> {out}: {model.name}")
    click.echo(
        f"  {model.input_size} features of {model.input_format.width_bits} bits{scaled}, {model.encoder.bits} "
        f"thresholds each; {layers}; {model.num_classes} classes"
    )
    if importer.takes:
        click.echo(f"  taken, as the file does not tell: {importer.takes}")
    click.echo(f"next: {shlex.join(['difflut', 'export', str(out)])}")


def _input_format(
    bits: int | None, signed: bool, divisor: float | None, offset: float | None, data: Path | None
) -> InputFormat | None:
    from difflut.data import load_npz
    from difflut.input_format import InputFormat

    if bits is None:
        if signed or divisor is not None or offset is not None or data is not None:
            raise ConfigError("--signed, --divisor, --offset and --data say what a code is; give --input-bits, too")
        return None
    if data is not None:
        if signed or divisor is not None or offset is not None:
            raise ConfigError(
                "--data gives divisor and offset of each feature; leave --signed, --divisor, --offset out"
            )
        return InputFormat.fit(load_npz(data).train.x, bits)
    if divisor is None:
        raise ConfigError("--input-bits alone does not say what a code stands for; give --divisor, or --data")
    return InputFormat(bits, signed, divisor, offset or 0.0)
