"""Data sets: the test images in the package and a user's directory."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from difflut.data import Split, load_fashion_mnist, load_mnist, mnist_test
from difflut.data import mnist as module
from difflut.errors import DataError

Array = npt.NDArray[np.uint8]
IMAGES_SHA256 = "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"
LABELS_SHA256 = "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"
NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@pytest.fixture(autouse=True)
def small_mnist(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Files of 60 + 10 images instead of 60,000 + 10,000."""
    if "packaged" not in request.node.name:
        shapes = {"x_train": (60, 28, 28), "y_train": (60,), "x_test": (10, 28, 28), "y_test": (10,)}
        monkeypatch.setattr(module, "_SHAPES", shapes)


@pytest.fixture
def arrays() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (60, 28, 28), np.uint8),
        "y_train": rng.integers(0, 10, 60, np.uint8),
        "x_test": rng.integers(0, 256, (10, 28, 28), np.uint8),
        "y_test": rng.integers(0, 10, 10, np.uint8),
    }


def idx(array: Array) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_idx(folder: Path, arrays: dict[str, Array], suffix: str = "") -> None:
    for key, name in NAMES.items():
        content = idx(arrays[key])
        (folder / (name + suffix)).write_bytes(gzip.compress(content) if suffix else content)


def assert_loaded(folder: Path, arrays: dict[str, Array]) -> None:
    data = load_mnist(folder)
    assert data.name == "MNIST"
    for split, part in ((data.train, "train"), (data.test, "test")):
        assert split.x.dtype == torch.uint8
        assert split.y.dtype == torch.int64
        assert np.array_equal(split.x.numpy(), arrays[f"x_{part}"])
        assert np.array_equal(split.y.numpy(), arrays[f"y_{part}"])


# The package


def test_packaged_test_images() -> None:
    split = mnist_test()
    assert split.x.shape == (10_000, 28, 28)
    assert split.x.dtype == torch.uint8
    assert split.y.dtype == torch.int64
    assert torch.bincount(split.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert split.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    # Of the payload of t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte.
    assert hashlib.sha256(split.x.numpy().tobytes()).hexdigest() == IMAGES_SHA256
    assert hashlib.sha256(split.y.to(torch.uint8).numpy().tobytes()).hexdigest() == LABELS_SHA256


def test_packaged_test_images_may_be_written_to() -> None:
    mnist_test().x.zero_()
    assert int(mnist_test().x.max()) == 255


# A user's directory


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files(tmp_path: Path, arrays: dict[str, Array], suffix: str) -> None:
    write_idx(tmp_path, arrays, suffix)
    assert_loaded(tmp_path, arrays)


def test_idx_files_below_the_directory(tmp_path: Path, arrays: dict[str, Array]) -> None:
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    write_idx(tmp_path / "MNIST" / "raw", arrays)
    write_idx(tmp_path / "MNIST" / "raw", arrays, ".gz")
    assert_loaded(tmp_path, arrays)


def test_fashion_mnist(tmp_path: Path, arrays: dict[str, Array]) -> None:
    write_idx(tmp_path, arrays)
    data = load_fashion_mnist(tmp_path)
    assert data.name == "Fashion-MNIST"
    assert np.array_equal(data.train.x.numpy(), arrays["x_train"])
    np.savez(tmp_path / "fashion_mnist.npz", **{**arrays, "x_train": 255 - arrays["x_train"]})  # type: ignore[arg-type]
    assert np.array_equal(load_fashion_mnist(tmp_path).train.x.numpy(), 255 - arrays["x_train"])
    assert np.array_equal(load_mnist(tmp_path).train.x.numpy(), arrays["x_train"])


def test_fashion_mnist_is_not_taken_for_mnist(tmp_path: Path, arrays: dict[str, Array]) -> None:
    (tmp_path / "FashionMNIST" / "raw").mkdir(parents=True)
    write_idx(tmp_path / "FashionMNIST" / "raw", arrays)
    assert load_fashion_mnist(tmp_path).name == "Fashion-MNIST"
    with pytest.raises(DataError, match=r"has neither mnist\.npz nor a file train-images"):
        load_mnist(tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, arrays: dict[str, Array], save: Callable[..., None]) -> None:
    save(tmp_path / "mnist.npz", **arrays)
    assert_loaded(tmp_path, arrays)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_no_directory(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "data"
    if kind == "file":
        folder.write_text("")
    with pytest.raises(DataError) as caught:
        load_mnist(folder)
    assert str(caught.value) == f"{folder}: no such directory; expected one with mnist.npz or the four MNIST IDX files"


@pytest.mark.parametrize("key", list(NAMES))
def test_missing_file(tmp_path: Path, arrays: dict[str, Array], key: str) -> None:
    write_idx(tmp_path, arrays)
    (tmp_path / NAMES[key]).unlink()
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    stem = NAMES[key].split("-idx")[0]
    assert str(caught.value) == (
        f"{tmp_path}: has neither mnist.npz nor a file {stem}-*; put the four MNIST IDX files there or into "
        f"MNIST/raw (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...; .gz is fine)"
    )


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x08", b"hello", b"\x00\x00\x0d\x01\x00\x00\x00\x01abcd"])
def test_wrong_magic(tmp_path: Path, arrays: dict[str, Array], content: bytes) -> None:
    write_idx(tmp_path, arrays)
    path = tmp_path / NAMES["y_test"]
    path.write_bytes(content)
    assert_unreadable(tmp_path, path, "expected an MNIST IDX file")


def assert_unreadable(folder: Path, path: Path, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        load_mnist(folder)
    assert str(caught.value).startswith(f"{path}: cannot be read (")
    assert str(caught.value).endswith(f"); {expected}")


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"x"])
def test_wrong_length(tmp_path: Path, arrays: dict[str, Array], change: Callable[[bytes], bytes]) -> None:
    write_idx(tmp_path, arrays)
    path = tmp_path / NAMES["x_train"]
    path.write_bytes(change(path.read_bytes()))
    assert_unreadable(tmp_path, path, "expected an MNIST IDX file")


def not_gzip(_: bytes) -> bytes:
    return b"hello"


def cut(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def scrambled(raw: bytes) -> bytes:
    """Breaks the compressed data and leaves the container as it is."""
    return raw[:200] + bytes(byte ^ 0xFF for byte in raw[200:240]) + raw[240:]


@pytest.mark.parametrize("damage", [not_gzip, cut, scrambled])
def test_damaged_gz(tmp_path: Path, arrays: dict[str, Array], damage: Callable[[bytes], bytes]) -> None:
    arrays["x_train"] &= 3  # compressible, so that the compressed data have codes to break
    write_idx(tmp_path, arrays, ".gz")
    path = tmp_path / (NAMES["x_train"] + ".gz")
    path.write_bytes(damage(path.read_bytes()))
    assert_unreadable(tmp_path, path, "expected an MNIST IDX file")


@pytest.mark.parametrize("damage", [not_gzip, cut, scrambled])
def test_damaged_npz(tmp_path: Path, arrays: dict[str, Array], damage: Callable[[bytes], bytes]) -> None:
    arrays["x_train"] &= 3
    path = tmp_path / "mnist.npz"
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    path.write_bytes(damage(path.read_bytes()))
    assert_unreadable(tmp_path, path, "expected arrays x_train, y_train, x_test, y_test")


def test_npz_without_an_array(tmp_path: Path, arrays: dict[str, Array]) -> None:
    del arrays["y_test"]
    np.savez(tmp_path / "mnist.npz", **arrays)  # type: ignore[arg-type]
    assert_unreadable(tmp_path, tmp_path / "mnist.npz", "expected arrays x_train, y_train, x_test, y_test")


def test_npz_that_is_an_array(tmp_path: Path, arrays: dict[str, Array]) -> None:
    with open(tmp_path / "mnist.npz", "wb") as file:
        np.save(file, arrays["y_test"])
    assert_unreadable(tmp_path, tmp_path / "mnist.npz", "expected arrays x_train, y_train, x_test, y_test")


def test_wrong_shape(tmp_path: Path, arrays: dict[str, Array]) -> None:
    arrays["x_train"] = arrays["x_train"][:, :, :27]
    write_idx(tmp_path, arrays)
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    assert str(caught.value) == (f"{tmp_path}: x_train is uint8 (60, 28, 27); expected uint8 (60, 28, 28) as MNIST has")


def test_wrong_dtype(tmp_path: Path, arrays: dict[str, Array]) -> None:
    np.savez(tmp_path / "mnist.npz", **{**arrays, "x_test": arrays["x_test"] / np.float32(255)})  # type: ignore[arg-type]
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: x_test is float32 (10, 28, 28); expected uint8 (10, 28, 28) as MNIST has"
    )


def test_labels_that_are_none(tmp_path: Path, arrays: dict[str, Array]) -> None:
    arrays["y_train"][7] = 11
    write_idx(tmp_path, arrays)
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    assert str(caught.value) == f"{tmp_path}: y_train has a class index 11; MNIST has 0 to 9"


# Splits


def test_subset() -> None:
    split = Split(torch.arange(12).reshape(4, 3), torch.arange(4))
    part = split.subset(torch.tensor([2, 0]))
    assert (part.x.tolist(), part.y.tolist(), len(part)) == ([[6, 7, 8], [0, 1, 2]], [2, 0], 2)


@pytest.mark.parametrize(("labels", "shape"), [(3, "(3,)"), ((4, 1, 1), "(4, 1, 1)")])
def test_labels_that_do_not_fit(labels: int | tuple[int, int], shape: str) -> None:
    with pytest.raises(DataError) as caught:
        Split(torch.zeros(4, 2), torch.zeros(labels))
    assert (
        str(caught.value)
        == f"got 4 samples and labels of shape {shape}; expected one label a sample, or one row of targets"
    )
