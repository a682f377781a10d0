"""What the cells are that synthesis makes for a family: LUTs, carry cells, multiplexers, flip-flops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Carry:
    """A type of carry cell.

    Attributes:
        inputs: the pins by which a chain enters, each with the bit of the cell at which it does.
        wide: whether bit i of the other pins belongs to bit i of a chain of several bits; otherwise the cell counts as
            one.
        beside: pins that are fed from a LUT of the same slice, without a wire.
    """

    inputs: Mapping[str, int]
    wide: bool = False
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cells:
    """The cells of a family by type, as Yosys names them.

    Attributes:
        luts: how many LUTs a cell takes. A carry cell is here too if it contains the LUTs in front of its chain.
        carries: carry cells.
        muxes: multiplexers between LUTs of one slice, each with its select pin.
        flip_flops: flip-flops; a * stands for any ending.
        shift_registers: LUTs that are used as registers.
        ignored: pads, clock buffers and constants, which are no logic and take no time.
        after_carry: LUTs that stand beside the chain, each with the pin that the chain feeds without a wire.
        clock_pins: the clocks of flip-flops.
    """

    luts: Mapping[str, int]
    carries: Mapping[str, Carry] = field(default_factory=dict)
    muxes: Mapping[str, str] = field(default_factory=dict)
    flip_flops: tuple[str, ...] = ()
    shift_registers: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    after_carry: Mapping[str, str] = field(default_factory=dict)
    clock_pins: tuple[str, ...] = ("C", "CLK")

    def is_flip_flop(self, kind: str) -> bool:
        """Whether cells of a type are flip-flops."""
        return any(fnmatchcase(kind, pattern) for pattern in self.flip_flops)

    def is_register(self, kind: str) -> bool:
        """Whether paths begin and end at cells of a type: flip-flops and shift registers."""
        return kind in self.shift_registers or self.is_flip_flop(kind)
