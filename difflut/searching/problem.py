"""The samples that are to be classified, and how every candidate gets and is trained on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from difflut.data import Dataset
from difflut.errors import ConfigError, DataError
from difflut.input_format import MOST_BITS, InputFormat

_MOST_HELD_OUT = 5000
_EPOCHS, _MOST_EPOCHS, _STEPS = 18, 200, 2500
_FLOAT_BITS = 8


@dataclass(frozen=True)
class Problem:
    """A data set, and what all candidates have in common.

    Attributes:
        data: codes or numbers, and class indices (N,).
        shape: of a sample.
        classes: how many.
        input_format, input_bits: as of `BaseModel`.
        epochs, batch_size, validation, seed: of every candidate's recipe; equal seeds hold out the same samples.
    """

    data: Dataset
    shape: tuple[int, ...]
    classes: int
    input_format: InputFormat | None
    input_bits: int | None
    epochs: int
    batch_size: int
    validation: int
    seed: int

    @classmethod
    def of(cls, data: Dataset, *, epochs: int | None, validation: int | None, seed: int) -> Problem:
        """Take the input codes from the training samples, and sizes that suit their number.

        Raises:
            DataError: the labels are no class indices, or the codes of the samples are none that hardware gets.
            ConfigError: a number is senseless.
        """
        samples, shape = len(data.train), tuple(data.train.x.shape[1:])
        classes = _classes(data)
        held_out = min(_MOST_HELD_OUT, samples // 6) if validation is None else validation
        if not 1 <= held_out < samples:
            raise ConfigError(
                f"{held_out} of {data.name}'s {samples} training samples held out; expected from 1 to less"
            )
        batch_size = max(1, min(100, (samples - held_out) // 20))
        if epochs is None:
            epochs = min(_MOST_EPOCHS, max(_EPOCHS, _STEPS * batch_size // (samples - held_out)))
        if epochs < 1:
            raise ConfigError(f"epochs is {epochs}; expected at least 1")
        input_format, input_bits = _codes(data, len(shape) > 1)
        return cls(data, shape, classes, input_format, input_bits, epochs, batch_size, held_out, seed)

    @property
    def features(self) -> int:
        """Of a sample."""
        return self.data.train.x[0].numel()

    @property
    def code_bits(self) -> int:
        """Of an input code."""
        return self.input_bits or (self.input_format or InputFormat()).width_bits

    @property
    def shifts(self) -> bool:
        """Whether samples are images, which are worth shifting by a pixel."""
        return len(self.shape) in (2, 3) and min(self.shape[-2:]) >= 8

    @property
    def guessed(self) -> float:
        """The accuracy of naming the most frequent class always, on the training samples."""
        return float(self.data.train.y.bincount().max()) / len(self.data.train)

    def digest(self) -> str:
        """SHA-256 of the samples and labels: what tells two data sets of one name apart."""
        found = hashlib.sha256()
        for split in (self.data.train, self.data.test):
            for values in (split.x, split.y):
                found.update(f"{values.dtype} {tuple(values.shape)} ".encode())
                found.update(values.contiguous().cpu().numpy().tobytes())
        return found.hexdigest()


def _classes(data: Dataset) -> int:
    for split in (data.train, data.test):
        y = split.y
        if y.ndim != 1 or y.is_floating_point() or not len(y) or int(y.min()) < 0:
            raise DataError(
                f"{data.name}: labels {y.dtype} {tuple(y.shape)}; a search takes class indices (samples,) from 0 on"
            )
    named = len(data.names.classes) if data.names is not None else 0
    classes = named or int(data.train.y.max()) + 1
    if int(data.test.y.max()) >= classes:
        raise DataError(
            f"{data.name}: a test label is {int(data.test.y.max())}; the training samples have 0 to {classes - 1}"
        )
    if classes < 2:
        raise DataError(f"{data.name}: all training samples are of one class; expected two or more")
    return classes


def _codes(data: Dataset, image: bool) -> tuple[InputFormat | None, int | None]:
    """The input format, or the bits of one that is fitted to each feature; no more bits than the codes have."""
    x = data.train.x
    if x.is_floating_point():
        return (InputFormat.fit(x, _FLOAT_BITS, shared=True), None) if image else (None, _FLOAT_BITS)
    (low, high), (test_low, test_high) = _range(x), _range(data.test.x)
    signed = low < 0
    width = max(high, -low - 1, 1).bit_length() + signed
    if width > MOST_BITS:
        raise DataError(
            f"{data.name}: codes from {low} to {high} have {width} bits, at most {MOST_BITS}; give numbers (float)"
        )
    form = InputFormat(width, signed, float((1 << (width - signed)) - 1))
    if test_low < form.lowest or test_high > form.highest:
        raise DataError(
            f"{data.name}: test codes from {test_low} to {test_high}; the training samples' {width} bits have "
            f"{form.lowest} to {form.highest}"
        )
    return form, None


def _range(x: Tensor) -> tuple[int, int]:
    low, high = torch.aminmax(x)
    return int(low), int(high)
