"""Give every cell its pipeline stage."""

from __future__ import annotations

from difflut.export.analysis import levels
from difflut.export.ir import Netlist


def assign_stages(netlist: Netlist) -> Netlist:
    """Put comparators into stage 1 and each LUT one stage after the latest net that it reads.

    So every layer ends in a register stage, and a register-to-register path has one cell. A LUT that reads only
    constants goes into stage 1.
    """
    return netlist.with_(stage=levels(netlist))
