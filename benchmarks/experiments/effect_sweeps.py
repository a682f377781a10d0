"""What each choice of a training is worth on small networks: held-out accuracy and estimated LUTs, three seeds each.

    python benchmarks/experiments/effect_sweeps.py --data DIR [--seeds 0 1 2]

One layer of 340 nodes is trained by sweeps alone, as the front models are (docs/FRONT.md), with one option changed at
a time, and by gradients. A seed
holds out 5,000 training images of its own; the test images are not used. LUTs are the exporter's estimate for xcup with
the class as the output. What was measured is kept in effect_sweeps.json and not measured again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from difflut.data import Dataset, load_dataset
from difflut.export.builds.make import make_build
from difflut.files import write_atomically
from difflut.models import FullyConnected
from difflut.training import Recipe
from difflut.training.trainer import train_untested

sys.path.insert(0, str(Path(__file__).parents[1]))
from documents import ROOT, replace_block

RESULTS = Path(__file__).with_suffix(".json")
DOCUMENT = ROOT / "docs/FRONT.md"
Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A network and how it is trained, as changes of the first row of its table.

    Attributes:
        words: the row's title.
        model: arguments of `FullyConnected`.
        recipe: fields of `Recipe`.
    """

    words: str
    model: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)


_GRID = {"bits": 3, "grid_bits": 2, "encoder": "thermometer"}
_LEARNED = {"connections": ({"connections": "learnable"},)}
# What all rows share, and the rows.
BASE = Case(
    "",
    {"widths": (340,), "bits": 1, "grid_bits": 1, "tau": 2.5},
    {"epochs": 0, "sweeps": 4, "sweep_copies": 2, "max_shift": 1},
)
CASES = (
    Case("sweeps: one threshold, 2 copies, all 6 inputs moved, temperature 2.5, shifts"),
    Case("3 inputs moved", recipe={"sweep_inputs": 3}),
    Case("1 input moved", recipe={"sweep_inputs": 1}),
    Case("1 copy", recipe={"sweep_copies": 1}),
    Case("4 copies", recipe={"sweep_copies": 4}),
    Case("no shifts", recipe={"max_shift": 0}),
    Case("temperature 1.5", {"tau": 1.5}),
    Case("temperature 4", {"tau": 4.0}),
    Case("2 thresholds at quantiles, grid of 2 bits", {"bits": 2, "grid_bits": 2}),
    Case("3 thresholds at quarters", _GRID),
    Case("the same, price 0.1", _GRID, {"sweep_price": 0.1}),
    Case("the same, price 0.3", _GRID, {"sweep_price": 0.3}),
    Case("the same, price 1", _GRID, {"sweep_price": 1.0}),
    Case("gradients, connections learned: 8 epochs, no sweeps", _LEARNED, {"epochs": 8, "sweeps": 0}),
    Case("the same, weight decay 0.002", _LEARNED, {"epochs": 8, "sweeps": 0, "weight_decay": 2e-3}),
    Case("the same, 5 % of bits flipped", _LEARNED, {"epochs": 8, "sweeps": 0, "input_flips": 0.05}),
    Case("the same, average 0.999", _LEARNED, {"epochs": 8, "sweeps": 0, "average": 0.999}),
    Case("8 epochs, then the sweeps", _LEARNED, {"epochs": 8}),
)


def measure(case: Case, data: Dataset, seed: int) -> dict[str, Any]:
    """Held-out accuracy (a fraction), estimated LUTs and processor seconds of one training."""
    options, recipe = BASE.model | case.model, Recipe(**(BASE.recipe | case.recipe), seed=seed)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pixels that are always black
        model = train_untested(
            lambda: FullyConnected("net", (28, 28), 10, **options), data, recipe, Path(folder) / "net", progress=False
        )
    seconds = time.process_time() - started
    info = make_build(model, fpga="xcup", outputs="class").info
    return {
        "held_out": model.info["validation_accuracy"],
        "luts": info.estimated_luts,
        "encoder": sum(part.estimated_luts or 0 for part in info.parts if part.kind == "encoder"),
        "cpu_seconds": round(seconds, 1),
    }


def spread(values: list[float]) -> str:
    """Mean and standard deviation (n - 1) in percent."""
    deviation = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{deviation}"


def table(results: Results) -> str:
    """The rows that were measured."""
    lines = ["| | held out, % | LUTs | encoder | CPU s | seeds |", "| --- |" + " ---: |" * 5]
    for case in CASES:
        found = [row for key, row in sorted(results.items()) if key.rpartition(" ")[0] == case.words]
        if found:
            luts, encoder, seconds = (
                f"{statistics.mean(row[what] for row in found):,.0f}" for what in ("luts", "encoder", "cpu_seconds")
            )
            lines.append(
                f"| {case.words} | {spread([row['held_out'] for row in found])} | {luts} | {encoder} | {seconds} "
                f"| {len(found)} |"
            )
    return "\n".join(lines)


def read() -> Results:
    """What was measured, by "ROW SEED"."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with MNIST")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    results, data = read(), load_dataset("mnist", options.data)
    for case in CASES:
        for seed in options.seeds:
            key = f"{case.words} {seed}"
            if key not in results:
                results[key] = measure(case, data, seed)
                lines = (f"  {json.dumps(k)}: {json.dumps(results[k], sort_keys=True)}" for k in sorted(results))
                write_atomically(RESULTS, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
                print(key, results[key], flush=True)
                replace_block(DOCUMENT, "sweeps", table(results))


if __name__ == "__main__":
    main()
