"""`difflut play`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from difflut.cli.common import (
    data_options,
    json_option,
    labelled_test_samples,
    model_option,
    print_json,
)
from difflut.cli.completion import ModelName

if TYPE_CHECKING:
    from difflut.playing.samples import Samples
    from difflut.playing.subject import Subject


@click.command(
    "play",
    epilog="\b\nExamples:\n"
    "  difflut play mnist_fc_8k_dwn\n"
    "  difflut play build/cifar10_conv --data cifar10/ --out cifar10.html\n"
    "  difflut play net.safetensors --model my_models:Net --data my.npz --samples 50",
)
@click.argument("source", type=ModelName(), metavar="DIR|NAME|CKPT")
@data_options(False, "Directory with the data set; the MNIST test images ship with the package.")
@click.option(
    "--samples",
    metavar="N",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Test samples to choose from in the page.",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The page; by default DIR/work/circuit.html of a build, build/NAME.html of a model.",
)
@model_option
@json_option
def command(
    source: str,
    data_dir: Path | None,
    dataset: str | None,
    data_note: str | None,
    download: bool,
    samples: int,
    out: Path | None,
    model_class: str | None,
    as_json: bool,
) -> None:
    """Write one self-contained HTML page in which the circuit itself runs: draw an image, choose a sample or move
    sliders, and see comparators, nodes, counts and scores.

    DIR is a build made by `difflut export`; NAME a zoo model and CKPT a checkpoint, which are traced as an export
    would. The page computes exactly what the chip does, and checks that on its samples when it opens. Without data for
    a model it has random codes to start from.
    """
    from difflut.export.builds.store import check_output
    from difflut.playing.subject import open_subject
    from difflut.playing.written import write_page

    check_output("--out", out)
    subject = open_subject(source, model_class)
    page = write_page(subject, _samples(subject, samples, data_dir, dataset, data_note, download), out)
    if as_json:
        print_json(page.to_json())
    else:
        click.echo(page.text)


def _samples(
    subject: Subject, count: int, data_dir: Path | None, dataset: str | None, note: str | None, download: bool
) -> Samples:
    from difflut.inspect.show import shipped_samples
    from difflut.playing.samples import chosen_samples, random_samples

    asked = data_dir is not None or dataset is not None or download
    if not asked and shipped_samples(subject.name) is None:
        return random_samples(subject)
    split, name = labelled_test_samples(subject.name, data_dir, dataset, note, download)
    return chosen_samples(subject, split, name, count)
