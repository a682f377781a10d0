"""Time and peak memory of a training step of `cifar10_conv` on one core.

    python benchmarks/bench_cifar_step.py

Batches of 100 random images; a step is encoding, forward, cross-entropy, backward, fused Adam, projection. Times are CPU
seconds of a process of its own, the median of the steps after a warm-up; memory is its largest resident set, less what
it was after the imports.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time

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
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = get_model("cifar10_conv")
    x = torch.randint(0, 256, (BATCH, 3, 32, 32), dtype=torch.uint8)
    y = torch.randint(0, 10, (BATCH,))
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

    times = [step() for _ in range(WARM_UP + STEPS)][WARM_UP:]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"step_ms": 1000 * statistics.median(times), "peak_mib": (peak - imported) / 1024}


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
