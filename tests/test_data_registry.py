"""Data sets by name, fetched by a torchvision that is played here."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from difflut.data import DATASETS, cifar10, load_dataset, mnist
from difflut.errors import ConfigError, DataError, UnknownNameError


@pytest.fixture(autouse=True)
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {"x_train": (5, 28, 28), "y_train": (5,), "x_test": (1, 28, 28), "y_test": (1,)}
    monkeypatch.setattr(mnist, "_SHAPES", shapes)
    monkeypatch.setattr(cifar10, "_IMAGES_PER_FILE", 1)


class FakeSet:
    """As torchvision's: tensors for MNIST, channels-last arrays and lists for CIFAR-10."""

    calls: list[tuple[str, str, bool]]
    fails: Exception | None

    def __init__(self, root: str, train: bool, download: bool) -> None:
        if self.fails:
            raise self.fails
        assert download
        self.calls.append((type(self).__name__, root, train))
        count = 5 if train else 1
        fill = len(type(self).__name__) + train
        self.data: Any = torch.full((count, 28, 28), fill, dtype=torch.uint8)
        self.targets: Any = torch.arange(count)
        if type(self).__name__ == "CIFAR10":
            self.data = np.zeros((count, 32, 32, 3), np.uint8)
            self.data[..., 2] = fill
            self.targets = list(range(count))


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> type[FakeSet]:
    FakeSet.calls, FakeSet.fails = [], None
    datasets = ModuleType("torchvision.datasets")
    for name in ("MNIST", "FashionMNIST", "CIFAR10"):
        setattr(datasets, name, type(name, (FakeSet,), {}))
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)
    return FakeSet


@pytest.mark.parametrize(
    ("name", "title", "shape"),
    [
        ("mnist", "MNIST", (28, 28)),
        ("fashion_mnist", "Fashion-MNIST", (28, 28)),
        ("cifar10", "CIFAR-10", (3, 32, 32)),
    ],
)
def test_download(tmp_path: Path, torchvision: type[FakeSet], name: str, title: str, shape: tuple[int, ...]) -> None:
    folder = tmp_path / "new" / "data"
    class_name = DATASETS[name].torchvision
    data = load_dataset(name, folder, download=True)
    assert torchvision.calls == [(class_name, str(folder), True), (class_name, str(folder), False)]
    assert data.name == title
    assert (data.train.x.shape, data.test.x.shape) == ((5, *shape), (1, *shape))
    assert data.train.y.tolist() == [0, 1, 2, 3, 4]
    assert [int(split.x.max()) for split in (data.train, data.test)] == [
        len(class_name or "") + 1,
        len(class_name or ""),
    ]
    if name == "cifar10":
        assert data.train.x[:, 2].min() > 0 and data.train.x[:, :2].max() == 0
    torchvision.fails = AssertionError("asked again")
    again = load_dataset(name, folder, download=True)
    assert torch.equal(again.train.x, load_dataset(name, folder).train.x)


def test_sets_side_by_side(tmp_path: Path, torchvision: type[FakeSet]) -> None:
    for name in ("fashion_mnist", "mnist"):
        load_dataset(name, tmp_path, download=True)
    assert load_dataset("mnist", tmp_path).train.x.max() == len("MNIST") + 1
    assert load_dataset("fashion_mnist", tmp_path).train.x.max() == len("FashionMNIST") + 1


def test_failed_download(tmp_path: Path, torchvision: type[FakeSet]) -> None:
    torchvision.fails = RuntimeError("no connection")
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", tmp_path, download=True)
    assert str(caught.value) == (
        f"torchvision could not fetch MNIST into {tmp_path} (no connection); try again, or put the files there yourself"
    )
    assert list(tmp_path.iterdir()) == []


def test_without_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(
        ConfigError, match=r"(?s)^fetching data needs torchvision.*: pip install torchvision; or put the"
    ):
        load_dataset("cifar10", tmp_path, download=True)


def test_own_data_cannot_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_dataset("npz", tmp_path, download=True)
    assert str(caught.value) == "data set 'npz' is a file of your own and cannot be fetched; leave --download out"


def test_note(tmp_path: Path, torchvision: type[FakeSet]) -> None:
    data = load_dataset("cifar10", tmp_path, note="JPEG re-encoded", download=True)
    assert data.name == "CIFAR-10, JPEG re-encoded"


def test_unknown_name() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_dataset("cifar", ".")
    assert str(caught.value) == "unknown data set 'cifar'; did you mean cifar10?"
    with pytest.raises(UnknownNameError) as caught:
        load_dataset("zzz", ".")
    assert str(caught.value) == "unknown data set 'zzz'; known: mnist, fashion_mnist, cifar10, npz"
