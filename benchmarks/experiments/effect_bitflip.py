"""Accuracy when node outputs flip at test time: what bit-flip training buys.

    python benchmarks/experiments/effect_bitflip.py [--checkpoints build/zoo] [--data mnist/] [--draws 5]

Without options it measures the shipped weights on the MNIST test images in the package. With `--checkpoints` it
measures every NAME.SEED.safetensors that benchmarks/train_zoo.py left there. Writes docs/images/bitflip.png and its
table into docs/training-aids.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from difflut.data import Split, load_mnist, mnist_test
from difflut.models import BaseModel, get_model
from difflut.models.comparison import BIT_FLIP_PERCENT
from difflut.training import accuracy

sys.path.insert(0, str(Path(__file__).parents[1]))
from documents import ROOT, replace_block, write_figure

RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
# Per model: for every checkpoint a list of accuracies (rates, draws).
Curves = dict[str, Tensor]


@contextmanager
def flipped(model: BaseModel, rate: float, generator: torch.Generator) -> Iterator[None]:
    """While active, each output bit of every LUT layer flips with probability `rate`, anew for each sample.

    The model must be in eval mode. Forward hooks do it, so the model itself stays as it is.
    """

    def flip(_module: object, _inputs: object, bits: Tensor) -> Tensor:
        return bits ^ (torch.rand(bits.shape, generator=generator) < rate)

    handles = [layer.register_forward_hook(flip) for _, layer in model.lut_layers()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def flipped_accuracies(model: BaseModel, split: Split, rates: Sequence[float], draws: int) -> Tensor:
    """float64 (rates, draws): the accuracy at each flip rate, for several draws of the flips (seeds 0, 1, ...)."""
    result = torch.zeros(len(rates), draws, dtype=torch.float64)
    for row, rate in enumerate(rates):
        for draw in range(draws):
            with flipped(model, rate, torch.Generator().manual_seed(draw)):
                result[row, draw] = accuracy(model, split)
    return result


def checkpoints(name: str, folder: Path | None) -> list[BaseModel]:
    """The shipped model, or all seeds of it in a folder."""
    if folder is None:
        return [get_model(name, pretrained=True)]
    paths = sorted(folder.glob(f"{name}.*.safetensors"))
    if not paths:
        raise SystemExit(f"{folder}: has no {name}.SEED.safetensors; run benchmarks/train_zoo.py --out {folder} first")
    return [get_model(name).load_checkpoint(path) for path in paths]


def draw(curves: Curves, rates: Sequence[float], path: Path, title: str) -> None:
    """Plot the mean over checkpoints and draws of each model, and the range from the lowest to the highest."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    percent = [100 * rate for rate in rates]
    for color, (name, values) in enumerate(curves.items()):
        flat = 100 * values.movedim(1, 0).flatten(1)  # (rates, checkpoints * draws)
        trained = name.rpartition("_")[2]
        axes.plot(percent, flat.mean(1), marker="o", markersize=4, color=f"C{color}", label=f"{trained} %")
        axes.fill_between(percent, flat.amin(1), flat.amax(1), color=f"C{color}", alpha=0.2)
    axes.set(title=title, xlabel="node outputs flipped at test time (%)", ylabel="MNIST test accuracy (%)")
    axes.legend(title="flipped while training")
    axes.grid(alpha=0.3)
    write_figure(figure, path)


def table(curves: Curves, rates: Sequence[float]) -> str:
    """Markdown: mean and standard deviation over checkpoints and draws."""
    lines = [f"| flipped at test time | {' | '.join(f'`{name}`' for name in curves)} |"]
    lines.append(f"| ---: |{' ---: |' * len(curves)}")
    for row, rate in enumerate(rates):
        cells = []
        for values in curves.values():
            percent = 100 * values[:, row]
            # Of the whole population, as rate 0 has the same accuracy in every draw.
            cells.append(f"{percent.mean():.2f} ± {percent.std(correction=0):.2f}")
        lines.append(f"| {100 * rate:g} % | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", help="directory with MNIST; by default the test images in the package")
    parser.add_argument(
        "--checkpoints", type=Path, help="folder with NAME.SEED.safetensors; by default the shipped weights"
    )
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    split = load_mnist(options.data).test if options.data else mnist_test()
    curves: Curves = {}
    for name in (f"mnist_bitflip_{percent}" for percent in BIT_FLIP_PERCENT):
        models = checkpoints(name, options.checkpoints)
        curves[name] = torch.stack([flipped_accuracies(model, split, RATES, options.draws) for model in models])
        print(f"{name}: {len(models)} checkpoints", flush=True)
    counts = sorted({len(values) for values in curves.values()})
    seeds = " or ".join(f"{count} seed{'s' if count > 1 else ''}" for count in counts)
    draw(
        curves, RATES, ROOT / "docs/images/bitflip.png", f"Bit flips at test time ({seeds}, {options.draws} draws each)"
    )
    text = (
        f"{len(split):,} MNIST test images, {seeds}, {options.draws} draws of the flips each; in %, mean ± "
        "standard deviation over seeds and draws.\n\n"
    )
    replace_block(ROOT / "docs/training-aids.md", "bitflip", text + table(curves, RATES))
    print(table(curves, RATES))


if __name__ == "__main__":
    main()
