"""Time and peak memory of a training step on one core, with the compiled kernels and by PyTorch's operators.

    python benchmarks/bench_training.py

MNIST's shape, six-input nodes, random images of which most pixels are dark, as MNIST's are. A step is what `train` does
in one: shifting the images, encoding, forward, loss, backward, Adam, projection. Each case runs in a process of its own
with one thread, where the two paths take their steps in turn, so that a change of the machine's load meets both. Times
are CPU seconds of that process, the median of the steps after a warm-up; memory is its largest resident set with the
kernels, less what it was after the imports.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from difflut.models import BaseModel
    from difflut.training import Recipe

STEPS = 15
WARM_UP = 3
LEARNED: dict[str, Any] = {"connections": "learnable"}

# Widths, batch, connections of the first layer, and further arguments of the model.
CASES: dict[str, tuple[tuple[int, ...], int, dict[str, Any], dict[str, Any]]] = {
    "300, all 784 learned": ((300,), 100, LEARNED, {"bits": 1, "grid_bits": 1}),
    "1,200, all 784 learned": ((1200,), 100, LEARNED, {"bits": 1, "grid_bits": 1}),
    "300, all 1,568 learned": ((300,), 100, LEARNED, {"bits": 2, "grid_bits": 2}),
    "1,200, all 1,568 learned": ((1200,), 100, LEARNED, {"bits": 2, "grid_bits": 2}),
    "2 x 4,000, fixed": ((4000, 4000), 128, {}, {}),
    "2 x 4,000, all 2,352 learned": ((4000, 4000), 128, LEARNED, {}),
    "2 x 4,000, 588 learned": ((4000, 4000), 128, {**LEARNED, "candidates": 588}, {}),
    "2 x 4,000, 196 learned": ((4000, 4000), 128, {**LEARNED, "candidates": 196}, {}),
    "2 x 4,000 linear, fixed": ((4000, 4000), 128, {}, {"family": "linear"}),
    "2 x 4,000 linear, 588 learned": ((4000, 4000), 128, {**LEARNED, "candidates": 588}, {"family": "linear"}),
    "2 x 50,000, fixed": ((50_000, 50_000), 128, {}, {}),
    "2 x 50,000, 196 learned": ((50_000, 50_000), 128, {**LEARNED, "candidates": 196}, {}),
}


def peak_mib() -> float:
    """The process's largest resident set so far, MiB."""
    kibibytes_per_unit = 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kibibytes_per_unit / 1024


def measure(name: str) -> dict[str, float]:
    """Train a case's model for a few steps in this process; see `time_steps`."""
    import torch

    from difflut.models.mnist import MNISTFullyConnected
    from difflut.training import Recipe
    from difflut.training.allocator import keep_freed_memory

    widths, batch, first, options = CASES[name]
    torch.set_num_threads(1)
    keep_freed_memory()  # as `train` does

    def make() -> BaseModel:
        torch.manual_seed(0)
        connections = (first, *[{}] * (len(widths) - 1))
        return MNISTFullyConnected("bench", widths, connections=connections, **options)

    torch.manual_seed(0)
    x = (256 * torch.rand(batch, 28, 28) ** 6).to(torch.uint8)
    return time_steps(make, x, Recipe(max_shift=1), WARM_UP, STEPS)


def time_steps(make: Callable[[], BaseModel], x: Tensor, recipe: Recipe, warm_up: int, steps: int) -> dict[str, float]:
    """Train models on one batch of codes with random labels, one with the compiled kernels and one without.

    Returns:
        step_ms and reference_ms, CPU time, the median after the warm-up; peak_mib with the kernels (less what the
        process had before), parameters.
    """
    before = peak_mib()
    compiled = steps_of(make(), x, recipe, "1")
    warm = [compiled() for _ in range(warm_up)]
    peak = peak_mib() - before
    model = make()
    reference = steps_of(model, x, recipe, "0")
    pairs = [(compiled(), reference()) for _ in range(warm_up + steps)][len(warm) :]
    ours, theirs = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    parameters = model.count_parameters()["trainable"]
    return {"step_ms": ours, "reference_ms": theirs, "peak_mib": peak, "parameters": parameters}


def steps_of(model: BaseModel, x: Tensor, recipe: Recipe, kernels: str) -> Callable[[], float]:
    """A function that takes one step, with the kernels ("1") or without ("0"), and gives its CPU seconds."""
    import torch

    from difflut.native import VARIABLE
    from difflut.training.augmentation import augment
    from difflut.training.choices import ChoiceUpdates

    y = torch.randint(0, model.num_classes, (len(x),))
    model.fit_encoder(x).train()
    generator = torch.Generator().manual_seed(0)
    optimizer = model.make_optimizer(recipe.learning_rate)
    updates = ChoiceUpdates(model, optimizer, alone=True)

    def step() -> float:
        os.environ[VARIABLE] = kernels
        started = time.process_time()
        loss = model.training_loss(model(augment(x, recipe, generator)), y) + model.get_regularization_loss()
        optimizer.zero_grad()
        with updates.deferred():
            loss.backward()  # type: ignore[no-untyped-call]
        updates.step()
        model.project()
        return time.process_time() - started

    return step


def measure_apart(script: str, name: str) -> dict[str, float]:
    """What a script prints for a case, as JSON, in a fresh process with one thread."""
    finished = subprocess.run(
        [sys.executable, script, name],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, float] = json.loads(finished.stdout)
    return result


def main(script: str, names: Iterable[str]) -> None:
    """Print a Markdown table of all cases."""
    print("| nodes, first layer's connections | step, ms | by PyTorch, ms | speed-up | parameters | peak memory, MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in names:
        found = measure_apart(script, name)
        print(
            f"| {name} | {found['step_ms']:.1f} | {found['reference_ms']:.1f} | "
            f"x{found['reference_ms'] / found['step_ms']:.1f} | {found['parameters']:,.0f} | {found['peak_mib']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main(__file__, CASES)
