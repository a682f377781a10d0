"""Short trainings with thresholds on grids of the pixel's upper bits: accuracy against the encoder's LUTs.

    python benchmarks/compare_grids.py --data mnist/ --checkpoints DIR [--epochs 4] [--seeds 1] [--grid none --grid 5 ...]

2 x 4,000 DWN stable nodes, 3 thermometer bits a pixel, 196 candidates in the first layer, shifts by one pixel. Accuracy
on 5,000 held-out training images after the last epoch, not the best one; the test images are not used for any figure here.
Trained models are kept in the directory of checkpoints; those that are there already are not trained again.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from pathlib import Path

from difflut.data import Dataset, load_mnist
from difflut.export.encoder_plan import plan_encoder
from difflut.export.pipelines import run
from difflut.export.targets import find_target
from difflut.export.trace import trace
from difflut.models import BaseModel, MNISTFullyConnected
from difflut.training import Recipe, train

GRIDS = ("none", "7", "6", "5", "4", "3", "2")
FAMILIES = ("generic", "xcup", "ice40")


def model_of(grid: str) -> MNISTFullyConnected:
    first = {"connections": "learnable", "candidates": 196}
    return MNISTFullyConnected("grid", grid_bits=None if grid == "none" else int(grid), connections=(first, {}))


def trained(grid: str, seed: int, epochs: int, data: Dataset, folder: Path) -> BaseModel:
    """The model of a grid and a seed, from its checkpoint if there is one."""
    out = folder / f"grid_{grid}_seed_{seed}_epochs_{epochs}.safetensors"
    if not out.exists():
        train(partial(model_of, grid), data, Recipe(epochs=epochs, max_shift=1, seed=seed), out, progress=False)
    return model_of(grid).load_checkpoint(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with mnist.npz or the IDX files")
    parser.add_argument("--checkpoints", required=True, type=Path, help="directory for the trained models")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--grid", action="append", choices=GRIDS, help="may be repeated; default: all")
    options = parser.parse_args()
    options.checkpoints.mkdir(parents=True, exist_ok=True)
    data = load_mnist(options.data)
    print(f"{options.epochs} epochs; comparisons and encoder LUTs of seed 0, LUTs for {', '.join(FAMILIES)}.\n")
    print("| grid bits | held-out accuracy, mean | of each seed | comparisons | encoder LUTs |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for grid in options.grid or GRIDS:
        models = [trained(grid, seed, options.epochs, data, options.checkpoints) for seed in range(options.seeds)]
        reached = [100 * model.info["history"]["validation_accuracy"][-1] for model in models]
        netlist, _ = run(trace(models[0]))
        counts = ", ".join(str(plan_encoder(netlist, find_target(name)).luts) for name in FAMILIES)
        each = ", ".join(f"{value:.2f}" for value in reached)
        print(f"| {grid} | {statistics.fmean(reached):.2f} % | {each} | {netlist.comparators} | {counts} |", flush=True)


if __name__ == "__main__":
    main()
