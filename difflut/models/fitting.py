"""Fits the encoders of a model on what its forward gives them: all numbers, some of them, or a function of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from difflut.encoders import Encoder
from difflut.encoders.fitting import EncoderReport, check_expressible, report
from difflut.errors import ConfigError, InputShapeError
from difflut.input_format import InputFormat

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel

_BATCH = 1000


@dataclass(frozen=True, eq=False)
class Fed:
    """What an encoder of a model gets for some samples.

    Attributes:
        given: floating (rows, features), of the samples as they are.
        rounded: of the numbers that their codes stand for.
        form: the codes, as numbers of these features; None if they are no even steps upwards.
        whole: whether the features are all of the model's, in their order.
    """

    given: Tensor
    rounded: Tensor
    form: InputFormat | None
    whole: bool


def encoders(module: nn.Module) -> dict[str, Encoder]:
    """All encoders in a module by name, each once."""
    return {name: encoder for name, encoder in module.named_modules() if isinstance(encoder, Encoder)}


def fit_encoders(model: BaseModel, given: Tensor, rounded: Tensor, *, check: bool) -> EncoderReport:
    """Fit every encoder of a model and build the layers, if there are none yet.

    An encoder is fitted on what the forward calls it with first. The forward is run up to there: before the layers are
    built as far as it goes, and again behind that if an encoder was not met. One that is never met gets all numbers.

    Args:
        model: the model, on the CPU.
        given: training samples, float32 (N, *input_shape), as they are.
        rounded: the numbers of their codes.
        check: whether to refuse a format that cannot express what an encoder would tell apart.

    Returns:
        what is constant in the training samples.
    """
    fed = feeds(model, given, rounded, encoders(model).values())
    everything = Fed(given.flatten(1), rounded.flatten(1), model.input_format, True)
    _fit(model, {encoder: fed.get(encoder, everything) for encoder in encoders(model).values()}, check)
    if not model.fitted:
        model._build()
    unmet = [encoder for encoder in encoders(model).values() if encoder not in fed]
    if unmet:
        later = feeds(model, given, rounded, unmet)
        _fit(model, later, check)
        fed |= later
    return merged_report(fed or {encoder: everything for encoder in encoders(model).values()}, given)


def _fit(model: BaseModel, fed: dict[Encoder, Fed], check: bool) -> None:
    if check:
        for encoder, one in fed.items():
            if one.form is not None:
                what = (
                    "the training data" if one.whole else f"what a {type(encoder).__name__} gets of the training data"
                )
                check_expressible(model.name, encoder, one.given, one.form, what)
    for encoder, one in fed.items():
        encoder.fit(one.rounded, one.form)


def report_on(model: BaseModel, data: Tensor) -> EncoderReport:
    """What is constant in training samples, numbers or codes (N, ...), of the encoders of a fitted model."""
    given, rounded = model._numbers(data, rounded=False), model._numbers(data)
    fed = feeds(model, given, rounded, encoders(model).values())
    everything = Fed(given.flatten(1), rounded.flatten(1), model.input_format, True)
    return merged_report(fed or {encoder: everything for encoder in encoders(model).values()}, given)


def merged_report(fed: dict[Encoder, Fed], given: Tensor) -> EncoderReport:
    """What is constant of the fitted encoders of a model; a feature is lost if all of them lose it."""
    found = {encoder: report(encoder, one.rounded, one.given) for encoder, one in fed.items()}
    numbers = given.flatten(1)
    constant = (numbers.amin(dim=0) == numbers.amax(dim=0)).nonzero()[:, 0]
    # Which features an encoder of other numbers depends on is not known, so none counts as lost.
    lost = [set(found[encoder].lost_features) if one.whole else set() for encoder, one in fed.items()]
    return EncoderReport(
        bits=sum(one.bits for one in found.values()),
        constant_bits=sum(one.constant_bits for one in found.values()),
        constant_features=tuple(constant.tolist()),
        lost_features=tuple(sorted(set.intersection(*lost))),
    )


def feeds(model: BaseModel, given: Tensor, rounded: Tensor, wanted: Iterable[Encoder]) -> dict[Encoder, Fed]:
    """What each of the `wanted` encoders is called with first; those that the forward does not meet are left out."""
    shape, features = model.input_shape, model.input_size
    generator = torch.Generator().manual_seed(0)
    probe = torch.stack([torch.arange(features, dtype=torch.float32), torch.rand(features, generator=generator)])
    met = _called_with(model, probe.reshape(2, *shape), list(wanted))
    whole = [encoder for encoder, x in met.items() if x.shape == probe.shape and torch.equal(x, probe)]
    others = [encoder for encoder in met if encoder not in whole]
    fed = {encoder: Fed(given.flatten(1), rounded.flatten(1), model.input_format, True) for encoder in whole}
    if others:
        ends = torch.stack([torch.from_numpy(end).expand(features) for end in model.input_format.ends()])
        at_ends = _called_with(model, ends.reshape(2, *shape), others)
        of_given, of_rounded = (_in_batches(model, numbers, others) for numbers in (given, rounded))
        for encoder in others:
            form = _form(model.input_format, at_ends[encoder])
            fed[encoder] = Fed(of_given[encoder], of_rounded[encoder], form, False)
    return fed


def _in_batches(model: BaseModel, numbers: Tensor, wanted: list[Encoder]) -> dict[Encoder, Tensor]:
    parts = [_called_with(model, part, wanted) for part in torch.split(numbers, _BATCH)]
    return {encoder: torch.cat([part[encoder] for part in parts]) for encoder in wanted}


class _NotBuilt:
    """In place of layers that are not built yet. Python looks them up before it calls the encoders: a call's function
    comes before its arguments.
    """

    def __getattr__(self, name: str) -> _NotBuilt:
        return self

    def __getitem__(self, key: object) -> _NotBuilt:
        return self

    def __iter__(self) -> Iterator[_NotBuilt]:
        return iter(())


class _AllMet(BaseException):
    """Every wanted encoder has its input, so that the forward need not go on."""


@torch.no_grad()
def _called_with(model: BaseModel, numbers: Tensor, wanted: list[Encoder]) -> dict[Encoder, Tensor]:
    """The first input, floating (rows, features), of each encoder in the model's forward as far as it goes."""
    met: dict[Encoder, Tensor] = {}

    def meet(encoder: Encoder, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise InputShapeError(f"{type(encoder).__name__}: got numbers of shape {tuple(x.shape)}")
        if encoder in wanted:
            met.setdefault(encoder, x.float())
        if len(met) == len(wanted):
            raise _AllMet
        return x.new_zeros(len(x), x.shape[1] * encoder.bits, dtype=torch.bool)

    def attribute(of: BaseModel, name: str) -> Any:
        try:
            return nn.Module.__getattr__(of, name)
        except AttributeError:
            return _NotBuilt()

    # Others that are not fitted give nothing either, or what comes behind them would not be met.
    replaced = [encoder for encoder in encoders(model).values() if encoder in wanted or not encoder.fitted]
    modes = {module: module.training for module in model.modules()}
    model.eval()
    kind = type(model)
    try:
        if not model.fitted:
            model.__class__ = type(kind.__name__, (kind,), {"__getattr__": attribute})
        for encoder in replaced:  # as an attribute, which goes before the class's method
            object.__setattr__(encoder, "forward", lambda x, encoder=encoder: meet(encoder, x))
        model._forward_impl(numbers)
    except (_AllMet, Exception):  # noqa: BLE001, S110 (before the layers are built a model's own code raises anything)
        pass
    finally:
        model.__class__ = kind
        for encoder in replaced:
            object.__delattr__(encoder, "forward")
        for module, training in modes.items():
            module.training = training
    return met


def _form(form: InputFormat, ends: Tensor) -> InputFormat | None:
    """The input codes as an encoder sees them, from what it gets for the lowest and for the highest code of all
    features, floating (2 * rows, features).
    """
    low, high = ends.double().reshape(2, -1, ends.shape[1])
    if not (torch.equal(low, low[:1].expand_as(low)) and torch.equal(high, high[:1].expand_as(high))):
        return None  # the rows of a sample are other features
    divisor = (form.highest - form.lowest) / (high[0] - low[0])
    try:
        divisors, offsets = (part.numpy().astype(np.float32) for part in (divisor, low[0] - form.lowest / divisor))
        return InputFormat(form.width_bits, form.signed, tuple(divisors.tolist()), tuple(offsets.tolist()))
    except ConfigError:  # they fall, or do not change
        return None
