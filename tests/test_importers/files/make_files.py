"""Networks of torchlogix and LLNN as these packages save them, with the scores that they compute: `real.npz`.

Randomly initialised, not trained. Run where both are installed (torchlogix needs Python 3.12 or newer):

    python make_files.py real.npz
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import numpy as np
import torch
from llnn.lutnn import LUTNN
from torch import Tensor, nn
from torchlogix.circuit import Circuit
from torchlogix.layers import GroupSum, LogicConv2d, LogicDense, OrPooling2d
from torchlogix.layers.binarization import setup_binarization

FOUND: dict[str, Any] = {}


def keep(name: str, content: bytes, x: Tensor, y: Tensor) -> None:
    FOUND[f"{name}.file"] = np.frombuffer(content, np.uint8)
    FOUND[f"{name}.x"], FOUND[f"{name}.y"] = x.numpy(), y.detach().numpy()


def keep_state(name: str, net: nn.Module, x: Tensor, extra: dict[str, Tensor] | None = None) -> None:
    net.eval()
    file = io.BytesIO()
    torch.save({**net.state_dict(), **(extra or {})}, file)
    keep(name, file.getvalue(), x, net(x))


def dense(nodes: str, rank: int, *, learnable: bool) -> nn.Module:
    options: dict[str, Any] = {
        "lut_rank": rank,
        "parametrization": nodes,
        "parametrization_kwargs": {"weight_init": "random"},
    }
    wires = {"connections": "learnable", "connections_kwargs": {"num_candidates": 2}} if learnable else {}
    return nn.Sequential(
        LogicDense(12, 12, **options, **wires), LogicDense(12, 9, **options), GroupSum(3, tau=2.0, beta=0.5)
    )


def thermometer(kind: str, rows: int, **options: Any) -> nn.Module:
    return setup_binarization(torch.rand(rows, 3).sort(dim=-1).values, kind, **options)


def main() -> None:
    torch.manual_seed(1)
    for nodes, rank in (("raw", 2), ("light", 2), ("light", 4), ("light", 6), ("warp", 2), ("warp", 4), ("warp", 6)):
        keep_state(f"{nodes}{rank}", dense(nodes, rank, learnable=rank != 6), torch.randint(0, 2, (40, 12)).float())
    for kind in ("fixed", "soft", "learnable"):
        net = nn.Sequential(thermometer(kind, 4), nn.Flatten(), LogicDense(12, 9), GroupSum(3, tau=2.0))
        keep_state(kind, net, torch.rand(40, 4))
    net = nn.Sequential(
        thermometer("fixed", 2, feature_dim=1), nn.Flatten(), LogicDense(2 * 3 * 2 * 3, 24), GroupSum(3, tau=2.0)
    )
    keep_state("planes", net, torch.rand(40, 2, 3, 2))
    net = nn.Sequential(
        thermometer("fixed", 2, feature_dim=1),
        LogicConv2d((7, 6), channels=6, num_kernels=3, tree_depth=2, receptive_field_size=(3, 2), padding=1),
        OrPooling2d(2, 2),
        LogicConv2d((3, 3), channels=3, num_kernels=4, tree_depth=1, receptive_field_size=2, stride=1),
        OrPooling2d(2, 1, 1),
        nn.Flatten(),
        LogicDense(4 * 3 * 3, 24),
        GroupSum(3, tau=2.0),
    )
    keep_state("padded", net, torch.rand(20, 2, 7, 6))
    net = nn.Sequential(
        thermometer("fixed", 2, feature_dim=1),
        LogicConv2d((7, 6), channels=6, num_kernels=4, tree_depth=2, receptive_field_size=3, padding=1),
        OrPooling2d(2, 2),
        nn.Flatten(),
        LogicDense(4 * 3 * 3, 24),
        GroupSum(3, tau=2.0),
    )
    keep_state("convolutions", net, torch.rand(20, 2, 7, 6))
    for simplified in (False, True):
        torch.manual_seed(5)
        options = {"parametrization_kwargs": {"weight_init": "random"}}
        net = nn.Sequential(
            LogicDense(18, 24, **options), LogicDense(24, 30, **options), GroupSum(3, tau=4.0, beta=0.5)
        )
        x = torch.randint(0, 2, (64, 18)).float()
        y = net.eval()(x)
        circuit = Circuit.from_model(net, [18])
        if simplified:
            circuit.simplify()
        keep(f"circuit_{simplified}", json.dumps(circuit.to_dict()).encode(), x, y)
    net = LUTNN([12, 30], 2, [3, 4], 10, 3, tau=2)
    indices = {
        f"{name}.indices": torch.stack(tuple(m.indices)) for name, m in net.named_modules() if hasattr(m, "indices")
    }
    keep_state("llnn", net, torch.randint(0, 2, (40, 10)).float(), indices)
    np.savez_compressed(sys.argv[1], **FOUND)


if __name__ == "__main__":
    main()
