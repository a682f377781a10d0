"""Time and peak memory of a training step of `cifar10_conv` on one core, with the compiled kernels and by PyTorch.

    python benchmarks/bench_cifar_step.py

Batches of 100 random images, shifted and mirrored as its recipe says; all else as in bench_training.py.
"""

from __future__ import annotations

import json
import sys

from bench_training import main, time_steps

STEPS, WARM_UP, BATCH = 8, 2, 100


def measure(name: str) -> dict[str, float]:
    """See `bench_training.time_steps`."""
    import torch

    from difflut.models import get_model
    from difflut.training import recipe_for
    from difflut.training.allocator import keep_freed_memory

    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    x = torch.randint(0, 256, (BATCH, 3, 32, 32), dtype=torch.uint8)
    return time_steps(lambda: get_model(name), x, recipe_for(name), WARM_UP, STEPS)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main(__file__, ["cifar10_conv"])
