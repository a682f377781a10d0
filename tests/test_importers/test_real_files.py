"""Files that other packages wrote themselves give the scores that these packages computed, logit by logit.

files/make_files.py makes those of torchlogix and LLNN, files/make_dwn_files.py those of torch_dwn and dwn2rtl.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import difflut
from difflut import InputFormat
from difflut.export.circuit.simulate import simulate

FOLDER = Path(__file__).parent / "files"
FILES = {**np.load(FOLDER / "real.npz"), **np.load(FOLDER / "real_dwn.npz")}
FINE = InputFormat(16, divisor=65536.0)

SAID: dict[str, dict[str, Any]] = {
    **{
        f"{nodes}{rank}": {"nodes": nodes, "tau": 2.0, "beta": 0.5, "binary_inputs": 12}
        for nodes, rank in (("raw", 2), ("light", 2), ("light", 4), ("light", 6), ("warp", 2), ("warp", 4), ("warp", 6))
    },
    "fixed": {"tau": 2.0, "input_format": FINE},
    "soft": {"tau": 2.0, "input_format": FINE},
    "learnable": {"tau": 2.0, "softplus_temperature": 0.1, "input_format": FINE},
    "planes": {"tau": 2.0, "image": (2, 3, 2), "bit_order": "planes", "input_format": FINE},
    "padded": {"tau": 2.0, "image": (2, 7, 6), "geometry": "conv+1 pool2 conv pool2/1+1", "input_format": FINE},
    "convolutions": {"tau": 2.0, "image": (2, 7, 6), "geometry": "conv+1 pool2", "input_format": FINE},
    "circuit_False": {},
    "circuit_True": {},
    "llnn": {"tau": 2.0, "binary_inputs": 10},
    "random": {"tau": 2.0, "binary_inputs": 12},
    "learnable_mapping": {"tau": 2.0, "binary_inputs": 12},
    **{
        kind: {"tau": 2.0, "input_format": FINE}
        for kind in ("Thermometer", "GaussianThermometer", "DistributiveThermometer")
    },
}


def test_every_file_is_read() -> None:
    assert sorted(SAID) == sorted({name.split(".")[0] for name in FILES})


@pytest.mark.parametrize("name", SAID)
def test_scores(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.file"
    path.write_bytes(FILES[f"{name}.file"].tobytes())
    classes = {} if name.startswith("circuit") else {"classes": 3}
    model = difflut.load_network(path, **classes, **SAID[name])
    x = torch.from_numpy(FILES[f"{name}.x"]).flatten(1)
    assert np.array_equal(model.forward_unrounded(x).numpy(), FILES[f"{name}.y"])
    model.save_checkpoint(tmp_path / "net.safetensors", frozen=True)
    again = difflut.load_model(str(tmp_path / "net.safetensors"))
    codes = torch.randint(0, again.input_format.highest + 1, x.shape, generator=torch.Generator().manual_seed(1))
    tau, offset = model.head.tau, model.head.offset  # type: ignore[union-attr]
    scores = simulate(difflut.trace(again), codes.numpy()).scores
    assert np.array_equal((scores.astype(np.float32) + offset) / tau, again(codes).numpy())


def test_simplified_circuits_have_a_constant_in_beta() -> None:
    """Which torchlogix 0.2.2 leaves out of the Verilog that it writes of them."""
    sums = json.loads(FILES["circuit_True.file"].tobytes())["sum_nodes"]
    assert max(one["beta"] for one in sums) > 1 and len({one["beta"] for one in sums}) > 1
