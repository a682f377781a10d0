"""Samples and labels from whatever PyTorch programs hold them in: tensors, arrays, tables, DataLoaders, Datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from difflut.data.dataset import Dataset, Split
from difflut.errors import DataError

_EXPECTED = "a tensor, a NumPy array, a table, a DataLoader or a Dataset of PyTorch"


def tensor_of(data: Any, what: str = "the samples") -> Tensor:
    """A tensor, a NumPy array, a table of numbers with `to_numpy`, or nested lists of numbers, as a tensor.

    Raises:
        DataError: it is none of these, or not of numbers.
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (str, bytes, dict, DataLoader, TorchDataset, Split, Dataset)):
        raise DataError(f"got a {type(data).__name__} as {what}; expected one batch: a tensor or a NumPy array")
    try:
        array = np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{what} are no array ({error}); expected {_EXPECTED}") from error
    if array.dtype.kind not in "biufc":
        raise DataError(
            f"got a {type(data).__name__} of {array.dtype} as {what}; expected numbers: {_EXPECTED}. Turn texts and "
            "categories into numbers first"
        )
    return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))  # PyTorch refuses other orders


def samples_of(data: Any) -> Tensor:
    """Samples (N, ...), without their labels if there are some.

    Args:
        data: what `tensor_of` takes, a `Split`, a pair (x, y), a DataLoader or a Dataset of PyTorch, whose items are
            samples or begin with one. Of a `difflut.data.Dataset` the training samples are taken.

    Raises:
        DataError: there are no numbers in it.
    """
    if isinstance(data, Dataset):
        return data.train.x
    if isinstance(data, Split):
        return data.x
    if _is_pair(data):
        return tensor_of(data[0])
    if isinstance(data, (DataLoader, TorchDataset)):
        return _collected(data)[0]
    return tensor_of(data)


def split_of(data: Any) -> Split:
    """Samples and their class indices, or other targets.

    Args:
        data: a `Split`, a pair (x, y), a DataLoader or a Dataset of PyTorch, whose items are pairs.

    Raises:
        DataError: there are no labels in it, or they are no numbers.
    """
    if isinstance(data, Split):
        return data
    if isinstance(data, (DataLoader, TorchDataset)):
        x, labels = _collected(data)
    elif isinstance(data, (tuple, list)) and len(data) == 2:
        x, labels = tensor_of(data[0]), tensor_of(data[1], "the labels")
    else:
        raise DataError(
            f"got a {type(data).__name__} as labelled samples; expected a Split, a pair (x, y), or a DataLoader or "
            "Dataset of pairs"
        )
    if labels is None:
        raise DataError(f"a {type(data).__name__} without labels; expected pairs (x, y)")
    if labels.is_complex():
        raise DataError(f"got labels of {labels.dtype}; expected class indices, counted from 0, or other targets")
    return Split(x, labels.float() if labels.is_floating_point() else labels.long())


def dataset_of(data: Any) -> Dataset:
    """A `Dataset`, or a pair (training samples, test samples) of which each is something that `split_of` takes.

    Raises:
        DataError: it is neither.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (tuple, list)) and len(data) == 2 and not isinstance(data[0], Tensor | np.ndarray):
        return Dataset("the given samples", split_of(data[0]), split_of(data[1]))
    raise DataError(
        f"got a {type(data).__name__} as data; expected a difflut.data.Dataset, or a pair (training samples, test "
        "samples) of DataLoaders, Datasets of PyTorch, Splits or pairs (x, y)"
    )


def _is_pair(data: Any) -> bool:
    """Whether it is (x, y), and no two samples."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        return False
    return all(hasattr(part, "shape") for part in data) and len(data[1].shape) < len(data[0].shape)


def _collected(data: Any) -> tuple[Tensor, Tensor | None]:
    """Samples and labels, if there are some, of a DataLoader or a Dataset."""
    if isinstance(data, TensorDataset):
        return data.tensors[0], data.tensors[1] if len(data.tensors) > 1 else None
    batched = isinstance(data, DataLoader) and data.batch_size is not None
    x: list[Tensor] = []
    y: list[Tensor] = []
    for item in _items(data):
        labelled = isinstance(item, (tuple, list))
        if isinstance(item, dict) or (labelled and not item):
            raise DataError(
                f"a {type(data).__name__} whose items are {type(item).__name__}; expected samples or pairs (x, y)"
            )
        x.append(tensor_of(item[0] if labelled else item))
        if labelled and len(item) > 1:
            y.append(tensor_of(item[1], "the labels"))
    if not x:
        raise DataError(f"a {type(data).__name__} without a sample; expected at least one")
    if y and len(y) != len(x):
        raise DataError(f"a {type(data).__name__} of which some items have a label and some have none")
    if len({part.shape[1:] if batched else part.shape for part in x}) > 1:
        raise DataError(f"a {type(data).__name__} of samples of different shapes; expected the same for all")
    join = torch.cat if batched else torch.stack
    return join(x), join(y) if y else None


def _items(data: Any) -> Iterator[Any]:
    if isinstance(data, (DataLoader, IterableDataset)):
        yield from data
    else:
        yield from (data[index] for index in range(len(data)))
