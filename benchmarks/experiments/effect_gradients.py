"""How large the gradient is at every layer of a deep network, with each gradient stabilisation.

    python benchmarks/experiments/effect_gradients.py --data mnist/ [--steps 550] [--seeds 0 1 2]

Measured on a batch of training images at initialisation and after `--steps` steps of Adam: the Euclidean norm of the
loss's gradient by a layer's node outputs (what its nodes get, stabilised) and by its tables (what the optimizer gets).
Writes docs/images/gradients.png and its table into docs/training-aids.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from difflut.data import Dataset, load_mnist
from difflut.models import BaseModel, get_model
from difflut.models.comparison import GRADIENT_KINDS
from difflut.training import recipe_for

sys.path.insert(0, str(Path(__file__).parents[1]))
from documents import ROOT, replace_block, write_figure

BATCH = 100
# Per kind: the norms (seeds, layers) by the node outputs and by the tables.
Norms = dict[str, tuple[Tensor, Tensor]]


def gradient_norms(model: BaseModel, x: Tensor, y: Tensor) -> tuple[list[float], list[float]]:
    """Euclidean norms per LUT layer of the cross-entropy's gradient, for a batch in training mode.

    Args:
        model: a fitted model with trainable tables; its gradients are cleared.
        x: codes (N, ...).
        y: int64 (N,) labels.

    Returns:
        the norms by the node outputs, as the nodes' backward gets them, and by the nodes' parameters.
    """
    model.train().zero_grad()
    outputs: dict[int, Tensor] = {}
    layers = [layer for _, layer in model.lut_layers()]
    handles = []
    for number, layer in enumerate(layers):

        def keep(_module: object, _inputs: object, output: Tensor, number: int = number) -> None:
            output.retain_grad()
            outputs[number] = output

        handles.append(layer.nodes.register_forward_hook(keep))
    try:
        torch.nn.functional.cross_entropy(model(x), y).backward()
    finally:
        for handle in handles:
            handle.remove()
    by_outputs = [float(torch.linalg.vector_norm(outputs[number].grad)) for number in range(len(layers))]
    by_tables = []
    for layer in layers:
        gradients = [parameter.grad.flatten() for parameter in layer.nodes.parameters() if parameter.grad is not None]
        by_tables.append(float(torch.linalg.vector_norm(torch.cat(gradients))))
    model.zero_grad()
    return by_outputs, by_tables


def measure(name: str, data: Dataset, steps: int, seeds: list[int]) -> tuple[Norms, Norms]:
    """The norms of one model at initialisation and after some steps of Adam, on a batch that training does not see."""
    norms: tuple[list[tuple[list[float], list[float]]], ...] = ([], [])
    recipe = recipe_for(name)
    for seed in seeds:
        torch.manual_seed(seed)
        order = torch.randperm(len(data.train))
        batch = data.train.subset(order[:BATCH])
        fitting = data.train.subset(order[BATCH:])
        model = get_model(name).fit_encoder(fitting.x).train()
        norms[0].append(gradient_norms(model, batch.x, batch.y))
        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
        for step in range(steps):
            start = step * BATCH % (len(fitting) - BATCH)
            x, y = fitting.x[start : start + BATCH], fitting.y[start : start + BATCH]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            model.project()
        norms[1].append(gradient_norms(model, batch.x, batch.y))
    early, late = ({name: tuple(torch.tensor(part) for part in zip(*rows, strict=True))} for rows in norms)
    return early, late  # type: ignore[return-value]


def draw(times: dict[str, Norms], path: Path) -> None:
    """One column a time, above the gradient by node outputs, below by tables; mean and range over seeds."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 6.5), layout="constrained")
    grid = figure.subplots(2, len(times), sharex=True, sharey="row", squeeze=False)
    markers = "osD^"
    for column, (time, norms) in enumerate(times.items()):
        for row, what in enumerate(("node outputs", "tables")):
            axes = grid[row][column]
            for index, (name, parts) in enumerate(norms.items()):
                values = parts[row]
                layers = range(1, values.shape[1] + 1)
                axes.plot(
                    layers, values.log().mean(0).exp(), marker=markers[index], color=f"C{index}", alpha=0.8,
                    markersize=9 - 2 * index, label=name.removeprefix("mnist_gradnorm_"),
                )  # fmt: skip
                axes.fill_between(layers, values.amin(0), values.amax(0), color=f"C{index}", alpha=0.2)
            axes.set_yscale("log")
            axes.grid(alpha=0.3)
            if row == 0:
                axes.set_title(time)
            else:
                axes.set_xlabel("layer (1 reads the encoder)")
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if column == 0:
                axes.set_ylabel(f"gradient norm by {what}")
    grid[0][-1].legend(title="stabilisation", loc="best")
    write_figure(figure, path)


def table(times: dict[str, Norms]) -> str:
    """Markdown: the norm by the first and the last layer's node outputs, and the first layer's share of all tables'."""
    lines = [
        "| model | when | first layer's outputs | last layer's outputs | first layer's share of all tables' |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for name in next(iter(times.values())):
        for time, norms in times.items():
            outputs, tables = norms[name]
            share = (tables[:, 0] / tables.sum(1)).mean()
            lines.append(
                f"| `{name}` | {time} | {outputs[:, 0].mean():.1e} | {outputs[:, -1].mean():.1e} | "
                f"{100 * share:.2g} % |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with mnist.npz or the IDX files")
    parser.add_argument("--steps", type=int, default=550, help="of Adam, with batches of 100; default: one epoch")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    data = load_mnist(options.data)
    times: dict[str, Norms] = {"at initialisation": {}, f"after {options.steps} steps": {}}
    for kind in GRADIENT_KINDS:
        name = f"mnist_gradnorm_{kind}"
        for norms, found in zip(times.values(), measure(name, data, options.steps, options.seeds), strict=True):
            norms.update(found)
        print(name, flush=True)
    draw(times, ROOT / "docs/images/gradients.png")
    text = (
        f"{len(options.seeds)} seeds, batches of {BATCH} training images that the steps leave out; "
        f"means.\n\n{table(times)}"
    )
    replace_block(ROOT / "docs/training-aids.md", "gradients", text)
    print(table(times))


if __name__ == "__main__":
    main()
