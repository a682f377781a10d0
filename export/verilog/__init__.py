"""Back-ends: each prints a staged netlist in an output language."""

from __future__ import annotations

from collections.abc import Callable

from difflut.export.verilog import netlist as verilog
from difflut.export.verilog.netlist import Probe, VerilogDesign

BACKENDS: dict[str, Callable[..., VerilogDesign]] = {"verilog": verilog.emit}

__all__ = ["BACKENDS", "Probe", "VerilogDesign"]
