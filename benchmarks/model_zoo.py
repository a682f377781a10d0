"""The table of docs/MODEL_ZOO.md.

    python benchmarks/model_zoo.py [--check]

Accuracies come from the shipped weights' headers and from benchmarks/model_zoo.json (benchmarks/train_zoo.py), sizes
from the models, latency and LUTs from an export. `--check` writes nothing and fails when the document differs; the
columns that depend on the exporter only have to be there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from documents import ROOT, block, replace_block
from train_zoo import read_results

from difflut.export.builds.make import make_build
from difflut.models import BaseModel, get_model, list_models, pretrained_info

DOCUMENT = ROOT / "docs/MODEL_ZOO.md"
CHECKED = ("name", "test accuracy", "over seeds", "nodes", "parameters", "training, CPU s", "data")
EXPORTED = ("latency, cycles", "LUT6, estimate")


def over_seeds(accuracies: list[float]) -> str:
    """Mean and standard deviation (n - 1) in percent, and how many seeds; one seed has no spread."""
    mean = 100 * statistics.mean(accuracies)
    if len(accuracies) == 1:
        return f"{mean:.2f} %, 1 seed"
    return f"{mean:.2f} ± {100 * statistics.stdev(accuracies):.2f} %, {len(accuracies)} seeds"


def trainable_parameters(name: str) -> int:
    """How many numbers training a fresh model moves; the encoder's fit does not change it."""
    model = get_model(name)
    form = model.input_format
    model.fit_encoder(torch.randint(form.lowest, form.highest + 1, (50, *model.input_shape)))
    return model.count_parameters()["trainable"]


def checked_cells(name: str, model: BaseModel, records: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """The cells under `CHECKED`.

    Args:
        name: a zoo name.
        model: it, with the shipped weights.
        records: what the results file has of it, by seed; the shipped weights count as their seed.
    """
    info = pretrained_info(name)
    accuracies = {str(info["recipe"]["seed"]): info["test_accuracy"]}
    accuracies.update({seed: record["test_accuracy"] for seed, record in records.items()})
    seconds = [record["cpu_seconds"] for record in records.values() if record["cpu_seconds"] is not None]
    nodes = sum(layer.out_width for _, layer in model.lut_layers())
    return (
        f"`{name}`",
        f"{100 * info['test_accuracy']:.2f} %",
        over_seeds(list(accuracies.values())),
        f"{nodes:,}",
        f"{trainable_parameters(name):,}",
        f"{statistics.mean(seconds):,.0f}" if seconds else "-",
        info["data"],
    )


def exported_cells(model: BaseModel) -> tuple[str, ...]:
    """The cells under `EXPORTED`, from an export in memory."""
    info = make_build(model).info
    return (str(info.latency_cycles), f"{info.estimated_luts:,}")


def rows(with_export: bool) -> list[tuple[str, ...]]:
    """One row a zoo model, sorted by name, without the cells under `EXPORTED` unless asked for."""
    results = read_results()
    found = []
    for name in list_models():
        model = get_model(name, pretrained=True)
        cells = checked_cells(name, model, results.get(name, {}))
        found.append((*cells, *exported_cells(model)) if with_export else cells)
    return found


def table(cells: list[tuple[str, ...]]) -> str:
    """The Markdown table."""
    header = (*CHECKED, *EXPORTED)
    lines = [header, tuple("---" if title in ("name", "data") else "---:" for title in header), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parse(text: str) -> list[tuple[str, ...]]:
    """The rows of a Markdown table, header included, the line under it left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[:1] + lines[2:]]


def stale(document: Path = DOCUMENT) -> list[str]:
    """What the document says wrong, one line each; empty if it is up to date."""
    written = parse(block(document.read_text(encoding="utf-8"), "zoo"))
    expected = [CHECKED, *rows(with_export=False)]
    faults = []
    for number in range(max(len(written), len(expected))):
        is_, should = (lines[number] if number < len(lines) else () for lines in (written, expected))
        if is_[: len(CHECKED)] != should:
            faults.append(f"row {number}: {is_[: len(CHECKED)]}, expected {should}")
        elif len(is_) != len(CHECKED) + len(EXPORTED) or not all(is_):
            faults.append(f"row {number}: {is_}: a cell is missing")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the document is stale")
    if parser.parse_args().check:
        faults = stale()
        for fault in faults:
            print(fault, file=sys.stderr)
        if faults:
            sys.exit(f"{DOCUMENT} is stale; run: python benchmarks/model_zoo.py")
        return
    replace_block(DOCUMENT, "zoo", table(rows(with_export=True)))
    print(f"wrote {DOCUMENT}")


if __name__ == "__main__":
    main()
