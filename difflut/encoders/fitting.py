"""What a fitted encoder makes of its training data: what input codes cannot express, and which bits never change."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from difflut.encoders.base import Encoder
from difflut.errors import DataError
from difflut.input_format import InputFormat
from difflut.shown import Brief

NAMED = 5
_SAMPLES = 1000


@dataclass(frozen=True, repr=False)
class EncoderReport(Brief):
    """Bits of an encoder that are the same for all training samples.

    Attributes:
        bits: of all features.
        constant_bits: how many of them are constant.
        constant_features: features that have one value in all training samples.
        lost_features: features that have several, all of whose bits are constant nevertheless: no threshold divides
            their input codes.
    """

    bits: int
    constant_bits: int
    constant_features: tuple[int, ...]
    lost_features: tuple[int, ...]

    def __str__(self) -> str:
        """In words; empty if no bit is constant."""
        if not self.constant_bits:
            return ""
        words = f"{self.constant_bits:,} of the encoder's {self.bits:,} bits are constant in the training data"
        if self.constant_features:
            words += f"; {named(self.constant_features)} {_is(self.constant_features)} constant"
        if self.lost_features:
            words += f"; {named(self.lost_features)} {_is(self.lost_features)} not, but lost: choose finer input codes "
            words += "or other thresholds"
        return words

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object, with the number of constant features."""
        counted = {"constant_features": len(self.constant_features), "lost_features": list(self.lost_features)}
        return {**asdict(self), **counted}


def report(encoder: Encoder, x: Tensor, given: Tensor | None = None) -> EncoderReport:
    """What is constant of a fitted encoder on its training data.

    Args:
        encoder: the encoder.
        x: the data, float32 (N, F), after rounding to input codes.
        given: the same before that; `x` by default.
    """
    given = x if given is None else given
    first = encoder(x[:1])
    varies = torch.zeros_like(first[0])
    for part in torch.split(x, _SAMPLES):
        varies |= (encoder(part) != first).any(dim=0)
    by_feature = varies.view(encoder.features, encoder.bits).any(dim=1)
    constant = given.amin(dim=0) == given.amax(dim=0)
    return EncoderReport(
        bits=encoder.output_width,
        constant_bits=int((~varies).sum()),
        constant_features=_indices(constant),
        lost_features=_indices(~constant & ~by_feature),
    )


def check_expressible(
    model: str, encoder: Encoder, x: Tensor, form: InputFormat, what: str = "the training data"
) -> None:
    """Refuse an input format that was not made for the data: it cannot tell apart what the encoder would of numbers.

    Single features whose codes are too coarse are left to `report`.

    Args:
        model: its name, for the message.
        encoder: fitted or not; it stays as it is.
        x: training data, floating (N, F), as given.
        form: the input format.
        what: the data are, for the message.

    Raises:
        DataError: some thresholds divide the data, but are beyond the numbers of the format's codes; or every feature
            has one code only, and not one value.
    """
    exact = copy.deepcopy(encoder).fit(x, form).thresholds
    low, high = (end.to(exact)[:, None] for end in (x.amin(dim=0), x.amax(dim=0)))
    lowest, highest = (torch.from_numpy(end).to(exact)[:, None] for end in form.ends())
    divides = (low <= exact) & (exact < high)
    beyond = (divides & ~((lowest <= exact) & (exact < highest))).any(dim=1)
    codes = form.rounded(x)
    varying, told = (low < high)[:, 0], codes.amin(dim=0) < codes.amax(dim=0)
    bad = _indices(beyond) or (() if bool(told.any()) else _indices(varying))
    if not bad:
        return
    one = form.of_feature(bad[0])
    least, most = (float(end[0]) for end in one.ends())
    raise DataError(
        f"model {model!r}: the input codes cannot express {named(bad)} of {what}: feature {bad[0]} is from "
        f"{float(low[bad[0]]):g} to {float(high[bad[0]]):g}, its {form.width_bits}-bit codes stand for {least:g} to "
        f"{most:g} in steps of {(most - least) / (form.highest - form.lowest):g}. Fit the format to the data: give the "
        f"model input_format=InputFormat.fit(training_data, bits), or input_bits=bits to have fit_encoder do it"
    )


def named(features: tuple[int, ...]) -> str:
    """Features by number, the first ones of many."""
    if len(features) == 1:
        return f"feature {features[0]}"
    more = f" and {len(features) - NAMED:,} more" if len(features) > NAMED else ""
    return f"features {', '.join(map(str, features[:NAMED]))}{more}"


def _is(features: tuple[int, ...]) -> str:
    return "is" if len(features) == 1 else "are"


def _indices(mask: Tensor) -> tuple[int, ...]:
    return tuple(mask.nonzero()[:, 0].tolist())
