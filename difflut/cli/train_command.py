"""`difflut train`."""

from __future__ import annotations

from pathlib import Path

import click

from difflut.cli.common import json_option, percent, print_json


@click.command(
    "train",
    epilog="\b\nExamples:\n"
    "  difflut train mnist_fc_8k_dwn --data mnist/ --out my.safetensors\n"
    "  difflut train my_models:Net --data mnist/ --out net.safetensors --epochs 5 --seed 1",
)
@click.argument("source", metavar="NAME|MODULE:CLASS")
@click.option(
    "--data",
    "data_dir",
    required=True,
    type=click.Path(path_type=Path),
    help="Directory with mnist.npz or the four MNIST IDX files.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the checkpoint goes.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--seed", type=int, help="Of initialisation, order, held-out samples; the recipe's by default.")
@click.option("--epochs", type=int, help="Instead of the recipe's.")
@click.option("--batch-size", type=int, help="Instead of the recipe's.")
@click.option("--threads", type=int, help="CPU threads; all cores by default.")
@json_option
def command(
    source: str,
    data_dir: Path,
    out: Path,
    device: str,
    seed: int | None,
    epochs: int | None,
    batch_size: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Train a model from scratch with its recipe and write a checkpoint with its tables.

    5,000 training samples are held out and choose the epoch; the test samples are used once, at the end. After every
    epoch everything goes to OUT.resume: an interrupted training goes on when the same command is given again.
    """
    import torch

    from difflut.data import load_mnist
    from difflut.errors import ConfigError
    from difflut.models import model_factory
    from difflut.training import recipe_for, train

    make_model = model_factory(source)
    changes = {"seed": seed, "epochs": epochs, "batch_size": batch_size}
    recipe = recipe_for(source).with_(**{key: value for key, value in changes.items() if value is not None})
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: the folder {out.parent} does not exist; make it first")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: this PyTorch finds no CUDA device; use --device cpu or auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if threads is not None:
        torch.set_num_threads(threads)
    data = load_mnist(data_dir)
    result = train(make_model, data, recipe, out, device=torch.device(device), progress=not as_json)
    if as_json:
        print_json({"checkpoint": str(out), "data": data.name, **result.to_json()})
        return
    click.echo(
        f"{out}: epoch {result.best_epoch} of {len(result.history)}, {percent(result.validation_accuracy)} on "
        f"{recipe.validation} held-out {data.name} images, {percent(result.test_accuracy)} on the {len(data.test)} test images"
    )
