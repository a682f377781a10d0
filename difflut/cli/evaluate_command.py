"""`difflut evaluate`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from difflut.cli.common import (
    data_options,
    json_option,
    labelled_test_samples,
    model_option,
    print_json,
    rounding_words,
)
from difflut.cli.completion import ModelName
from difflut.shown import quality


@click.command(
    "evaluate",
    epilog="\b\nExamples:\n"
    "  difflut evaluate mnist_fc_8k_dwn\n"
    "  difflut evaluate my.safetensors --data mnist/\n"
    "  difflut evaluate net.safetensors --model my_models:Net --data my.npz",
)
@click.argument("source", type=ModelName(), metavar="NAME|CKPT")
@data_options(False, "Directory with the data set; the MNIST test images ship with the package.")
@model_option
@json_option
def command(
    source: str,
    data_dir: Path | None,
    dataset: str | None,
    data_note: str | None,
    download: bool,
    model_class: str | None,
    as_json: bool,
) -> None:
    """Measure a trained model's accuracy on the test samples, as the codes that hardware gets of them.

    NAME is a zoo model, CKPT a checkpoint written by `difflut train`.
    """
    from difflut.models import load_model
    from difflut.training import accuracy, accuracy_unrounded
    from difflut.training.evaluation import measure

    model = load_model(source, model_class)
    split, data_name = labelled_test_samples(model, data_dir, dataset, data_note, download)
    started = time.perf_counter()
    reached = accuracy(model, split)
    seconds = time.perf_counter() - started
    unrounded, metrics = accuracy_unrounded(model, split), measure(model, split)
    what = model.output_heads.measure
    of = "of" if what == "accuracy" else "on"
    if as_json:
        print_json(
            {
                "model": model.name,
                "data": data_name,
                "samples": len(split),
                what: reached,
                f"{what}_unrounded": unrounded,
                "seconds": seconds,
                **({"metrics": metrics} if metrics else {}),
                "trained": model.info,
            }
        )
        return
    trained_on = model.info.get("data", data_name)
    origin = "" if trained_on == data_name else f"; trained on {trained_on}"
    click.echo(
        f"{model.name}: {quality(reached, what)} {of} {len(split)} {data_name} test samples ({seconds:.1f} s){origin}"
    )
    for name, value in metrics.items():
        click.echo(f"  {name}: {value:.4g}")
    if (words := rounding_words(reached, unrounded, what)) is not None:
        click.echo(f"  {words}")
