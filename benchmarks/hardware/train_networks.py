"""Train the small networks whose circuits are measured.

    python -m benchmarks.hardware.train_networks --data mnist/ [--epochs 4]

The figures of docs/HARDWARE.md need trained tables, not good ones: four epochs do. The frozen checkpoints (tables,
connections, thresholds) go to benchmarks/hardware/networks/ and are committed, so that `make bench-hw` needs no data.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.hardware.networks import WEIGHTS, WIDTHS, untrained
from difflut.data import load_mnist
from difflut.training import Recipe, train


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with mnist.npz or the IDX files")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--network", action="append", choices=WIDTHS, help="may be repeated; default: all")
    options = parser.parse_args()
    data = load_mnist(options.data)
    for name in options.network or WIDTHS:
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / f"{name}.safetensors"
            result = train(partial(untrained, name), data, Recipe(epochs=options.epochs), checkpoint, progress=False)
            model = untrained(name).load_checkpoint(checkpoint)
        model.save_checkpoint(WEIGHTS / checkpoint.name, frozen=True)
        print(f"{name}: {100 * result.validation_accuracy:.2f} % held out, {100 * result.test_accuracy:.2f} % test")


if __name__ == "__main__":
    main()
