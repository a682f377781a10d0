"""What is said of a file of another library, for every command that takes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from difflut.cli.common import FROM_1, POSITIVE, Finite
from difflut.errors import ConfigError

if TYPE_CHECKING:
    from difflut.input_format import InputFormat


class Image(click.ParamType[tuple[int, int, int]]):
    """Colours, rows and columns."""

    name = "C,H,W"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        sizes = value.split(",")
        if len(sizes) != 3 or not all(size.isascii() and size.isdigit() and len(size) < 6 for size in sizes):
            self.fail(f"{value!a:.60} is not three whole numbers as 3,32,32 are.", param, ctx)
        return tuple(map(int, sizes))


_OPTIONS = (
    click.option("--format", "format_name", help="Format of FILE (difflut.importers); what it is by default."),
    click.option("--classes", type=FROM_1, help="Classes of the group sum, where the file does not say them."),
    click.option("--tau", type=POSITIVE, help="By which the group sum is divided, where the file does not say it."),
    click.option("--beta", type=Finite(), help="What the group sum adds to each sum; 0 by default."),
    click.option(
        "--arrays",
        type=click.Path(path_type=Path),
        help="npz file with what the network's file does not hold: thresholds, mean and scale, permutation, "
        "connections_0, connections_1, ...",
    ),
    click.option("--binary-inputs", type=FROM_1, help="The network has no thermometer: so many bits are its inputs."),
    click.option(
        "--nodes",
        metavar="raw|light|warp|walsh|linear",
        help="What parameters of nodes stand for: raw, light or warp of torchlogix, walsh or linear of silogic.",
    ),
    click.option("--image", type=Image(), help="Colours, rows and columns of a sample (torchlogix)."),
    click.option(
        "--bit-order",
        type=click.Choice(["features", "planes"]),
        help="Bits of an image's thermometer: those of a pixel side by side, or plane by plane (torchlogix).",
    ),
    click.option("--geometry", help='Convolutions and poolings, such as "conv+1 pool2 conv pool2/2+1" (torchlogix).'),
    click.option("--softplus-temperature", type=POSITIVE, help="Of learned thresholds (torchlogix)."),
    click.option(
        "--numbers",
        metavar="names|none|WIDTHS",
        help="Outputs of a Boolean circuit that are numbers: by names as y[0] to y[3], none, or widths as 4,4,3s.",
    ),
    click.option("--input-bits", type=click.IntRange(1, 16), help="Bits of the integer code of a feature."),
    click.option("--signed", is_flag=True, help="Codes are two's complement."),
    click.option("--divisor", type=POSITIVE, help="Code c stands for the feature offset + c / divisor."),
    click.option("--offset", type=Finite(), help="The feature of code 0; 0 by default."),
    click.option(
        "--data",
        type=click.Path(path_type=Path),
        help="npz file whose training samples give divisor and offset of each feature.",
    ),
)


def foreign_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options, whose values `foreign_arguments` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options that are none of these, and these."""

    @foreign_options
    def named() -> None: ...

    known = {parameter.name for parameter in named.__click_params__}  # type: ignore[attr-defined]
    others = {name: value for name, value in options.items() if name not in known}
    return others, {name: value for name, value in options.items() if name in known}


def foreign_arguments(
    *,
    format_name: str | None,
    arrays: Path | None,
    input_bits: int | None,
    signed: bool,
    divisor: float | None,
    offset: float | None,
    data: Path | None,
    **same: Any,
) -> dict[str, Any]:
    """Arguments of `load_network`: those that are given.

    Raises:
        ConfigError: options contradict each other.
        NetworkFileError: the arrays cannot be read.
    """
    from difflut.importers.arrays import beside

    said = {"format": format_name, "input_format": _input_format(input_bits, signed, divisor, offset, data), **same}
    given = {name: value for name, value in said.items() if value is not None}
    return given if arrays is None else given | beside(arrays)


def _input_format(
    bits: int | None, signed: bool, divisor: float | None, offset: float | None, data: Path | None
) -> InputFormat | None:
    if bits is None:
        if signed or divisor is not None or offset is not None or data is not None:
            raise ConfigError("--signed, --divisor, --offset and --data say what a code is; give --input-bits, too")
        return None
    from difflut.data import load_npz
    from difflut.input_format import InputFormat

    if data is not None:
        if signed or divisor is not None or offset is not None:
            raise ConfigError(
                "--data gives divisor and offset of each feature; leave --signed, --divisor, --offset out"
            )
        return InputFormat.fit(load_npz(data).train.x, bits)
    if divisor is None:
        raise ConfigError("--input-bits alone does not say what a code stands for; give --divisor, or --data")
    return InputFormat(bits, signed, divisor, offset or 0.0)
