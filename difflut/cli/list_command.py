"""`difflut list`."""

from __future__ import annotations

import click

from difflut.cli.common import json_option, print_json
from difflut.shown import percent


@click.command("list", epilog="\b\nExamples:\n  difflut list\n  difflut list --json\n  difflut list --fpgas")
@click.option("--fpgas", is_flag=True, help="List the FPGA families that `difflut export --fpga` knows instead.")
@json_option
def command(fpgas: bool, as_json: bool) -> None:
    """List the models of the zoo and how well their shipped weights do."""
    if fpgas:
        _list_fpgas(as_json)
        return
    from difflut.models import pretrained_info, zoo

    rows = []
    for name, entry in sorted(zoo().items()):
        info = pretrained_info(name)
        rows.append(
            {
                "name": name,
                "description": entry.description,
                "trained_on": info["data"],
                "test_accuracy": info["test_accuracy"],
                "test_samples": info["test_samples"],
            }
        )
    if as_json:
        print_json({"models": rows})
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        accuracy = f"{percent(row['test_accuracy'])} on {row['trained_on']} test"
        click.echo(f"{row['name']:<{width}}  {accuracy}  {row['description']}")


def _list_fpgas(as_json: bool) -> None:
    from dataclasses import asdict

    from difflut.export.families.registry import FAMILIES

    if as_json:
        shown = ("name", "description", "lut_inputs", "dual_output", "carry_bits")
        print_json(
            {
                "fpgas": [
                    {name: getattr(family, name) for name in shown}
                    | {"delays": asdict(family.delays), "instances": family.primitives}
                    for family in FAMILIES.values()
                ]
            }
        )
        return
    width = max(map(len, FAMILIES))
    for name, family in FAMILIES.items():
        timing = "fitted to routed designs" if family.delays.calibrated else "not checked against routed designs"
        click.echo(f"{name:<{width}}  {family.description}: LUT{family.lut_inputs}; delay model {timing}")
