"""RTL simulation: drives a generated top module with real vectors and returns its scores and classes.

Importing this package does not import cocotb; the test bench runs inside the simulator.
"""

from __future__ import annotations

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
