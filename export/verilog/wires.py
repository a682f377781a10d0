"""Which Verilog vector carries which net in which clock cycle.

The pipeline of a design is counted in *ranks*: rank 0 is the input port and whatever follows it combinationally, rank t
lies behind t registers. A LUT of stage s >= 1 computes between rank s - 1 and rank s, a LUT of stage 0 within rank 0.
Where no register follows the last stage s, its LUTs compute within rank s - 1, which then is the last one.
A comparator is combinational from the input port, so it belongs to rank 0 whatever its stage: computing it at once and
delaying the bit gives the same value in the same cycle as delaying the code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difflut.export.circuit.analysis import stage_levels
from difflut.export.circuit.netlist import CONST1, FIRST_NET, IntArray, Netlist
from difflut.export.verilog import names


@dataclass(frozen=True, eq=False)
class Vector:
    """A Verilog vector.

    Attributes:
        name: its identifier.
        nets: int32 (width,): the net that each bit carries, bit 0 first.
        rank: the number of registers between the input port and the vector.
    """

    name: str
    nets: IntArray
    rank: int

    @property
    def width_bits(self) -> int:
        """The number of bits."""
        return len(self.nets)


@dataclass(frozen=True, eq=False)
class Wires:
    """The vectors of a design.

    Attributes:
        encoder_now: the comparators as the encoder computes them, if something reads them in rank 0.
        encoder: the comparators behind the encoder's register, if something reads them there or later.
        stages: the LUT outputs of each stage that has LUTs, by stage.
        delays: by rank, the nets of earlier ranks that are read in that rank or later.
        level: int32 (L,): the position of each LUT in the combinational chain of its stage, from 0.
        last_rank: the rank that the head reads.
    """

    encoder_now: Vector | None
    encoder: Vector | None
    stages: dict[int, Vector]
    delays: dict[int, Vector]
    level: IntArray
    last_rank: int

    def at(self, rank: int) -> list[Vector]:
        """The vectors of one rank; together they carry all nets that are read in it."""
        found = [self.encoder_now, self.encoder, *self.stages.values(), self.delays.get(rank)]
        return [vector for vector in found if vector is not None and vector.rank == rank]

    def inputs_of_stage(self, stage: int) -> list[Vector]:
        """The vectors that LUTs of a stage may read."""
        return [vector for vector in self.at(max(stage - 1, 0)) if vector is not self.stages[stage]]


def plan(netlist: Netlist, last_registered: bool = True) -> Wires:
    """Lay out the vectors of `netlist`, whose stages must be assigned.

    Args:
        last_registered: whether a register follows the last stage.
    """
    first_lut = netlist.first_lut_net
    lut_stage = netlist.stage[netlist.comparators :]
    last_rank = netlist.last_stage if last_registered else max(netlist.last_stage - 1, 0)
    born = np.concatenate([np.zeros(first_lut, np.int32), np.minimum(lut_stage, last_rank)])
    stage_of_net = np.concatenate([np.zeros(first_lut, np.int32), lut_stage])
    reader_stage = np.repeat(lut_stage, netlist.lut_inputs)
    inside = (netlist.lut_fanin >= first_lut) & (stage_of_net[netlist.lut_fanin] == reader_stage)

    # reads: (net, rank) of every read that crosses a module border; the constants need no wire.
    read_nets = np.concatenate([netlist.lut_fanin[~inside], netlist.head.nets])
    read_ranks = np.concatenate(
        [np.maximum(reader_stage[~inside] - 1, 0), np.full(len(netlist.head.nets), last_rank, np.int32)]
    )
    needed = np.full(netlist.nets, -1, np.int32)
    np.maximum.at(needed, read_nets, read_ranks)
    needed[:FIRST_NET] = -1

    comparators = np.arange(FIRST_NET, first_lut, dtype=np.int32)
    is_compare = (read_nets >= FIRST_NET) & (read_nets < first_lut)
    read_now = bool((read_ranks[is_compare] == 0).any()) or last_rank == 0
    read_later = bool((needed[comparators] >= 1).any()) or not read_now
    level = stage_levels(netlist)
    stages = {}
    for stage in np.unique(lut_stage).tolist():
        luts = np.flatnonzero(lut_stage == stage)
        luts = luts[np.argsort(level[luts], kind="stable")]
        stages[stage] = Vector(f"stage{stage}_bits", (first_lut + luts).astype(np.int32), min(stage, last_rank))

    delays = {}
    for rank in range(1, last_rank + 1):
        delayed = (born < rank) & (needed >= rank)
        if rank == 1:
            delayed[comparators] = False
        if delayed.any():
            delays[rank] = Vector(f"delay{rank}_bits", np.flatnonzero(delayed).astype(np.int32), rank)

    return Wires(
        encoder_now=Vector("encoder_now", comparators, 0) if len(comparators) and read_now else None,
        encoder=Vector("encoder_bits", comparators, 1) if len(comparators) and read_later else None,
        stages=stages,
        delays=delays,
        level=level,
        last_rank=last_rank,
    )


class Scope:
    """Names the bits of nets by the vectors that one module sees."""

    def __init__(self, netlist: Netlist, vectors: list[Vector]) -> None:
        self._vectors = vectors
        self._vector_of = np.full(netlist.nets, -1, np.int32)
        self._bit_of = np.zeros(netlist.nets, np.int32)
        for number, vector in enumerate(vectors):
            self._vector_of[vector.nets] = number
            self._bit_of[vector.nets] = np.arange(vector.width_bits)

    def bits(self, nets: IntArray) -> list[str]:
        """One expression a net: `name[bit]`, or a constant."""
        unique, inverse = np.unique(nets, return_inverse=True)
        expressions = [
            f"{self._vectors[vector].name}[{bit}]" if net >= FIRST_NET else f"1'b{int(net == CONST1)}"
            for net, vector, bit in zip(
                unique.tolist(), self._vector_of[unique].tolist(), self._bit_of[unique].tolist(), strict=True
            )
        ]
        return [expressions[index] for index in inverse.reshape(-1).tolist()]

    def terms(self, nets: IntArray) -> list[str]:
        """The terms of a concatenation of `nets` (net of bit 0 first), most significant first, runs as part selects."""
        vector, bit = self._vector_of[nets], self._bit_of[nets]
        joined = (vector[1:] == vector[:-1]) & (bit[1:] == bit[:-1] + 1) & (vector[1:] >= 0)
        starts = np.concatenate([[0], np.flatnonzero(~joined) + 1]) if len(nets) else np.zeros(0, np.int64)
        lengths = np.diff(np.concatenate([starts, [len(nets)]]))
        terms = []
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
            if nets[start] < FIRST_NET:
                terms.append(f"1'b{int(nets[start] == CONST1)}")
                continue
            source = self._vectors[vector[start]]
            whole = length == source.width_bits
            terms.append(source.name if whole else source.name + names.part(int(bit[start]), length))
        return terms[::-1]
