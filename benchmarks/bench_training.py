"""Time and peak memory of a training step on one core.

    python benchmarks/bench_training.py

The model: 784 pixels of 3 thermometer bits, 2 x 4,000 nodes with six inputs, ten groups of 400, batches of 128 random
images; the last cases have 100,000 nodes, in two layers too. A step is encoding, forward, cross-entropy, backward,
fused Adam, projection. Each case runs in a process of its own with one thread. Times are CPU seconds of that process,
the median of the steps after a warm-up; memory is its largest resident set, less what it was after the imports.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from difflut.models import BaseModel

STEPS = 15
WARM_UP = 3
BATCH = 128
TARGET_MS = 60

CASES: dict[str, dict[str, Any]] = {
    "dwn_stable, fixed connections": {},
    "dwn_stable, learnable, all 2,352 candidates": {"first": {"connections": "learnable"}},
    "dwn_stable, learnable, 588 candidates": {"first": {"connections": "learnable", "candidates": 588}},
    "dwn_stable, learnable, 196 candidates": {"first": {"connections": "learnable", "candidates": 196}},
    "linear, fixed connections": {"family": "linear"},
    "linear, learnable, 588 candidates": {
        "family": "linear",
        "first": {"connections": "learnable", "candidates": 588},
    },
    "dwn_stable, fixed connections, 2 x 50,000 nodes": {"width": 50_000},
    "dwn_stable, learnable, 196 candidates, 2 x 50,000 nodes": {
        "width": 50_000,
        "first": {"connections": "learnable", "candidates": 196},
    },
}


def peak_mib() -> float:
    """The process's largest resident set so far, MiB."""
    kibibytes_per_unit = 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kibibytes_per_unit / 1024


def measure(family: str = "dwn_stable", first: dict[str, Any] | None = None, width: int = 4000) -> dict[str, float]:
    """Train one model for a few steps in this process: step_ms, peak_mib (less the imports), parameters."""
    import torch

    from difflut.models.mnist import MNISTFullyConnected
    from difflut.training.allocator import keep_freed_memory

    torch.set_num_threads(1)
    torch.manual_seed(0)
    keep_freed_memory()  # as `train` does
    model = MNISTFullyConnected("bench", (width, width), family=family, connections=(first or {}, {}))
    x = torch.randint(0, 256, (BATCH, 28, 28), dtype=torch.uint8)
    return {**time_steps(model, x, WARM_UP, STEPS), "parameters": model.count_parameters()["trainable"]}


def time_steps(model: BaseModel, x: Tensor, warm_up: int, steps: int) -> dict[str, float]:
    """Fit and train a model on one batch of codes with random labels: step_ms (CPU time, median after the warm-up) and
    peak_mib (less what the process had before)."""
    import torch

    before = peak_mib()
    y = torch.randint(0, model.num_classes, (len(x),))
    model.fit_encoder(x).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, fused=True)

    def step() -> float:
        started = time.process_time()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        model.project()
        return time.process_time() - started

    times = [step() for _ in range(warm_up + steps)][warm_up:]
    return {"step_ms": 1000 * statistics.median(times), "peak_mib": peak_mib() - before}


def measure_apart(name: str) -> dict[str, float]:
    """`measure` of a case in a fresh process with one thread."""
    finished = subprocess.run(
        [sys.executable, __file__, name],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, float] = json.loads(finished.stdout)
    return result


def main() -> None:
    """Print a Markdown table of all cases."""
    print(
        f"2 x 4,000 six-input nodes, batch {BATCH}, one core; target for fixed DWN connections: {TARGET_MS} ms a step\n"
    )
    print("| nodes, first layer | step, ms | to the first | parameters | peak memory, MiB |")
    print("|---|---:|---:|---:|---:|")
    reference = None
    for name in CASES:
        result = measure_apart(name)
        reference = reference or result["step_ms"]
        print(
            f"| {name} | {result['step_ms']:.0f} | x{result['step_ms'] / reference:.1f} | "
            f"{result['parameters']:,.0f} | {result['peak_mib']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(**CASES[sys.argv[1]])))
    else:
        main()
