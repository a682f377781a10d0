"""RTL simulation: drives a generated top module with real vectors and returns its scores and classes.

Importing this package does not import cocotb; the test bench runs inside the simulator.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from difflut.sim.axi import run_axi
    from difflut.sim.axi_interface import AxiInterface
    from difflut.sim.interface import ProbeLike, RtlInterface
    from difflut.sim.process import ToolFailure
    from difflut.sim.protocol import ProtocolError
    from difflut.sim.runner import SIMULATORS, RtlResult, run_rtl
    from difflut.sim.scoreboard import Comparison, Mismatch, NetDifference, compare, locate, mismatching

__all__ = [
    "SIMULATORS",
    "AxiInterface",
    "Comparison",
    "Mismatch",
    "NetDifference",
    "ProbeLike",
    "ProtocolError",
    "RtlInterface",
    "RtlResult",
    "ToolFailure",
    "compare",
    "locate",
    "mismatching",
    "run_axi",
    "run_rtl",
]

_MODULES = {
    "difflut.sim.axi": ("run_axi",),
    "difflut.sim.axi_interface": ("AxiInterface",),
    "difflut.sim.interface": ("ProbeLike", "RtlInterface"),
    "difflut.sim.process": ("ToolFailure",),
    "difflut.sim.protocol": ("ProtocolError",),
    "difflut.sim.runner": ("SIMULATORS", "RtlResult", "run_rtl"),
    "difflut.sim.scoreboard": ("Comparison", "Mismatch", "NetDifference", "compare", "locate", "mismatching"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Deferred, because every simulation imports this package for its bench, which needs little of it.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'difflut.sim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
