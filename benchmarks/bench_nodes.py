"""Time of a training step of each node family on one core.

    python benchmarks/bench_nodes.py

Two layers of 1,000 nodes with six inputs (DiffLogic: two), random connections, batches of 128 random samples of 1,000
bits, ten groups of 100. A step is forward, cross-entropy, backward, fused Adam, projection. Every family takes one step
in turn, so that a change of the machine's load meets all of them; times are CPU seconds of the process, the
median of the steps after a warm-up.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.nodes import FAMILIES

STEPS = 25
WARM_UP = 3
BATCH = 128
NODES = 1000
LIMIT = 5
REFERENCE = "dwn_stable"


def training_step(family: str) -> tuple[Callable[[], float], int]:
    """A function that takes one step and gives its CPU seconds, and the number of parameters."""
    n = 2 if family == "difflogic" else 6
    model = torch.nn.Sequential(
        LUTLayer(NODES, NODES, n, family=family), LUTLayer(NODES, NODES, n, family=family), GroupSum(10, tau=10)
    ).train()
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-2, fused=True)
    bits = (torch.rand(BATCH, NODES) < 0.5).float()
    labels = torch.randint(0, 10, (BATCH,))

    def step() -> float:
        started = time.process_time()
        loss = torch.nn.functional.cross_entropy(model(bits), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        for layer in model:
            if isinstance(layer, LUTLayer):
                layer.nodes.project()
        return time.process_time() - started

    return step, sum(parameter.numel() for parameter in parameters)


def main() -> None:
    """Print a Markdown table of all families that train."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    names = [REFERENCE, *sorted(set(FAMILIES) - {REFERENCE, "fixed"})]
    steps = {name: training_step(name) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(WARM_UP + STEPS):
        for name, (step, _) in steps.items():
            times[name].append(step())
    medians = {name: statistics.median(times[name][WARM_UP:]) for name in names}
    print(
        f"2 x {NODES:,} nodes, six inputs (difflogic: two), batch {BATCH}, one core; limit: x{LIMIT} of {REFERENCE}\n"
    )
    print("| family | step, ms | to dwn_stable | parameters |\n|---|---:|---:|---:|")
    for name in names:
        print(
            f"| {name} | {1000 * medians[name]:.1f} | x{medians[name] / medians[REFERENCE]:.1f} | {steps[name][1]:,} |"
        )


if __name__ == "__main__":
    main()
