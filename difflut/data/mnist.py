"""MNIST and Fashion-MNIST: the MNIST test images in the package, and both sets from a user's directory."""

from __future__ import annotations

import lzma
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from difflut import reading
from difflut.data.arrays import Arrays, check_arrays, read_npz, to_dataset
from difflut.data.dataset import Dataset, Split
from difflut.errors import DataError

_IDX_NAMES = {
    "x_train": "train-images",
    "y_train": "train-labels",
    "x_test": "t10k-images",
    "y_test": "t10k-labels",
}
# More than any of the files has.
_MOST_BYTES = 1 << 26
_SHAPES = {"x_train": (60000, 28, 28), "y_train": (60000,), "x_test": (10000, 28, 28), "y_test": (10000,)}


def mnist_test_images(count: int) -> Tensor:
    """The first `count` MNIST test images of the package, uint8 (count, 28, 28); the others are not unpacked."""
    raw = lzma.LZMADecompressor().decompress(_packed_test_set(), max_length=count * 784)
    return torch.from_numpy(np.frombuffer(raw, dtype=np.uint8).reshape(count, 28, 28).copy())


def _packed_test_set() -> bytes:
    return (files("difflut.data") / "mnist_test.xz").read_bytes()


def mnist_test() -> Split:
    """The 10,000 MNIST test images that ship with the package: uint8 (10000, 28, 28), x = code / 255."""
    raw = lzma.decompress(_packed_test_set())
    content = np.frombuffer(raw, dtype=np.uint8)
    images, labels = content[: 10000 * 784], content[10000 * 784 :]
    return Split(torch.from_numpy(images.reshape(10000, 28, 28).copy()), torch.from_numpy(labels.astype(np.int64)))


def load_mnist(directory: str | os.PathLike[str]) -> Dataset:
    """MNIST, uint8 (N, 28, 28), from a directory that holds `mnist.npz` or the four IDX files (plain or .gz).

    The IDX files may also lie in `MNIST/raw` below it, where torchvision puts them.

    Raises:
        DataError: if the directory or a file is missing, or a file is not what it should be.
    """
    return _load("MNIST", Path(directory), "mnist.npz", "MNIST/raw")


def load_fashion_mnist(directory: str | os.PathLike[str]) -> Dataset:
    """Fashion-MNIST, uint8 (N, 28, 28), from a directory with `fashion_mnist.npz` or the four IDX files (plain or .gz).

    The IDX files have the names of MNIST's; they may also lie in `FashionMNIST/raw` below the directory, where
    torchvision puts them.

    Raises:
        DataError: if the directory or a file is missing, or a file is not what it should be.
    """
    return _load("Fashion-MNIST", Path(directory), "fashion_mnist.npz", "FashionMNIST/raw")


def _load(title: str, folder: Path, npz_name: str, below: str) -> Dataset:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such directory; expected one with {npz_name} or the four {title} IDX files")
    npz = folder / npz_name
    arrays = read_npz(npz) if npz.is_file() else _read_all_idx(title, folder, npz_name, below)
    check_arrays(folder, arrays, _SHAPES, title)
    return to_dataset(title, arrays)


def _read_all_idx(title: str, folder: Path, npz_name: str, below: str) -> Arrays:
    arrays = {}
    for key, stem in _IDX_NAMES.items():
        # No search below other folders: the two data sets have the same file names.
        found = [
            path for place in (folder, folder / below) for path in sorted(place.glob(f"{stem}*")) if path.is_file()
        ]
        if not found:
            raise DataError(
                f"{folder}: has neither {npz_name} nor a file {stem}-*; put the four {title} IDX files there or into "
                f"{below} (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...; .gz is fine)"
            )
        arrays[key] = _read_idx(found[0])
    return arrays


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES)
        if path.suffix == ".gz":
            raw = reading.unpack_gzip(raw)
        if raw[:3] != b"\x00\x00\x08" or len(raw) < 4:
            raise ValueError("not an IDX file of unsigned bytes")
        dimensions = raw[3]
        shape = np.frombuffer(raw, dtype=">u4", count=dimensions, offset=4)
        return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected an MNIST IDX file") from error
