"""Short trainings that settled the depth of the gradient and residual models; accuracies on held-out training images.

    python benchmarks/experiments/compare_depths.py --data mnist/ [--epochs 1] [--depths 4 6 8 10]
            [--kinds none layerwise ...]

Layers of 1,000 nodes, the options of `difflut.models.comparison`, one seed. The test images are not used.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from difflut.data import load_mnist
from difflut.models.comparison import MNISTComparison
from difflut.training import Recipe, train

KINDS: dict[str, dict[str, Any]] = {
    "none": {},
    "layerwise": {"gradient": "layerwise"},
    "batchwise": {"gradient": "batchwise"},
    "layerwise_mean": {"gradient": "layerwise_mean"},
    "residual": {"initializer": "residual"},
    "residual_layerwise": {"initializer": "residual", "gradient": "layerwise"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with mnist.npz or the IDX files")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--depths", type=int, nargs="+", default=[4, 6, 8, 10])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["none", "layerwise", "residual"])
    options = parser.parse_args()
    data = load_mnist(options.data)
    recipe = Recipe(epochs=options.epochs, max_shift=1)
    print(f"Held-out accuracy after each of {options.epochs} epochs, in %\n")
    print(f"| layers | {' | '.join(options.kinds)} |\n| ---: |{' ---: |' * len(options.kinds)}")
    for depth in options.depths:
        print(f"| {depth}", end="", flush=True)
        for kind in options.kinds:
            with tempfile.TemporaryDirectory() as folder:
                result = train(
                    lambda depth=depth, kind=kind: MNISTComparison("trial", (1000,) * depth, **KINDS[kind]),
                    data, recipe, Path(folder) / "trial", progress=False,
                )  # fmt: skip
            reached = ", ".join(f"{100 * row['validation_accuracy']:.2f}" for row in result.history)
            print(f" | {reached}", end="", flush=True)
        print(" |", flush=True)


if __name__ == "__main__":
    main()
