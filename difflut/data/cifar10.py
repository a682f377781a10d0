"""CIFAR-10 from a user's directory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from difflut.data.arrays import Arrays, check_arrays, read_npz, to_dataset
from difflut.data.dataset import Dataset
from difflut.errors import DataError

_IMAGES_PER_FILE = 10000
_IMAGE_SHAPE = (3, 32, 32)
_RECORD_BYTES = 1 + 3 * 32 * 32  # the label, then the red, the green and the blue plane
_TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST_FILE = "test_batch.bin"


def load_cifar10(directory: str | os.PathLike[str]) -> Dataset:
    """CIFAR-10, uint8 (N, 3, 32, 32), from a directory with `cifar10.npz` or the files of the binary version.

    The binary version is `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, there or in
    `cifar-10-batches-bin` below. In the npz file images may be (N, 3, 32, 32) or (N, 32, 32, 3), labels (N,) or (N, 1).
    The Python version is refused: its files are pickles, and reading a pickle can run any code.

    Raises:
        DataError: if the directory or a file is missing, or a file is not what it should be.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such directory; expected one with cifar10.npz or the files of CIFAR-10's binary version "
            f"(data_batch_1.bin ... data_batch_5.bin, test_batch.bin)"
        )
    npz = folder / "cifar10.npz"
    arrays = {key: _usual_layout(value) for key, value in read_npz(npz).items()} if npz.is_file() else _binary(folder)
    train, test = 5 * _IMAGES_PER_FILE, _IMAGES_PER_FILE
    shapes = {
        "x_train": (train, *_IMAGE_SHAPE),
        "y_train": (train,),
        "x_test": (test, *_IMAGE_SHAPE),
        "y_test": (test,),
    }
    check_arrays(folder, arrays, shapes, "CIFAR-10")
    return to_dataset("CIFAR-10", arrays)


def _usual_layout(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Channels first; labels without a second dimension."""
    if array.ndim == 4 and array.shape[1:] == (32, 32, 3):
        return array.transpose(0, 3, 1, 2)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _binary(folder: Path) -> Arrays:
    places = [folder, folder / "cifar-10-batches-bin"]
    below = next((place for place in places if (place / _TRAIN_FILES[0]).is_file()), None)
    if below is None:
        pickled = [place / "data_batch_1" for place in (folder, folder / "cifar-10-batches-py")]
        if any(path.is_file() for path in pickled):
            raise DataError(
                f"{folder}: holds the Python version of CIFAR-10 (data_batch_1 ...), whose files are pickles and can "
                "run any code when read; take the binary version (cifar-10-binary.tar.gz: data_batch_1.bin ... "
                f"data_batch_5.bin, test_batch.bin), or let torchvision read it: --download"
            )
        raise DataError(
            f"{folder}: has neither cifar10.npz nor {_TRAIN_FILES[0]}; unpack CIFAR-10's binary version "
            f"(cifar-10-binary.tar.gz) there"
        )
    parts = [_read_file(below / name) for name in _TRAIN_FILES]
    x_test, y_test = _read_file(below / _TEST_FILE)
    return {
        "x_train": np.concatenate([x for x, _ in parts]),
        "y_train": np.concatenate([y for _, y in parts]),
        "x_test": x_test,
        "y_test": y_test,
    }


def _read_file(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    expected = _IMAGES_PER_FILE * _RECORD_BYTES
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size == expected else b""
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); expected a file of CIFAR-10's binary version") from error
    if len(raw) != expected:
        raise DataError(f"{path}: has {size} bytes; expected {expected}, {_IMAGES_PER_FILE} images; unpack it again")
    records = np.frombuffer(raw, dtype=np.uint8).reshape(_IMAGES_PER_FILE, _RECORD_BYTES)
    return records[:, 1:].reshape(-1, *_IMAGE_SHAPE), records[:, 0]
