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
        words = rows.words([paired.bits.get(position, lookup) for position, lookup in enumerate(lookups)])
        # One wire a word: an event-driven simulator passes on the whole of a wire whenever one of its bits changes.
        parts = [
            Vector(f"{prefix}level{number}_{place}", bits.nets[low : min(low + rows.WORD_BITS, end)], bits.rank)
            for place, low in enumerate(range(start, end, rows.WORD_BITS))
        ]
        scope += parts
        wires_of = [
            {"name": part.name, "range": names.vector(part.width_bits), "part": word.part, "bits": word.bits}
            for part, word in zip(parts, words, strict=True)
        ]
        levels.append({"words": wires_of, "pairs": paired})
    single = partner[luts] < 0
    return {
        "tables": rows.table_constants(netlist, luts, single, first),
        "paired": not single.all(),
        "levels": levels,
        "joined": _joined([word["name"] for level in levels for word in level["words"]]),
    }


def _joined(wires_of: list[str]) -> str:
    """The concatenation of wires, the lowest first, on as many lines as it needs."""
    lines = [", ".join(reversed(wires_of[low : low + 8])) for low in range(0, len(wires_of), 8)]
    return wires_of[0] if len(wires_of) == 1 else "{\n      " + ",\n      ".join(reversed(lines)) + "\n  }"


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
