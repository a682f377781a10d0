"""Back-ends: each prints a staged netlist in an output language."""

from __future__ import annotations

from collections.abc import Callable

from difflut.export.backends import verilog
from difflut.export.backends.verilog import Probe, VerilogDesign

BACKENDS: dict[str, Callable[..., VerilogDesign]] = {"verilog": verilog.emit}

__all__ = ["BACKENDS", "Probe", "VerilogDesign"]
