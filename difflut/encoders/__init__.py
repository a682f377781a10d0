"""Encoders turn numbers into bits."""

from __future__ import annotations

from difflut.encoders.base import Encoder
from difflut.encoders.codes import Binary, CodeEncoder, Gray, OneHot, SignMagnitude
from difflut.encoders.filters import KERNELS, Filter
from difflut.encoders.thermometer import DistributiveThermometer, GaussianThermometer, Logarithmic, Thermometer
from difflut.registry import Registry

ENCODERS: Registry[type[Encoder]] = Registry(
    "encoder",
    "difflut.encoders",
    {
        "binary": Binary,
        "distributive": DistributiveThermometer,
        "gaussian": GaussianThermometer,
        "gray": Gray,
        "logarithmic": Logarithmic,
        "one_hot": OneHot,
        "sign_magnitude": SignMagnitude,
        "thermometer": Thermometer,
    },
)

__all__ = [
    "ENCODERS",
    "KERNELS",
    "Binary",
    "CodeEncoder",
    "DistributiveThermometer",
    "Encoder",
    "Filter",
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
    return ENCODERS.find(name)(bits)
