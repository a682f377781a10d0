"""Trainings with thresholds on grids of the pixel's upper bits: accuracy against the encoder's LUTs.

    python benchmarks/experiments/compare_grids.py --data mnist/ --checkpoints DIR [--zoo] [--seeds 1]
            [--grid none --grid 5 ...]

2 x 4,000 DWN stable nodes, 3 thermometer bits a pixel, shifts by one pixel. Short trainings have 196 candidates in the
first layer and 4 epochs; their accuracy is that on 5,000 held-out training images after the last epoch, not the best
one, and no test image is used. With `--zoo` the structure and the recipe are those of `mnist_fc_8k_dwn`, and the table
has the accuracy of the chosen epoch on the held-out and on the test images. Trained models are kept in the directory of
checkpoints; those that are there already are not trained again.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from difflut.data import Dataset, load_mnist
from difflut.export.families.registry import find_family
from difflut.export.frontend.trace import trace
from difflut.export.passes.pipelines import run
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.models import BaseModel, MNISTFullyConnected
from difflut.models.mnist import MNISTDWNSmall
from difflut.training import Recipe, recipe_for, train

GRIDS = ("none", "7", "6", "5", "4", "3", "2")
FAMILIES = ("generic", "xcup", "ice40")


@dataclass(frozen=True)
class Trial:
    """What is trained for a grid: the structure, the recipe, the checkpoint's name."""

    zoo: bool

    def model(self, grid: str) -> MNISTFullyConnected:
        """Untrained."""
        grid_bits = None if grid == "none" else int(grid)
        if self.zoo:
            return MNISTDWNSmall(grid_bits=grid_bits)
        first = {"connections": "learnable", "candidates": 196}
        return MNISTFullyConnected("grid", grid_bits=grid_bits, connections=(first, {}))

    def trained(self, grid: str, seed: int, data: Dataset, folder: Path) -> BaseModel:
        """The model of a grid and a seed, from its checkpoint if there is one."""
        recipe = recipe_for("mnist_fc_8k_dwn") if self.zoo else Recipe(epochs=4, max_shift=1)
        out = folder / f"{'zoo' if self.zoo else 'short'}_grid_{grid}_seed_{seed}.safetensors"
        if not out.exists():
            train(partial(self.model, grid), data, recipe.with_(seed=seed), out, progress=False)
        return self.model(grid).load_checkpoint(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with mnist.npz or the IDX files")
    parser.add_argument("--checkpoints", required=True, type=Path, help="directory for the trained models")
    parser.add_argument("--zoo", action="store_true", help="structure and recipe of mnist_fc_8k_dwn")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--grid", action="append", choices=GRIDS, help="may be repeated; default: all")
    options = parser.parse_args()
    options.checkpoints.mkdir(parents=True, exist_ok=True)
    data = load_mnist(options.data)
    trial = Trial(options.zoo)
    print(f"Comparisons and encoder LUTs are those of seed 0; LUTs for {', '.join(FAMILIES)}.\n")
    measures = (
        ("held out, mean", "of each seed", "test, mean", "of each seed")
        if options.zoo
        else ("held out, mean", "of each seed")
    )
    print(
        f"| grid bits | {' | '.join(measures)} | comparisons | encoder LUTs |\n| --- {'| ---: ' * (len(measures) + 2)}|"
    )
    for grid in options.grid or GRIDS:
        models = [trial.trained(grid, seed, data, options.checkpoints) for seed in range(options.seeds)]
        if options.zoo:
            reached = [[model.info[f"{kind}_accuracy"] for model in models] for kind in ("validation", "test")]
        else:
            reached = [[model.info["history"]["validation_accuracy"][-1] for model in models]]
        netlist, _ = run(trace(models[0]))
        counts = ", ".join(str(plan_encoder(netlist, find_family(name)).luts) for name in FAMILIES)
        accuracies = " | ".join(
            f"{100 * statistics.fmean(each):.2f} % | {', '.join(f'{100 * value:.2f}' for value in each)}"
            for each in reached
        )
        print(f"| {grid} | {accuracies} | {netlist.comparators} | {counts} |", flush=True)


if __name__ == "__main__":
    main()
