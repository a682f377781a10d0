"""Heads: from the last layer's bits to logits, and from logits to what a circuit decides.

Every head counts ones in equal groups of bits. What the counts, the scores, mean is the head's kind: classes, labels or
numbers. A model may have several heads; `Heads` has them side by side.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError, DataError, InputShapeError
from difflut.functional import check_groups, effective_thresholds, group_sum, number_sum, threshold_sum

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel


_UNDECIDED = ("numbers", "bits")  # kinds of heads that leave nothing to decide
_WORD_BITS = 63  # of a number of bits
_WORDS_SHOWN = 8


class Head(nn.Module, ABC):
    """What heads have in common.

    Attributes:
        kind: "classes", "labels", "numbers" or "bits".
        results: how many logits it gives, a column each.
        targets: how many columns of targets it is trained on.
        linear: of numbers the scale and the offset, number k being offset + scale * score k; else None.
        decisions: among how many scores of its circuit each decision is taken, see
            `difflut.export.circuit.netlist.Head`.
    """

    kind: ClassVar[Literal["classes", "labels", "numbers", "bits"]]
    linear: tuple[float, float] | None = None

    def __init__(self, results: int, what: str) -> None:
        super().__init__()
        if results < 1:
            raise ConfigError(f"{type(self).__name__}: {what} is {results}; it must be at least 1")
        self.results = results
        self.targets = results

    @property
    @abstractmethod
    def decisions(self) -> tuple[int, ...]:
        """See the class."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What training makes small, a scalar of logits (N, results) and targets (N, targets)."""

    @abstractmethod
    def decided(self, logits: Tensor) -> Tensor:
        """(N, targets): what hardware decides, from the logits of eval mode."""

    @abstractmethod
    def meaning(self, score: int, bit: int, width: int) -> str:
        """Where a circuit has its results, for people.

        Args:
            score: the number of its first score.
            bit: where its first field of the class word starts.
            width: bits of a field.
        """

    @abstractmethod
    def check(self, targets: Tensor) -> str:
        """What is wrong with targets (N, targets), empty if nothing is."""

    def _count(self, bits: Tensor) -> Tensor:
        """Scores float32 (N, results) of training's floating bits (N, W)."""
        check_groups(bits.shape[1], self.results)
        sums: Tensor = bits.float().reshape(len(bits), self.results, bits.shape[1] // self.results).sum(dim=2)
        return sums

    def _check_bits(self, bits: Tensor) -> None:
        if bits.ndim != 2:
            raise InputShapeError(
                f"{type(self).__name__}: got bits of shape {tuple(bits.shape)}; expected (samples, bits)"
            )


class _Tempered(Head):
    """A head whose scores are divided by a temperature."""

    def __init__(self, results: int, what: str, tau: float) -> None:
        super().__init__(results, what)
        if not tau > 0:
            raise ConfigError(f"{type(self).__name__}: tau is {tau}; it must be positive")
        self.tau = tau


class GroupSum(_Tempered):
    """One class of several: popcount per class, divided by a temperature; logits are (scores + offset) / tau.

    The offset, the same for all classes, changes no class and no circuit. Source: Petersen et al., "Deep
    Differentiable Logic Gate Networks", NeurIPS 2022, section 3.
    """

    kind = "classes"

    def __init__(self, classes: int, tau: float = 1.0, offset: float = 0.0) -> None:
        super().__init__(classes, "classes", tau)
        if not abs(offset) <= 1 << 16:  # in float32 sums that differ still do
            raise ConfigError(f"GroupSum: offset is {offset}; expected one from -65536 to 65536")
        self.offset = offset
        self.classes = classes
        self.targets = 1

    @property
    def decisions(self) -> tuple[int, ...]:
        """One among all classes."""
        return (self.classes,)

    def forward(self, bits: Tensor) -> Tensor:
        """Logits float32 (N, classes) from bits (N, W): floating while training, bool in eval mode."""
        self._check_bits(bits)
        if self.training:
            return self._shifted(self._count(bits)) / self.tau
        scores: Tensor = group_sum(bits.bool(), self.classes)
        return self._shifted(scores.float()) / self.tau

    def _shifted(self, scores: Tensor) -> Tensor:
        return scores + self.offset if self.offset else scores

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy; targets are class indices (N, 1)."""
        return nn.functional.cross_entropy(logits, targets[:, 0].long())

    def decided(self, logits: Tensor) -> Tensor:
        """int64 (N, 1): the class of the largest logit, the lowest of equals."""
        return logits.argmax(dim=1, keepdim=True)

    def meaning(self, score: int, bit: int, width: int) -> str:
        """As `Head.meaning`."""
        last = score + self.classes - 1
        place = f"bits {bit} to {bit + width - 1} of the class word" if width > 1 else f"bit {bit} of the class word"
        return f"the index of the largest of the scores {score} to {last}" + (f": {place}" if last > score else "")

    def check(self, targets: Tensor) -> str:
        """As `Head.check`."""
        lowest, highest = float(targets.min()), float(targets.max())
        if not 0 <= lowest <= highest < self.classes or bool((targets != targets.round()).any()):
            return f"class indices from {lowest:g} to {highest:g}; expected 0 to {self.classes - 1}"
        return ""

    def extra_repr(self) -> str:
        return f"classes={self.classes}, tau={self.tau}"


class ThresholdSum(_Tempered):
    """Labels that hold or not, each on its own: label k holds where `score_k >= T_k`, score_k a popcount.

    The logits are (score - T + 1/2) / tau, positive exactly where the label holds, for losses as
    `binary_cross_entropy_with_logits`. With one label it is a detector. A circuit gives a bit for each label.

    Args:
        labels: how many.
        tau: the temperature.

    Attributes:
        thresholds: int64 (labels,), T; 0, where it was not chosen yet, means half of the group. `train` chooses them
            on held-out samples (`difflut.training.choose_thresholds`).
    """

    kind = "labels"
    thresholds: Tensor

    def __init__(self, labels: int = 1, tau: float = 1.0) -> None:
        super().__init__(labels, "labels", tau)
        self.register_buffer("thresholds", torch.zeros(labels, dtype=torch.int64))

    @property
    def decisions(self) -> tuple[int, ...]:
        """For each label one between T - 1 ones and its score."""
        return (2,) * self.results

    def forward(self, bits: Tensor) -> Tensor:
        """Logits float32 (N, labels) from bits (N, W): floating while training, bool in eval mode."""
        self._check_bits(bits)
        check_groups(bits.shape[1], self.results)
        thresholds = effective_thresholds(self.thresholds, bits.shape[1] // self.results)
        if self.training:
            return (self._count(bits) - thresholds + 0.5) / self.tau
        logits: Tensor = threshold_sum(bits.bool(), thresholds, float(self.tau))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The binary cross-entropy; targets are 0 or 1, (N, labels)."""
        return nn.functional.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))

    def decided(self, logits: Tensor) -> Tensor:
        """int64 (N, labels): 1 where the label holds."""
        return (logits > 0).long()

    def meaning(self, score: int, bit: int, width: int) -> str:
        """As `Head.meaning`."""
        if self.results == 1:
            return f"bit {bit} of the class word: score {score + 1} is larger than score {score}, T - 1"
        place = f"{bit} + {width}*k" if width > 1 else f"{bit} + k"
        larger = f"score {score + 1} + 2*k is larger than score {score} + 2*k, T - 1"
        return f"label k is bit {place} of the class word: {larger}"

    def check(self, targets: Tensor) -> str:
        """As `Head.check`."""
        if bool(((targets != 0) & (targets != 1)).any()):
            return f"labels from {float(targets.min()):g} to {float(targets.max()):g}; expected 0 or 1"
        return ""

    def extra_repr(self) -> str:
        return f"labels={self.results}, tau={self.tau}"


class NumberSum(Head):
    """Numbers: `offset + scale * score`, score a popcount. A circuit gives the scores.

    Args:
        outputs: how many.
        scale: what a one is worth, not 0.
        offset: the number of a score of 0.
    """

    kind = "numbers"

    def __init__(self, outputs: int = 1, scale: float = 1.0, offset: float = 0.0) -> None:
        super().__init__(outputs, "outputs")
        if not (scale != 0 and abs(scale) <= 1e30 and abs(offset) <= 1e30):
            raise ConfigError(
                f"NumberSum: scale is {scale}, offset is {offset}; they must be finite, and the scale not 0"
            )
        self.linear = self.scale, self.offset = float(scale), float(offset)
        self.group_size = 1  # bits that each number counted last

    @property
    def decisions(self) -> tuple[int, ...]:
        """There is nothing to decide."""
        return (1,) * self.results

    def forward(self, bits: Tensor) -> Tensor:
        """Numbers float32 (N, outputs) from bits (N, W): floating while training, bool in eval mode."""
        self._check_bits(bits)
        self.group_size = max(1, bits.shape[1] // self.results)
        if self.training:
            return self._count(bits) * self.scale + self.offset
        numbers: Tensor = number_sum(bits.bool(), self.results, self.scale, self.offset)
        return numbers

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error, the range of the numbers being 1."""
        span = self.scale * self.group_size
        return nn.functional.mse_loss(logits / span, targets.to(logits.dtype) / span)

    def decided(self, logits: Tensor) -> Tensor:
        """The numbers."""
        return logits

    def meaning(self, score: int, bit: int, width: int) -> str:
        """As `Head.meaning`."""
        which, of = ("the number", score) if self.results == 1 else ("number k", f"{score} + k")
        return f"{which} is {self.offset:g} + {self.scale:g} * score {of}"

    def check(self, targets: Tensor) -> str:
        """As `Head.check`."""
        return "" if bool(torch.isfinite(targets).all()) else "numbers that are not finite; leave such samples out"

    def extra_repr(self) -> str:
        return f"outputs={self.results}, scale={self.scale}, offset={self.offset}"


class Bits(Head):
    """The last bits as they are, and binary numbers that some of them are. Nothing is counted, decided or trained.

    Targets are the numbers, a column each, or without numbers the bits.

    Args:
        bits: how many.
        words: of each number its name, the places of its bits, the lowest one first, and whether it is signed (two's
            complement).
    """

    kind = "bits"

    def __init__(self, bits: int, words: Sequence[tuple[str, Sequence[int], bool]] = ()) -> None:
        super().__init__(bits, "bits")
        self.words = [(str(name), [int(place) for place in places], bool(signed)) for name, places, signed in words]
        for name, places, _ in self.words:
            if not 1 <= len(places) <= _WORD_BITS or not 0 <= min(places) <= max(places) < bits:
                raise ConfigError(
                    f"Bits: the number {name!a:.60} has {len(places)} bits; expected 1 to {_WORD_BITS} of the {bits}"
                )
        self.targets = len(self.words) or bits

    @property
    def decisions(self) -> tuple[int, ...]:
        """There is nothing to decide."""
        return (1,) * self.results

    def forward(self, bits: Tensor) -> Tensor:
        """float32 (N, bits), 0 or 1, of bits (N, bits)."""
        self._check_bits(bits)
        given: Tensor = number_sum(bits.bool(), self.results, 1.0, 0.0)
        return given

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Refused.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("Bits: a circuit of bits is given, not trained; GroupSum, ThresholdSum and NumberSum can be")

    def decided(self, logits: Tensor) -> Tensor:
        """int64 (N, targets): the numbers, or the bits."""
        bits = logits.long()
        if not self.words:
            return bits
        numbers = []
        for _, places, signed in self.words:
            weights = torch.tensor([1 << i for i in range(len(places))], device=bits.device)
            weights[-1] *= -1 if signed else 1
            numbers.append((bits[:, places] * weights).sum(dim=1))
        return torch.stack(numbers, dim=1)

    def meaning(self, score: int, bit: int, width: int) -> str:
        """As `Head.meaning`."""
        shown = [
            f"{ascii(name)[1:-1]:.40} is the {'signed' if signed else 'unsigned'} number of scores "
            + ", ".join(str(score + place) for place in places)
            for name, places, signed in self.words[:_WORDS_SHOWN]
        ]
        more = [f"{len(self.words) - _WORDS_SHOWN} more numbers"] if len(self.words) > _WORDS_SHOWN else []
        first = f"bit k is score {score} + k, 0 or 1"
        return "; ".join([first, *shown, *more]) + (", the lowest bit first" if shown else "")

    def check(self, targets: Tensor) -> str:
        """As `Head.check`."""
        if bool((targets != targets.round()).any()):
            return "numbers that are not whole; expected those of the bits"
        outside = not self.words and bool(((targets != 0) & (targets != 1)).any())
        return f"from {float(targets.min()):g} to {float(targets.max()):g}; expected bits" if outside else ""

    def extra_repr(self) -> str:
        return f"bits={self.results}, numbers={len(self.words)}"


class Heads:
    """The heads of a model, in the order in which its forward returns their results.

    Args:
        heads: at least one, by name.
    """

    def __init__(self, heads: Mapping[str, Head]) -> None:
        self.by_name = dict(heads)
        self._heads = list(self.by_name.values())
        self.results = sum(head.results for head in self._heads)
        self.targets = sum(head.targets for head in self._heads)

    @classmethod
    def of(cls, model: BaseModel) -> Heads:
        """Those of a model, in the order of definition; a `GroupSum` where its forward calls the primitive itself."""
        found = {name: module for name, module in model.named_modules() if isinstance(module, Head)}
        return cls(found or {"class": GroupSum(model.num_classes)})

    @property
    def decisions(self) -> tuple[int, ...]:
        """Those of all heads."""
        return tuple(count for head in self._heads for count in head.decisions)

    @property
    def decide(self) -> bool:
        """Whether any head gives classes or labels; otherwise all are numbers or bits."""
        return any(head.kind not in _UNDECIDED for head in self._heads)

    @property
    def measure(self) -> str:
        """What `quality` is: "accuracy" or "R2"."""
        return "R2" if all(head.kind == NumberSum.kind for head in self._heads) else "accuracy"

    @property
    def all_in_class_word(self) -> bool:
        """Whether the circuit's class word says how many samples are right: every head but numbers is in it."""
        return self.decide and all(head.kind != Bits.kind for head in self._heads)

    @property
    def only_class(self) -> bool:
        """Whether there is one head and it chooses a class."""
        return len(self._heads) == 1 and self._heads[0].kind == GroupSum.kind

    def joined(self, result: Any) -> Tensor:
        """The logits of all heads side by side, float32 (N, results), from what a forward returned: a tensor, or one
        for each head in a tuple, list or dict.

        Raises:
            ConfigError: these are not the results of the heads in the order of definition.
        """
        given: Sequence[Any] = list(result.values()) if isinstance(result, Mapping) else result
        tensors = [given] if isinstance(given, Tensor) else list(given)
        shapes = [tuple(t.shape) if isinstance(t, Tensor) else type(t).__name__ for t in tensors]
        wanted = [head.results for head in self._heads]
        widths = [math.prod(t.shape[1:]) if isinstance(t, Tensor) else 0 for t in tensors]
        if widths != wanted:
            raise ConfigError(
                f"the forward returns {shapes}; expected the results of its heads in the order of their definition, "
                + ", ".join(f"{name} (samples, {head.results})" for name, head in self.by_name.items())
            )
        return torch.cat([t.reshape(len(t), n) for t, n in zip(tensors, wanted, strict=True)], dim=1)

    def loss(self, result: Any, y: Tensor) -> Tensor:
        """The sum of the heads' losses, from what a forward returned and targets (N,) or (N, targets)."""
        targets = self.columns(y)
        logits = self.joined(result)
        losses = [head.loss(logits[:, there], targets[:, here]) for head, there, here in self._places()]
        return torch.stack(losses).sum()

    def decided(self, logits: Tensor) -> Tensor:
        """(N, targets): what hardware decides, from joined logits."""
        parts = [head.decided(logits[:, there]) for head, there, _ in self._places()]
        return parts[0] if len(parts) == 1 else torch.cat([part.double() for part in parts], dim=1)

    def class_words(self, decided: Tensor) -> Tensor:
        """int64 (N,): the decisions as the circuit's class word, see `difflut.export.circuit.netlist.Head`.

        Args:
            decided: (N, targets), of classes and labels whole numbers; what the circuit decides, or targets.
        """
        width = max(1, (max(self.decisions, default=1) - 1).bit_length())
        word = torch.zeros(len(decided), dtype=torch.int64)
        place = 0
        for head, _, here in self._places():
            if head.kind in _UNDECIDED or head.decisions == (1,):
                continue
            for column in decided[:, here].cpu().long().unbind(dim=1):
                word |= column << place
                place += width
        return word

    def quality(self, decided: Tensor, y: Tensor) -> float:
        """The fraction of samples with all classes, labels and bits right; of numbers alone R squared, 1 at best.

        Args:
            decided: (N, targets), see `decided`.
            y: targets (N,) or (N, targets).
        """
        targets = self.columns(y).cpu()
        if self.measure == "accuracy":
            right = torch.ones(len(targets), dtype=torch.bool)
            for head, _, here in self._places():
                if head.kind != NumberSum.kind:
                    right &= (decided[:, here].cpu() == targets[:, here]).all(dim=1)
            return float(right.double().mean())
        residual = (decided.cpu().double() - targets.double()).square().sum()
        spread = (targets.double() - targets.double().mean(dim=0)).square().sum()
        return float(1 - residual / spread) if spread > 0 else float(residual == 0)

    def columns(self, y: Tensor) -> Tensor:
        """Targets as (N, targets).

        Raises:
            DataError: there is another number of them.
        """
        columns = y[:, None] if y.ndim == 1 else y
        if columns.ndim != 2 or columns.shape[1] != self.targets:
            wanted = ", ".join(f"{name} {head.targets} ({head.kind})" for name, head in self.by_name.items())
            raise DataError(
                f"targets have the shape {tuple(y.shape)}; expected (samples, {self.targets}), a column for each of "
                f"the heads' targets: {wanted}"
            )
        return columns

    def problems(self, y: Tensor) -> str:
        """What is wrong with targets, empty if nothing is; errors as for `columns`."""
        targets = self.columns(y)
        found = [
            (name, head.check(targets[:, here]))
            for name, (head, _, here) in zip(self.by_name, self._places(), strict=True)
        ]
        several = len(self._heads) > 1
        return "; ".join(f"{name}: {problem}" if several else problem for name, problem in found if problem)

    def _places(self) -> list[tuple[Head, slice, slice]]:
        """Each head with its columns of the logits and of the targets."""
        found, logit, target = [], 0, 0
        for head in self._heads:
            found.append((head, slice(logit, logit + head.results), slice(target, target + head.targets)))
            logit, target = logit + head.results, target + head.targets
        return found
