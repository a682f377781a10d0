"""Verilog of a folded dense part: its program in memories, its lanes with their copies of the bits, its sums.

Modules: the program (two read-only memories), the bits that one input of one lane reads (a copy of every bank, and the
multiplexer behind it), a lane (such copies and the look-up), the dense part itself, and the argmax, which
`difflut.export.verilog.head` prints; outside of it, what writes the bits of each map. The pipeline is
`difflut.export.schedule.folded.pipeline`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import Netlist
from difflut.export.families.family import Family
from difflut.export.schedule.folded.memory import Bank
from difflut.export.schedule.folded.pipeline import PIPELINE
from difflut.export.schedule.folded.plan import FoldedDense, Keeper
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import HeadPlan, plan_head
from difflut.export.verilog import names, ports
from difflut.export.verilog.counters import Counter
from difflut.export.verilog.design import Design, Instance
from difflut.export.verilog.head import HeadPrinter
from difflut.export.verilog.writer import ModuleWriter, primitive_models


def emit_folded_dense(folded: FoldedDense, dense: Netlist, family: Family, outputs: Outputs | None, top: str) -> Design:
    """Emit the modules of a folded dense part, which has no probes; its latency counts from the edge that takes
    `in_start`.

    Args:
        folded: the plan.
        dense: the netlist that it was made from.
        family: the FPGA family.
        outputs: the output ports; scores and class by default.
        top: the name of its top module.
    """
    head = plan_head(dense.head, family, outputs)
    writer = ModuleWriter(dense.name, top)
    argmax = HeadPrinter(head, family, writer).selection()
    _Emitter(folded, head, writer).write(argmax)
    return Design(
        top=top,
        modules=writer.modules,
        latency_cycles=folded.score_cycles + sum(head.selection_registers),
        initiation_interval=folded.schedule.initiation_interval,
        probes=(),
        parts={"top-k" if head.outputs.top else "argmax": (argmax.name,)} if argmax else {},
        head=head,
        models=primitive_models(family),
    )


class _Emitter:
    """Writes the modules of one folded dense part."""

    def __init__(self, folded: FoldedDense, head: HeadPlan, writer: ModuleWriter) -> None:
        self.program, self.layout = folded.program, folded.layout
        self.folded, self.head, self.writer = folded, head, writer
        self.banks = _banks(folded)
        self.table_bits = 1 << self.program.inputs
        self.lane_bits = self.program.inputs * self.layout.address_bits  # of the addresses of a lane
        self.row = Counter(self.program.rows)
        self.connection_bits = self.program.lanes * self.lane_bits + 1
        self.tables_bits = self.program.lanes * self.table_bits

    def write(self, argmax: Instance | None) -> None:
        """Write all modules."""
        lane = self._lane(self._bits())
        program, score = self.program, self.head.score_bits
        lanes = [self._lane_instance(lane, number) for number in range(program.lanes)]
        memory = self._memory()
        count = program.lanes.bit_length()
        total = max(score, count)
        scores = len(self.head.sizes) * score
        doubled = [port for bank in self.banks if bank["doubled"] for port in bank["ports"]]
        self.writer.write(
            "folded_dense",
            "",
            [ports.CLOCK, ports.reset(), _START, *doubled, *ports.results(self.head), ports.flag_out("out_valid")],
            [memory, *lanes, argmax],
            edges=PIPELINE,
            rows=program.rows,
            result_rows=program.result_rows,
            lanes=lanes,
            row=self.row,
            row_delays=PIPELINE.results if program.result_rows else PIPELINE.table_row,
            connection_range=names.vector(self.connection_bits),
            tables_range=names.vector(self.tables_bits),
            program=memory,
            nodes_range=names.vector(program.lanes),
            results_end=self.row.literal(program.result_rows - 1) if program.result_rows else "",
            ones=" + ".join(names.zero_extended(f"nodes[{i}]", 1, count) for i in range(program.lanes)),
            count_range=names.vector(count),
            mark=PIPELINE.counts - PIPELINE.connections,
            last_bit=self.connection_bits - 1,
            total_range=names.vector(total),
            count_extended=names.zero_extended("count", count, total),
            total_zero=f"{total}'d0",
            total_part=names.part(0, score),
            kept_scores=names.part(score, scores - score) if len(self.head.sizes) > 1 else "",
            scores_range=names.vector(scores),
            argmax=argmax,
            outputs=self.head.outputs,
            class_zero=names.literal(0, self.head.class_bits),
            answer_cycles=sum(self.head.selection_registers),
        )

    def _bits(self) -> str:
        """The module of what an input of a lane reads."""
        layout, numbers = self.layout, (len(self.banks) - 1).bit_length()
        written = [port for bank in self.banks for port in bank["ports"]]
        address = ports.vector_in("in_address", layout.address_bits)
        return self.writer.write(
            "folded_bits",
            "bits",
            [ports.CLOCK, ports.flag_in("in_half"), *written, address, ports.flag_out("out_bit", register=True)],
            edges=PIPELINE,
            banks=self.banks,
            place_bits=max(1, *(bank.place_bits for bank in layout.banks)),
            bank_range=names.vector(numbers) if numbers else "",
            bank_part=names.part(layout.bank_bit, numbers) if numbers else "",
        )

    def _lane(self, bits: str) -> str:
        """The module of a lane."""
        width, inputs = self.layout.address_bits, self.program.inputs
        shared = [ports.CLOCK, ports.flag_in("in_half"), *(port for bank in self.banks for port in bank["ports"])]
        copies = []
        for number in range(inputs):
            address = f"in_addresses{names.part(number * width, width)}"
            ends = {"in_address": address, "out_bit": f"bits[{number}]"}
            copies.append(Instance(f"input{number}", bits, ports.straight(shared) | ends))
        own = [ports.vector_in("in_addresses", self.lane_bits), ports.vector_in("in_table", self.table_bits)]
        return self.writer.write(
            "folded_lane",
            "lane",
            [*shared, *own, ports.flag_out("out_node", register=True)],
            copies,
            edges=PIPELINE,
            inputs=inputs,
            inputs_range=names.vector(inputs),
        )

    def _lane_instance(self, lane: str, number: int) -> Instance:
        addresses = f"connections{names.part(number * self.lane_bits, self.lane_bits)}"
        table = f"tables{names.part(number * self.table_bits, self.table_bits)}"
        connections = {"clk": "clk", "in_half": "half1"}
        for bank in self.banks:
            connections |= self._written(bank)
        ends = {"in_addresses": addresses, "in_table": table, "out_node": f"nodes[{number}]"}
        return Instance(f"lane{number}", lane, connections | ends)

    def _written(self, bank: dict[str, Any]) -> dict[str, str]:
        """What writes a bank: what comes from outside, or the results."""
        if bank["doubled"]:
            return ports.straight(bank["ports"])
        row = f"row{PIPELINE.results}{bank['half_range']}"
        return dict(zip((port.name for port in bank["ports"]), ("write_results", row, "nodes"), strict=True))

    def _memory(self) -> Instance:
        """The program."""
        module = self.writer.write(
            "folded_program",
            "program",
            [
                ports.CLOCK,
                ports.vector_in("in_row", self.row.width_bits),
                ports.vector_in("in_table_row", self.row.width_bits),
                ports.vector_out(
                    "out_connections",
                    self.connection_bits,
                    register=True,
                    comment="the mark of the last row of a score, then the address of each input of each lane",
                ),
                ports.vector_out("out_tables", self.tables_bits, register=True),
            ],
            rows=self.program.rows,
            connection_range=names.vector(self.connection_bits),
            tables_range=names.vector(self.tables_bits),
            connections=list(_connections(self.folded)),
            tables=list(_tables(self.program.tables)),
        )
        given = {"clk": "clk", "in_row": "row", "in_table_row": f"row{PIPELINE.table_row}"}
        return Instance("program_memory", module, given | {"out_connections": "connections", "out_tables": "tables"})


_START = ports.flag_in(
    "in_start", "one cycle, when all bits of an image are written, or will be before the first row reads them"
)


@dataclass(frozen=True)
class Gathered:
    """How the dense part gets the bits of the maps.

    Attributes:
        start: its port that says that they are there.
        connections: of its other ports.
        collectors: for `stream_top`: registers that keep bits of a map.
        bits: what each feature of the dense part is, where it reads registers.
        keepers: for `stream_top`: instances that write bits of a map into memories.
    """

    start: str
    connections: dict[str, str]
    collectors: list[dict[str, Any]] = field(default_factory=list)
    bits: list[str] = field(default_factory=list)
    keepers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def by_map(self) -> list[dict[str, Any]]:
        """What keeps bits, map by map."""
        return self.collectors + self.keepers


def keep(writer: ModuleWriter, folded: FoldedDense) -> Gathered:
    """Write the modules that fill the memories of a folded dense part."""
    keepers = [_keeper(writer, keeper, bank) for keeper, bank in zip(folded.keepers, _banks(folded), strict=False)]
    written = {
        f"in_{what}{keeper['map']}": f"{what}{keeper['map']}"
        for keeper in keepers
        for what in ("write", "address", "word")
    }
    return Gathered("in_start", written, keepers=keepers)


def _keeper(writer: ModuleWriter, keeper: Keeper, bank: dict[str, Any]) -> dict[str, Any]:
    width, words, place = keeper.bank.width_bits, keeper.words, keeper.map
    outputs = [ports.vector_out("out_address", bank["address_bits"]), ports.vector_out("out_word", width)]
    module = writer.write(
        "folded_keep",
        f"dense_keep{place}",
        [
            ports.CLOCK,
            ports.reset(),
            ports.flag_in("in_valid"),
            ports.vector_in("in_bits", words * width),
            ports.flag_out("out_write"),
            *outputs,
        ],
        bank=bank,
        map=place,
        channels=len(keeper.channels),
        words=words,
        in_range=names.vector(words * width),
        left=Counter(words + 1),
        shifted=f"{{{width}'d0, rest{names.part(width, (words - 1) * width)}}}" if words > 1 else "rest",
        address=Counter(keeper.bank.words),
    )
    spare = words * width - len(keeper.channels)
    bits = [f"bits{place}[{channel}]" for channel in reversed(keeper.channels)]
    given = {"clk": "clk", "rst": "rst", "in_valid": f"valid{place}"}
    given["in_bits"] = names.concatenation([*([f"{spare}'d0"] if spare else []), *bits])
    written = {f"out_{what}": f"{what}{place}" for what in ("write", "address", "word")}
    instance = Instance(f"keep{place}", module, given | written)
    return {"map": place, "bank": bank, "instance": instance}


def _banks(folded: FoldedDense) -> list[dict[str, Any]]:
    """What the templates need about each bank."""
    bits = max(1, (len(folded.layout.banks) - 1).bit_length())
    return [_bank(bank, names.literal(number, bits)) for number, bank in enumerate(folded.layout.banks)]


def _bank(bank: Bank, number: str) -> dict[str, Any]:
    doubled = bank.halves > 1
    address_bits = bank.word_bits + doubled
    written = [
        ports.flag_in(f"in_write{bank.name}"),
        ports.vector_in(f"in_address{bank.name}", address_bits),
        ports.vector_in(f"in_word{bank.name}", bank.width_bits),
    ]
    return {
        "name": bank.name,
        "number": number,
        "doubled": doubled,
        "ports": written,
        "address_bits": address_bits,
        "word_range": names.vector(bank.width_bits),
        "write_range": names.vector(address_bits),
        "half_range": names.vector(bank.word_bits),
        "depth": bank.halves << bank.word_bits,
        "place_part": names.part(0, bank.place_bits),
        "word_part": names.part(bank.place_bits, bank.word_bits),
    }


def _connections(folded: FoldedDense) -> Iterator[str]:
    """The words of the memory of connections: the addresses, lane 0's input 0 lowest, then the mark of a score's last
    row.
    """
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
