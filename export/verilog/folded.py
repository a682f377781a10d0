"""Verilog of a folded dense part: its program in memories, its lanes with their copies of the bits, its sums.

Modules: the program (two read-only memories), the bits that one input of one lane reads (a copy of every bank, and the
multiplexer behind it), a lane (such copies and the look-up), what writes the bits of each map, the dense part itself, and
the argmax, which `difflut.export.verilog.head` prints. The pipeline is described in `folded_dense.v.j2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import Netlist
from difflut.export.families.family import Target
from difflut.export.schedule.folded.plan import SCORE_EDGES, FoldedDense, Keeper
from difflut.export.schedule.folded.program import RESULT_ROWS
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import HeadPlan, plan_head
from difflut.export.verilog import names
from difflut.export.verilog.head import HeadPrinter, WriteFile
from difflut.export.verilog.netlist import VerilogDesign
from difflut.hdl_templates import render


def emit_folded(
    folded: FoldedDense, dense: Netlist, target: Target, outputs: Outputs | None = None, top: str | None = None
) -> VerilogDesign:
    """Emit the modules of a folded dense part, which has no probes; its latency counts from the edge that takes `in_start`.

    Args:
        folded: the plan.
        dense: the netlist that it was made from.
        target: the FPGA family.
        outputs: the output ports; scores and class by default.
        top: the name of its top module; by default that of the netlist.
    """
    top = top or names.identifier(dense.name)
    head = plan_head(dense.head, target, outputs)
    files: dict[str, str] = {}

    def write(template: str, *, suffix: str | None = None, **context: object) -> str:
        suffix = template.removeprefix("folded_") if suffix is None else suffix
        module = f"{top}_{suffix}" if suffix else top
        source = names.comment(dense.name)
        files[f"{module}.v"] = render(f"{template}.v.j2", {"source": source, "module": module, **context})
        return module

    _print(folded, head, target, write)
    latency_cycles = folded.program.rows + SCORE_EDGES + sum(head.selection_registers)
    models = {f"{target.instances}_models.v": render(f"{target.instances}_models.v.j2", {})} if target.instances else {}
    return VerilogDesign(top, files, latency_cycles, (), head, models)


def _print(folded: FoldedDense, head: HeadPlan, target: Target, write: WriteFile) -> None:
    """Print all modules, what fills the memories included."""
    program, layout = folded.program, folded.layout
    inputs, table_bits = program.inputs, 1 << program.inputs
    banks = _banks(folded)
    shared: dict[str, Any] = {
        "banks": banks,
        "lanes": program.lanes,
        "inputs": inputs,
        "table_range": names.vector(table_bits),
        "address_range": names.vector(layout.address_bits),
    }
    row_bits = max(1, (program.rows - 1).bit_length())
    port_bits = program.lanes * inputs * layout.address_bits
    rows: dict[str, Any] = {"rows": program.rows, "row_range": names.vector(row_bits)}
    connections: dict[str, Any] = {
        "connection_range": names.vector(port_bits + 1),
        "tables_range": names.vector(program.lanes * table_bits),
    }
    bits = write(
        "folded_bits",
        **shared,
        place_bits=max(1, *(bank.place_bits for bank in layout.banks)),
        bank_bit=layout.bank_bit,
        bank_range=names.vector((len(banks) - 1).bit_length()) if len(banks) > 1 else "",
        bank_part=names.part(layout.bank_bit, (len(banks) - 1).bit_length()) if len(banks) > 1 else "",
    )
    lane = write(
        "folded_lane",
        **shared,
        bits=bits,
        addresses_range=names.vector(inputs * layout.address_bits),
        inputs_range=names.vector(inputs),
        parts=[names.part(i * layout.address_bits, layout.address_bits) for i in range(inputs)],
    )
    rom = write(
        "folded_program",
        **rows,
        **connections,
        connections=list(_connections(folded)),
        tables=list(_tables(program.tables)),
    )
    score, count = head.score_bits, program.lanes.bit_length()
    total = max(score, count)
    cycles = sum(head.selection_registers)
    scores = len(head.sizes) * score
    selection = HeadPrinter(head, target, write).selection() if head.selection.levels else ""
    for keeper, bank in zip(folded.keepers, banks, strict=False):
        write("folded_keep", suffix=f"keep{keeper.map}", **_keeper(keeper, bank))
    write(
        "folded_dense",
        suffix="",
        **shared,
        **rows,
        **connections,
        program=rom,
        lane=lane,
        row_zero=f"{row_bits}'d0",
        row_one=f"{row_bits}'d1",
        last_row=names.literal(program.rows - 1, row_bits),
        result_rows=program.result_rows,
        results_end=names.literal(program.result_rows - 1, row_bits) if program.result_rows else "",
        result_delay=RESULT_ROWS,
        row_delays=RESULT_ROWS if program.result_rows else 2,
        nodes_range=names.vector(program.lanes),
        lane_parts=[
            {
                "addresses": names.part(i * inputs * layout.address_bits, inputs * layout.address_bits),
                "table": names.part(i * table_bits, table_bits),
            }
            for i in range(program.lanes)
        ],
        last_bit=port_bits,
        ones=" + ".join(names.zero_extended(f"nodes[{i}]", 1, count) for i in range(program.lanes)),
        count_range=names.vector(count),
        count_extended=names.zero_extended("count", count, total),
        total_range=names.vector(total),
        total_zero=f"{total}'d0",
        total_part=names.part(0, score),
        classes=len(head.sizes),
        kept_scores=names.part(score, scores - score) if len(head.sizes) > 1 else "",
        scores_range=names.vector(scores),
        outputs=head.outputs,
        selection=selection,
        selection_clocked=bool(cycles),
        class_range=names.vector(head.class_bits),
        class_zero=names.literal(0, head.class_bits),
        top_range=names.vector(head.outputs.top * head.class_bits),
        valid_cycles=cycles,
        valid_range=names.vector(cycles),
        valid_next="ends[6]" if cycles == 1 else f"{{answered{names.part(0, max(1, cycles - 1))}, ends[6]}}",
    )


def keepers(folded: FoldedDense, top: str) -> list[dict[str, Any]]:
    """The instances of what fills the memories, in the top of the circuit; `top` is the folded dense part's."""
    instances = []
    for keeper, bank in zip(folded.keepers, _banks(folded), strict=False):
        spare = keeper.words * keeper.bank.width_bits - len(keeper.channels)
        bits = [f"bits{keeper.map}[{channel}]" for channel in reversed(keeper.channels)]
        instances.append(
            {
                "module": f"{top}_keep{keeper.map}",
                "map": keeper.map,
                "bits": names.concatenation([*([f"{spare}'d0"] if spare else []), *bits]),
                "bank": bank,
            }
        )
    return instances


def _keeper(keeper: Keeper, bank: dict[str, Any]) -> dict[str, Any]:
    width, words, word_bits = keeper.bank.width_bits, keeper.words, keeper.bank.word_bits
    left_bits = words.bit_length()
    return {
        "bank": bank,
        "map": keeper.map,
        "channels": len(keeper.channels),
        "words": words,
        "in_range": names.vector(words * width),
        "left_range": names.vector(left_bits),
        "left_zero": f"{left_bits}'d0",
        "left_one": f"{left_bits}'d1",
        "left_start": names.literal(words, left_bits),
        "shifted": f"{{{width}'d0, rest{names.part(width, (words - 1) * width)}}}" if words > 1 else "rest",
        "last": names.literal(keeper.bank.words - 1, word_bits),
        "zero": f"{word_bits}'d0",
        "one": f"{word_bits}'d1",
    }


def _banks(folded: FoldedDense) -> list[dict[str, Any]]:
    result = []
    for number, bank in enumerate(folded.layout.banks):
        half = bank.halves > 1
        result.append(
            {
                "name": bank.name,
                "number": names.literal(number, max(1, (len(folded.layout.banks) - 1).bit_length())),
                "doubled": half,
                "word_range": names.vector(bank.width_bits),
                "write_range": names.vector(bank.word_bits + half),
                "half_range": names.vector(bank.word_bits),
                "depth": bank.halves << bank.word_bits,
                "place_part": names.part(0, bank.place_bits),
                "word_part": names.part(bank.place_bits, bank.word_bits),
            }
        )
    return result


def _connections(folded: FoldedDense) -> Iterator[str]:
    """The words of the memory of connections: the addresses, lane 0's input 0 lowest, then the mark of a score's last row."""
    layout, program = folded.layout, folded.program
    width = layout.address_bits
    addresses = layout.addresses[program.reads].reshape(program.rows, -1)
    bits = ((addresses[:, :, None] >> np.arange(width)) & 1).astype(np.bool_).reshape(program.rows, -1)
    return _literals(np.concatenate([bits, program.last[:, None]], axis=1))


def _tables(tables: npt.NDArray[np.bool_]) -> Iterator[str]:
    """The words of the memory of tables, lane 0's lowest."""
    return _literals(tables.reshape(len(tables), -1))


def _literals(words: npt.NDArray[np.bool_]) -> Iterator[str]:
    """The literal of each word, bit 0 first."""
    octets = np.packbits(words, axis=1, bitorder="little")
    for word in octets:
        yield names.literal(int.from_bytes(word.tobytes(), "little"), words.shape[1])
