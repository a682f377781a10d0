"""Data sets by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from difflut.data.arrays import load_npz
from difflut.data.cifar10 import load_cifar10
from difflut.data.dataset import Dataset
from difflut.data.download import fetch
from difflut.data.mnist import load_fashion_mnist, load_mnist
from difflut.errors import ConfigError
from difflut.quoting import terminal
from difflut.registry import Registry


@dataclass(frozen=True)
class Source:
    """One kind of data that a directory may hold.

    Attributes:
        title: as it stands beside accuracies; empty where the files decide.
        load: reads it from a directory.
        torchvision: its class in `torchvision.datasets`, if that can fetch it.
    """

    title: str
    load: Callable[[str | os.PathLike[str]], Dataset]
    torchvision: str | None = None


DATASETS: Registry[Source] = Registry(
    "data set",
    "difflut.data",
    {
        "mnist": Source("MNIST", load_mnist, "MNIST"),
        "fashion_mnist": Source("Fashion-MNIST", load_fashion_mnist, "FashionMNIST"),
        "cifar10": Source("CIFAR-10", load_cifar10, "CIFAR10"),
        "npz": Source("", load_npz),
    },
)


def load_dataset(
    name: str, directory: str | os.PathLike[str], *, note: str | None = None, download: bool = False
) -> Dataset:
    """A data set by name from a directory.

    Args:
        name: a key of `DATASETS`; "npz" is a user's own data, and `directory` may then be the file itself.
        directory: where its files are.
        note: what sets this copy apart, for example "JPEG re-encoded"; it becomes part of the data set's name.
        download: let torchvision fetch it into the directory unless its npz file (`name`.npz) is there.

    Raises:
        UnknownNameError: if there is no such data set.
        ConfigError: if it cannot be fetched at all, or torchvision is missing.
        DataError: if the directory or a file is missing or is not what it should be.
    """
    source = DATASETS.find(name)
    if download:
        if source.torchvision is None:
            raise ConfigError(f"data set {name!r} is a file of your own and cannot be fetched; leave --download out")
        fetch(source.torchvision, Path(directory), f"{name}.npz")
    data = source.load(directory)
    return replace(data, name=with_note(data.name, note))


def with_note(title: str, note: str | None) -> str:
    """The name of a data set and what sets this copy of it apart: "CIFAR-10, JPEG re-encoded"; a line that prints."""
    return terminal(f"{title}, {note}" if note else title)
