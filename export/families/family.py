"""What an FPGA family offers, as data: passes, planners, emitters and flows ask for a capability, never for a name."""

from __future__ import annotations

from dataclasses import dataclass

from difflut.export.families.cells import Cells
from difflut.export.families.delays import Delays
from difflut.export.families.devices import Device
from difflut.export.families.tools import FuseSoc, PlaceAndRoute, Vivado, YosysSynthesis


@dataclass(frozen=True, eq=False)
class Family:
    """One FPGA family, equal to itself only.

    Attributes:
        name: the name in `difflut.export.families.registry.FAMILIES`, and of `--fpga`.
        description: what it stands for, one line.
        lut_inputs: inputs of one LUT.
        delays: how long its parts take.
        yosys: how Yosys synthesises for it.
        cells: what synthesis makes.
        dual_output: whether one LUT gives two functions of the same `lut_inputs` - 1 inputs.
        carry_bits: bits of one carry primitive; 0 where chains are left to the synthesis tool.
        primitives: whose primitives builds instantiate: `hdl_templates/<primitives>_models.v.j2` has the simulation
            models, and `difflut.export.verilog.lut6` prints instances of "xilinx"; None for plain Verilog only.
        devices: some devices. The first is the one that flows take if none is named.
        part_names: how the names of all its parts begin, a pattern in lower case without blanks; empty for none.
        devices_are_examples: whether other devices than those of the family would do.
        nextpnr: how nextpnr places and routes for it; None if it does not.
        vivado: None if Vivado does not know it.
        fusesoc: None if FuseSoC has no tool for it.
    """

    name: str
    description: str
    lut_inputs: int
    delays: Delays
    yosys: YosysSynthesis
    cells: Cells
    dual_output: bool = False
    carry_bits: int = 0
    primitives: str | None = None
    devices: tuple[Device, ...] = ()
    part_names: str = ""
    devices_are_examples: bool = False
    nextpnr: PlaceAndRoute | None = None
    vivado: Vivado | None = None
    fusesoc: FuseSoc | None = None

    @property
    def has_primitives(self) -> bool:
        """Whether builds instantiate LUTs and carry chains, instead of leaving them to synthesis."""
        return self.primitives is not None

    def luts_for(self, inputs: int) -> int:
        """LUTs of one function: parts of it, joined by the slice's multiplexers or, where it has none, by more LUTs."""
        parts = 1 << max(inputs - self.lut_inputs, 0)
        return parts if self.delays.mux_delay_ns is not None else 2 * parts - 1

    def lut_ns(self, inputs: int, luts: int) -> float:
        """One function of `inputs` inputs in a design of `luts` LUTs; wider ones than a LUT are put together."""
        extra = max(inputs - self.lut_inputs, 0)
        if self.delays.mux_delay_ns is not None:
            return self.delays.lut_delay_ns + extra * self.delays.mux_delay_ns
        return self.delays.lut_delay_ns + extra * (self.delays.net_ns(1, luts) + self.delays.lut_delay_ns)
