"""What the FPGA families offer, as data: passes, planners and back-ends ask for a capability, never for a name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.errors import UnknownNameError


@dataclass(frozen=True)
class Delays:
    """A delay model: estimates for placing registers, no substitute for the timing report of a routed design.

    Attributes:
        source: where the figures come from.
        calibrated: whether they were fitted to routed designs (docs/timing.md).
        register_delay_ns: clock to output plus setup of a register.
        lut_delay_ns: one LUT.
        mux_delay_ns: a dedicated multiplexer that gives a LUT one more input; None where LUTs have to do it.
        carry_entry_delay_ns: from a LUT into a carry chain and out of it.
        carry_delay_ns_per_bit: one bit along a carry chain.
        net_delay_ns: a wire with one reader in a small design.
        fanout_delay_ns: added for each doubling of a wire's readers.
        span_delay_ns: added per square root of the design's LUTs: the nodes of a LUT network read from anywhere, so
            wires grow with the side of the area that it takes.
    """

    source: str
    calibrated: bool
    register_delay_ns: float
    lut_delay_ns: float
    mux_delay_ns: float | None
    carry_entry_delay_ns: float
    carry_delay_ns_per_bit: float
    net_delay_ns: float
    fanout_delay_ns: float
    span_delay_ns: float

    def nets_ns(self, readers: npt.NDArray[np.int64], luts: int) -> npt.NDArray[np.float64]:
        """The delay of wires with the given numbers of readers in a design of `luts` LUTs."""
        doublings = np.log2(np.maximum(readers, 1))
        delays: npt.NDArray[np.float64] = (
            self.net_delay_ns + self.fanout_delay_ns * doublings + self.span_delay_ns * math.sqrt(luts)
        )
        return delays

    def net_ns(self, readers: int, luts: int) -> float:
        """The delay of one wire."""
        return float(self.nets_ns(np.array([readers]), luts)[0])

    def carry_ns(self, bits: int) -> float:
        """Through a carry chain of `bits` bits, its LUT not counted."""
        return self.carry_entry_delay_ns + bits * self.carry_delay_ns_per_bit


@dataclass(frozen=True)
class Target:
    """One FPGA family.

    Attributes:
        name: the name in `TARGETS`.
        description: what it stands for, one line.
        lut_inputs: inputs of one LUT.
        dual_output: whether one LUT gives two functions of the same `lut_inputs` - 1 inputs.
        carry_bits: bits of one carry primitive; 0 where chains are left to the synthesis tool.
        instances: the library whose primitives are instantiated ("xilinx"); None for plain Verilog only.
        delays: how long its parts take.
    """

    name: str
    description: str
    lut_inputs: int
    delays: Delays
    dual_output: bool = False
    carry_bits: int = 0
    instances: str | None = None

    def lut_ns(self, inputs: int, luts: int) -> float:
        """One function of `inputs` inputs in a design of `luts` LUTs; wider ones than a LUT are put together."""
        extra = max(inputs - self.lut_inputs, 0)
        if self.delays.mux_delay_ns is not None:
            return self.delays.lut_delay_ns + extra * self.delays.mux_delay_ns
        return self.delays.lut_delay_ns + extra * (self.delays.net_ns(1, luts) + self.delays.lut_delay_ns)


_YOSYS = "Yosys 0.70, techlibs/xilinx/cells_sim.v (Project X-Ray's figures for Artix-7)"
_XC7 = Delays(
    source=f"{_YOSYS} and synth_xilinx's wire delay of 0.3 ns; the growth with fan-out and size guessed after ECP5",
    calibrated=False,
    register_delay_ns=0.30,
    lut_delay_ns=0.42,
    mux_delay_ns=0.22,
    carry_entry_delay_ns=0.50,
    carry_delay_ns_per_bit=0.03,
    net_delay_ns=0.30,
    fanout_delay_ns=0.028,
    span_delay_ns=0.0127,
)
_XCUP = Delays(
    source="half of the 7 series' figures: an order of magnitude, no more",
    calibrated=False,
    register_delay_ns=0.15,
    lut_delay_ns=0.21,
    mux_delay_ns=0.11,
    carry_entry_delay_ns=0.25,
    carry_delay_ns_per_bit=0.015,
    net_delay_ns=0.15,
    fanout_delay_ns=0.014,
    span_delay_ns=0.0064,
)
_ECP5 = Delays(
    source="nextpnr-ecp5, speed grade 6 (docs/timing.md)",
    calibrated=True,
    register_delay_ns=0.70,
    lut_delay_ns=0.27,
    mux_delay_ns=0.24,
    carry_entry_delay_ns=0.62,
    carry_delay_ns_per_bit=0.036,
    net_delay_ns=0.34,
    fanout_delay_ns=0.032,
    span_delay_ns=0.0144,
)
_ICE40 = Delays(
    source="nextpnr-ice40, HX (docs/timing.md)",
    calibrated=True,
    register_delay_ns=0.64,
    lut_delay_ns=0.34,
    mux_delay_ns=None,
    carry_entry_delay_ns=0.49,
    carry_delay_ns_per_bit=0.126,
    net_delay_ns=0.60,
    fanout_delay_ns=0.23,
    span_delay_ns=0.0044,
)
_GOWIN = Delays(
    source="nextpnr-himbaechel, GW1NR-9C C6/I5 (docs/timing.md)",
    calibrated=True,
    register_delay_ns=0.47,
    lut_delay_ns=0.63,
    mux_delay_ns=0.49,
    carry_entry_delay_ns=0.98,
    carry_delay_ns_per_bit=0.057,
    net_delay_ns=1.28,
    fanout_delay_ns=0.0,
    span_delay_ns=0.0,
)
GENERIC = Target("generic", "plain Verilog for any tool, counted in six-input LUTs", lut_inputs=6, delays=_XC7)

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        GENERIC,
        Target("xc7", "Xilinx 7 series", 6, _XC7, dual_output=True, carry_bits=4, instances="xilinx"),
        Target("xcup", "Xilinx UltraScale+", 6, _XCUP, dual_output=True, carry_bits=8, instances="xilinx"),
        Target("ice40", "Lattice iCE40", 4, _ICE40),
        Target("ecp5", "Lattice ECP5", 4, _ECP5),
        Target("gowin", "Gowin LittleBee and Arora", 4, _GOWIN),
    )
}


def find_target(name: str) -> Target:
    """The target of a name.

    Raises:
        UnknownNameError: if there is none; names the known ones.
    """
    if name not in TARGETS:
        raise UnknownNameError(f"unknown FPGA family {name!r}; known: {', '.join(TARGETS)}")
    return TARGETS[name]
