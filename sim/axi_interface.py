"""What the bench of AXI4-Stream designs must know about a top module."""

from __future__ import annotations

from dataclasses import dataclass

from difflut.export.interfaces.framing import Framing
from difflut.sim.interface import check_top

LITE_DRIVEN = ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready")
LITE_READ = ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid")
AXIS_DRIVEN = ("s_axis_tdata", "s_axis_tvalid", "s_axis_tlast", "m_axis_tready")
AXIS_READ = ("s_axis_tready", "m_axis_tdata", "m_axis_tvalid", "m_axis_tlast")


@dataclass(frozen=True)
class AxiInterface:
    """A top module with AXI4-Stream ports and AXI4-Lite registers.

    Attributes:
        top: its name.
        framing: the frames on both sides.
        output: what a result is, "scores" or "class".
        constants: byte address -> what a constant register must read.
        counters: name in lower case -> byte address of the counters; empty without counters. Without constants there
            are no AXI4-Lite ports.

    Raises:
        ConfigError: `top` is no plain Verilog identifier.
    """

    top: str
    framing: Framing
    output: str
    constants: dict[int, int]
    counters: dict[str, int]

    def __post_init__(self) -> None:
        check_top(self.top)

    @property
    def driven_ports(self) -> tuple[str, ...]:
        """The ports that the bench drives."""
        return ("aclk", "aresetn", *AXIS_DRIVEN, *self._lite(LITE_DRIVEN))

    @property
    def read_ports(self) -> tuple[str, ...]:
        """The ports that the bench reads."""
        return (*AXIS_READ, *self._lite(LITE_READ))

    def _lite(self, ports: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"s_axil_{port}" for port in ports) if self.constants else ()
