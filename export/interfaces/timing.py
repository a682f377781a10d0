"""How long the paths of an AXI4-Stream wrapper take, by the delay model of an FPGA family.

They do not lie in the netlist and may be slower than anything in the core. What is listed are the functions of the
templates with the most inputs or readers; synthesis cuts them otherwise, so the figures are as rough as those of the
core (docs/timing.md compares both with Yosys' netlists).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch

from difflut.export.families.family import Family
from difflut.export.interfaces.framing import Framing, PixelFraming
from difflut.export.interfaces.registers import LOW_BITS, Register

_WORD_BITS = 32


@dataclass(frozen=True)
class WrapperPath:
    """One path between registers.

    Attributes:
        delay_ns: its estimated delay, registers and wires included.
        path: in words, the end first.
    """

    delay_ns: float
    path: tuple[str, ...]


def wrapper_paths(
    framing: Framing, registers: Sequence[Register], family: Family, luts: int
) -> tuple[WrapperPath, ...]:
    """The slow paths of a wrapper around a core of about `luts` LUTs, the slowest first."""
    return tuple(sorted(_paths(framing, registers, _Path(family, luts)), key=lambda path: -path.delay_ns))


@dataclass(frozen=True)
class _Path:
    """Adds up delays."""

    family: Family
    luts: int

    def through(self, *steps: tuple[int, int], carry_bits: int = 0) -> float:
        """From a register through functions, each (readers of the wire in front of it, its inputs), to a register; 0
        inputs for the clock enable of registers. A chain of `carry_bits` may stand behind the last function."""
        delays = self.family.delays
        total = delays.register_delay_ns + (self._carry(carry_bits) if carry_bits else 0.0)
        for readers, inputs in steps:
            total += delays.net_ns(readers, self.luts) + (self.family.lut_ns(inputs, self.luts) if inputs else 0.0)
        return total

    def one_of(self, readers: int, choices: int) -> list[tuple[int, int]]:
        """Steps through an AND of two bits for each of some choices and the OR of them; `readers` of the first wire."""
        size = self.family.lut_inputs
        left = -(-choices // (size // 2))
        return [(readers, min(2 * choices, size)), *([(1, left)] if left > 1 else [])]

    def _carry(self, bits: int) -> float:
        """A chain; where synthesis has none, lookahead: a LUT for each doubling of the bits."""
        if self.family.cells.carries:
            return self.family.delays.carry_ns(bits)
        step = self.family.delays.net_ns(2, self.luts) + self.family.delays.lut_delay_ns
        return (bits - 1).bit_length() * step


def _paths(framing: Framing, registers: Sequence[Register], path: _Path) -> Iterator[WrapperPath]:
    codes, results = framing.codes, framing.results
    count_bits = framing.credits.bit_length()
    yield from _frame_paths(framing, path)
    yield WrapperPath(
        path.through((4, count_bits), (4, 4), (codes.width_bits, 6)),
        ("a whole frame waits", "s_axis_tready", "results under way"),
    )
    yield from _register_paths(path, registers)
    if results.beats > 1 or framing.credits > 1:
        queue = [(results.packed_bits, count_bits + framing.credits)] if framing.credits > 1 else []
        beats = [(results.width_bits, results.beats.bit_length() + results.beats)] if results.beats > 1 else []
        steps = [(readers, min(inputs, 8)) for readers, inputs in queue + beats]
        yield WrapperPath(path.through(*steps), ("m_axis_tdata", "queue of results"))


def _register_paths(path: _Path, registers: Sequence[Register]) -> Iterator[WrapperPath]:
    """Reading a constant; adding the carry of a counter."""
    if registers:
        yield WrapperPath(path.through((_WORD_BITS, 4), (1, 3)), ("s_axil_rdata", "word"))
    if counters := [register for register in registers if register.signal]:
        steps = path.one_of(8, len(counters) + 1)
        carried = path.through(*steps, (1, 0), carry_bits=_WORD_BITS - LOW_BITS)
        yield WrapperPath(carried, ("ring of counters", "incrementer", "carry of a counter"))


@singledispatch
def _frame_paths(framing: Framing, path: _Path) -> Iterator[WrapperPath]:
    """Those of the registers in which frames arrive."""
    yield _enabled(path, framing.codes.beats * framing.codes.width_bits)


@_frame_paths.register
def _(framing: PixelFraming, path: _Path) -> Iterator[WrapperPath]:
    capacity = framing.most_units + framing.beat_units
    bits, choices, level_bits = capacity * framing.unit_bytes * 8, framing.most_units + 1, capacity.bit_length()
    ready = path.through((4 * level_bits, level_bits), (3, 4), (bits, level_bits + 1), (1, min(choices, 6)))
    yield WrapperPath(ready, ("buffer of pixels", "beat taken", "level of the buffer"))
    yield _enabled(path, bits)


def _enabled(path: _Path, bits: int) -> WrapperPath:
    return WrapperPath(path.through((bits, 0)), ("frame, enabled", "register of a beat taken"))
