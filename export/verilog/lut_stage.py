"""A stage of LUTs, of a whole circuit or of a kernel: what the macro `lut_stage` of `lut_stage.v.j2` needs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from difflut.export.circuit.netlist import IntArray, Netlist
from difflut.export.verilog import names, rows
from difflut.export.verilog.pairs import pairs
from difflut.export.verilog.wires import Scope, Vector, Wires


def lut_stage(
    netlist: Netlist,
    wires: Wires,
    bits: Vector,
    inputs: list[Vector],
    partner: IntArray,
    first: int = 0,
    prefix: str = "",
) -> dict[str, Any]:
    """Tables and expressions of a stage's LUTs; LUTs that read LUTs of the same stage come in levels.

    Args:
        netlist: the circuit.
        wires: its vectors.
        bits: the outputs of the stage.
        inputs: the vectors that it reads.
        partner: int32 (L,), for each LUT of the netlist the one that shares a dual-output LUT with it, or -1.
        first: the number of the first table.
        prefix: comes before the names of levels, which are otherwise the same in every stage.
    """
    luts = rows.luts_of(netlist, bits.nets)
    level = wires.level[luts]
    borders = [*np.flatnonzero(np.diff(level, prepend=-1)).tolist(), len(luts)]
    scope = list(inputs)
    levels: list[dict[str, Any]] = []
    for number, (start, end) in enumerate(pairwise(borders)):
        names_of = Scope(netlist, scope)
        paired = pairs(netlist, luts[start:end], partner, number, names_of)
        lookups = rows.lookups(netlist, luts[start:end], first + start, names_of)
        vector = Vector(f"{prefix}level{number}", bits.nets[start:end], bits.rank)
        scope.append(vector)
        levels.append(
            {
                "name": vector.name,
                "range": names.vector(vector.width_bits),
                "words": rows.words([paired.bits.get(position, lookup) for position, lookup in enumerate(lookups)]),
                "pairs": paired,
            }
        )
    single = partner[luts] < 0
    return {
        "tables": rows.table_constants(netlist, luts, single, first),
        "paired": not single.all(),
        "levels": levels,
        "joined": names.concatenation([level["name"] for level in reversed(levels)]),
    }


def delays(netlist: Netlist, wires: Wires) -> list[dict[str, Any]]:
    """The registers that carry nets past stages which do not read them: name, rank, range, source and its terms."""
    found = []
    for rank, vector in wires.delays.items():
        terms = Scope(netlist, wires.at(rank - 1)).terms(vector.nets)
        found.append(
            {
                "rank": rank,
                "name": vector.name,
                "range": names.vector(vector.width_bits),
                "source": names.concatenation(terms),
                "terms": terms,
            }
        )
    return found
