"""Whether the netlist of `cifar10_conv` gives PyTorch's scores on every CIFAR-10 test image.

    python benchmarks/check_cifar.py --data cifar10/ --data-note TEXT [--checkpoint FILE]

Traces the model and simulates the netlist on all test images, in chunks; every score and the class are compared. Exit
status 1 if one differs. Times are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from difflut.data import load_cifar10
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.models import load_model
from difflut.training import predict_scores

CHUNK = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with cifar10.npz or the binary version")
    parser.add_argument("--data-note", help="what sets this copy apart")
    parser.add_argument("--checkpoint", default="cifar10_conv", help="the zoo's name or a checkpoint")
    options = parser.parse_args()
    data = load_cifar10(options.data)
    name = data.name if options.data_note is None else f"{data.name}, {options.data_note}"
    model = load_model(options.checkpoint)
    started = time.process_time()
    netlist = trace(model)
    traced = time.process_time()
    mismatches = correct = 0
    for start in range(0, len(data.test), CHUNK):
        x, y = data.test.x[start : start + CHUNK], data.test.y[start : start + CHUNK].numpy()
        codes = model.input_format.quantize(x).reshape(len(x), *model.input_shape)
        scores, classes = predict_scores(model, codes)
        outputs = simulate(netlist, codes.reshape(len(x), -1).numpy())
        differs = (outputs.scores != scores.numpy()).any(axis=1) | (outputs.classes != classes.numpy())
        mismatches += int(differs.sum())
        correct += int(np.sum(outputs.classes == y))
    checked = time.process_time()
    images = len(data.test)
    print(
        "| data | test images | mismatches | accuracy of the netlist | LUTs | trace, s | check, s | peak memory, MiB |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {name} | {images:,} | {mismatches} | {100 * correct / images:.2f} % | {netlist.luts:,} | "
        f"{traced - started:.1f} | {checked - traced:.1f} | "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} |"
    )
    sys.exit(1 if mismatches or not images else 0)


if __name__ == "__main__":
    main()
