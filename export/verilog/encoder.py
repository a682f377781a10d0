"""The encoder module: the planned LUTs, level by level, and the comparators' outputs.

The cells of level l of the plan drive words of `rows.WORD_BITS` bits, `lut<l>_<w>`, in their order: cell j is bit
i % WORD_BITS of word i // WORD_BITS, i being `j - plan.level_starts[l]`. `source_names` says the same as text. A word
is a vector of its own, because Icarus passes every change of a part of a vector on to all readers of the vector.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from difflut.export.circuit.netlist import Netlist
from difflut.export.families.family import Family
from difflut.export.schedule.encoder.plan import EncoderPlan, plan_encoder
from difflut.export.verilog import lut6, names, ports, rows
from difflut.export.verilog.design import Instance
from difflut.export.verilog.wires import Wires
from difflut.export.verilog.writer import ModuleWriter


def write_encoder(writer: ModuleWriter, netlist: Netlist, family: Family, wires: Wires) -> Instance | None:
    """Write the comparators of a netlist as a module; its instance, between `in_codes` and their vectors.

    None if nothing reads a comparator.
    """
    now, registered = wires.encoder_now, wires.encoder
    if now is None and registered is None:
        return None
    form, bits = netlist.input, netlist.comparators
    module = writer.write(
        "encoder",
        "encoder",
        [
            ports.CLOCK if registered else None,
            ports.vector_in("in_codes", form.features * form.width_bits),
            ports.vector_out("out_now", bits) if now else None,
            ports.vector_out("out_bits", bits, register=True) if registered else None,
        ],
        comparators=bits,
        form=form,
        features_read=len(np.unique(form.features_and_bits(netlist.compare_feature)[0])),
        now=now is not None,
        registered=registered is not None,
        **_context(plan_encoder(netlist, family)),
    )
    connections = {"clk": "clk"} if registered else {}
    connections["in_codes"] = "in_codes"
    connections |= {"out_now": now.name} if now else {}
    connections |= {"out_bits": registered.name} if registered else {}
    return Instance("encoder", module, connections)


def source_names(plan: EncoderPlan) -> list[str]:
    """The Verilog expression of each signal of a plan, inside the encoder module."""
    expressions = [f"in_codes[{bit}]" for bit in range(plan.first_cell)]
    starts = plan.level_starts.tolist()
    for level in range(plan.levels):
        bits = range(starts[level + 1] - starts[level])
        expressions += [f"lut{level}_{bit // rows.WORD_BITS}[{bit % rows.WORD_BITS}]" for bit in bits]
    return expressions


def _context(plan: EncoderPlan) -> dict[str, Any]:
    """What `encoder.v.j2` needs about the LUTs of a plan."""
    sources = source_names(plan)
    starts = plan.level_starts.tolist()
    instances = plan.family.has_primitives
    levels = []
    for level in range(plan.levels):
        cells = range(starts[level], starts[level + 1])
        words = []
        for low in range(0, len(cells), rows.WORD_BITS):
            some = cells[low : low + rows.WORD_BITS]
            lookups = "" if instances else rows.words([_lookup(plan, cell, sources) for cell in some])[0].bits
            words.append(
                {
                    "name": f"lut{level}_{low // rows.WORD_BITS}",
                    "range": names.vector(len(some)),
                    "bits": lookups,
                }
            )
        text = "\n".join(filter(None, (_instance(plan, cell, sources) for cell in cells))) if instances else ""
        levels.append({"words": words, "instances": text})
    return {
        "luts": plan.luts,
        "depth": plan.levels,
        "tables": "" if instances else _tables(plan),
        "levels": levels,
        "words": rows.words([sources[signal] for signal in plan.outputs.tolist()]),
    }


def _tables(plan: EncoderPlan) -> str:
    sizes = [1 << n for n in (plan.cell_offsets[1:] - plan.cell_offsets[:-1]).tolist()]
    return "\n".join(
        f"  localparam [{size - 1}:0] T{cell} = {names.literal(table, size)};"
        for cell, (size, table) in enumerate(zip(sizes, plan.cell_tables.tolist(), strict=True))
    )


def _lookup(plan: EncoderPlan, cell: int, sources: list[str]) -> str:
    """The table indexed by the cell's inputs, neighbouring code bits as one part select: simulators read it at once."""
    terms: list[str] = []
    inputs = plan.fanin(cell).tolist()
    first = 0
    while first < len(inputs):
        last = first
        while last + 1 < len(inputs) and inputs[last + 1] == inputs[last] + 1 < plan.first_cell:
            last += 1
        several = f"in_codes{names.part(inputs[first], last - first + 1)}"
        terms.append(several if last > first else sources[inputs[first]])
        first = last + 1
    return f"T{cell}[{names.concatenation(terms[::-1])}]"


def _instance(plan: EncoderPlan, cell: int, sources: list[str]) -> str:
    """The LUT6 or LUT6_2 of a cell; none for the second cell of a pair, which is the O5 of the first."""
    other = int(plan.partner[cell])
    if 0 <= other < cell:
        return ""
    cells = [cell] if other < 0 else [cell, other]
    outputs = [sources[plan.first_cell + each] for each in cells]
    tables = [int(plan.cell_tables[each]) for each in cells]
    wires = [[sources[signal] for signal in plan.fanin(each).tolist()] for each in cells]
    if other < 0:
        return lut6.single(f"cell{cell}", outputs[0], tables[0], wires[0])
    return lut6.dual(f"cell{cell}", (outputs[0], outputs[1]), (tables[0], tables[1]), (wires[0], wires[1]))
