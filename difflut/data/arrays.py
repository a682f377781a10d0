"""Four arrays make a data set: reading them from an npz file, checking them, turning them into tensors."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut import reading
from difflut.data.dataset import Dataset, Split
from difflut.data_names import DataNames
from difflut.errors import DataError

Arrays = dict[str, npt.NDArray[Any]]
# Of features, their units and classes; texts, which may be left out.
NAMES = {"feature_names": "features", "feature_units": "units", "class_names": "classes"}
KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> Arrays:
    """The arrays x_train, y_train, x_test and y_test of an npz file, and of `NAMES` what it has; pickled objects are
    refused.

    Raises:
        DataError: if the file cannot be read or lacks an array.
    """
    try:
        arrays = reading.read_npz(path, KEYS, NAMES)
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
        Split(torch.from_numpy(arrays[f"x_{part}"].copy()), torch.from_numpy(_targets(arrays[f"y_{part}"])))
        for part in ("train", "test")
    )
    return Dataset(title, train, test)


def _targets(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return y.astype(np.float32 if y.dtype.kind == "f" else np.int64)


def load_npz(path: str | os.PathLike[str]) -> Dataset:
    """A user's own data from an npz file: x_train, y_train, x_test, y_test; the file's stem names the data set.

    x: (N, ...), the same sample shape in both splits. Integers are codes of the model's input format (they keep
    their dtype where PyTorch has it, otherwise the next wider one), floating numbers become float32. y: integer class
    indices (N,), counted from 0; for models with other heads (N,) or (N, targets), a column for each class index, label
    (0 or 1) or number. Texts, which may be left out: `feature_names` and `feature_units` (one a feature), and
    `class_names`.

    Args:
        path: the file, or a directory that holds exactly one npz file.

    Raises:
        DataError: if there is no such file or it is not what it should be.
    """
    file = _only_npz(Path(path))
    arrays = read_npz(file)
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if y.dtype.kind not in "biuf" or y.ndim not in (1, 2) or y.size == 0:
            raise DataError(
                f"{file}: y_{part} is {y.dtype} {y.shape}; expected class indices (samples,), counted from 0, or a "
                "column for each class, label or number of the model's heads"
            )
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise DataError(f"{file}: y_{part} has {np.count_nonzero(~np.isfinite(y))} values that are not finite")
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
    names = _names(file, arrays)
    return replace(to_dataset(file.stem, {key: _for_torch(arrays[key]) for key in KEYS}), names=names)


def _names(file: Path, arrays: Arrays) -> DataNames | None:
    """The names in an npz file, None if it has none."""
    try:
        if odd := [key for key in NAMES if key in arrays and arrays[key].ndim != 1]:
            raise ValueError(f"{odd[0]} has the shape {arrays[odd[0]].shape}; expected a list of texts")
        given = {field: tuple(arrays[key].tolist()) for key, field in NAMES.items() if key in arrays}
        if not given:
            return None
        names = DataNames(**given)
        names.check(math.prod(arrays["x_train"].shape[1:]), len(names.classes))
    except ValueError as error:
        raise DataError(f"{file}: its {', '.join(NAMES)} are no names ({error})") from error
    most = max(int(arrays[f"y_{part}"].max()) for part in ("train", "test"))
    if names.classes and most >= len(names.classes):
        raise DataError(f"{file}: has a label {most}, and class_names only of 0 to {len(names.classes) - 1}")
    return names


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
