"""Verilog of a planned circuit."""

from __future__ import annotations

from difflut.export.schedule.forms import Planned, Streamed
from difflut.export.verilog.design import Design
from difflut.export.verilog.netlist import emit
from difflut.export.verilog.stream import emit_folded, emit_stream


def emit_planned(planned: Planned, top: str) -> Design:
    """Emit a circuit whose top module is called `top`."""
    circuit, family, outputs, plan = planned.circuit, planned.family, planned.outputs, planned.registers
    head_registers = None if plan is None else plan.head_registers
    last_registered = plan is None or plan.registers_last_cells
    if not isinstance(planned, Streamed):
        return emit(
            circuit.body,
            family,
            outputs=outputs,
            head_registers=head_registers,
            last_registered=last_registered,
            top=top,
        )
    if planned.folded is not None:
        return emit_folded(circuit, planned.folded, family, outputs=outputs, top=top)
    return emit_stream(
        circuit,
        planned.schedule,
        family,
        outputs=outputs,
        head_registers=head_registers,
        last_registered=last_registered,
        top=top,
    )
