"""Evaluation: what a model computes on many samples."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from difflut.data import Split, samples_of, split_of
from difflut.errors import ConfigError, DataError, DifflutError
from difflut.functional import count_groups, threshold_scores
from difflut.models.base_model import BaseModel, device_of
from difflut.models.wrappers import takes_wrapped
from difflut.progress import LOGGER, task

# Seconds of PyTorch from which on compiling a model pays; the samples of which PyTorch's time and classes are taken.
PYTORCH_SECONDS = 5.0
_PROBE = 200


@takes_wrapped
@torch.no_grad()
def predict(model: BaseModel, x: Any, batch_size: int = 1000, *, rounded: bool = True) -> Tensor:
    """Logits float32 (N, num_classes) in eval mode, those of several heads side by side; the model's mode is restored
    afterwards.

    `x` is what `difflut.data.samples_of` takes: a tensor, an array, a DataLoader, ...; `rounded=False` is
    `BaseModel.forward_unrounded`.
    """
    x = samples_of(x)
    was_training = model.training
    model.eval()
    device, heads = device_of(model), model.output_heads
    function = model if rounded else model.forward_unrounded
    parts = []
    with task(f"running {model.name}", len(x), "samples") as shown:
        for part in torch.split(x, batch_size) if len(x) else []:
            parts.append(heads.joined(function(part.to(device))).cpu())
            shown.advance(len(part))
    model.train(was_training)
    return torch.cat(parts) if parts else torch.zeros(0, model.num_classes)


@takes_wrapped
@torch.no_grad()
def predict_scores(model: BaseModel, x: Any, batch_size: int = 1000) -> tuple[Tensor, Tensor]:
    """What hardware must reproduce: the integer scores before the temperature, and the class that the logits give.

    Returns:
        int64 (N, scores), as the heads' primitives counted them (of a threshold T - 1 and the count), and int64 (N,)
        class indices; class words where the model has other heads than one `GroupSum`.
    """
    x = samples_of(x)
    heads = model.output_heads
    with _CaptureScores() as capture:
        logits = predict(model, x, batch_size)
    scores = capture.joined(len(heads.by_name)) if len(x) else torch.zeros(0, sum(heads.decisions), dtype=torch.int64)
    if scores.shape != (len(x), sum(heads.decisions)):
        raise ConfigError(
            f"model {model.name!r}: captured scores of shape {tuple(scores.shape)}, expected "
            f"{(len(x), sum(heads.decisions))}; its forward must call each head once: {', '.join(heads.by_name)}"
        )
    return scores, heads.class_words(heads.decided(logits))


class _CaptureScores(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the scores of every head's primitive while active."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.scores: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.difflut.group_sum.default:
            self.scores.append(result.cpu())
        elif func is torch.ops.difflut.threshold_sum.default:
            self.scores.append(threshold_scores(*args[:2]).cpu())
        elif func is torch.ops.difflut.number_sum.default:
            self.scores.append(count_groups(*args[:2]).cpu())
        return result

    def joined(self, heads: int) -> Tensor:
        """int64 (N, scores): batch after batch, in each one head after the other."""
        if not self.scores:  # the forward calls no head
            return torch.zeros(0, 0, dtype=torch.int64)
        batches = [self.scores[start : start + heads] for start in range(0, len(self.scores), heads)]
        return torch.cat([torch.cat(batch, dim=1) for batch in batches])


@takes_wrapped
def accuracy(model: BaseModel, split: Any, batch_size: int = 1000, *, rounded: bool = True) -> float:
    """The fraction of samples whose largest logit is at the label, ties going to the lowest index; of several heads
    those with all classes and labels right. Of a model that has numbers only R squared, 1 at best.

    `split` is what `difflut.data.split_of` takes: a Split, a pair (x, y), a DataLoader or a Dataset of pairs.
    Floating samples are rounded to the codes that hardware gets, unless `rounded` is False. Where PyTorch would take
    long, the compiled model computes the classes (`difflut.compile`), which are PyTorch's; the first ones are compared.

    Raises:
        DataError: if there is no sample, or a label is no class of the model.
    """
    split = split_of(split)
    if len(split) == 0:
        raise DataError("accuracy of no sample is not defined; give at least one")
    check_labels(model, split)
    heads = model.output_heads
    words = _compiled_words(model, split.x) if rounded else None
    if words is not None:
        return float((words == heads.class_words(heads.columns(split.y))).double().mean())
    return heads.quality(heads.decided(predict(model, split.x, batch_size, rounded=rounded)), split.y)


def _compiled_words(model: BaseModel, x: Tensor) -> Tensor | None:
    """int64 (N,): the class words of samples, by compiled code; None where PyTorch is as fast or has to do it."""
    heads = model.output_heads
    if len(x) < 2 * _PROBE or not heads.all_in_class_word or device_of(model).type != "cpu":
        return None
    if any(module._forward_hooks or module._forward_pre_hooks for module in model.modules()):
        return None  # whatever they do is to be measured
    started = time.perf_counter()
    first = heads.class_words(heads.decided(predict(model, x[:_PROBE])))
    if (time.perf_counter() - started) * len(x) / _PROBE < PYTORCH_SECONDS:
        return None
    from difflut.compiled import compile

    try:
        engine = compile(model)
    except DifflutError as error:  # what has no circuit may still be measured
        LOGGER.info("not compiled: %s", error)
        return None
    codes = model.input_format.quantize(x.cpu()).numpy().reshape(len(x), -1)
    words = torch.from_numpy(engine.classes(codes, threads=torch.get_num_threads()))
    return words if not engine.missing and torch.equal(words[:_PROBE], first) else None


def measure(model: BaseModel, split: Split, batch_size: int = 1000) -> dict[str, float]:
    """The figures of `BaseModel.metrics`, by name.

    Raises:
        ConfigError: one gives no number.
    """
    functions = model.metrics()
    if not functions:
        return {}
    logits, labels = predict(model, split.x, batch_size), split.y.cpu()
    return {name: _number(model, name, function(logits, labels)) for name, function in functions.items()}


def _number(model: BaseModel, name: str, value: Tensor | float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"model {model.name!r}: metric {name!r} gives no number ({error}); return a float, or a tensor of one "
            "element"
        ) from error


def check_labels(model: BaseModel, split: Split, data_name: str = "the data set") -> None:
    """Refuse targets that the model's heads do not have, with which every figure would be wrong.

    Raises:
        DataError: says which there are, and which the model has.
    """
    heads = model.output_heads
    problem = heads.problems(split.y) if len(split) else ""
    if problem and heads.only_class:
        lowest, highest = int(split.y.min()), int(split.y.max())
        raise DataError(
            f"{data_name} has class indices from {lowest} to {highest}; model {model.name!r} "
            f"has {model.num_classes} classes, 0 to {model.num_classes - 1}"
        )
    if problem:
        raise DataError(f"{data_name} does not fit model {model.name!r}: {problem}")


@takes_wrapped
def accuracy_unrounded(model: BaseModel, split: Any) -> float | None:
    """The accuracy on floating samples as they are, which no hardware has; None if they are codes already."""
    split = split_of(split)
    return accuracy(model, split, rounded=False) if split.x.is_floating_point() else None


def count_correct(model: BaseModel, split: Split, batch_size: int = 1000, *, rounded: bool = True) -> int:
    """How many samples have all classes and labels right; ties go to the lowest index."""
    return round(len(split) * accuracy(model, split, batch_size, rounded=rounded)) if len(split) else 0
