"""Run by `compare_import` with a Python that has torchlogix: a network's Circuits, their Verilog, and its scores.

    python torchlogix_circuits.py FOLDER

The network is drawn, not trained.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torchlogix.circuit import Circuit
from torchlogix.layers import GroupSum, LogicDense

INPUTS, LAYERS, CLASSES = 64, (400, 400, 200), 10


def main() -> None:
    folder = Path(sys.argv[1])
    torch.manual_seed(1)
    layers, width = [], INPUTS
    for nodes in LAYERS:
        layers.append(LogicDense(width, nodes, parametrization_kwargs={"weight_init": "random"}))
        width = nodes
    net = torch.nn.Sequential(*layers, GroupSum(CLASSES)).eval()
    x = torch.randint(0, 2, (300, INPUTS)).float()
    with torch.no_grad():
        np.savez(folder / "samples.npz", x=x.numpy().astype(np.uint8), y=net(x).numpy().astype(np.int64))
    for name in ("plain", "simplified"):
        circuit = Circuit.from_model(net, [INPUTS])
        if name == "simplified":
            circuit.simplify()
        circuit.write_json(str(folder / f"{name}.json"))
        circuit.write_verilog_code(str(folder / f"{name}.v"))


if __name__ == "__main__":
    main()
