"""The tables and the figure of docs/FRONT.md: accuracy against LUTs, of every front model and seed.

    python benchmarks/train_zoo.py mnist_96 ... --data mnist/ --out build/zoo --ship   # trains what is measured here
    python benchmarks/front.py --zoo build/zoo [--route mnist_96 ...]
    python benchmarks/front.py --check

Each checkpoint is exported for xcup with the class as its output and synthesised by Yosys; its accuracy is that of its
training, on all test samples. `--route` also places and routes models on an LFE5U-25F, three seeds of the placer. What
was measured is kept in benchmarks/front.json and is not measured again, unless the folder has another checkpoint of the
name. `--check` writes nothing and fails if the document differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from documents import ROOT, block, replace_block, write_figure
from train_zoo import read_results

import difflut
from difflut.files import write_atomically
from difflut.models.front import FRONT_MODELS

RESULTS = Path(__file__).with_name("front.json")
DOCUMENT = ROOT / "docs/FRONT.md"
DEVICE = "LFE5U-25F"
PARTS = ("encoder", "nodes", "group_sum", "argmax")
Results = dict[str, dict[str, Any]]

# Accuracy in percent, LUTs, and what is said of them; routed or synthesised by Vivado for an xcvu9p.
PUBLISHED = (
    ("TreeLUT", 96.6, 4478, "all"),
    ("KANELE", 96.3, 3809, "all"),
    ("NeuraLUT-Assemble", 97.9, 5070, "all"),
    ("DWN", 97.8, 2092, "without its encoder"),
    ("dwn2rtl", 96.77, 1597, "all"),
    ("dwn2rtl", 97.70, 2246, "all"),
    ("dwn2rtl", 98.32, 5670, "all"),
)


def read() -> Results:
    """What was measured: by "NAME.SEED", and "route NAME"."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}  # type: ignore[no-any-return]


def keep(results: Results, key: str, found: dict[str, Any]) -> None:
    """Put one measurement into the file, a line each."""
    results[key] = found
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(results[name], sort_keys=True)}" for name in sorted(results))
    write_atomically(RESULTS, f"{{\n{lines}\n}}\n".encode())


def digest(checkpoint: Path) -> str:
    """The start of its SHA-256."""
    return hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:16]


def measure(checkpoint: Path) -> dict[str, Any]:
    """LUTs by part, flip-flops and the exporter's estimates of one checkpoint."""
    model = difflut.load_model(str(checkpoint))
    with tempfile.TemporaryDirectory() as folder:
        build = difflut.export_model(model, Path(folder) / "build", fpga="xcup", outputs="class")
        synthesis = difflut.synthesise(build)
        info = build.info
        luts = {name: usage.luts for name, usage in synthesis.parts.items()}
        known = {part: luts.get(part, 0) for part in PARTS if part != "nodes"}
        return {
            "checkpoint": digest(checkpoint),
            "test_accuracy": model.info["test_accuracy"],
            "test_samples": model.info["test_samples"],
            "luts": synthesis.total.luts,
            "flip_flops": synthesis.total.flip_flops,
            "parts": {**known, "nodes": sum(luts.values()) - sum(known.values())},
            "cycles": info.latency_cycles,
            "estimated_mhz": info.timing.fmax_mhz if info.timing else None,
            "trade_off": [[p.latency_cycles, p.fmax_mhz, p.register_bits] for p in info.pipeline.trade_off],
            "command": synthesis.command,
            "tools": dict(synthesis.tools),
        }


def route(checkpoint: Path) -> dict[str, Any]:
    """MHz and cells of one checkpoint on `DEVICE`."""
    model = difflut.load_model(str(checkpoint))
    with tempfile.TemporaryDirectory() as folder:
        build = difflut.export_model(model, Path(folder) / "build", fpga="ecp5", outputs="class")
        routed = difflut.synthesise(build, "nextpnr", device=DEVICE, seeds=(1, 2, 3))
        return {
            "checkpoint": digest(checkpoint),
            "mhz": [placement.mhz for placement in routed.placements],
            "luts": routed.total.luts,
            "flip_flops": routed.total.flip_flops,
            "shell_flip_flops": routed.shell,
            "cycles": build.info.latency_cycles,
            "estimated_mhz": routed.estimated_mhz,
            "tools": dict(routed.tools),
        }


def seeds_of(name: str, results: Results) -> list[dict[str, Any]]:
    """The measurements of a model, by seed."""
    return [results[key] for key in sorted(results) if key.rpartition(".")[0] == name]


def spread(values: list[float], digits: int = 2) -> str:
    """Mean, and with several values the standard deviation (n - 1)."""
    mean = f"{statistics.mean(values):,.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):,.{digits}f}" if len(values) > 1 else mean


def main_table(results: Results) -> str:
    """Accuracy, LUTs by part, flip-flops, cycles."""
    lines = [
        "| model | test accuracy, % | LUTs | encoder | nodes | group sum | argmax | FFs | cycles | MHz | seeds |",
        "| --- |" + " ---: |" * 10,
    ]
    for name in FRONT_MODELS:
        found = seeds_of(name, results)
        if found:
            parts = [spread([row["parts"][part] for row in found], 0).partition(" ")[0] for part in PARTS]
            lines.append(
                f"| `{name}` | {spread([100 * row['test_accuracy'] for row in found])} "
                f"| **{spread([row['luts'] for row in found], 0)}** | {' | '.join(parts)} "
                f"| {spread([row['flip_flops'] for row in found], 0)} | {found[0]['cycles']} "
                f"| {spread([row['estimated_mhz'] for row in found], 0)} | {len(found)} |"
            )
    return "\n".join(lines)


def published_table() -> str:
    """The literature's rows."""
    lines = ["| | test accuracy, % | LUTs | counted |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {name} | {accuracy} | {luts:,} | {what} |" for name, accuracy, luts, what in PUBLISHED]
    return "\n".join(lines)


def latency_table(results: Results) -> str:
    """The shortest pipelines of seed 0."""
    lines = ["| model | cycles | MHz | ns | data flip-flops | LUTs x ns |", "| --- |" + " ---: |" * 5]
    for name in FRONT_MODELS:
        for row in seeds_of(name, results)[:1]:
            for cycles, mhz, registers in row["trade_off"][:4]:
                nanoseconds = 1000 * cycles / mhz
                lines.append(
                    f"| `{name}` | {cycles} | {mhz:.0f} | {nanoseconds:.1f} | {registers:,} "
                    f"| {row['luts'] * nanoseconds:,.0f} |"
                )
    return "\n".join(lines)


def routed_table(results: Results) -> str:
    """MHz on the ECP5."""
    lines = [
        "| model | MHz, three seeds of the placer | MHz, estimated | LUT4 | FFs, of them the shell's | cycles |",
        "| --- | --- |" + " ---: |" * 4,
    ]
    for name in FRONT_MODELS:
        row = results.get(f"route {name}")
        if row:
            mhz = ", ".join(f"{value:.0f}" for value in row["mhz"])
            lines.append(
                f"| `{name}` | {mhz} | {row['estimated_mhz']:.0f} | {row['luts']:,} "
                f"| {row['flip_flops']:,}, {row['shell_flip_flops']:,} | {row['cycles']} |"
            )
    return "\n".join(lines)


def draw(results: Results) -> None:
    """Accuracy against LUTs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    names = [name for name, (_, dataset, _) in FRONT_MODELS.items() if dataset == "mnist" and seeds_of(name, results)]
    means = [
        [statistics.mean(scale * row[key] for row in seeds_of(name, results)) for name in names]
        for key, scale in (("luts", 1), ("test_accuracy", 100))
    ]
    axes.plot(*means, "o-", color="#1f5fa8", label="ours, mean of seeds (Yosys, all counted)")
    for name, luts, accuracy in zip(names, *means, strict=True):
        axes.annotate(name, (luts, accuracy), xytext=(-4, 6), textcoords="offset points", ha="right", fontsize=8)
    for marker, counted in (("s", "all"), ("^", "without its encoder")):
        rows = [row for row in PUBLISHED if row[3] == counted]
        label = f"published ({counted} counted)" if counted == "all" else f"published ({counted})"
        axes.plot([row[2] for row in rows], [row[1] for row in rows], marker, color="#b0491f", label=label)
        for name, accuracy, luts, _ in rows:
            place: Any = {"xytext": (-6, 4), "ha": "right"} if name == "DWN" else {"xytext": (6, -10)}
            axes.annotate(name, (luts, accuracy), textcoords="offset points", fontsize=8, **place)
    axes.set(xscale="log", xlabel="LUTs, encoder and head included", ylabel="MNIST test accuracy, %", xlim=(300, 12000))
    axes.set_xticks([500, 1000, 2000, 5000, 10000], ["500", "1,000", "2,000", "5,000", "10,000"])
    axes.set_xticks([], minor=True)
    axes.margins(y=0.08)
    axes.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside lower center", ncols=3)
    write_figure(figure, ROOT / "docs/images/front.png")


def blocks(results: Results) -> dict[str, str]:
    """The document's blocks by name."""
    return {
        "front": main_table(results),
        "published": published_table(),
        "latency": latency_table(results),
        "routed": routed_table(results),
    }


def stale() -> list[str]:
    """The blocks that the document has otherwise, and results that are not those of the trainings."""
    results, text = read(), DOCUMENT.read_text(encoding="utf-8")
    faults = [f"block {name}" for name, content in blocks(results).items() if block(text, name) != content]
    trained = {f"{name}.{seed}": row for name, seeds in read_results().items() for seed, row in seeds.items()}
    for key, row in results.items():
        if key in trained and trained[key]["test_accuracy"] != row["test_accuracy"]:
            faults.append(f"{key}: trained to {trained[key]['test_accuracy']}, measured {row['test_accuracy']}")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--zoo", type=Path, help="folder of the checkpoints, NAME.SEED.safetensors")
    parser.add_argument("--route", nargs="*", default=[], metavar="NAME", help="models whose seed 0 is routed")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the document is stale")
    options = parser.parse_args()
    if options.check:
        faults = stale()
        sys.exit("\n".join([f"{DOCUMENT} is stale; run: python benchmarks/front.py", *faults]) if faults else 0)
    results = read()
    if options.zoo is not None:
        for checkpoint in sorted(options.zoo.glob("*.safetensors")):
            name = checkpoint.stem.rpartition(".")[0]
            known = results.get(checkpoint.stem, {}).get("checkpoint")
            if name in FRONT_MODELS and known != digest(checkpoint):
                keep(results, checkpoint.stem, measure(checkpoint))
                print(checkpoint.stem, results[checkpoint.stem]["luts"], "LUTs", flush=True)
        for name in options.route:
            checkpoint = options.zoo / f"{name}.0.safetensors"
            if results.get(f"route {name}", {}).get("checkpoint") != digest(checkpoint):
                keep(results, f"route {name}", route(checkpoint))
                print(name, results[f"route {name}"]["mhz"], "MHz", flush=True)
    for name, content in blocks(results).items():
        replace_block(DOCUMENT, name, content)
    draw(results)
    print(f"wrote {DOCUMENT}")


if __name__ == "__main__":
    main()
