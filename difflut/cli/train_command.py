"""`difflut train`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from difflut.cli.common import (
    FROM_0,
    FROM_1,
    POSITIVE,
    SEED,
    Finite,
    chosen_device,
    data_options,
    json_option,
    print_json,
    rounding_words,
    whole_dataset,
)
from difflut.cli.completion import ModelName
from difflut.shown import quality

# More than cores are of no use, and thousands end the process.
THREADS = click.IntRange(1, max(64, os.cpu_count() or 1))


@click.command(
    "train",
    epilog="\b\nExamples:\n"
    "  difflut train mnist_fc_8k_dwn --data mnist/ --out my.safetensors\n"
    "  difflut train mnist_fc_8k_dwn --data fashion/ --dataset fashion_mnist --download --out fashion.safetensors\n"
    "  difflut train my_models:Net --data my.npz --validation 500 --out net.safetensors --plot net.png\n"
    "  torchrun --nproc-per-node 2 -m difflut train mnist_fc_8k_dwn --data mnist/ --out my.safetensors",
)
@click.argument("source", type=ModelName(), metavar="NAME|MODULE:NAME")
@data_options(True, "Directory with the data set; for npz also the file.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the checkpoint goes.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--seed", type=SEED, help="Of initialisation, order, held-out samples; the recipe's by default.")
@click.option("--epochs", type=click.IntRange(0, 1_000_000), help="Instead of the recipe's; 0 with sweeps only.")
@click.option("--batch-size", type=FROM_1, help="Instead of the recipe's; shared by all processes.")
@click.option("--learning-rate", type=POSITIVE, help="Peak, instead of the recipe's.")
@click.option("--connection-epochs", type=FROM_0, help="Epochs that learn connections, instead of the recipe's.")
@click.option("--validation", type=FROM_1, help="Held-out training samples, instead of the recipe's.")
@click.option("--max-shift", type=FROM_0, help="Pixels that images are shifted by, instead of the recipe's.")
@click.option("--border", type=click.Choice(["zeros", "reflect"]), help="Of shifted images, instead of the recipe's.")
@click.option("--flip/--no-flip", default=None, help="Mirror images at random or not, instead of the recipe's.")
@click.option("--input-flips", type=Finite(min=0), help="Share of encoder bits, instead of the recipe's.")
@click.option("--weight-decay", type=Finite(min=0), help="As of AdamW, instead of the recipe's.")
@click.option("--average", type=Finite(min=0), help="Decay of the parameters' average, instead of the recipe's.")
@click.option("--final-fraction", type=Finite(min=0), help="Of the learning rate, at the end, instead of the recipe's.")
@click.option("--sweeps", type=FROM_0, help="Of coordinate descent after the epochs, instead of the recipe's.")
@click.option("--sweep-copies", type=FROM_1, help="Of the samples that a sweep sees, instead of the recipe's.")
@click.option("--sweep-inputs", type=FROM_0, help="Of a node that a sweep may move, instead of the recipe's.")
@click.option("--sweep-price", type=Finite(min=0), help="Of a comparator that no node reads, instead of the recipe's.")
@click.option(
    "--threads",
    type=THREADS,
    help="CPU threads; all cores by default, one under torchrun.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw loss and held-out accuracy (.png, .pdf, .svg).")
@json_option
def command(
    source: str,
    data_dir: Path,
    dataset: str | None,
    data_note: str | None,
    download: bool,
    out: Path,
    device: str,
    threads: int | None,
    plot: Path | None,
    as_json: bool,
    **changes: object,
) -> None:
    """Train a model from scratch with its recipe and write a checkpoint with its tables.

    Some training samples (5,000 unless the recipe says otherwise) are held out and choose the epoch; the test samples
    are used once, at the end. After every epoch everything goes to OUT.resume: an interrupted training goes on when
    the same command is given again. Started by torchrun, all its processes train one model together.
    """
    import torch

    from difflut.errors import ConfigError
    from difflut.export.builds.store import check_output
    from difflut.models import make_model
    from difflut.training import recipe_for, train
    from difflut.training.plot import check_plot, plot_history
    from difflut.training.processes import Processes, launched_by_torchrun

    model = make_model(source)  # now, so that a name that is wrong costs no time
    recipe = recipe_for(source, model).with_(**{key: value for key, value in changes.items() if value is not None})
    check_output("--out", out)
    check_output("--plot", plot)
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: the folder {out.parent} does not exist; make it first")
    if plot is not None:
        check_plot(plot)
    device = chosen_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    with launched_by_torchrun(device) as place:
        processes = Processes.current()
        if download:  # once; the others read what it left
            processes.on_first(lambda: whole_dataset(source, data_dir, dataset, download=True).name)
        data = whole_dataset(source, data_dir, dataset, data_note)
        result = train(partial(make_model, source), data, recipe, out, device=place, progress=not as_json)
    if processes.rank > 0:
        return
    if plot is not None:
        plot_history(result.curves(), plot, f"{source} on {data.name}")
    if as_json:
        print_json({"checkpoint": str(out), "data": data.name, **result.to_json()})
        return
    held_out, test = (quality(value, result.measure) for value in (result.validation_accuracy, result.test_accuracy))
    click.echo(
        f"{out}: epoch {result.best_epoch} of {len(result.history)}, {held_out} on {recipe.validation} held-out "
        f"{data.name} samples, {test} on the {len(data.test)} test samples"
    )
    for name, value in result.metrics.items():
        click.echo(f"  {name}: {value:.4g}")
    for words in (
        rounding_words(result.test_accuracy, result.test_accuracy_unrounded, result.measure),
        str(result.encoder),
    ):
        if words:
            click.echo(f"  {words}")
