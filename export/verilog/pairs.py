"""The dual-output LUTs of a pipeline stage: pairs of its LUTs as LUT6_2 instances.

The paired LUTs of one level drive words of `rows.WORD_BITS` bits, `pair<level>_<word>`, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difflut.export.circuit.netlist import IntArray, Netlist
from difflut.export.verilog import lut6, names, rows
from difflut.export.verilog.wires import Scope


@dataclass(frozen=True)
class Pairs:
    """The pairs of one level.

    Attributes:
        words: name and range of the vectors that carry the outputs.
        instances: the LUT6_2 instances, a line each.
        bits: position in the level -> the expression of the output of a LUT that has a partner.
    """

    words: list[dict[str, str]]
    instances: str
    bits: dict[int, str]


def pairs(netlist: Netlist, luts: IntArray, partner: IntArray, level: int, scope: Scope) -> Pairs:
    """The pairs among `luts`, those of one level; `partner` is that of all LUTs of the netlist."""
    paired = np.flatnonzero(partner[luts] >= 0).tolist()
    words = []
    for low in range(0, len(paired), rows.WORD_BITS):
        width = min(rows.WORD_BITS, len(paired) - low)
        words.append({"name": f"pair{level}_{low // rows.WORD_BITS}", "range": names.vector(width)})
    bits = {
        position: f"pair{level}_{number // rows.WORD_BITS}[{number % rows.WORD_BITS}]"
        for number, position in enumerate(paired)
    }
    position_of = {int(luts[position]): position for position in paired}
    lines: list[str] = []
    for lut, position in position_of.items():
        other = int(partner[lut])
        if position_of[other] < position:
            continue
        outputs = (bits[position], bits[position_of[other]])
        tables = (netlist.table(lut), netlist.table(other))
        wires = (scope.bits(netlist.fanin(lut)), scope.bits(netlist.fanin(other)))
        text = lut6.dual(f"dual{level}_{len(lines)}", outputs, tables, wires)
        origins = [f"layer {netlist.lut_layer[i]}, node {netlist.lut_node[i]}" for i in (lut, other)]
        lines.append(f"{text} // O6: {origins[0]}; O5: {origins[1]}")
    return Pairs(words, "\n".join(lines), bits)
