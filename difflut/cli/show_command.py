"""`difflut show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from difflut.cli.common import json_option, model_option, print_json
from difflut.cli.completion import ModelName
from difflut.shown import percent

if TYPE_CHECKING:
    from difflut.inspect.show import NodeFacts

_READERS_SHOWN = 8


@click.command(
    "show",
    epilog="\b\nExamples:\n"
    "  difflut show build/mnist_fc_8k_dwn --node L2.17\n"
    "  difflut show mnist_bitflip_20 --node L2.17 --depth 2 --out cone.svg\n"
    "  difflut show build/mnist_fc_8k_dwn --node L1.37 --json",
)
@click.argument("source", type=ModelName(), metavar="DIR|NAME|CKPT")
@click.option("--node", required=True, metavar="L1.37", help="Layer (from 1) and node (from 0), as reports name it.")
@click.option(
    "--depth", default=2, show_default=True, type=click.IntRange(1, 8), help="LUT levels of the cone that are drawn."
)
@click.option("--out", metavar="FILE.svg", type=click.Path(path_type=Path), help="Draw the cone into this file.")
@model_option
@json_option
def command(source: str, node: str, depth: int, out: Path | None, model_class: str | None, as_json: bool) -> None:
    """Say what a node of a circuit computes, from what and for which class, and draw its cone.

    DIR is a build made by `difflut export`; NAME a zoo model and CKPT a checkpoint, which are traced as an export
    would.
    """
    from difflut.errors import ConfigError
    from difflut.export.builds.store import check_output
    from difflut.export.circuit.cone import find_cone
    from difflut.export.circuit.names import find_node
    from difflut.files import write_atomically
    from difflut.inspect.circuits import open_circuit
    from difflut.inspect.cone_drawing import draw_cone
    from difflut.inspect.show import describe

    if out is not None and out.suffix != ".svg":
        raise ConfigError(f"--out {out}: the picture is SVG; give a file name that ends in .svg")
    check_output("--out", out)
    circuit = open_circuit(source, model_class)
    facts = describe(circuit, node)
    if out is not None:
        cone = find_cone(circuit.netlist, find_node(circuit.netlist, node), depth)
        write_atomically(out, draw_cone(circuit, cone).encode())
    if as_json:
        print_json({**facts.to_json(), "picture": None if out is None else str(out)})
        return
    _show(facts)
    if out is not None:
        click.echo(f"  picture    {out}")


def _show(facts: NodeFacts) -> None:
    click.echo(f"{facts.node}: net {facts.net}, stage {facts.stage}")
    for number, name in enumerate(facts.inputs):
        click.echo(f"  input {number} = {'abcdefgh'[number]}  {name}")
    click.echo(f"  table      {facts.table} ({facts.ones} of {facts.entries} are 1; address bit i is input i)")
    shortest = "" if facts.minimal else "  (the shortest found)"
    click.echo(f"  function   {facts.function}{shortest}")
    for k, times in facts.votes.items():
        click.echo(f"  votes for  {facts.classes[k]}{f', {times} times' if times > 1 else ''}")
    if facts.readers:
        more = f" and {len(facts.readers) - _READERS_SHOWN} more" if len(facts.readers) > _READERS_SHOWN else ""
        click.echo(f"  read by    {', '.join(facts.readers[:_READERS_SHOWN])}{more}")
    reached = {k: count for k, count in enumerate(facts.reaches) if count}
    if not facts.votes:
        words = [f"{facts.classes[k]} ({count} bits)" for k, count in reached.items()]
        click.echo(f"  reaches    {', '.join(words) or 'no class'}")
    if facts.activity is not None:
        activity = facts.activity
        click.echo(f"  is 1 for   {percent(activity.share)} of the first {activity.samples} {activity.data}; by label:")
        click.echo("             " + "  ".join(f"{k}: {percent(share)}" for k, share in enumerate(activity.by_class)))
