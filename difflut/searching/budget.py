"""What a circuit may cost or must reach, and how candidates compare under it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from difflut.errors import ConfigError
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import find_family
from difflut.shown import percent

HOPELESS = 1.2  # times the budget: an untrained structure of more LUTs is not trained; passes seldom save as much
_DOUBLING = 0.01  # of LUTs must be worth this much accuracy to go on, where LUTs are what is to be small


@dataclass(frozen=True)
class Budget:
    """The most LUTs, or the least accuracy, and the circuit that is costed.

    Attributes:
        max_luts: LUTs of the FPGA family, encoder and head included, by the exporter's estimate; the accuracy is then
            to be as high as possible.
        min_accuracy: a fraction, on the held-out samples; the LUTs are then to be as few as possible.
        fpga: the FPGA family.
        max_cycles: of latency; None for the exporter's default.

    Raises:
        ConfigError: not one of max_luts and min_accuracy is given, or a value is senseless.
        UnknownNameError: there is no such family.
    """

    max_luts: int | None = None
    min_accuracy: float | None = None
    fpga: str = GENERIC.name
    max_cycles: int | None = None

    def __post_init__(self) -> None:
        if (self.max_luts is None) == (self.min_accuracy is None):
            raise ConfigError("a search needs a budget: give either max_luts or min_accuracy")
        if self.max_luts is not None and self.max_luts < 1:
            raise ConfigError(f"max_luts is {self.max_luts}; expected at least 1")
        if self.min_accuracy is not None and not 0 < self.min_accuracy <= 1:
            raise ConfigError(f"min_accuracy is {self.min_accuracy}; it is a fraction, such as 0.97 for 97 %")
        if self.max_cycles is not None and self.max_cycles < 0:
            raise ConfigError(f"max_cycles is {self.max_cycles}; expected at least 0")
        find_family(self.fpga)

    def check(self, classes: int, guessed: float) -> None:
        """Refuse a budget that says nothing of samples of so many classes.

        Args:
            classes: how many.
            guessed: the accuracy of naming the most frequent class always.
        """
        if self.max_luts is not None and self.max_luts < classes:
            raise ConfigError(
                f"max_luts is {self.max_luts}, less than the {classes} classes, each of which counts at least one "
                f"node; give {classes} or more"
            )
        if self.min_accuracy is not None and self.min_accuracy <= guessed:
            raise ConfigError(
                f"min_accuracy is {percent(self.min_accuracy)}; naming the most frequent class always reaches "
                f"{percent(guessed)}: give more"
            )

    def lacks(self, luts: float, accuracy: float) -> float:
        """By how much, relatively, a candidate misses the budget; 0 or less if it meets it."""
        if self.max_luts is not None:
            return luts / self.max_luts - 1
        assert self.min_accuracy is not None  # one of both is given
        return self.min_accuracy - accuracy

    def objective(self, luts: float, accuracy: float) -> float:
        """What is to be large among candidates that meet the budget."""
        return accuracy if self.max_luts is not None else -luts

    def progress(self, luts: float, accuracy: float) -> float:
        """What halving compares while candidates are trained, `luts` being that of the untrained structure."""
        if self.min_accuracy is None:
            return accuracy
        return min(accuracy, self.min_accuracy) - _DOUBLING * math.log2(max(luts, 1))

    def __str__(self) -> str:
        cycles = "" if self.max_cycles is None else f" in at most {self.max_cycles} cycles"
        if self.max_luts is not None:
            return f"at most {self.max_luts:,} LUTs of {self.fpga}{cycles}"
        assert self.min_accuracy is not None  # one of both is given
        return f"at least {percent(self.min_accuracy)} in the fewest LUTs of {self.fpga}{cycles}"
