"""Routed clocks by device and seed, beside the delay model's estimate: the table of docs/flows.md.

    python benchmarks/bench_routing.py [--network NAME ...] [--device PART ...] [--stream-width 8] [--seeds 3]
        [--folder build/routing]

"random_60_30" is an untrained network of 60 and 30 four-input nodes on MNIST pixels; the others are trained ones of
`benchmarks.hardware`. They stand in the flow's shell, or with --stream-width have AXI4-Stream ports of that many bits
and give the class. Needs pyosys, the yowasp-nextpnr-* packages and apycula.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.hardware.networks import NAMES, trained
from difflut.data import mnist_test
from difflut.export.builds.make import export_model
from difflut.export.errors import ToolError
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import find_device
from difflut.export.flows import nextpnr
from difflut.export.interfaces.framing import Stream
from difflut.export.interfaces.wrapper import AxiStream
from difflut.export.schedule.pipelining import LEVELS
from difflut.models import BaseModel, MNISTFullyConnected

RANDOM = "random_60_30"
DEVICES = ("iCE40HX8K", "GW1NR", "LFE5U-25F")


def network(name: str) -> BaseModel:
    """A network by name."""
    if name != RANDOM:
        return trained(name)
    torch.manual_seed(0)
    return MNISTFullyConnected(RANDOM, (60, 30), n=4).fit_encoder(mnist_test().x[:1000]).eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--network", action="append", choices=(RANDOM, *NAMES))
    parser.add_argument("--device", action="append", help=f"default: {', '.join(DEVICES)}")
    parser.add_argument("--stream-width", type=int, metavar="BITS", help="AXI4-Stream ports; default: the shell")
    parser.add_argument("--seeds", type=int, default=3, help="placements of each")
    parser.add_argument("--folder", type=Path, default=Path("build/routing"))
    options = parser.parse_args()
    width: int | None = options.stream_width
    print(
        "| network | device | LUTs | FFs | of these, shell | estimate, MHz | routed, MHz, by seed | slowest path of "
        "the fastest |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | --- | --- |")
    for name in options.network or [RANDOM]:
        for device in options.device or DEVICES:
            family = find_device(device, GENERIC)[0].name
            ports = {} if width is None else {"interface": AxiStream.name, "stream": Stream(width, "class")}
            folder = options.folder / f"{name}_{family}{'' if width is None else f'_axi{width}'}"
            build = export_model(network(name), folder, fpga=family, pipeline=LEVELS, **ports)
            try:
                result = nextpnr.implement(build, device, seeds=tuple(range(1, options.seeds + 1)))
            except ToolError as error:
                print(f"| {name} | {device} | {str(error).splitlines()[0]} |", flush=True)
                continue
            print(row(name, result), flush=True)


def row(name: str, result: nextpnr.RoutedReport) -> str:
    """One line of the table."""
    (clock,) = result.fastest.clocks.values()
    path = clock.path
    where = "" if path is None else (
        f"{path.delay_ns:.2f} ns, {path.routing_ns:.2f} in wires{'' if path.in_core else ', in the shell'}"
    )  # fmt: skip
    seeds = ", ".join(f"{placement.mhz:.0f}" for placement in result.placements)
    return (
        f"| {name} | {result.device} | {result.total.luts:,} | {result.total.flip_flops:,} | "
        f"{'-' if result.shell is None else f'{result.shell:,}'} | {result.estimated_mhz:.0f} | {seeds} | {where} |"
    )


if __name__ == "__main__":
    main()
