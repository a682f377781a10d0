"""The long lists of the emitted Verilog: truth tables and one expression per LUT or comparator.

They are formatted here, in plain loops over Python lists, because a template loop per LUT would take minutes for large
networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import FIRST_NET, IntArray, Netlist
from difflut.export.verilog import names
from difflut.export.verilog.wires import Scope

# One statement drives a word of this many bits: simulators then store a machine word at a time, which is what makes
# them compile and run fast (docs/adr/0001-emission-style.md).
WORD_BITS = 32


@dataclass(frozen=True)
class Word:
    """One statement: the part select of the driven vector and its bits' expressions, most significant first."""

    part: str
    bits: str


def words(expressions: list[str]) -> list[Word]:
    """Group the expressions of bits 0, 1, ... into words."""
    result = []
    for low in range(0, len(expressions), WORD_BITS):
        bits = expressions[low : low + WORD_BITS]
        result.append(Word(names.part(low, len(bits)), ",\n      ".join(reversed(bits))))
    return result


def table_constants(netlist: Netlist, luts: IntArray, wanted: npt.NDArray[np.bool_], first: int = 0) -> str:
    """The localparams T<first> and on: the `wanted` tables of `luts`, each with the node of the model that it is."""
    offsets, all_words = netlist.table_offsets.tolist(), netlist.lut_tables.tolist()
    inputs = netlist.lut_inputs.tolist()
    layer, node = netlist.lut_layer.tolist(), netlist.lut_node.tolist()
    lines = []
    for position in np.flatnonzero(wanted).tolist():
        lut = int(luts[position])
        size = 1 << inputs[lut]
        table = sum(word << 64 * i for i, word in enumerate(all_words[offsets[lut] : offsets[lut + 1]]))
        origin = f" // layer {layer[lut]}, node {node[lut]}" if layer[lut] > 0 else ""
        lines.append(f"  localparam [{size - 1}:0] T{first + position} = {names.literal(table, size)};{origin}")
    return "\n".join(lines)


def lookups(netlist: Netlist, luts: IntArray, first_table: int, scope: Scope) -> list[str]:
    """One expression per LUT: its table, from T<first_table> on, indexed by the address that its inputs form."""
    starts, ends = netlist.lut_offsets[luts], netlist.lut_offsets[luts + 1]
    positions = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)])
    bits = scope.bits(netlist.lut_fanin[positions])
    expressions = []
    at = 0
    for number, count in enumerate((ends - starts).tolist(), start=first_table):
        address = names.concatenation(bits[at : at + count][::-1])
        expressions.append(f"T{number}[{address}]")
        at += count
    return expressions


def luts_of(netlist: Netlist, nets: IntArray) -> IntArray:
    """int32: the LUTs that drive `nets`."""
    return (nets - FIRST_NET - netlist.comparators).astype(np.int32)
