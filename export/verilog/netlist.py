"""Portable Verilog-2001 from a staged netlist.

Modules: the top (pipeline of valid bits, delays of skip connections), an encoder, one module per pipeline stage of
LUTs, the group sum with one counter module per group size, and the argmax. The emission style, and why, is
docs/adr/0001-emission-style.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from difflut.export.circuit.netlist import IntArray, Netlist
from difflut.export.circuit.rules import check
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import HeadPlan, plan_head
from difflut.export.schedule.packing import pair_luts
from difflut.export.verilog import names, ports, rows
from difflut.export.verilog.design import Design, Instance, Probe
from difflut.export.verilog.encoder import write_encoder
from difflut.export.verilog.head import HeadPrinter
from difflut.export.verilog.lut_stage import delays, lut_stage
from difflut.export.verilog.wires import Scope, Vector, plan
from difflut.export.verilog.writer import ModuleWriter, primitive_models


def emit(
    netlist: Netlist,
    family: Family = GENERIC,
    *,
    outputs: Outputs | None = None,
    head_registers: Sequence[bool] | None = None,
    last_registered: bool = True,
    top: str | None = None,
) -> Design:
    """Emit `netlist`, whose stages were assigned, as Verilog.

    Args:
        netlist: the circuit.
        family: the FPGA family.
        outputs: the output ports; scores and class by default.
        head_registers: for each level of the head's plan whether registers stand behind it; behind every one by
            default.
        last_registered: whether registers stand between the last stage and the head.
        top: the name of the top module, a Verilog identifier; made from the netlist's name by default.

    Raises:
        NetlistError: the netlist breaks a well-formedness rule.
        ConfigError: if `head_registers` does not fit the head.
    """
    check(netlist)
    head = plan_head(netlist.head, family, outputs, head_registers)
    return _Emitter(netlist, family, head, last_registered, top or names.identifier(netlist.name)).design()


class _Emitter:
    """Writes the modules of one netlist, in the order of the data's way through them."""

    def __init__(self, netlist: Netlist, family: Family, head: HeadPlan, last_registered: bool, top: str) -> None:
        self.netlist, self.family, self.head = netlist, family, head
        self.wires = plan(netlist, last_registered)
        self.writer = ModuleWriter(netlist.name, top)
        self.latency_cycles = self.wires.last_rank + head.latency_cycles
        self._used: set[str] = set()  # vectors of the top that a module takes whole

    def design(self) -> Design:
        """Write everything."""
        instances = {"encoder": write_encoder(self.writer, self.netlist, self.family, self.wires)}
        partner = pair_luts(self.netlist, self.family)
        for stage, bits in self.wires.stages.items():
            instances[f"stage {stage}"] = self._stage(stage, bits, partner)
        printer = HeadPrinter(self.head, self.family, self.writer)
        terms = Scope(self.netlist, self.wires.at(self.wires.last_rank)).terms(self.head.counted(self.netlist.head))
        self._used |= set(terms)
        instances["group sum"] = printer.group_sum(names.concatenation(terms))
        argmax = printer.selection()
        instances["top-k" if self.head.outputs.top else "argmax"] = argmax
        made = {part: instance for part, instance in instances.items() if instance is not None}
        self._top(list(made.values()), argmax)
        return Design(
            top=self.writer.top,
            modules=self.writer.modules,
            latency_cycles=self.latency_cycles,
            initiation_interval=1,
            probes=self._probes(),
            parts={part: (instance.name,) for part, instance in made.items()},
            head=self.head,
            models=primitive_models(self.family),
        )

    def _stage(self, stage: int, bits: Vector, partner: IntArray) -> Instance:
        inputs = self._inputs_read(stage)
        registered = 0 < stage == bits.rank
        module = self.writer.write(
            "stage",
            f"stage{stage}",
            [
                ports.CLOCK if registered else None,
                *(ports.vector_in(vector.name, vector.width_bits) for vector in inputs),
                ports.vector_out("out_bits", bits.width_bits, register=registered),
            ],
            stage=stage,
            luts=bits.width_bits,
            origin=self._origin(bits),
            registered=registered,
            inputs=[vector.name for vector in inputs],
            logic=lut_stage(self.netlist, self.wires, bits, inputs, partner),
        )
        self._used |= {vector.name for vector in inputs}
        clock = {"clk": "clk"} if registered else {}
        read = {vector.name: vector.name for vector in inputs}
        return Instance(f"stage{stage}", module, clock | read | {"out_bits": bits.name})

    def _inputs_read(self, stage: int) -> list[Vector]:
        """The vectors of which LUTs of `stage` read at least one net."""
        netlist = self.netlist
        of_stage = np.repeat(netlist.stage[netlist.comparators :] == stage, netlist.lut_inputs)
        read = np.zeros(netlist.nets, np.bool_)
        read[netlist.lut_fanin[of_stage]] = True
        return [vector for vector in self.wires.inputs_of_stage(stage) if read[vector.nets].any()]

    def _origin(self, bits: Vector) -> str:
        layers = np.unique(self.netlist.lut_layer[rows.luts_of(self.netlist, bits.nets)])
        known = [str(layer) for layer in layers.tolist() if layer > 0]
        if not known:
            return "made by the encoder or the export"
        return f"layer{'s' if len(known) > 1 else ''} {', '.join(known)} of the model"

    def _top(self, instances: list[Instance], argmax: Instance | None) -> None:
        netlist, wires, head, form = self.netlist, self.wires, self.head, self.netlist.input
        delayed = delays(netlist, wires)
        self._used |= {term for delay in delayed for term in delay["terms"]}
        computed = [v for v in (wires.encoder_now, wires.encoder, *wires.stages.values()) if v is not None]
        kinds = [("wire", v.name, v.width_bits) for v in computed]
        kinds += [("reg", v.name, v.width_bits) for v in wires.delays.values()]
        unused = [name for _, name, _ in kinds if name not in self._used]
        if wires.encoder is None and wires.encoder_now is None:
            unused.append("in_codes")
        kinds.append(("wire", "scores", len(head.sizes) * head.score_bits))
        width = form.width_bits
        self.writer.write(
            "top",
            "",
            [
                ports.CLOCK,
                ports.reset("synchronous, active high; clears only the valid bits, never the data"),
                ports.flag_in("in_valid"),
                ports.vector_in("in_codes", form.features * width, comment=f"code i at [{width}*i +: {width}]"),
                ports.flag_out("out_valid"),
                *ports.results(head),
            ],
            instances,
            form=form,
            comparators=netlist.comparators,
            luts=netlist.luts,
            classes=len(head.sizes),
            latency_cycles=self.latency_cycles,
            latency_parts=self._latency_parts(),
            outputs=head.outputs,
            argmax=argmax,
            class_zero=names.literal(0, head.class_bits),
            vectors=[{"kind": kind, "range": names.vector(bits), "name": name} for kind, name, bits in kinds],
            delays=delayed,
            unused=unused,
        )

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

    def _probes(self) -> tuple[Probe, ...]:
        """The registers of the encoder and the stages; every comparator and LUT occurs in exactly one."""
        found = [Probe(f"stage{stage}.out_bits", v.nets, v.rank) for stage, v in self.wires.stages.items()]
        if self.wires.encoder is not None:
            found.insert(0, Probe("encoder.out_bits", self.wires.encoder.nets, 1))
        elif self.wires.encoder_now is not None:
            found.insert(0, Probe("encoder.out_now", self.wires.encoder_now.nets, 0))
        return tuple(found)
