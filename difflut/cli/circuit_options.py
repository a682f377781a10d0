"""The options that say what circuit is made of a model, for every command that makes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from difflut.cli.common import FROM_0, POSITIVE
from difflut.cli.completion import FpgaName
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import FAMILIES, chosen_family

fpga_option: Callable[..., Any] = click.option(
    "--fpga",
    default=GENERIC.name,
    show_default=True,
    metavar="NAME",
    type=FpgaName(),
    help=f"FPGA family: {', '.join(FAMILIES)} (difflut list --fpgas).",
)

_OPTIONS = (
    click.option(
        "--interface", default="plain", show_default=True, metavar="plain|axi-stream", help="Ports of the top module."
    ),
    click.option(
        "--stream-width", type=int, metavar="8..512", help="Width of TDATA in bits (axi-stream); 32 by default."
    ),
    click.option(
        "--stream-output", metavar="scores|class", help="What the stream gives (axi-stream); scores by default."
    ),
    click.option(
        "--registers",
        metavar="none|identity|full",
        help="AXI4-Lite registers (axi-stream): none, what the build is, or counters too; full by default.",
    ),
    click.option(
        "--clock-enable",
        is_flag=True,
        help="An input ce (plain): at an edge of the clock with it low nothing changes.",
    ),
    fpga_option,
    click.option("--device", metavar="PART", help="The FPGA, such as xc7a35t; chooses the family in place of --fpga."),
    click.option(
        "--outputs",
        default="both",
        show_default=True,
        metavar="scores|class|both|top-K",
        help="What the circuit puts out; top-3: the three best classes, best first. With axi-stream: see "
        "--stream-output.",
    ),
    click.option(
        "--pipeline",
        metavar="auto|levels|PLAN",
        help="Where registers go: the fastest clock in as few cycles as it takes, or what --fmax and --latency ask for "
        "(auto, the default), after each level, or after the levels of a PLAN such as encoder,2,sum2,argmax4.",
    ),
    click.option(
        "--conv",
        default="unrolled",
        show_default=True,
        metavar="unrolled|streaming|folded=N",
        help="Convolutions: every position at once, an image a cycle; or each kernel once, a pixel a cycle; or an "
        "image about every N cycles: several pixels a cycle if N is less than an image has, else the layers behind "
        "them in memories.",
    ),
    click.option("--fmax", type=POSITIVE, metavar="MHZ", help="Fewest cycles that reach this estimated clock (auto)."),
    click.option(
        "--latency",
        type=FROM_0,
        metavar="CYCLES",
        help="Fastest estimated clock in at most these cycles (auto).",
    ),
)


def circuit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; `circuit_arguments` takes their values."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def circuit_arguments(
    *,
    interface: str,
    stream_width: int | None,
    stream_output: str | None,
    registers: str | None,
    clock_enable: bool,
    fpga: str,
    device: str | None,
    outputs: str,
    pipeline: str | None,
    conv: str,
    fmax: float | None,
    latency: int | None,
) -> dict[str, Any]:
    """The arguments of `make_build` that the values of the options are."""
    from difflut.export.interfaces.framing import Stream
    from difflut.export.schedule.forms import parse_form
    from difflut.export.schedule.pipelining import AUTO, Pipeline

    given = {"width_bits": stream_width, "output": stream_output, "registers": registers}
    given = {name: value for name, value in given.items() if value is not None}
    return {
        "interface": interface,
        "stream": Stream(**given) if given else None,  # type: ignore[arg-type]
        "clock_enable": clock_enable,
        "fpga": chosen_family(device, None if fpga == GENERIC.name else fpga) or fpga,
        "outputs": outputs,
        "pipeline": Pipeline(pipeline or AUTO, fmax, latency),
        "form": parse_form(conv),
    }
