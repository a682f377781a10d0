"""The samples in a page, with what the reference simulator says of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from difflut import reading
from difflut.errors import ConfigError, DataError
from difflut.export.circuit.simulate import simulate
from difflut.playing.packed import packed
from difflut.playing.subject import Subject
from difflut.shown import Brief

if TYPE_CHECKING:
    from difflut.data import Split

RANDOM = 4  # without data
MOST = 1000


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Brief):
    """Samples to choose from.

    Attributes:
        codes: int64 (N, features).
        names: what each is called.
        labels: what is known of each, in words; empty for none.
        classes: the class of each, -1 where there is none.
    """

    codes: npt.NDArray[np.int64]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    classes: tuple[int, ...]

    def value(self, subject: Subject) -> dict[str, Any]:
        """The samples as JSON, with the scores that the reference simulator gives."""
        outputs = simulate(subject.circuit, self.codes)
        return {
            "names": self.names,
            "labels": self.labels,
            "classes": self.classes,
            "codes": packed(self.codes),
            "scores": packed(outputs.scores),
            "words": [str(word) for word in outputs.classes.tolist()],
        }


def random_samples(subject: Subject) -> Samples:
    """Random codes, always the same."""
    form = subject.circuit.input
    codes = np.random.default_rng(0).integers(form.lowest, form.highest + 1, (RANDOM, form.features))
    names = tuple(f"random codes {number}" for number in range(1, RANDOM + 1))
    return Samples(codes, names, ("",) * RANDOM, (-1,) * RANDOM)


def chosen_samples(subject: Subject, split: Split, name: str, count: int) -> Samples:
    """The first samples of each class in turn; of other targets the first ones.

    Args:
        subject: what takes them.
        split: the samples.
        name: what they are called.
        count: at most so many.

    Raises:
        ConfigError: a page takes no such number of samples.
        DataError: they are none of the circuit's.
        CodesError: a code is out of range.
    """
    if not 1 <= count <= MOST:
        raise ConfigError(f"samples: got {count}; a page takes 1 to {MOST}")
    targets = split.y.numpy()
    one_class = targets.ndim == 1 and targets.dtype.kind == "i" and [head.kind for head in subject.heads] == ["classes"]
    places = _in_turn(targets)[:count] if one_class else np.arange(min(count, len(targets)))
    codes = _codes(subject, split.x[places].numpy(), name)
    if one_class:
        labels = [subject.wording.class_name(label) for label in targets[places].tolist()]
    else:
        labels = [", ".join(f"{value:g}" for value in np.atleast_1d(row)) for row in targets[places]]
    return Samples(
        codes,
        tuple(f"{name}, test sample {place}" for place in places.tolist()),
        tuple(labels),
        tuple(targets[places].tolist()) if one_class else (-1,) * len(places),
    )


def _in_turn(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Places: of each label the first one, then of each the second one, and so on; a round is in ascending labels."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    rounds = np.arange(len(order)) - starts
    return order[np.argsort(rounds, kind="stable")]


def _codes(subject: Subject, values: npt.NDArray[Any], name: str) -> npt.NDArray[np.int64]:
    """int64 (N, features): integers are codes, numbers become the nearest codes."""
    form, shape = subject.circuit.input, subject.wording.shape
    if math.prod(values.shape[1:]) != form.features or values.dtype.kind not in "iuf":
        raise DataError(
            f"{name}: a sample is {values.dtype} {values.shape[1:]}; expected {form.features} features, shape {shape}"
        )
    rows = values.reshape(len(values), -1)
    if rows.dtype.kind != "f":
        return reading.integers(form.check_codes(rows))
    if not np.isfinite(rows).all():
        raise DataError(f"{name}: holds values that are not finite")
    return subject.wording.form.codes_of(rows).astype(np.int64)
