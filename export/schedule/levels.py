"""The combinational levels of a design, and after which of them registers stand."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Levels:
    """The sequence of levels from the input port to the outputs; a register may stand after each.

    In order: the encoder (all comparators), the LUT levels 1..`luts`, the levels of the group sum, those of the argmax.
    A level's *position* counts from 0 over the whole sequence. LUT level l holds the LUTs that `analysis.levels` puts
    into level l + 1; LUTs that read only constants count as encoder.

    Attributes:
        encoder: whether there are comparators or LUTs at all.
        luts: how many LUT levels there are.
        sums: how many levels the group sum has, at least 1.
        argmax: how many levels the argmax (or top-k) has; 0 where there is nothing to choose.
    """

    encoder: bool
    luts: int
    sums: int
    argmax: int

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each level, as plans write it: "encoder", "1", "2", ..., "sum1", ..., "argmax1", ..."""
        return (
            *(("encoder",) if self.encoder else ()),
            *map(str, range(1, self.luts + 1)),
            *(f"sum{level}" for level in range(1, self.sums + 1)),
            *(f"argmax{level}" for level in range(1, self.argmax + 1)),
        )

    @property
    def cells(self) -> int:
        """How many levels consist of cells of the netlist: the encoder and the LUT levels."""
        return self.encoder + self.luts

    def __len__(self) -> int:
        return self.cells + self.sums + self.argmax


@dataclass(frozen=True)
class Point:
    """What one way of placing registers costs and gives, by the delay model.

    Attributes:
        latency_cycles: registers between the input port and the outputs.
        fmax_mhz: the clock.
        register_bits: bits of all registers, without those that say which stage is valid.
    """

    latency_cycles: int
    fmax_mhz: float
    register_bits: int


@dataclass(frozen=True)
class Plan:
    """Where the registers of a pipeline stand; there is at least one.

    Attributes:
        levels: the levels of the design.
        places: ascending positions of the levels that registers follow.
        trade_off: for each latency that a faster clock needs, the fastest plan, and of these the one with the fewest
            register bits; ascending. Nothing else is better in one respect and not worse in another.
    """

    levels: Levels
    places: tuple[int, ...]
    trade_off: tuple[Point, ...] = field(default=(), compare=False)

    @property
    def latency_cycles(self) -> int:
        """Registers between the input port and the outputs."""
        return len(self.places)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the levels that registers follow."""
        names = self.levels.names
        return tuple(names[place] for place in self.places)

    @property
    def cells(self) -> frozenset[int]:
        """The levels of `analysis.levels` (1 for the comparators) that registers follow."""
        return frozenset(place + 1 for place in self.places if place < self.levels.cells)

    @property
    def registers_last_cells(self) -> bool:
        """Whether a register stands between the last level of cells and the group sum."""
        return self.levels.cells in self.cells

    @property
    def head_registers(self) -> tuple[bool, ...]:
        """For each level of the head, group sum first, whether registers follow it."""
        return tuple(place in self.places for place in range(self.levels.cells, len(self.levels)))

    @property
    def stages(self) -> tuple[range, ...]:
        """The positions of each register-to-register stage; the last one may end at the output port."""
        ends = [place + 1 for place in self.places]
        if ends[-1:] != [len(self.levels)]:
            ends.append(len(self.levels))
        return tuple(range(start, end) for start, end in zip([0, *ends], ends, strict=False))


def every_level(levels: Levels) -> Plan:
    """A register after each level, the default."""
    return Plan(levels, tuple(range(len(levels))))
