"""`difflut verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from difflut.cli.common import (
    FROM_1,
    SEED,
    data_options,
    json_option,
    labelled_test_samples,
    model_option,
    print_json,
)


@click.command(
    "verify",
    epilog="\b\nExamples:\n"
    "  difflut verify build/mnist_fc_8k_dwn\n"
    "  difflut verify build/mnist_fc_8k_dwn --samples 10000 --json\n"
    "  difflut verify build/net --model my_models:Net --data mnist/\n"
    "  difflut verify build/mnist_fc_8k_dwn --waves\n"
    "  difflut verify build/cifar10_conv --data cifar10/ --simulator none\n"
    "  difflut verify build/net --replay build/net/work/proof/counterexample.npz",
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--samples", type=FROM_1, help="Test images that the RTL runs on; 1000 by default, 8 with --waves.")
@click.option(
    "--simulator",
    default="verilator",
    show_default=True,
    type=click.Choice(["verilator", "icarus", "none"]),
    help="What runs it; none compares the netlist only, for designs too large to simulate.",
)
@data_options(False, "Directory with the data set; the MNIST test images ship with the package.")
@click.option("--random-only", is_flag=True, help="Use random input codes only, no labelled samples.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of random codes and of the gaps in in_valid.")
@click.option("--waves", is_flag=True, help="Keep a waveform file (FST) of the whole run, of few samples.")
@click.option(
    "--replay",
    "replay_file",
    type=click.Path(path_type=Path),
    help="Run the RTL on the counterexample that `difflut prove` stored, against the netlist, and on nothing else.",
)
@model_option
@json_option
def command(
    directory: Path,
    samples: int | None,
    simulator: str,
    data_dir: Path | None,
    dataset: str | None,
    data_note: str | None,
    download: bool,
    random_only: bool,
    seed: int,
    waves: bool,
    replay_file: Path | None,
    model_class: str | None,
    as_json: bool,
) -> None:
    """Simulate a build's RTL on real inputs and compare every output (scores, class, ranking) with PyTorch.

    DIR is a directory made by `difflut export`. Exit status 1 if anything differs, or the RTL breaks the protocol of
    its ports.
    """
    if replay_file is not None:
        sys.exit(_replay(directory, replay_file, simulator, waves, as_json))
    from difflut.check.builds import open_build
    from difflut.check.verification import verify

    split, data_name, opened = None, "random codes", open_build(directory, model_class)
    if not random_only:
        split, data_name = labelled_test_samples(opened.model, data_dir, dataset, data_note, download)
    report = verify(
        directory,
        data=split,
        data_name=data_name,
        samples=samples,
        simulator=simulator,
        seed=seed,
        waves=waves,
        opened=opened,
    )
    if as_json:
        print_json(report.to_json())
    else:
        click.echo(report.text)
    sys.exit(0 if report.ok else 1)


def _replay(directory: Path, file: Path, simulator: str, waves: bool, as_json: bool) -> int:
    """Run one stored input; the exit status."""
    from difflut.check.replay import replay

    replayed = replay(directory, file, simulator=simulator, waves=waves)
    if as_json:
        print_json(replayed.to_json())
    else:
        click.echo(f"{replayed.build}: {replayed.simulator} on {file}, compared with the netlist")
        click.echo(f"  {replayed.difference or 'agrees: this input shows no difference'}")
    return 1 if replayed.difference else 0
