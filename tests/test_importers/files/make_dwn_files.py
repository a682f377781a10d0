"""Networks of torch_dwn as it and dwn2rtl save them, with the scores that its modules compute: `real_dwn.npz`.

Randomly initialised, not trained. torch_dwn is imported from its unpacked source distribution, because it installs
with CUDA alone; the lookup, which it has for CUDA alone, is written here from its definition.

    PYTHONPATH=torch_dwn-1.1.1/src:FOLDER_OF_DWN2RTL python make_dwn_files.py real_dwn.npz
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dwn2rtl.checkpoint
import numpy as np
import torch
import torch_dwn
from torch import Tensor, nn

FOUND: dict[str, Any] = {}


class Lookup(torch.autograd.Function):
    """The entry of each node's table that its inputs address, input i with weight 2**i."""

    @staticmethod
    def forward(_: Any, x: Tensor, mapping: Tensor, luts: Tensor, *__: Tensor) -> Tensor:
        address = (x[:, mapping.long()].long() << torch.arange(mapping.shape[1])).sum(dim=2)
        return luts[torch.arange(len(luts)), address]


def keep(name: str, content: bytes, x: Tensor, y: Tensor) -> None:
    FOUND[f"{name}.file"] = np.frombuffer(content, np.uint8)
    FOUND[f"{name}.x"], FOUND[f"{name}.y"] = x.numpy(), y.detach().numpy()


def network(width: int, mapping: str, nodes: int, n: int) -> nn.Module:
    return nn.Sequential(
        torch_dwn.LUTLayer(width, 20, 4, mapping=mapping),
        torch_dwn.LUTLayer(20, nodes, n, mapping="arange" if mapping == "random" else "random"),
        torch_dwn.GroupSum(k=3, tau=2.0),
    ).eval()


def main() -> None:
    sys.modules["torch_dwn.lut_layer"].EFDFunction = Lookup  # type: ignore[attr-defined]
    torch.manual_seed(1)
    for name, mapping in (("random", "random"), ("learnable_mapping", "learnable")):
        net, x = network(12, mapping, 11, 3), torch.randint(0, 2, (40, 12)).float()
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        keep(name, file.getvalue(), x, net(x))
    x = torch.rand(60, 4)
    for kind in ("Thermometer", "GaussianThermometer", "DistributiveThermometer"):
        scaler = None
        if kind == "GaussianThermometer":
            scaler = SimpleNamespace(mean_=x.double().mean(0).numpy(), scale_=x.double().std(0).numpy())
        scaled = (
            x if scaler is None else ((x.double() - torch.tensor(scaler.mean_)) / torch.tensor(scaler.scale_)).float()
        )
        thermometer = getattr(torch_dwn, kind)(5).fit(scaled)
        net = network(20, "learnable", 12, 4)  # dwn2rtl takes neither nodes of several n nor groups that are padded
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "net.pt")
            dwn2rtl.checkpoint.save(net, thermometer, path, scaler=scaler)
            keep(kind, path.read_bytes(), x, net(thermometer.binarize(scaled).flatten(1)))
    np.savez_compressed(sys.argv[1], **FOUND)


main()
