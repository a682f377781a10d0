"""Runs every benchmark, each in a process of its own, and prints their tables: `make bench > docs/benchmarks.md`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS: list[tuple[str, list[str]]] = [
    ("Export", ["bench_export.py"]),
    ("RTL under Verilator", ["bench_rtl.py"]),
    ("Emission styles", ["emission_styles.py", "--style", "words", "--style", "scalars", "--style", "memories"]),
    ("Reference simulator", ["bench_simulate.py"]),
    ("Compiled inference", ["bench_engine.py"]),
    ("Training step", ["bench_training.py"]),
    ("Training step of `cifar10_conv`", ["bench_cifar_step.py"]),
    ("Node families", ["bench_nodes.py"]),
    ("Import of 100,000 nodes", ["bench_import.py"]),
    ("A synthetic netlist of 100,000 LUTs", ["synthetic.py"]),
]


def main() -> None:
    print(
        f"# Benchmarks\n\nPrinted by `make bench` on {os.cpu_count()} cores of {processor()}, Python "
        f"{platform.python_version()}. Compare rows of one table, not tables of different runs.",
        flush=True,
    )
    for title, command in SCRIPTS:
        print(f"\n## {title}\n\n`python benchmarks/{' '.join(command)}`\n", flush=True)
        done = subprocess.run(
            [sys.executable, str(HERE / command[0]), *command[1:]], check=True, stdout=subprocess.PIPE, text=True
        )
        is_table = any(line.startswith("|") for line in done.stdout.splitlines())
        print(done.stdout if is_table else f"```text\n{done.stdout}```", flush=True)


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
