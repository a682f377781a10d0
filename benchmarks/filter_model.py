"""A small model with integer filters for the figures of its hardware: encoders fitted, tables and connections random.

    python benchmarks/filter_model.py --data cifar10/ --out build/edges_small.safetensors
    difflut export build/edges_small.safetensors --model benchmarks/filter_model.py:edges --conv streaming \\
        --fpga ecp5 --out build/edges_small

It is not trained, so its accuracy is that of guessing; what it takes of an FPGA is what a trained one of these sizes
takes, but for what passes find in tables that have a structure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from difflut.data import load_dataset
from difflut.models.edges import EdgeConv

SAMPLES = 1000


def edges() -> EdgeConv:
    """Sobel and Laplacian on three colours, 51 channels; two blocks of 8 and 16 kernels; 200 nodes."""
    return EdgeConv("edges_small", kernels=(8, 16), widths=(200,), width_candidates=32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="CIFAR-10, or an .npz file of such images")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = edges()
    data = load_dataset("npz" if options.data.suffix == ".npz" else "cifar10", options.data)
    model.fit_encoder(data.train.x[:SAMPLES]).eval()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    model.save_checkpoint(options.out)


if __name__ == "__main__":
    main()
