"""`difflut search`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from difflut.cli.circuit_options import fpga_option
from difflut.cli.common import (
    FROM_0,
    FROM_1,
    POSITIVE,
    SEED,
    chosen_device,
    data_options,
    json_option,
    print_json,
    whole_dataset,
)


@click.command(
    "search",
    epilog="\b\nExamples:\n"
    "  difflut search --data mnist/ --max-luts 800 --fpga xcup --out searches/mnist_800\n"
    "  difflut search --data my.npz --min-accuracy 95 --out searches/my_95 --time 0.5\n"
    "  difflut search --data my.npz --max-luts 300 --out searches/my_300 --trials 30 --jobs 4 --json",
)
@data_options(True, "Directory with the data set; for npz also the file.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Directory of journal, checkpoints and table.",
)
@click.option("--max-luts", type=FROM_1, help="The most LUTs, encoder and head included; then the most accurate.")
@click.option(
    "--min-accuracy", type=POSITIVE, metavar="PERCENT", help="The least on held-out samples; then the smallest."
)
@fpga_option
@click.option("--max-cycles", type=FROM_0, help="The most cycles of latency; the exporter's choice by default.")
@click.option("--trials", type=FROM_1, help="The most candidates of the whole search.")
@click.option("--time", "hours", type=POSITIVE, metavar="HOURS", help="The longest to search now; 1 without --trials.")
@click.option(
    "--jobs",
    type=click.IntRange(1, max(64, os.cpu_count() or 1)),
    help="Processes, each with its share of the cores; all cores by default.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1, 1_000_000),
    help="Of a candidate trained to the end; what suits the data by default.",
)
@click.option("--validation", type=FROM_1, help="Held-out training samples; a sixth, at most 5,000, by default.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of held-out samples, trainings and the sampler.")
@click.option("--device", default="cpu", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@json_option
def command(
    data_dir: Path,
    dataset: str | None,
    data_note: str | None,
    download: bool,
    out: Path,
    max_luts: int | None,
    min_accuracy: float | None,
    fpga: str,
    max_cycles: int | None,
    trials: int | None,
    hours: float | None,
    jobs: int | None,
    epochs: int | None,
    validation: int | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Look for the most accurate network in a budget of LUTs, or the smallest one of an accuracy.

    Candidates are trained by successive halving and costed by the exporter's estimate. Held-out training samples
    choose; the test samples are used once, for the candidates of the Pareto set. The same command goes on with a
    search that was interrupted; given several times at once, the processes share it. Exit status 1: nothing meets the
    budget.
    """
    from difflut.errors import ConfigError
    from difflut.searching import search
    from difflut.searching.budget import Budget

    if min_accuracy is not None and not 1 <= min_accuracy <= 100:
        raise ConfigError(f"--min-accuracy {min_accuracy:g}: is in percent, from 1 to 100, such as 97.5")
    least = None if min_accuracy is None else min_accuracy / 100
    Budget(max_luts, least, fpga, max_cycles)  # now, so that a senseless one costs no time
    device = chosen_device(device)
    result = search(
        whole_dataset("", data_dir, dataset, data_note, download),
        out,
        max_luts=max_luts,
        min_accuracy=least,
        fpga=fpga,
        max_cycles=max_cycles,
        trials=trials,
        hours=hours,
        jobs=jobs or os.cpu_count() or 1,
        epochs=epochs,
        validation=validation,
        seed=seed,
        device=device,
        progress=not as_json,
    )
    if as_json:
        print_json(result.to_json())
    else:
        click.echo(result.text)
    if not result.met:
        sys.exit(1)
