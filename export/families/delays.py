"""Delay models of FPGA families.

NumPy is imported where it is used: the command line names the families in its help, which must answer at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


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
        import numpy as np

        doublings = np.log2(np.maximum(readers, 1))
        delays: npt.NDArray[np.float64] = (
            self.net_delay_ns + self.fanout_delay_ns * doublings + self.span_delay_ns * math.sqrt(luts)
        )
        return delays

    def net_ns(self, readers: int, luts: int) -> float:
        """The delay of one wire."""
        import numpy as np

        return float(self.nets_ns(np.array([readers]), luts)[0])

    def carry_ns(self, bits: int) -> float:
        """Through a carry chain of `bits` bits, its LUT not counted."""
        return self.carry_entry_delay_ns + bits * self.carry_delay_ns_per_bit
