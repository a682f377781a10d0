"""Time and peak memory of a training step of `cifar10_conv` on one core.

    python benchmarks/bench_cifar_step.py

Batches of 100 random images; a step is encoding, forward, cross-entropy, backward, fused Adam, projection. Times are
CPU seconds of a process of its own, the median of the steps after a warm-up; memory is its largest resident set, less
what it was after the imports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from bench_training import time_steps

STEPS, WARM_UP, BATCH = 8, 2, 100


def measure(keep_memory: bool) -> dict[str, float]:
    """step_ms and peak_mib of this process."""
    import torch

    from difflut.models import get_model
    from difflut.training.allocator import keep_freed_memory

    torch.set_num_threads(1)
    torch.manual_seed(0)
    if keep_memory:
        keep_freed_memory()
    x = torch.randint(0, 256, (BATCH, 3, 32, 32), dtype=torch.uint8)
    return time_steps(get_model("cifar10_conv"), x, WARM_UP, STEPS)


def main() -> None:
    """Print a Markdown table: as `train` runs it, and with the allocator as it is."""
    print("| allocator | step of 100 images, ms | peak memory, MiB |\n|---|---:|---:|")
    for keep, name in ((1, "keeps freed memory, as in training"), (0, "as the system has it")):
        done = subprocess.run(
            [sys.executable, __file__, str(keep)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        result = json.loads(done.stdout)
        print(f"| {name} | {result['step_ms']:.0f} | {result['peak_mib']:.0f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1] == "1")))
    else:
        main()
