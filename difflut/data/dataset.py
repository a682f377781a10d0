"""What a data set is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from difflut.data_names import DataNames
from difflut.errors import DataError
from difflut.shown import Brief


@dataclass(frozen=True, repr=False)
class Split(Brief):
    """Samples and their labels.

    Attributes:
        x: integer codes or floating numbers, (N, ...), for example uint8 (N, 28, 28).
        y: int64 (N,), class indices; of models with other heads int64 or float32 (N,) or (N, targets), a column for
            each class, label or number.
    """

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or self.y.ndim not in (1, 2):
            raise DataError(
                f"got {len(self.x)} samples and labels of shape {tuple(self.y.shape)}; expected one label a sample, or "
                "one row of targets"
            )

    def __len__(self) -> int:
        return len(self.y)

    def subset(self, index: Tensor) -> Split:
        """The samples at the given positions."""
        return Split(self.x[index], self.y[index])

    def to(self, device: torch.device) -> Split:
        """The same samples on another device."""
        return Split(self.x.to(device), self.y.to(device))


@dataclass(frozen=True, repr=False)
class Dataset(Brief):
    """A training and a test split.

    Attributes:
        name: to print beside every accuracy; says so if the copy is altered.
        train, test: the splits.
        names: of features and classes, None if there are none.
    """

    name: str
    train: Split
    test: Split
    names: DataNames | None = None
