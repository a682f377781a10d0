"""`difflut estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from difflut.cli.circuit_options import circuit_arguments, circuit_options
from difflut.cli.common import data_options, json_option, print_json, whole_dataset
from difflut.cli.completion import ModelName


@click.command(
    "estimate",
    epilog="\b\nExamples:\n"
    "  difflut estimate mnist_fc_8k_dwn --fpga xc7\n"
    "  difflut estimate my_models:Net --data mnist/\n"
    "  difflut estimate ./nets.py:small --fpga ecp5 --conv streaming --json",
)
@click.argument("source", type=ModelName(), metavar="NAME|MODULE:NAME")
@circuit_options
@data_options(False, "Directory with the data set that fits the encoder; samples drawn at random by default.")
@json_option
def command(
    source: str,
    data_dir: Path | None,
    dataset: str | None,
    data_note: str | None,
    download: bool,
    as_json: bool,
    **circuit: Any,
) -> None:
    """Say what a model will cost before it is trained: LUTs, flip-flops, latency and clock on an FPGA family.

    NAME is a zoo model, whose shipped weights are not used. The circuit is planned with the tables and connections
    that the model starts with, so that the figures are an estimate of the structure; nothing is written.
    """
    from difflut.models import make_model
    from difflut.sizing import estimate

    arguments = circuit_arguments(**circuit)
    model = make_model(source)
    data = None if data_dir is None else whole_dataset(source, data_dir, dataset, data_note, download)
    found = estimate(model, data, **arguments)
    if as_json:
        print_json(found.to_json())
    else:
        click.echo(found.text)
