"""Choosing the thresholds of `ThresholdSum` on held-out samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from difflut.data import Split
from difflut.errors import ConfigError
from difflut.heads import ThresholdSum
from difflut.models.base_model import BaseModel
from difflut.training.evaluation import predict_scores

# From true and false positives, each int64 (T,), and how many positives and negatives there are: what is to be large.
_Rule = Callable[[Tensor, Tensor, int, int], Tensor]


def _balanced(hits: Tensor, alarms: Tensor, positives: int, negatives: int) -> Tensor:
    return hits / max(positives, 1) - alarms / max(negatives, 1)


def _accuracy(hits: Tensor, alarms: Tensor, positives: int, negatives: int) -> Tensor:
    return (hits + negatives - alarms) / max(positives + negatives, 1)


def _f1(hits: Tensor, alarms: Tensor, positives: int, negatives: int) -> Tensor:
    return 2 * hits / (hits + alarms + positives).clamp(min=1)


RULES: dict[str, _Rule] = {"balanced": _balanced, "accuracy": _accuracy, "f1": _f1}


def choose_thresholds(
    model: BaseModel,
    held_out: Split,
    rule: str = "balanced",
    *,
    false_positives: float | None = None,
    batch_size: int = 1000,
) -> None:
    """Set T of every `ThresholdSum` of a model, label by label, to the best one on samples it was not trained on.

    Of several that are equally good the middle one is taken.

    Args:
        model: a fitted model; one without such heads stays as it is.
        held_out: samples and their targets.
        rule: "balanced" (the mean of the accuracies on samples with and without the label), "accuracy" or "f1".
        false_positives: instead of a rule: the lowest T with at most this fraction of alarms among the samples without
            the label, the way to choose where samples with it are not at hand.
        batch_size: samples at a time.

    Raises:
        ConfigError: there is no such rule, or the fraction is not from 0 to 1.
        DataError: the targets do not fit the model.
    """
    if rule not in RULES:
        raise ConfigError(f"unknown rule {rule!r} for thresholds; expected {', '.join(RULES)}")
    if false_positives is not None and not 0 <= false_positives <= 1:
        raise ConfigError(f"false_positives is {false_positives}; expected a fraction from 0 to 1")
    heads = model.output_heads
    if not any(isinstance(head, ThresholdSum) for head in heads.by_name.values()):
        return
    scores, _ = predict_scores(model, held_out.x, batch_size)
    targets = heads.columns(held_out.y).cpu()
    score = target = 0
    for head in heads.by_name.values():
        if isinstance(head, ThresholdSum):
            for label in range(head.results):
                counts, holds = scores[:, score + 2 * label + 1], targets[:, target + label] > 0
                head.thresholds[label] = _best(counts, holds, RULES[rule], false_positives)
        score += sum(head.decisions)
        target += head.targets


def _best(counts: Tensor, holds: Tensor, rule: _Rule, false_positives: float | None) -> int:
    """T, at least 1, for counts int64 (N,) of samples of which `holds`, bool (N,), says which have the label."""
    most = int(counts.max()) if len(counts) else 0
    bins = [torch.bincount(counts[some], minlength=most + 2) for some in (holds, ~holds)]
    hits, alarms = (bin_.flip(0).cumsum(0).flip(0)[1:] for bin_ in bins)  # of T = 1, 2, ..., most + 1
    positives, negatives = int(holds.sum()), int((~holds).sum())
    if false_positives is not None:
        return 1 + int((alarms <= false_positives * negatives).int().argmax())
    value = rule(hits.double(), alarms.double(), positives, negatives)
    best = torch.nonzero(value == value.max())[:, 0]
    run = best[: int((torch.diff(best) > 1).int().argmax()) + 1] if bool((torch.diff(best) > 1).any()) else best
    return 1 + int(run[(len(run) - 1) // 2])
