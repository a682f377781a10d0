"""CIFAR-10 from the binary version and from npz; the pickled version is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from difflut.data import cifar10 as module
from difflut.data import load_cifar10
from difflut.errors import DataError

Array = npt.NDArray[np.uint8]
FILES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 4 images instead of 10,000."""
    monkeypatch.setattr(module, "_IMAGES_PER_FILE", 4)


@pytest.fixture
def arrays() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (20, 3, 32, 32), np.uint8),
        "y_train": rng.integers(0, 10, 20, np.uint8),
        "x_test": rng.integers(0, 256, (4, 3, 32, 32), np.uint8),
        "y_test": rng.integers(0, 10, 4, np.uint8),
    }


def write_binary(folder: Path, arrays: dict[str, Array]) -> None:
    folder.mkdir(exist_ok=True)
    x = np.concatenate([arrays["x_train"], arrays["x_test"]])
    y = np.concatenate([arrays["y_train"], arrays["y_test"]])
    for number, name in enumerate(FILES):
        part = range(4 * number, 4 * number + 4)
        (folder / name).write_bytes(b"".join(bytes([y[i]]) + x[i].tobytes() for i in part))


def assert_loaded(folder: Path, arrays: dict[str, Array]) -> None:
    data = load_cifar10(folder)
    assert data.name == "CIFAR-10"
    for split, part in ((data.train, "train"), (data.test, "test")):
        assert (split.x.dtype, split.y.dtype) == (torch.uint8, torch.int64)
        assert np.array_equal(split.x.numpy(), arrays[f"x_{part}"])
        assert np.array_equal(split.y.numpy(), arrays[f"y_{part}"])


@pytest.mark.parametrize("below", [".", "cifar-10-batches-bin"])
def test_binary_version(tmp_path: Path, arrays: dict[str, Array], below: str) -> None:
    write_binary(tmp_path / below, arrays)
    assert_loaded(tmp_path, arrays)


@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_npz(tmp_path: Path, arrays: dict[str, Array], layout: str) -> None:
    stored = dict(arrays)
    if layout == "channels last":  # and labels in a column
        stored |= {key: arrays[key].transpose(0, 2, 3, 1) for key in ("x_train", "x_test")}
        stored |= {key: arrays[key][:, None] for key in ("y_train", "y_test")}
    np.savez(tmp_path / "cifar10.npz", **stored)  # type: ignore[arg-type]
    assert_loaded(tmp_path, arrays)


@pytest.mark.parametrize("below", [".", "cifar-10-batches-py"])
def test_python_version_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / below).mkdir(exist_ok=True)
    (tmp_path / below / "data_batch_1").write_bytes(pickle.dumps({b"data": 0}))
    with pytest.raises(DataError) as caught:
        load_cifar10(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds the Python version of CIFAR-10 (data_batch_1 ...), whose files are pickles and can run "
        "any code when read; take the binary version (cifar-10-binary.tar.gz: data_batch_1.bin ... data_batch_5.bin, "
        f"test_batch.bin), or let torchvision read it: --download"
    )


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_cifar10(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: has neither cifar10.npz nor data_batch_1.bin; unpack CIFAR-10's binary version "
        f"(cifar-10-binary.tar.gz) there"
    )


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no such directory; expected one with cifar10\.npz or the files of CIFAR-10's"
    ):
        load_cifar10(tmp_path / "data")


@pytest.mark.parametrize("name", FILES[1:])
def test_missing_file(tmp_path: Path, arrays: dict[str, Array], name: str) -> None:
    write_binary(tmp_path, arrays)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"cannot be read \(.*No such file.*\); expected a file of CIFAR-10's binary"):
        load_cifar10(tmp_path)


def test_cut_file(tmp_path: Path, arrays: dict[str, Array]) -> None:
    write_binary(tmp_path, arrays)
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError) as caught:
        load_cifar10(tmp_path)
    assert str(caught.value) == f"{path}: has 12291 bytes; expected 12292, 4 images; unpack it again"


def test_labels_that_are_none(tmp_path: Path, arrays: dict[str, Array]) -> None:
    arrays["y_test"][1] = 10
    write_binary(tmp_path, arrays)
    with pytest.raises(DataError) as caught:
        load_cifar10(tmp_path)
    assert str(caught.value) == f"{tmp_path}: y_test has a class index 10; CIFAR-10 has 0 to 9"


def test_wrong_shape(tmp_path: Path, arrays: dict[str, Array]) -> None:
    arrays["x_test"] = arrays["x_test"][:, :, :31]
    np.savez(tmp_path / "cifar10.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError) as caught:
        load_cifar10(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: x_test is uint8 (4, 3, 31, 32); expected uint8 (4, 3, 32, 32) as CIFAR-10 has"
    )
