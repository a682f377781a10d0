"""Portable Verilog-2001 from a staged netlist.

Modules: the top (pipeline of valid bits, delays of skip connections), an encoder, one module per pipeline stage of
LUTs, the group sum with one counter module per group size, and the argmax. The emission style, and why, is
docs/adr/0001-emission-style.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from difflut.export.circuit.netlist import IntArray, Netlist
from difflut.export.circuit.rules import check
from difflut.export.families.family import GENERIC, Target
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import HeadPlan, plan_head
from difflut.export.schedule.packing import pair_luts
from difflut.export.verilog import encoder as verilog_encoder
from difflut.export.verilog import names, rows
from difflut.export.verilog.head import HeadPrinter
from difflut.export.verilog.pairs import pairs
from difflut.export.verilog.wires import Scope, Vector, Wires, plan
from difflut.hdl_templates import render


@dataclass(frozen=True, eq=False)
class Probe:
    """An RTL signal that carries nets of the netlist.

    Attributes:
        signal: the hierarchical name below the top, for example "stage2.out_bits".
        nets: int32 (width,): the net of each bit, bit 0 first.
        stage_cycles: the signal answers an input this many clock edges later, counted like `latency_cycles`.
    """

    signal: str
    nets: IntArray
    stage_cycles: int


@dataclass(frozen=True, eq=False)
class VerilogDesign:
    """The emitted design.

    Attributes:
        top: the name of the top module.
        files: file name -> text, one module per file, named like the module.
        latency_cycles: an input sampled with `in_valid` at one rising edge is answered with `out_valid`, as sampled
            this many rising edges later.
        probes: signals that show all comparators and LUTs.
        head: the plan of the head.
        models: file name -> text of simulation models of the primitives that the files may instantiate; they are no
            part of the design.
    """

    top: str
    files: dict[str, str]
    latency_cycles: int
    probes: tuple[Probe, ...]
    head: HeadPlan
    models: dict[str, str]


def emit(
    netlist: Netlist,
    target: Target = GENERIC,
    *,
    outputs: Outputs | None = None,
    head_registers: Sequence[bool] | None = None,
    last_registered: bool = True,
    top: str | None = None,
) -> VerilogDesign:
    """Emit `netlist`, whose stages were assigned, as Verilog.

    Args:
        netlist: the circuit.
        target: the FPGA family.
        outputs: the output ports; scores and class by default.
        head_registers: for each level of the head's plan whether registers stand behind it; behind every one by default.
        last_registered: whether registers stand between the last stage and the head.
        top: the name of the top module, a Verilog identifier; made from the netlist's name by default.

    Raises:
        NetlistError: the netlist breaks a well-formedness rule.
        ConfigError: if `head_registers` does not fit the head.
    """
    check(netlist)
    head = plan_head(netlist.head, target, outputs, head_registers)
    printer = _Printer(netlist, target, head, last_registered, top or names.identifier(netlist.name))
    printer.encoder()
    printer.stages()
    printer.group_sum()
    printer.argmax()
    printer.top()
    models = {f"{target.instances}_models.v": render(f"{target.instances}_models.v.j2", {})} if target.instances else {}
    return VerilogDesign(printer.name, printer.files, printer.latency_cycles, printer.probes(), printer.head, models)


class _Printer:
    """Collects the files of one design and the instances that the top is made of."""

    def __init__(self, netlist: Netlist, target: Target, head: HeadPlan, last_registered: bool, name: str) -> None:
        self.netlist = netlist
        self.target = target
        self.name = name
        self.wires: Wires = plan(netlist, last_registered)
        self.files: dict[str, str] = {}
        self.head = head
        self._head_printer = HeadPrinter(head, target, self._file)
        self.latency_cycles = self.wires.last_rank + head.latency_cycles
        self._partner = pair_luts(netlist, target)
        self._instances: list[dict[str, Any]] = []
        self._used: set[str] = set()  # vectors of the top that a module takes whole

    def encoder(self) -> None:
        now, registered = self.wires.encoder_now, self.wires.encoder
        if now is None and registered is None:
            return
        netlist = self.netlist
        module = self._file(
            "encoder",
            comparators=netlist.comparators,
            features=netlist.input.features,
            features_read=len(np.unique(netlist.compare_feature)),
            signed=netlist.input.signed,
            codes_range=self._codes_range,
            bits_range=names.vector(netlist.comparators),
            now=now is not None,
            registered=registered is not None,
            **verilog_encoder.context(plan_encoder(netlist, self.target)),
        )
        ports = {"clk": "clk"} if registered else {}
        ports["in_codes"] = "in_codes"
        if now is not None:
            ports["out_now"] = now.name
        if registered is not None:
            ports["out_bits"] = registered.name
        self._instance(module, "encoder", ports)

    def stages(self) -> None:
        for stage, bits in self.wires.stages.items():
            inputs = self._inputs_read(stage)
            module = self._file(
                "stage",
                suffix=f"stage{stage}",
                stage=stage,
                luts=bits.width_bits,
                origin=self._origin(bits),
                registered=0 < stage == bits.rank,
                inputs=[{"name": vector.name, "range": names.vector(vector.width_bits)} for vector in inputs],
                bits_range=names.vector(bits.width_bits),
                **self._stage_logic(bits, inputs),
            )
            ports = {"clk": "clk"} if 0 < stage == bits.rank else {}
            ports |= {vector.name: vector.name for vector in inputs}
            ports["out_bits"] = bits.name
            self._instance(module, f"stage{stage}", ports)
            self._used |= {vector.name for vector in inputs}

    def group_sum(self) -> None:
        netlist, score_bits = self.netlist, self.netlist.head.score_width_bits
        counters = {size: self._head_printer.counter(size) for size in self.head.counters}
        clock = {"clk": "clk"} if any(self.head.sum_registers) else {}
        groups = []
        for k, (size, offset) in enumerate(zip(self.head.sizes, netlist.head.offsets.tolist(), strict=False)):
            count_bits, low = size.bit_length(), k * score_bits
            spare = score_bits - count_bits
            groups.append(
                {
                    "module": counters[size],
                    "bits": names.part(offset, size),
                    "count": names.part(low, count_bits),
                    "padding": names.part(low + count_bits, spare) if spare else "",
                    "zeros": f"{spare}'d0",
                }
            )
        module = self._file(
            "group_sum",
            cycles=sum(self.head.sum_registers),
            bits_range=names.vector(len(netlist.head.nets)),
            scores_range=self._scores_range,
            groups=groups,
        )
        terms = Scope(netlist, self.wires.at(self.wires.last_rank)).terms(netlist.head.nets)
        self._used |= set(terms)
        self._instance(module, "group_sum", clock | {"in_bits": names.concatenation(terms), "out_scores": "scores"})

    def argmax(self) -> None:
        head = self.head
        if not head.selection.levels:
            return
        module = self._head_printer.selection()
        ports = {"clk": "clk"} if any(head.selection_registers) else {}
        ports["in_scores"] = "scores"
        if head.outputs.scores:
            ports["out_scores"] = "out_scores"
        ports |= {"out_top": "out_top"} if head.outputs.top else {"out_class": "out_class"}
        self._instance(module, "argmax", ports)

    def top(self) -> None:
        netlist, wires, latency = self.netlist, self.wires, self.latency_cycles
        delays = []
        for rank, vector in wires.delays.items():
            terms = Scope(netlist, wires.at(rank - 1)).terms(vector.nets)
            self._used |= set(terms)
            delays.append({"rank": rank, "name": vector.name, "source": names.concatenation(terms)})
        computed = [v for v in (wires.encoder_now, wires.encoder, *wires.stages.values()) if v is not None]
        every = [*computed, *wires.delays.values()]
        unused = [vector.name for vector in every if vector.name not in self._used]
        if wires.encoder is None and wires.encoder_now is None:
            unused.append("in_codes")
        declared = [
            *({"kind": "wire", "range": names.vector(v.width_bits), "name": v.name} for v in computed),
            *({"kind": "reg", "range": names.vector(v.width_bits), "name": v.name} for v in wires.delays.values()),
            {"kind": "wire", "range": self._scores_range, "name": "scores"},
        ]
        self._file(
            "top",
            suffix="",
            features=netlist.input.features,
            width_bits=netlist.input.width_bits,
            signed=netlist.input.signed,
            comparators=netlist.comparators,
            luts=netlist.luts,
            classes=netlist.head.classes,
            latency_cycles=latency,
            latency_parts=self._latency_parts(),
            codes_range=self._codes_range,
            score_bits=netlist.head.score_width_bits,
            scores_range=self._scores_range,
            outputs=self.head.outputs,
            selected=bool(self.head.selection.levels),
            class_bits=netlist.head.class_width_bits,
            class_range=self._class_range,
            top_range=names.vector(self.head.outputs.top * netlist.head.class_width_bits),
            class_zero=names.literal(0, netlist.head.class_width_bits),
            valid_range=names.vector(max(latency, 1)),
            valid_zero=f"{latency}'d0",
            clocked=bool(latency),
            valid_next="in_valid" if latency == 1 else f"{{valid{names.part(0, latency - 1)}, in_valid}}",
            vectors=declared,
            instances=self._instances,
            delays=delays,
            unused=unused,
        )

    def probes(self) -> tuple[Probe, ...]:
        """The registers of the encoder and the stages; every comparator and LUT occurs in exactly one."""
        found = [Probe(f"stage{stage}.out_bits", v.nets, v.rank) for stage, v in self.wires.stages.items()]
        if self.wires.encoder is not None:
            found.insert(0, Probe("encoder.out_bits", self.wires.encoder.nets, 1))
        elif self.wires.encoder_now is not None:
            found.insert(0, Probe("encoder.out_now", self.wires.encoder_now.nets, 0))
        return tuple(found)

    @property
    def _codes_range(self) -> str:
        return names.vector(self.netlist.input.features * self.netlist.input.width_bits)

    @property
    def _scores_range(self) -> str:
        return names.vector(self.netlist.head.classes * self.netlist.head.score_width_bits)

    @property
    def _class_range(self) -> str:
        return names.vector(self.netlist.head.class_width_bits)

    def _file(self, template: str, *, suffix: str | None = None, **context: object) -> str:
        """Render a template into a file of its own and return the module's name."""
        suffix = template if suffix is None else suffix
        module = f"{self.name}_{suffix}" if suffix else self.name
        source = names.comment(self.netlist.name)
        self.files[f"{module}.v"] = render(f"{template}.v.j2", {"source": source, "module": module, **context})
        return module

    def _instance(self, module: str, name: str, ports: dict[str, str]) -> None:
        self._instances.append({"module": module, "name": name, "ports": ports})

    def _inputs_read(self, stage: int) -> list[Vector]:
        """The vectors of which LUTs of `stage` read at least one net."""
        netlist = self.netlist
        of_stage = np.repeat(netlist.stage[netlist.comparators :] == stage, netlist.lut_inputs)
        read = np.zeros(netlist.nets, np.bool_)
        read[netlist.lut_fanin[of_stage]] = True
        return [vector for vector in self.wires.inputs_of_stage(stage) if read[vector.nets].any()]

    def _stage_logic(self, bits: Vector, inputs: list[Vector]) -> dict[str, Any]:
        """Tables and expressions of a stage's LUTs; LUTs that read LUTs of the same stage come in levels."""
        netlist = self.netlist
        luts = rows.luts_of(netlist, bits.nets)
        level = self.wires.level[luts]
        borders = [*np.flatnonzero(np.diff(level, prepend=-1)).tolist(), len(luts)]
        several = len(borders) > 2
        scope = list(inputs)
        levels = []
        for number, (start, end) in enumerate(pairwise(borders)):
            names_of = Scope(netlist, scope)
            paired = pairs(netlist, luts[start:end], self._partner, number, names_of)
            lookups = rows.lookups(netlist, luts[start:end], start, names_of)
            words = rows.words([paired.bits.get(position, lookup) for position, lookup in enumerate(lookups)])
            vector = Vector(f"level{number}", bits.nets[start:end], bits.rank)
            scope.append(vector)
            levels.append(
                {
                    "name": vector.name,
                    "range": names.vector(vector.width_bits),
                    "words": words,
                    "declared": several,
                    "pairs": paired,
                }
            )
        joined = names.concatenation([f"level{number}" for number in reversed(range(len(levels)))])
        single = self._partner[luts] < 0
        return {
            "tables": rows.table_constants(netlist, luts, single),
            "paired": not single.all(),
            "levels": levels,
            "joined": joined,
        }

    def _origin(self, bits: Vector) -> str:
        layers = np.unique(self.netlist.lut_layer[rows.luts_of(self.netlist, bits.nets)])
        known = [str(layer) for layer in layers.tolist() if layer > 0]
        if not known:
            return "made by the encoder or the export"
        return f"layer{'s' if len(known) > 1 else ''} {', '.join(known)} of the model"

    def _latency_parts(self) -> list[str]:
        """How the latency is made up, one line a part."""
        encoder = self.wires.encoder is not None and 1 not in self.wires.stages  # LUTs in stage 1: one with the encoder
        parts = [
            (1, "encoder (stage 1)") if encoder else None,
            (self.wires.last_rank - encoder, "LUT stages"),
            (sum(self.head.sum_registers), "group sum"),
            (sum(self.head.selection_registers), "top-k" if self.head.outputs.top else "argmax"),
        ]
        return [f"{cycles:3d}  {part}" for cycles, part in filter(None, parts) if cycles]
