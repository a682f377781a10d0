"""Give every cell its pipeline stage."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.netlist import Netlist


def assign_stages(netlist: Netlist, registers: frozenset[int] | None = None) -> Netlist:
    """Put each cell into the stage that the registers in front of its level make.

    Args:
        netlist: its stages are ignored.
        registers: the levels of `analysis.levels` (1 for comparators, then the LUT levels) that registers follow; by
            default all. Then every layer ends in a register, and a register-to-register path has one cell. With no
            register at all every cell is in stage 0, combinational from the input port.
    """
    level = levels(netlist)
    if registers is None:
        return netlist.with_(stage=level)
    if not registers:
        return netlist.with_(stage=np.zeros_like(level))
    before = np.zeros(int(level.max(initial=0)) + 1, np.int32)
    before[1:] = 1 + np.cumsum([number in registers for number in range(len(before) - 1)])
    return netlist.with_(stage=before[level])
