"""Encoders turn numbers into bits."""

from __future__ import annotations

import difflib

from difflut.encoders.base import Encoder
from difflut.encoders.codes import Binary, CodeEncoder, Gray, OneHot, SignMagnitude
from difflut.encoders.thermometer import DistributiveThermometer, GaussianThermometer, Logarithmic, Thermometer
from difflut.errors import UnknownNameError

ENCODERS: dict[str, type[Encoder]] = {
    "binary": Binary,
    "distributive": DistributiveThermometer,
    "gaussian": GaussianThermometer,
    "gray": Gray,
    "logarithmic": Logarithmic,
    "one_hot": OneHot,
    "sign_magnitude": SignMagnitude,
    "thermometer": Thermometer,
}

__all__ = [
    "ENCODERS",
    "Binary",
    "CodeEncoder",
    "DistributiveThermometer",
    "Encoder",
    "GaussianThermometer",
    "Gray",
    "Logarithmic",
    "OneHot",
    "SignMagnitude",
    "Thermometer",
    "make_encoder",
]


def make_encoder(name: str, bits: int) -> Encoder:
    """An unfitted encoder by its name in `ENCODERS`, with `bits` bits per feature.

    Raises:
        UnknownNameError: if there is no such encoder; names the nearest ones.
        ConfigError: if the encoder does not take that number of bits.
    """
    if name not in ENCODERS:
        near = difflib.get_close_matches(name, ENCODERS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known encoders: {', '.join(sorted(ENCODERS))}"
        raise UnknownNameError(f"unknown encoder {name!r}; {hint}")
    return ENCODERS[name](bits)
