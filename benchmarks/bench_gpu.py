"""Time of a training step on a GPU: with Triton's kernels, by PyTorch's operators, and by torch_dwn.

    python benchmarks/bench_gpu.py [--device cuda] [--batches 32 100 1024] [--nodes 4000] [--steps 30]

Two layers of six-input nodes and group sums of ten classes on 2,352 random bits; the first layer's connections are
fixed or learned among all bits, as torch_dwn's are, or among 588. A step is forward, loss, backward, Adam and
projection. The contenders take their steps in turn; times are medians of wall-clock time, after a warm-up, with the
device's queue empty before and after. torch_dwn takes part where it is installed and the device is a GPU. Without one
this runs on CPU cores, with the kernels of kernels.c.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from difflut import GroupSum, LUTLayer, gpu
from difflut.native import VARIABLE
from difflut.nodes import DWNNodes

BITS, CLASSES, TAU, WARM_UP = 2352, 10, 10.0, 5
# Connections of the first layer, and among how many bits they are learned.
FIRST: dict[str, tuple[str, int | None]] = {
    "fixed": ("random", None),
    "all 2,352 learned": ("learnable", None),
    "588 learned": ("learnable", 588),
}


def ours(nodes: int, connections: str, candidates: int | None) -> nn.Module:
    """The network of this library."""
    first = LUTLayer(BITS, nodes, 6, "dwn", connections, candidates)
    return nn.Sequential(first, LUTLayer(nodes, nodes, 6, "dwn"), GroupSum(CLASSES, tau=TAU))


def theirs(nodes: int, connections: str) -> nn.Module:
    """The network of torch_dwn."""
    dwn = importlib.import_module("torch_dwn")
    first = dwn.LUTLayer(BITS, nodes, n=6, mapping=connections)
    return nn.Sequential(first, dwn.LUTLayer(nodes, nodes, n=6), dwn.GroupSum(CLASSES, tau=TAU))


def steps_of(model: nn.Module, bits: Tensor, labels: Tensor, kernels: str) -> Callable[[], float]:
    """A function that takes one step, with our kernels ("1") or without ("0"), and gives its milliseconds."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    tables = [module for module in model.modules() if isinstance(module, DWNNodes)]

    def wait() -> None:
        if bits.is_cuda:
            torch.cuda.synchronize()

    def step() -> float:
        os.environ[VARIABLE] = kernels
        wait()
        started = time.perf_counter()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(bits), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        for table in tables:
            table.project()
        wait()
        return 1000 * (time.perf_counter() - started)

    return step


def measure(device: torch.device, nodes: int, first: str, batch: int, steps: int) -> dict[str, float]:
    """Milliseconds a step of each contender."""
    torch.manual_seed(0)
    bits = (torch.rand(batch, BITS, device=device) < 0.3).float()
    labels = torch.randint(0, CLASSES, (batch,), device=device)
    connections, candidates = FIRST[first]
    contenders = {
        "kernels": steps_of(ours(nodes, connections, candidates).to(device), bits, labels, "1"),
        "PyTorch": steps_of(ours(nodes, connections, candidates).to(device), bits, labels, "0"),
    }
    if device.type == "cuda" and candidates is None and importlib.util.find_spec("torch_dwn"):
        contenders["torch_dwn"] = steps_of(theirs(nodes, connections).to(device), bits, labels, "0")
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(WARM_UP + steps):
        for name, step in contenders.items():
            times[name].append(step())
    return {name: statistics.median(some[WARM_UP:]) for name, some in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batches", type=int, nargs="+", default=(32, 100, 1024))
    parser.add_argument("--nodes", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    device = torch.device(options.device)
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    triton = gpu.takes(torch.zeros(1, device=device))
    print(f"{named}; PyTorch {torch.__version__}; {'Triton' if triton else 'no Triton'}\n")
    print("| connections | batch | kernels, ms | PyTorch, ms | torch_dwn, ms |\n|---|---:|---:|---:|---:|")
    for first in FIRST:
        for batch in options.batches:
            found = measure(device, options.nodes, first, batch, options.steps)
            shown = [f"{found[name]:.2f}" if name in found else "" for name in ("kernels", "PyTorch", "torch_dwn")]
            print(f"| {first} | {batch:,} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
