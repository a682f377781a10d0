"""Small circuits for tables of at most eight features: rows of docs/FRONT.md, on data that scikit-learn ships.

    python benchmarks/front_tables.py                                    # breast cancer, wine, digits
    python benchmarks/front_tables.py --csv beans.csv --label Class      # a table of your own, with a header

Five folds of each data set (stratified, shuffled by seed 0); all that is chosen is chosen on the four parts that train:
the features (by mutual information with the class), codes of 8 bits, thresholds, and by accuracy on a fifth of them the
epoch. Each fold's network is exported for xcup with the class as its output and synthesised by Yosys; all is counted.
`--csv` is for Dry Bean, jet tagging and the like.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from documents import ROOT, replace_block
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.feature_selection import mutual_info_classif
from sklearn.model_selection import StratifiedKFold

import difflut
from difflut.models.fully_connected import FullyConnected
from difflut.training import Recipe, train

MOST_FEATURES, FOLDS = 8, 5
DOCUMENT = ROOT / "docs/FRONT.md"
Shape = tuple[int, int, float]
Table = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]
BITS, EPOCHS = 7, 60  # thresholds a feature
# Nodes, inputs of each, and temperature.
SHAPES = {"breast cancer": (20, 4, 1.0), "wine": (24, 3, 1.5), "digits": (200, 4, 1.0)}
TABLES: dict[str, Callable[..., Any]] = {
    "breast cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits,
}  # fmt: skip


def of_csv(path: Path, label: str) -> Table:
    """Numbers and classes of a file with a header."""
    rows = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    numbers = [name for name in rows.dtype.names or () if name != label]
    x = np.column_stack([np.asarray(rows[name], dtype=np.float64) for name in numbers])
    return x, np.unique(rows[label], return_inverse=True)[1].astype(np.int64)


def best_features(x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The columns that say most about the class, each by itself."""
    worth = mutual_info_classif(x, y, random_state=0)
    return np.sort(np.argsort(-worth, kind="stable")[:MOST_FEATURES])


def measure(table: Table, shape: Shape, fold: int, folder: Path) -> dict[str, float]:
    """One fold: accuracy on the part left out, LUTs and flip-flops by Yosys, features."""
    x, y = table
    training, test = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, y))[fold]
    columns = best_features(x[training], y[training])
    nodes, n, tau = shape
    options: dict[str, Any] = {
        "n": n,
        "bits": BITS,
        "tau": tau,
        "input_bits": 8,
        "connections": ({"connections": "learnable"},),
    }
    make = partial(FullyConnected, "table", (len(columns),), int(y.max()) + 1, (nodes,), **options)
    recipe = Recipe(epochs=EPOCHS, batch_size=32, validation=len(training) // 5)
    data = ((x[training][:, columns], y[training]), (x[test][:, columns], y[test]))
    checkpoint = folder / "table.safetensors"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = train(make, data, recipe, checkpoint, progress=False)
    build = difflut.export_model(difflut.load_model(str(checkpoint)), folder / "build", fpga="xcup", outputs="class")
    total = difflut.synthesise(build).total
    return {"accuracy": result.test_accuracy, "luts": total.luts, "ffs": total.flip_flops, "features": len(columns)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--csv", type=Path, help="a table of your own, with a header")
    parser.add_argument("--label", default="class", help="its column of classes")
    parser.add_argument("--nodes", type=int, default=100, help="of the network for it")
    options = parser.parse_args()
    tables: dict[str, tuple[Table, Shape]] = {
        name: (make(return_X_y=True), SHAPES[name]) for name, make in TABLES.items()
    }
    if options.csv:
        tables = {options.csv.stem: (of_csv(options.csv, options.label), (options.nodes, 4, 1.0))}
    lines = ["| table | samples | features | nodes | accuracy, % | LUTs | FFs |", "| --- |" + " ---: |" * 6]
    print("\n".join(lines), flush=True)
    for name, (table, shape) in tables.items():
        found = []
        for fold in range(FOLDS):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(table, shape, fold, Path(folder)))
        values = {key: [row[key] for row in found] for key in found[0]}
        mean = {key: statistics.mean(of) for key, of in values.items()}
        spread = 100 * statistics.stdev(values["accuracy"])
        lines.append(
            f"| {name} | {len(table[0]):,} | {mean['features']:.0f} | {shape[0]} | "
            f"{100 * mean['accuracy']:.1f} ± {spread:.1f} | {mean['luts']:,.0f} | {mean['ffs']:,.0f} |"
        )
        print(lines[-1], flush=True)
    if not options.csv:
        replace_block(DOCUMENT, "tables", "\n".join(lines))


if __name__ == "__main__":
    main()
