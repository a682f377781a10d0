"""MNIST: the test images in the package, and the whole set from a user's directory."""

from __future__ import annotations

import gzip
import lzma
import os
import zipfile
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from difflut.data.dataset import Dataset, Split
from difflut.errors import DataError

_IDX_NAMES = {
    "x_train": "train-images",
    "y_train": "train-labels",
    "x_test": "t10k-images",
    "y_test": "t10k-labels",
}
_SHAPES = {"x_train": (60000, 28, 28), "y_train": (60000,), "x_test": (10000, 28, 28), "y_test": (10000,)}


def mnist_test() -> Split:
    """The 10,000 MNIST test images that ship with the package: uint8 (10000, 28, 28), x = code / 255."""
    raw = lzma.decompress((files("difflut.data") / "mnist_test.xz").read_bytes())
    content = np.frombuffer(raw, dtype=np.uint8)
    images, labels = content[: 10000 * 784], content[10000 * 784 :]
    return _split(images.reshape(10000, 28, 28), labels)


def load_mnist(directory: str | os.PathLike[str]) -> Dataset:
    """MNIST from a directory that holds `mnist.npz` or the four IDX files (plain or .gz).

    Raises:
        DataError: if the directory or a file is missing, or a file is not what it should be.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such directory; expected one with mnist.npz or the four MNIST IDX files")
    arrays = _read_npz(folder / "mnist.npz") if (folder / "mnist.npz").is_file() else _read_all_idx(folder)
    for key, shape in _SHAPES.items():
        if arrays[key].shape != shape or arrays[key].dtype != np.uint8:
            raise DataError(
                f"{folder}: {key} is {arrays[key].dtype} {arrays[key].shape}; expected uint8 {shape} as MNIST has"
            )
    return Dataset(
        "MNIST",
        _split(arrays["x_train"], arrays["y_train"]),
        _split(arrays["x_test"], arrays["y_test"]),
    )


def _split(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
    return Split(torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64)))


def _read_npz(path: Path) -> dict[str, npt.NDArray[np.uint8]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in _SHAPES}
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected arrays {', '.join(_SHAPES)}") from error


def _read_all_idx(folder: Path) -> dict[str, npt.NDArray[np.uint8]]:
    arrays = {}
    for key, stem in _IDX_NAMES.items():
        found = sorted(p for p in folder.rglob(f"{stem}*") if p.is_file())
        if not found:
            raise DataError(
                f"{folder}: has neither mnist.npz nor a file {stem}-*; put the four MNIST IDX files there "
                f"(train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...; .gz is fine)"
            )
        arrays[key] = _read_idx(found[0])
    return arrays


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if raw[:3] != b"\x00\x00\x08" or len(raw) < 4:
            raise ValueError("not an IDX file of unsigned bytes")
        dimensions = raw[3]
        shape = np.frombuffer(raw, dtype=">u4", count=dimensions, offset=4)
        return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected an MNIST IDX file") from error
