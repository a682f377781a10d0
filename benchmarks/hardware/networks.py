"""The networks that are measured: two small ones, whose trained weights lie in `networks/`, and the zoo's 8,000-node
one.
"""

from __future__ import annotations

from pathlib import Path

from difflut.models import BaseModel, MNISTFullyConnected, get_model

WEIGHTS = Path(__file__).parent / "networks"
WIDTHS = {"mnist_1000_500": (1000, 500), "mnist_2000_1000": (2000, 1000)}
ZOO = {"mnist_fc_8k_dwn": (4000, 4000)}
NAMES = (*WIDTHS, *ZOO)


def untrained(name: str) -> MNISTFullyConnected:
    """A small network as it is trained: DWN stable nodes with six inputs, connections of the first layer learned."""
    connections = ({"connections": "learnable", "candidates": 196}, {})
    return MNISTFullyConnected(name, WIDTHS[name], tau=3.3, connections=connections)


def trained(name: str) -> BaseModel:
    """One of `NAMES` with its trained weights."""
    if name in ZOO:
        return get_model(name, pretrained=True)
    return untrained(name).load_checkpoint(WEIGHTS / f"{name}.safetensors")
