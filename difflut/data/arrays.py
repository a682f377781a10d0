"""Four arrays make a data set: reading them from an npz file, checking them, turning them into tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut import reading
from difflut.data.dataset import Dataset, Split
from difflut.errors import DataError

Arrays = dict[str, npt.NDArray[Any]]
KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> Arrays:
    """The arrays x_train, y_train, x_test and y_test of an npz file; pickled objects are refused.

    Raises:
        DataError: if the file cannot be read or lacks an array.
    """
    try:
        arrays = reading.read_npz(path, KEYS)
        if missing := [key for key in KEYS if key not in arrays]:
            raise ValueError(f"it has no {' and no '.join(missing)}")
    except ValueError as error:
        raise DataError(f"{path}: cannot be read ({error}); expected arrays {', '.join(KEYS)}") from error
    return arrays


def check_arrays(where: Path, arrays: Arrays, shapes: Mapping[str, tuple[int, ...]], title: str) -> None:
    """Refuse arrays that are not unsigned bytes of the given shapes with class indices 0 to 9."""
    for key, shape in shapes.items():
        if arrays[key].shape != shape or arrays[key].dtype != np.uint8:
            raise DataError(
                f"{where}: {key} is {arrays[key].dtype} {arrays[key].shape}; expected uint8 {shape} as {title} has"
            )
        if len(shape) == 1 and arrays[key].max() > 9:
            raise DataError(f"{where}: {key} has a class index {arrays[key].max()}; {title} has 0 to 9")


def to_dataset(title: str, arrays: Arrays) -> Dataset:
    """A data set from arrays that were checked; x keeps its dtype, y becomes int64."""
    train, test = (
        Split(torch.from_numpy(arrays[f"x_{part}"].copy()), torch.from_numpy(arrays[f"y_{part}"].astype(np.int64)))
        for part in ("train", "test")
    )
    return Dataset(title, train, test)


def load_npz(path: str | os.PathLike[str]) -> Dataset:
    """A user's own data from an npz file: x_train, y_train, x_test, y_test; the file's stem names the data set.

    x: (N, ...), the same sample shape in both splits. Integers are codes of the model's input format (they keep
    their dtype where PyTorch has it, otherwise the next wider one), floating numbers become float32. y: integer class
    indices (N,), counted from 0.

    Args:
        path: the file, or a directory that holds exactly one npz file.

    Raises:
        DataError: if there is no such file or it is not what it should be.
    """
    file = _only_npz(Path(path))
    arrays = read_npz(file)
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if y.dtype.kind not in "iu" or y.ndim != 1 or len(y) == 0 or y.min() < 0:
            raise DataError(
                f"{file}: y_{part} is {y.dtype} {y.shape}; expected integer class indices (samples,), counted from 0"
            )
        if x.ndim < 2 or len(x) != len(y) or x.dtype.kind not in "biuf" or x.dtype == np.uint64:
            raise DataError(
                f"{file}: x_{part} is {x.dtype} {x.shape}; expected numbers or integer codes ({len(y)}, ...), one row "
                "a label"
            )
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            raise DataError(f"{file}: x_{part} has {np.count_nonzero(~np.isfinite(x))} values that are not finite")
    train, test = arrays["x_train"], arrays["x_test"]
    if train.shape[1:] != test.shape[1:] or (train.dtype.kind == "f") != (test.dtype.kind == "f"):
        raise DataError(
            f"{file}: a sample is {train.dtype} {train.shape[1:]} in x_train and {test.dtype} {test.shape[1:]} in "
            "x_test; expected the same shape, and integer codes or floating numbers in both"
        )
    return to_dataset(file.stem, {key: _for_torch(array) for key, array in arrays.items()})


def _only_npz(path: Path) -> Path:
    if path.is_file():
        return path
    found = sorted(path.glob("*.npz"))
    if len(found) != 1:
        raise DataError(
            f"{path}: " + (f"holds {len(found)} npz files" if path.is_dir() else "no such file or directory") + "; "
            "expected an npz file, or a directory with exactly one"
        )
    return found[0]


def _for_torch(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in a native dtype that PyTorch computes with."""
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    wider = {"bool": np.uint8, "uint16": np.int32, "uint32": np.int64}.get(array.dtype.name)
    return array.astype(wider or array.dtype.newbyteorder("="))
