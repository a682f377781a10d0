"""Fetching a data set through torchvision, which is optional."""

from __future__ import annotations

import importlib
import io
from pathlib import Path

import numpy as np

from difflut.errors import ConfigError, DataError
from difflut.files import write_atomically


def fetch(class_name: str, directory: Path, file_name: str) -> Path:
    """Let torchvision download a data set and keep it as an npz file, which needs no torchvision to be read.

    Args:
        class_name: of the data set in `torchvision.datasets`: "MNIST", "FashionMNIST" or "CIFAR10".
        directory: where torchvision's files and the npz file go; made if it does not exist.
        file_name: of the npz file; if it is there already, nothing is fetched.

    Returns:
        the npz file, with x_train, y_train, x_test, y_test as torchvision gives them (CIFAR-10: channels last).

    Raises:
        ConfigError: if torchvision is not installed.
        DataError: if it cannot fetch the data.
    """
    path = directory / file_name
    if path.is_file():
        return path
    try:
        datasets = importlib.import_module("torchvision.datasets")
    except ImportError as error:
        raise ConfigError(
            f"fetching data needs torchvision, which cannot be imported ({error}): pip install torchvision; or put the "
            f"files into {directory} yourself"
        ) from error
    arrays = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for part in ("train", "test"):
            split = getattr(datasets, class_name)(root=str(directory), train=part == "train", download=True)
            arrays[f"x_{part}"] = np.asarray(split.data, dtype=np.uint8)
            arrays[f"y_{part}"] = np.asarray(split.targets, dtype=np.uint8)
    except (OSError, RuntimeError) as error:  # no connection, a full disk, a checksum that does not fit
        raise DataError(
            f"torchvision could not fetch {class_name} into {directory} ({error}); try again, or put the files there "
            f"yourself"
        ) from error
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())
    return path
