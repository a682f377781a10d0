"""`difflut synth`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from difflut.cli.common import FROM_0, POSITIVE, SEED, json_option, labelled_test_samples, model_option, print_json
from difflut.cli.completion import FpgaName
from difflut.export.families.registry import FAMILIES, chosen_family, listed, placed_devices

if TYPE_CHECKING:
    from difflut.check.synthesis_check import NetlistCheck

# Which options each flow takes, besides DIR and --json.
_OPTIONS = {
    "yosys": ("fpga", "device", "keep_luts", "check", "simulator", "model_class"),
    "nextpnr": ("device", "freq", "seed", "pins"),
    "vivado": ("device", "freq", "run"),
}
_NAMES = {"model_class": "model", "keep_luts": "keep-luts"}  # of options whose parameter is called otherwise


@click.command(
    "synth",
    epilog="\b\nExamples:\n"
    "  difflut synth build/mnist_fc_8k_dwn\n"
    "  difflut synth build/mnist_bitflip_20 --fpga ecp5 --check 100\n"
    "  difflut synth build/mnist_fc_8k_dwn --flow yosys --fpga xcup --json\n"
    "  difflut synth build/net --flow nextpnr --device LFE5U-85F --seed 1 --seed 2 --seed 3\n"
    "  difflut synth build/net --flow vivado --device xcvu9p-flga2104-2-i --freq 400",
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--flow", default="yosys", show_default=True, type=click.Choice(list(_OPTIONS)), help="The tools to run.")
@click.option("--fpga", type=FpgaName(), metavar="NAME", help=f"yosys: {listed(FAMILIES)}; the build's own by default.")
@click.option(
    "--keep-luts/--no-keep-luts",
    default=None,
    help="yosys: let the LUTs of the network as they are, or map them anew; by default they are kept where there are "
    "more than 20,000.",
)
@click.option(
    "--check",
    type=FROM_0,
    metavar="N",
    help="yosys: simulate the netlist on N test images and on random codes, and compare with PyTorch; exit status 1 if "
    "anything differs. Small netlists are proved too. 0: random codes only.",
)
@click.option(
    "--simulator", type=click.Choice(["verilator", "icarus"]), help="yosys: what runs --check; verilator by default."
)
@click.option(
    "--device",
    metavar="PART",
    help=f"nextpnr: the part, such as {placed_devices()[0][2].part}, an unknown one lists all; "
    "vivado: any part that it knows; yosys: chooses the family.",
)
@click.option(
    "--freq",
    type=POSITIVE,
    metavar="MHZ",
    help="nextpnr, vivado: the clock to reach, exit status 1 if it is not reached; by default the export's estimate.",
)
@click.option(
    "--seed", type=SEED, multiple=True, metavar="N", help="nextpnr: of the placer; may be repeated, the fastest counts."
)
@click.option(
    "--pins",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"nextpnr: pins of the top ({listed(tools.pins_ending for _, tools, _ in placed_devices())}).",
)
@click.option(
    "--run/--no-run",
    default=None,
    help="vivado: run it, or write its scripts only; by default it runs if it is on PATH.",
)
@model_option
@json_option
def command(directory: Path, flow: str, as_json: bool, **options: Any) -> None:
    """Synthesise a build, or place and route it, with the tools of a flow.

    yosys counts LUTs, carry cells, multiplexers and flip-flops, in all and by part. nextpnr places and routes for the
    --device and writes a bitstream; without --pins the network stands in a shell with few pins. vivado
    writes scripts that synthesise and route out of context, and runs them where Vivado is installed.
    DIR is a directory made by `difflut export`. Logs, netlists, scripts and the report stay in a folder of DIR/work/.
    """
    for name, value in options.items():
        if value not in (None, ()) and name not in _OPTIONS[flow]:
            takers = [other for other, names in _OPTIONS.items() if name in names]
            raise click.UsageError(
                f"--{_NAMES.get(name, name)} is an option of --flow {' and '.join(takers)}, not of {flow}"
            )
    failed = {"yosys": _yosys, "nextpnr": _nextpnr, "vivado": _vivado}[flow](directory, as_json, options)
    if failed:
        click.echo(failed, err=True)
        sys.exit(1)


def _yosys(directory: Path, as_json: bool, options: dict[str, Any]) -> str:
    """Run the flow, print its result, and say what failed."""
    from difflut.door import synthesise

    check = None
    family = chosen_family(options["device"], options["fpga"])
    result = synthesise(directory, fpga=family, keep_luts=options["keep_luts"])
    if options["check"] is not None:
        check = _check(directory, result.fpga, options)
    if as_json:
        print_json(result.to_json() | ({} if check is None else {"check": check.to_json()}))
    else:
        click.echo(result.text)
        if check is not None:
            click.echo(check.text)
    return "" if check is None or check.ok else "the synthesised netlist DIFFERS from PyTorch"


def _check(directory: Path, fpga: str, options: dict[str, Any]) -> NetlistCheck:
    from difflut.check.builds import open_build
    from difflut.check.synthesis_check import check_netlist

    data, opened = None, None
    if options["check"]:
        opened = open_build(directory, options["model_class"])
        data, _ = labelled_test_samples(opened.model, None)
    return check_netlist(
        directory,
        fpga,
        data=data,
        images=options["check"],
        simulator=options["simulator"] or "verilator",
        model_class=options["model_class"],
        opened=opened,
    )


def _nextpnr(directory: Path, as_json: bool, options: dict[str, Any]) -> str:
    """Run the flow, print its result, and say what failed."""
    from difflut.door import synthesise

    freq = options["freq"]
    result = synthesise(
        directory,
        "nextpnr",
        device=options["device"],
        freq_mhz=freq,
        seeds=options["seed"] or (1,),
        pins=options["pins"],
    )
    if as_json:
        print_json(result.to_json())
    else:
        click.echo(result.text)
    return _missed(freq, result.mhz)


def _vivado(directory: Path, as_json: bool, options: dict[str, Any]) -> str:
    """Run the flow, print its result, and say what failed."""
    from difflut.door import synthesise

    freq = options["freq"]
    result = synthesise(directory, "vivado", device=options["device"], freq_mhz=freq, run=options["run"])
    if as_json:
        print_json(result.to_json())
    else:
        click.echo(result.text)
    return "" if result.mhz is None else _missed(freq, result.mhz)


def _missed(asked: float | None, mhz: float) -> str:
    if asked is None or mhz >= asked:
        return ""
    return (
        f"--freq {asked:g} is not reached: {mhz:.1f} MHz routed; try more registers (export --pipeline), or "
        "another --seed"
    )
