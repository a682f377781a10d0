"""Trains models of the zoo with several seeds and keeps what came out in benchmarks/model_zoo.json.

    python benchmarks/train_zoo.py [NAME ...] --data mnist/ [--seeds 0 1 2] [--out build/zoo] [--ship]

Without names it trains all zoo models of the data set. What the JSON file has by this recipe is skipped (take out the
lines of a model whose network has changed), and an interrupted training goes on where it was: the script can be stopped
and started again. `--ship` copies seed 0 into the package. Each
checkpoint is the one that `difflut train NAME --seed SEED` writes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from difflut._version import __version__
from difflut.data import Dataset, load_dataset
from difflut.files import write_atomically
from difflut.models import zoo
from difflut.training import Recipe, recipe_for, train

RESULTS = Path(__file__).with_name("model_zoo.json")
SHIPPED = Path(__file__).parents[1] / "difflut/models/pretrained"

Record = dict[str, Any]
Results = dict[str, dict[str, Record]]


def read_results(path: Path = RESULTS) -> Results:
    """Per model name and seed (a string) what its training gave; see `run`."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}  # type: ignore[no-any-return]


def add_result(name: str, seed: int, record: Record, path: Path = RESULTS) -> None:
    """Put one training into the file: models and seeds sorted, one training a line."""
    results = read_results(path)
    results.setdefault(name, {})[str(seed)] = record
    blocks = []
    for model in sorted(results):
        seeds = sorted(results[model], key=int)
        lines = ",\n".join(f"    {json.dumps(s)}: {json.dumps(results[model][s], sort_keys=True)}" for s in seeds)
        blocks.append(f"  {json.dumps(model)}: {{\n{lines}\n  }}")
    write_atomically(path, ("{\n" + ",\n".join(blocks) + "\n}\n").encode())


def is_done(name: str, recipe: Recipe, results: Results) -> bool:
    """Whether the results hold this model, trained with this recipe, its seed included."""
    record = results.get(name, {}).get(str(recipe.seed))
    return record is not None and Recipe(**record["recipe"]) == recipe


def run(name: str, recipe: Recipe, data: Dataset, checkpoint: Path) -> Record:
    """Train one model with one seed.

    Returns:
        accuracies (fractions), chosen epoch, recipe, data, history, versions, and cpu_seconds: the processor time of
        the whole training with its evaluations, None if it was resumed, since then the first part's is not known.
    """
    resumed = checkpoint.with_name(checkpoint.name + ".resume").exists()
    started = time.process_time()
    result = train(zoo()[name].make, data, recipe, checkpoint)
    return {
        "data": data.name,
        "recipe": asdict(recipe),
        "best_epoch": result.best_epoch,
        "validation_accuracy": result.validation_accuracy,
        "test_accuracy": result.test_accuracy,
        "test_samples": len(data.test),
        "encoder": result.encoder.to_json(),
        "cpu_seconds": None if resumed else round(time.process_time() - started, 1),
        "history": result.curves(),
        "versions": {
            "difflut": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="zoo models; default: all of the data set")
    parser.add_argument("--data", required=True, help="directory with the data set")
    parser.add_argument("--dataset", default="mnist", help="mnist (default) or cifar10")
    parser.add_argument("--data-note", help="what sets this copy apart; kept beside every accuracy")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--out", type=Path, default=Path("build/zoo"), help="folder of the checkpoints, NAME.SEED.safetensors"
    )
    parser.add_argument("--ship", action="store_true", help="copy seed 0 into difflut/models/pretrained")
    options = parser.parse_args()
    of_dataset = [name for name, entry in sorted(zoo().items()) if entry.dataset == options.dataset]
    for name in options.names:
        if name not in of_dataset:
            parser.error(f"no zoo model of {options.dataset} is named {name!r}; there are {', '.join(of_dataset)}")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    data = load_dataset(options.dataset, options.data, note=options.data_note)
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for name in options.names or of_dataset:
            recipe = recipe_for(name).with_(seed=seed)
            checkpoint = options.out / f"{name}.{seed}.safetensors"
            if is_done(name, recipe, read_results()):
                print(f"{name}, seed {seed}: done before", flush=True)
            else:
                record = run(name, recipe, data, checkpoint)
                add_result(name, seed, record)
                held_out, test = (100 * record[f"{what}_accuracy"] for what in ("validation", "test"))
                words = f"{held_out:.2f} % held out, {test:.2f} % test, {record['cpu_seconds']} CPU s"
                print(f"{name}, seed {seed}: {words}", flush=True)
            if options.ship and seed == 0 and checkpoint.exists():
                shutil.copyfile(checkpoint, SHIPPED / f"{name}.safetensors")


if __name__ == "__main__":
    main()
