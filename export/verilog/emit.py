"""Verilog of a planned circuit."""

from __future__ import annotations

from difflut.export.schedule.forms import Planned, Streamed
from difflut.export.verilog.design import Design
from difflut.export.verilog.netlist import emit
from difflut.export.verilog.stream import emit_stream


def emit_planned(planned: Planned, top: str) -> Design:
    """Emit a circuit whose top module is called `top`."""
    plan = planned.registers
    head_registers = None if plan is None else plan.head_registers
    last_registered = plan is None or plan.registers_last_cells
    if not isinstance(planned, Streamed):
        return emit(
            planned.circuit.body,
            planned.family,
            outputs=planned.outputs,
            head_registers=head_registers,
            last_registered=last_registered,
            top=top,
        )
    return emit_stream(
        planned.circuit,
        planned.family,
        pixels_per_cycle=planned.schedule.words[0].pixels,
        outputs=planned.outputs,
        folded=planned.folded,
        top=top,
        head_registers=head_registers,
        last_registered=last_registered,
    )
