"""Short trainings that settled how the MNIST models are built and trained; accuracies on held-out training images.

    python benchmarks/experiments/compare_recipes.py --data mnist/ [--epochs 5] [--variant NAME]

Each variant differs in one thing from "base": 2 x 4,000 DWN stable nodes, 196 candidates in the first layer, tau 10,
shifts by one pixel. The test images are not used.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from difflut.data import load_mnist
from difflut.encoders import Encoder, Thermometer
from difflut.models import MNISTFullyConnected
from difflut.training import Recipe, train


class GlobalThermometer(Encoder):
    """The same thresholds for every pixel: 0 and equal parts of the non-zero values."""

    def compute_thresholds(self, x: torch.Tensor) -> torch.Tensor:
        ordered = x[x > 0][::97].sort().values
        cuts = [0.0, *(float(ordered[len(ordered) * t // self.bits]) for t in range(1, self.bits))]
        return torch.tensor(cuts).expand(x.shape[1], -1)


def learnable(candidates: int | None) -> dict[str, Any]:
    return {"connections": "learnable", "candidates": candidates}


VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "no shifts": {"max_shift": 0},
    "random connections": {"connections": ({}, {})},
    "588 candidates": {"connections": (learnable(588), {})},
    "second layer learnable too, 200 candidates": {"connections": (learnable(196), learnable(200))},
    "tau 20": {"tau": 20.0},
    "tau 5": {"tau": 5.0},
    "uniform thermometer": {"encoder": Thermometer},
    "one thermometer for all pixels": {"encoder": GlobalThermometer},
    "linear nodes": {"family": "linear", "learning_rate": 5e-3},
}


def model_of(variant: dict[str, Any]) -> Callable[[], MNISTFullyConnected]:
    def make() -> MNISTFullyConnected:
        model = MNISTFullyConnected(
            "variant",
            family=variant.get("family", "dwn_stable"),
            tau=variant.get("tau", 10.0),
            connections=variant.get("connections", (learnable(196), {})),
        )
        if "encoder" in variant:
            model.encoder = variant["encoder"](3)
        return model

    return make


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with mnist.npz or the IDX files")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="may be repeated; default: all")
    options = parser.parse_args()
    data = load_mnist(options.data)
    print(f"| variant | held-out accuracy after {options.epochs} epochs | CPU s an epoch |\n| --- | ---: | ---: |")
    for name in options.variant or VARIANTS:
        variant = VARIANTS[name]
        recipe = Recipe(
            epochs=options.epochs,
            max_shift=variant.get("max_shift", 1),
            learning_rate=variant.get("learning_rate", 1e-2),
        )
        with tempfile.TemporaryDirectory() as folder:
            before = time.process_time()
            result = train(model_of(variant), data, recipe, Path(folder) / "variant", progress=False)
            seconds = (time.process_time() - before) / options.epochs
        print(f"| {name} | {100 * result.history[-1]['validation_accuracy']:.2f} % | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
