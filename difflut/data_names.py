"""What the numbers of a sample and the classes are called, and codes in those words. Free of torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import force_setattr

from difflut.errors import ConfigError
from difflut.export.circuit.names import input_name
from difflut.input_format import InputFormat

LONGEST = 80
_MOST_DECIMALS = 9


class DataNames(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Names that data, models, checkpoints and builds carry; what is not named is empty.

    Attributes:
        features: of each feature, in the order of the flattened sample, all different.
        units: of each feature, "" for one without.
        classes: of each class, all different.

    Raises:
        ConfigError: a name is no line of 1 to 80 printable characters, stands twice, or there is no unit or one too
            many.
    """

    features: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what in self.__struct_fields__:
            given = getattr(self, what)
            if isinstance(given, str):
                raise ConfigError(f"{what}: got {given!a:.100}; expected a list of texts")
            texts = tuple(given)
            force_setattr(self, what, texts)
            for text in texts:
                if not isinstance(text, str) or not text.isprintable() or len(text) > LONGEST or text != text.strip():
                    raise ConfigError(
                        f"{what}: {text!a:.100} is no name; expected at most {LONGEST} printable characters on one "
                        "line, without blanks around them"
                    )
            if what != "units" and ("" in texts or len(set(texts)) < len(texts)):
                raise ConfigError(f"{what}: a name is empty or stands twice; give each its own")
        if self.units and len(self.units) != len(self.features):
            raise ConfigError(
                f"units: got {len(self.units)} for {len(self.features)} names of features; expected one each, '' where "
                "there is none"
            )

    def check(self, features: int, classes: int) -> None:
        """Raise ConfigError unless there are names for so many, or none."""
        for what, expected in (("features", features), ("classes", classes)):
            given = len(getattr(self, what))
            if given not in (0, expected):
                raise ConfigError(f"got {given} names of {what}; the model has {expected}")


@dataclass(frozen=True)
class Wording:
    """Codes, thresholds and classes in the words of the data.

    Attributes:
        names: what there are names for, None for none.
        form: what codes stand for.
        shape: of one sample.
    """

    names: DataNames | None
    form: InputFormat
    shape: tuple[int, ...] = ()

    @property
    def named(self) -> bool:
        """Whether features have names, so that numbers stand in place of codes."""
        return self.names is not None and bool(self.names.features)

    def feature(self, feature: int) -> str:
        """The name of a feature, or its place."""
        return self.names.features[feature] if self.names and self.names.features else input_name(feature, self.shape)

    def unit(self, feature: int) -> str:
        """The unit of a feature, empty if it has none."""
        return self.names.units[feature] if self.names and self.names.units else ""

    def class_name(self, index: int) -> str:
        """The name of a class, or its number."""
        classes = self.names.classes if self.names else ()
        return classes[index] if index < len(classes) else str(index)

    def of_class(self, index: int) -> str:
        """`class 2`, or `class 2 (virginica)`."""
        return f"class {index}" + (f" ({self.class_name(index)})" if self.names and self.names.classes else "")

    def range(self, feature: int) -> str:
        """From what the lowest code stands for to what the highest one does: `1.00 to 6.90 cm`."""
        low, high = (self.number(feature, code) for code in (self.form.lowest, self.form.highest))
        return f"{low.removesuffix(self.unit(feature)).rstrip()} to {high}"

    def number(self, feature: int, code: float) -> str:
        """What a code stands for: `4.70 cm`; with so many decimals that neighbouring codes differ."""
        form = self.form.of_feature(feature)
        divisor, offset = (float(part[0]) for part in form.scaling)
        value = offset + code / divisor
        decimals = max(0, math.ceil(math.log10(2 * divisor)))
        plain = decimals <= _MOST_DECIMALS and abs(value) < 10**_MOST_DECIMALS
        text = f"{round(value, decimals) + 0.0:.{decimals}f}" if plain else f"{value:.6g}"
        return f"{text} {self.unit(feature)}".rstrip()

    def comparison(self, feature: int, threshold: int) -> str:
        """A comparison of a code: `petal length >= 2.45 cm`, the least number whose nearest code is at the threshold or
        above; `feature 2 >= 62`, a code, where features have no names.
        """
        bound = self.number(feature, threshold - 0.5) if self.named else str(threshold)
        return f"{self.feature(feature)} >= {bound}"
