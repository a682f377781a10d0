"""Encoders turn numbers into bits."""

from difflut.encoders.base import Encoder
from difflut.encoders.thermometer import DistributiveThermometer, Thermometer

__all__ = ["DistributiveThermometer", "Encoder", "Thermometer"]
