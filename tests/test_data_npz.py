"""A user's own data from an npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from difflut.data import Dataset, load_npz
from difflut.errors import DataError


def save(path: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "x_train": rng.integers(0, 256, (6, 5), np.uint8),
        "y_train": rng.integers(0, 3, 6),
        "x_test": rng.integers(0, 256, (2, 5), np.uint8),
        "y_test": rng.integers(0, 3, 2),
    }
    np.savez(path, **{**arrays, **changes})
    return path


def load(tmp_path: Path, **changes: Any) -> Dataset:
    return load_npz(save(tmp_path / "iris.npz", **changes))


def test_file_or_its_directory(tmp_path: Path) -> None:
    data = load(tmp_path)
    assert data.name == load_npz(tmp_path).name == "iris"
    assert (data.train.x.shape, data.test.x.shape) == ((6, 5), (2, 5))
    assert (data.train.x.dtype, data.train.y.dtype) == (torch.uint8, torch.int64)


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (np.float64, torch.float32),
        (np.float16, torch.float32),
        (">f4", torch.float32),
        (np.int8, torch.int8),
        (">i2", torch.int16),
        (np.uint16, torch.int32),
        (np.uint32, torch.int64),
        (bool, torch.uint8),
    ],
)
def test_dtypes(tmp_path: Path, given: Any, got: torch.dtype) -> None:
    x = np.array([[0, 1], [1, 0], [1, 1]]).astype(given)
    data = load(tmp_path, x_train=x, y_train=[0, 1, 2], x_test=x[:1], y_test=[0])
    assert data.train.x.dtype == data.test.x.dtype == got
    assert data.train.x.tolist() == [[0, 1], [1, 0], [1, 1]]


def test_images_of_any_shape(tmp_path: Path) -> None:
    data = load(tmp_path, x_train=np.zeros((6, 2, 3, 4)), x_test=np.zeros((2, 2, 3, 4)))
    assert data.train.x.shape == (6, 2, 3, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"y_train": np.array(["a"] * 6)},
            "cannot be read (y_train: it holds <U1; numbers expected)",
        ),
        ({"y_train": np.zeros((6, 1, 1))}, "y_train is float64 (6, 1, 1); expected class indices (samples,), counted"),
        ({"y_test": np.array([0, np.nan])}, "y_test has 1 values that are not finite"),
        ({"y_test": np.zeros(0, int)}, "y_test is int64 (0,); expected class indices"),
        (
            {"x_train": np.zeros((5, 5))},
            "x_train is float64 (5, 5); expected numbers or integer codes (6, ...), one row",
        ),
        (
            {"x_train": np.zeros(6)},
            "x_train is float64 (6,); expected numbers or integer codes (6, ...), one row a label",
        ),
        ({"x_test": np.full((2, 5), "a")}, "cannot be read (x_test: it holds <U1; numbers expected)"),
        ({"x_test": np.zeros((2, 5), np.uint64)}, "x_test is uint64 (2, 5); expected numbers or integer codes"),
        ({"x_train": np.full((6, 5), np.nan)}, "x_train has 30 values that are not finite"),
        (
            {"x_test": np.zeros((2, 4), np.uint8)},
            "a sample is uint8 (5,) in x_train and uint8 (4,) in x_test; expected",
        ),
        (
            {"x_test": np.zeros((2, 5))},
            "a sample is uint8 (5,) in x_train and float64 (5,) in x_test; expected the same",
        ),
    ],
)
def test_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, **changes)
    assert str(caught.value).startswith(f"{tmp_path / 'iris.npz'}: {message}")


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read \(x_train: it holds object; numbers expected\)"):
        load(tmp_path, x_train=np.array([{}] * 6, dtype=object))


def test_missing_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "iris.npz", x_train=np.zeros((6, 5)))
    with pytest.raises(DataError, match="expected arrays x_train, y_train, x_test, y_test"):
        load_npz(tmp_path)


def test_which_file(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_npz(tmp_path)
    assert str(caught.value) == f"{tmp_path}: holds 0 npz files; expected an npz file, or a directory with exactly one"
    with pytest.raises(DataError) as caught:
        load_npz(tmp_path / "none.npz")
    assert str(caught.value) == (
        f"{tmp_path / 'none.npz'}: no such file or directory; expected an npz file, or a directory with exactly one"
    )
    save(tmp_path / "a.npz")
    save(tmp_path / "b.npz")
    with pytest.raises(DataError, match="holds 2 npz files"):
        load_npz(tmp_path)
