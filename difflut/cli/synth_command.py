"""`difflut synth`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from difflut.cli.common import json_option, print_json


@click.command(
    "synth",
    epilog="\b\nExamples:\n"
    "  difflut synth build/mnist_fc_8k_dwn\n"
    "  difflut synth build/mnist_fc_8k_dwn --flow yosys --fpga xcup --json",
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--flow", default="yosys", show_default=True, type=click.Choice(["yosys"]), help="The tools to run.")
@click.option("--fpga", metavar="NAME", help="generic, xc7, xcup, ice40, ecp5 or gowin; the build's own by default.")
@json_option
def command(directory: Path, flow: str, fpga: str | None, as_json: bool) -> None:
    """Synthesise a build and count its LUTs, carry cells, multiplexers and flip-flops, in all and by part.

    DIR is a directory made by `difflut export`. Logs, the synthesised netlist (Verilog and JSON) and the report stay in
    DIR/work/.
    """
    from difflut.export.flows import FLOWS

    show_progress = sys.stderr.isatty() and not as_json

    def report(line: str) -> None:
        if show_progress:
            click.echo(f"\r\033[K{line}", err=True, nl=False)

    result = FLOWS[flow](directory, fpga, report)
    if show_progress:
        click.echo("\r\033[K", err=True, nl=False)
    if as_json:
        print_json(result.to_json())
        return
    click.echo(f"{result.build}: Yosys {result.yosys}, {result.command}")
    click.echo(f"  {'':<14}{'LUTs':>8}{'carry':>8}{'mux':>8}{'FFs':>8}")
    for name, part in {**result.parts, "flattened": result.total}.items():
        carries = sum(part.carries.values())
        click.echo(f"  {name:<14}{part.luts:>8}{carries:>8}{part.muxes:>8}{part.flip_flops:>8}")
    path = ", ".join(f"{count} {kind}" for kind, count in result.path.cells.items())
    click.echo(
        f"  longest path {result.path.delay_ns:.2f} ns, {result.path.fmax_mhz:.0f} MHz before placement "
        f"(estimate): {path}"
    )
    click.echo(f"  {result.seconds:.0f} s; netlist, logs and report in {result.folder}")
