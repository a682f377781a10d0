"""Dictionaries of dwn2rtl: scaler, thresholds as float32, real files' storages and version objects."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_networks import (
    dwn2rtl_dictionary,
    dwn_scores,
    dwn_state,
    on_cuda,
    scaled_rows,
    thermometer_rows,
    torch_bytes,
)
from torch.torch_version import TorchVersion

import difflut
from difflut import InputFormat
from difflut.errors import NetworkFileError
from difflut.export.circuit.simulate import simulate
from difflut.importers import IMPORTERS

FORM = InputFormat(7, signed=True, divisor=50.0, offset=0.4)


def imported(path: Path, saved: Any, **given: Any) -> difflut.BaseModel:
    path.write_bytes(saved if isinstance(saved, bytes) else torch_bytes(saved))
    return difflut.load_network(path, **{"tau": 2.0, "input_format": FORM, **given})


def expected(saved: dict[str, Any], codes: torch.Tensor) -> list[list[int]]:
    numbers = (codes.float() / 50.0 + np.float32(0.4)).numpy()
    scaler = saved["scaler"]
    rows = numbers.tolist() if scaler is None else scaled_rows(scaler["mean"], scaler["scale"], numbers)
    thresholds = saved["thermometer"]["thresholds"].float().tolist()
    return dwn_scores(saved["state_dict"], thermometer_rows(thresholds, rows), saved["config"]["num_classes"])


def codes() -> torch.Tensor:
    return torch.randint(-64, 64, (200, 4))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scaler", [True, False])
def test_scores(tmp_path: Path, seed: int, scaler: bool) -> None:
    saved = dwn2rtl_dictionary(seed, classes=2 + seed, scaler=scaler)
    model = imported(tmp_path / "net.pt", saved)
    some = codes()
    assert (model(some) * 2).round().long().tolist() == expected(saved, some)


def test_files_of_a_gpu_with_a_version(tmp_path: Path) -> None:
    saved = dwn2rtl_dictionary()
    with_version = {**saved, "torch": TorchVersion("2.4.0+cu121")}
    model = imported(tmp_path / "net.pt", on_cuda(torch_bytes(with_version)))
    some = codes()
    assert (model(some) * 2).round().long().tolist() == expected(saved, some)


def test_thresholds_are_compared_as_float32(tmp_path: Path) -> None:
    """A float64 just below a float32 number is that number."""
    saved = dwn2rtl_dictionary(scaler=False)
    number = float(np.float32(10) / np.float32(50.0) + np.float32(0.4))
    saved["thermometer"]["thresholds"] = torch.full((4, 3), np.nextafter(number, 0.0), dtype=torch.float64)
    model = imported(tmp_path / "net.pt", saved)
    some = torch.tensor([[9] * 4, [10] * 4, [11] * 4])
    found = (model(some) * 2).round().long().tolist()
    assert found == expected(saved, some)
    assert found[0] == found[1] != found[2]


def test_features_are_scaled_in_float64(tmp_path: Path) -> None:
    """At thresholds that arithmetic in float32 would miss by its last bit."""
    saved = dwn2rtl_dictionary()
    mean, scale = saved["scaler"]["mean"], saved["scaler"]["scale"]
    every = torch.arange(-64, 64)[:, None].expand(128, 4)
    numbers = (every.float() / 50.0 + np.float32(0.4)).numpy()
    exact = np.array(scaled_rows(mean, scale, numbers), np.float32)
    coarse = (numbers - np.float32(mean)) / np.float32(scale)
    some = [f for f in range(4) if (exact[:, f] > coarse[:, f]).sum() >= 3]
    assert len(some) == 3
    for f in some:
        missed = np.sort(coarse[exact[:, f] > coarse[:, f], f])[:3]
        saved["thermometer"]["thresholds"][f] = torch.from_numpy(missed)
    model = imported(tmp_path / "net.pt", saved)
    scores = expected(saved, every)
    assert (model(every) * 2).round().long().tolist() == scores
    assert simulate(difflut.trace(model), every.numpy()).scores.tolist() == scores


def test_a_state_dict_as_model_and_a_tau_of_its_own(tmp_path: Path) -> None:
    saved = dwn2rtl_dictionary()
    path = tmp_path / "net.pt"
    short = {"model": saved["state_dict"], "thermometer": saved["thermometer"]["thresholds"]}
    with pytest.raises(NetworkFileError, match=r"does not say classes; give --classes"):
        imported(path, short)
    some = codes()
    assert (imported(path, short, classes=3)(some) * 2).round().long().tolist() == expected(
        {**saved, "scaler": None}, some
    )
    saved["config"]["tau"] = 4
    assert imported(path, saved, tau=None).head.tau == 4
    with pytest.raises(NetworkFileError) as caught:
        imported(path, saved)
    assert str(caught.value) == f"{path}: says tau 4, and 2.0 is given; leave --tau out"
    with pytest.raises(NetworkFileError, match=r"holds thresholds of its own; leave those given out"):
        imported(path, saved, tau=None, thresholds=[[0.5]] * 4)


def change(*place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def changed(saved: dict[str, Any]) -> None:
        for key in place[:-1]:
            saved = saved[key]
        saved[place[-1]] = value

    return changed


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (change("config", "n", value=5), "its config says n 5, and its tables are of 4"),
        (change("config", "layers", value=[9, 9]), "its config says layers [9, 9], and its tables are of [10, 9]"),
        (change("config", "num_classes", value="3"), "its num_classes is '3'; expected a number"),
        (change("config", "num_classes", value=0), "model 'net': classes is 0; expected an integer from 1 to 65536"),
        (change("config", "tau", value=True), "its tau is True; expected a number"),
        (
            change("thermometer", "thresholds", value=torch.zeros(3, 4)),
            "its thresholds are (3, 4), expected (features, 3); they are transposed",
        ),
        (
            change("thermometer", "thresholds", value=torch.zeros(5, 3)),
            "its first layer is made for 12 bits, its thermometer (5, 3) gives 15: they are not of one training",
        ),
        (change("thermometer", "thresholds", value=torch.full((4, 3), torch.inf)), "'thermometer.thresholds' has NaN"),
        (change("thermometer", "thresholds", value=[[0.5]]), "'thermometer.thresholds' is a list; expected a tensor"),
        (change("thermometer", value=None), "does not hold the thermometer"),
        (change("scaler", value=[1]), "its 'scaler' is a list; expected a dictionary"),
        (change("scaler", "mean", value=[0.0] * 3), "the scaler's mean is (3,); expected one of each of 4 features"),
        (change("scaler", "scale", value=[1.0, 0.0, 1.0, 1.0]), "the scaler's scale is not above 0 everywhere"),
        (change("scaler", "scale", value=[10**400] * 4), "'scaler.scale' has NaN or infinity"),
        (change("model", value={}), "has no state dict, or two; expected one under 'state_dict' or 'model'"),
        (change("state_dict", value=3), "its 'state_dict' is a int; expected a dictionary with texts as keys"),
        (change("state_dict", value={}), "has LUT layers of 0 modules; expected those of one nn.Sequential"),
    ],
)
def test_what_is_wrong(tmp_path: Path, spoil: Callable[[dict[str, Any]], None], part: str) -> None:
    saved = copy.deepcopy(dwn2rtl_dictionary())
    spoil(saved)
    path = tmp_path / "net.pt"
    with pytest.raises(NetworkFileError) as caught:
        imported(path, saved)
    assert str(caught.value).startswith(f"{path}: {part}")


def test_nothing_but_the_version_is_unpickled(tmp_path: Path) -> None:
    for value in (datetime.date(2026, 1, 1), np.float64(1), Path("x")):
        with pytest.raises(NetworkFileError, match=r"holds pickled Python objects"):
            imported(tmp_path / "net.pt", {**dwn2rtl_dictionary(), "when": value})


def test_other_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    with pytest.raises(NetworkFileError) as caught:
        imported(path, {"weights": torch.zeros(3)})
    assert str(caught.value) == (
        f"{path}: a file of torch with no network of a known format; known: {', '.join(IMPORTERS)}"
    )
    with pytest.raises(NetworkFileError, match=r"the key 'weights' is none of"):
        imported(path, {"weights": torch.zeros(3)}, format="torch_dwn")
    with pytest.raises(NetworkFileError, match=r"has no state dict"):
        imported(path, dwn_state(1, 9, [(12, 3)]), format="dwn2rtl")
