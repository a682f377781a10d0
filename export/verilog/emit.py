"""Verilog of a planned circuit."""

from __future__ import annotations

from difflut.export.schedule.forms import Planned, Streamed
from difflut.export.verilog.design import Design
from difflut.export.verilog.netlist import emit
from difflut.export.verilog.stream import emit_stream


def emit_planned(planned: Planned, top: str) -> Design:
    """Emit a circuit whose top module is called `top`."""
    plan = planned.registers
    registers = {} if plan is None else {"head_registers": plan.head_registers, "last_registered": plan.registers_last_cells}
    if not isinstance(planned, Streamed):
        return emit(planned.body, planned.family, outputs=planned.outputs, top=top, **registers)
    return emit_stream(
        planned.circuit,
        planned.family,
        pixels_per_cycle=planned.schedule.words[0].pixels,
        outputs=planned.outputs,
        folded=planned.folded,
        top=top,
        **registers,
    )
