"""Verilog of a planned circuit: one function a kind of plan."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import TypedDict

from difflut.export.schedule.forms import FoldedStream, Planned, Streamed
from difflut.export.verilog.design import Design
from difflut.export.verilog.netlist import emit
from difflut.export.verilog.stream import emit_folded, emit_stream


@singledispatch
def emit_planned(planned: Planned, top: str) -> Design:
    """Emit a circuit whose top module is called `top`."""
    return emit(planned.circuit.body, planned.family, outputs=planned.outputs, top=top, **_registers(planned))


@emit_planned.register
def _(planned: Streamed, top: str) -> Design:
    circuit, schedule, registers = planned.circuit, planned.schedule, _registers(planned)
    return emit_stream(circuit, schedule, planned.family, outputs=planned.outputs, top=top, **registers)


@emit_planned.register
def _(planned: FoldedStream, top: str) -> Design:
    return emit_folded(planned.circuit, planned.folded, planned.family, outputs=planned.outputs, top=top)


class _Registers(TypedDict):
    head_registers: Sequence[bool] | None
    last_registered: bool


def _registers(planned: Planned) -> _Registers:
    """Where the body has registers."""
    plan = planned.registers
    if plan is None:
        return {"head_registers": None, "last_registered": True}
    return {"head_registers": plan.head_registers, "last_registered": plan.registers_last_cells}
