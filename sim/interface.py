"""What the test bench must know about a top module, and how debug probes are described."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError

PORTS_DRIVEN = ("clk", "rst", "in_valid", "in_codes")
ENABLE = "ce"
# What a bench writes where a design is watched: the numbers of the samples that go in and come out.
SAMPLE_IN, SAMPLE_OUT = "sample_in", "sample_out"
MAX_FIELD_BITS = 63


@dataclass(frozen=True)
class RtlInterface:
    """The plain interface of a top module.

    Feature i lies at `in_codes[width_bits*i +: width_bits]`, score k at `out_scores[score_width_bits*k +:
    score_width_bits]` (unsigned). With `ranks`, the class of rank i lies at `out_top[class_width_bits*i +:
    class_width_bits]`. `out_valid` is `in_valid` delayed by `latency_cycles` clock edges: data sampled at edge
    t gives outputs that are sampled at edge t + latency_cycles. `rst` is synchronous, active high.

    With `pixels`, a sample is an image of so many pixels in rows of `columns`. It comes in words, row by row, each of
    the `features` codes of `pixels_per_word` adjacent pixels of a row, pixel after pixel; what the last word of a row
    has beyond the row means nothing. A word is taken at an edge with `in_valid` and the output `in_ready`, the latency
    counts from the edge that takes the last one, and images that follow each other without a gap end `interval_cycles`
    apart.

    With `clock_enable` there is an input `ce`: rising edges with it low change nothing, and no cycle above counts them.

    `scores`, `best` and `ranks` say whether there are the ports `out_scores`, `out_class` and `out_top`, the last with
    so many ranks.

    Raises:
        ConfigError: there is no port for a result, a count or width is not a positive integer (latency: not negative),
            a score or class is wider than 63 bits, or `top` is no plain Verilog identifier.
    """

    top: str
    features: int
    width_bits: int
    classes: int
    score_width_bits: int
    class_width_bits: int
    latency_cycles: int
    scores: bool = True
    best: bool = True
    ranks: int = 0
    pixels: int = 0
    columns: int = 1
    pixels_per_word: int = 1
    interval_cycles: int = 1
    clock_enable: bool = False

    @property
    def words(self) -> int:
        """Words of `in_codes` that make a sample."""
        return max(1, self.pixels // self.columns * -(-self.columns // self.pixels_per_word))

    @property
    def read_ports(self) -> tuple[str, ...]:
        """The ports that the bench reads."""
        return (*(("in_ready",) if self.pixels else ()), "out_valid", *self.result_ports)

    @property
    def result_ports(self) -> tuple[str, ...]:
        """The ports that carry results: some of out_scores, out_class, out_top."""
        present = {"out_scores": self.scores, "out_class": self.best, "out_top": bool(self.ranks)}
        return tuple(port for port, there in present.items() if there)

    @property
    def driven_ports(self) -> tuple[str, ...]:
        """The ports that the bench drives."""
        return (*PORTS_DRIVEN, *((ENABLE,) if self.clock_enable else ()))

    def __post_init__(self) -> None:
        check_top(self.top)
        for field in fields(self):
            if field.name not in _COUNTS:
                continue
            value, least = getattr(self, field.name), _COUNTS[field.name]
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"interface of {self.top}: {field.name} must be an integer >= {least}, got {value!r}")
            if field.name.endswith("width_bits") and value > MAX_FIELD_BITS:
                raise ConfigError(f"interface of {self.top}: {field.name} must be <= {MAX_FIELD_BITS}, got {value}")
        if not self.result_ports:
            raise ConfigError(f"interface of {self.top}: no port for a result; expected scores, best or ranks")


def check_top(name: str) -> None:
    """Refuse the name of a top module that is no plain Verilog identifier, with a ConfigError."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", name):
        raise ConfigError(f"top module {name!r} is not a plain Verilog identifier")


# Fields that are integers, and the least value of each.
_COUNTS = {
    "features": 1, "width_bits": 1, "classes": 1, "score_width_bits": 1, "class_width_bits": 1, "latency_cycles": 0,
    "ranks": 0, "pixels": 0, "columns": 1, "pixels_per_word": 1, "interval_cycles": 1
}  # fmt: skip


class Ports(Protocol):
    """The ports of a top module that a bench touches."""

    @property
    def top(self) -> str:
        """The name of the module."""

    @property
    def driven_ports(self) -> tuple[str, ...]:
        """The ports that the bench drives."""

    @property
    def read_ports(self) -> tuple[str, ...]:
        """The ports that the bench reads."""


class ProbeLike(Protocol):
    """An RTL signal that carries known nets; `difflut.export.verilog.design.Probe` is one."""

    @property
    def signal(self) -> str:
        """The hierarchical name below the top module, such as `layer1.out_bits`."""

    @property
    def nets(self) -> npt.NDArray[np.int32]:
        """int (width,): the netlist nets that the signal carries, LSB first."""

    @property
    def stage_cycles(self) -> int:
        """The signal belongs to the sample whose codes were sampled this many clock edges earlier."""


def as_codes(codes: npt.ArrayLike, features: int, width_bits: int) -> npt.NDArray[Any]:
    """Check codes.

    Args:
        codes: integers (N, features), N >= 1, unsigned or two's complement values of `width_bits` bits.
        features: codes of a sample.
        width_bits: bits of a code.

    Returns:
        The codes as an integer array of the same shape.

    Raises:
        ConfigError: wrong shape or dtype, no sample, or a code that does not fit.
    """
    array = np.asarray(codes)
    if array.ndim != 2 or array.shape[1] != features:
        raise ConfigError(f"codes must have the shape (samples, {features}), got {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ConfigError(f"codes must be integers, got dtype {array.dtype}")
    if len(array) == 0:
        raise ConfigError("codes holds no sample; a simulation that checks nothing proves nothing")
    lowest, highest = -(1 << (width_bits - 1)), (1 << width_bits) - 1
    if int(array.min()) < lowest or int(array.max()) > highest:
        raise ConfigError(f"codes must fit {width_bits} bits, {lowest}..{highest}; got {array.min()}..{array.max()}")
    return array
