"""The IP-XACT component (IEEE 1685-2014) of a build: ports, buses, registers and files, for tools that assemble
designs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from difflut.export.builds.fusesoc import LIBRARY, VENDOR
from difflut.export.builds.info import BuildInfo
from difflut.export.builds.ports import top_ports
from difflut.export.interfaces.registers import ADDRESS_BITS
from difflut.export.verilog.clock_enable import ENABLE
from difflut.hdl_templates import render

_MEMORY_MAP = "s_axil"
_STREAMS = {"s_axis": "slave", "m_axis": "master"}


@dataclass(frozen=True)
class Bus:
    """A bus interface; `ports` are those of the top module by the names that the bus has for them.

    The abstraction is the bus definition's of the same name, with `_rtl`.
    """

    name: str
    mode: str
    vendor: str
    library: str
    type: str
    version: str
    ports: dict[str, str]
    memory_map: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def component_name(name: str) -> str:
    """The file's name."""
    return f"{name}.component.xml"


def component_file(
    info: BuildInfo, *, version: str, description: str, sources: Sequence[str], models: Sequence[str] = ()
) -> str:
    """The text of the component.

    Args:
        info: `build.json`.
        version: as of the FuseSoC core.
        description: one line.
        sources: the RTL, relative to the file.
        models: simulation models of primitives, left out of synthesis.
    """
    file_sets = {"rtl": list(sources), **({"models": list(models)} if models else {})}
    return render(
        "ip_xact.xml.j2",
        {
            "vendor": VENDOR,
            "library": LIBRARY,
            "name": info.name,
            "version": version,
            "description": description,
            "buses": _buses(info),
            "registers": info.axi_stream.registers if info.axi_stream else (),
            "memory_map": _MEMORY_MAP,
            "address_range": 1 << ADDRESS_BITS,
            "views": {"synthesis": ["rtl"], "simulation": list(file_sets)},
            "ports": top_ports(info),
            "file_sets": file_sets,
        },
    )


def _buses(info: BuildInfo) -> list[Bus]:
    """The clock, its enable, the reset, and the AXI interfaces. AMBA's bus definitions are Arm's; for clocks and
    resets, of which the standard has none, AMD's are the ones that most tools know.
    """
    streams = info.axi_stream
    stream, lite = ("amba.com", "AMBA4", "AXI4Stream", "r0p0_1"), ("amba.com", "AMBA4", "AXI4-Lite", "r0p0_0")
    buses = []
    if streams:
        buses += [Bus(name, mode, *stream, _ports_of(info, name)) for name, mode in _STREAMS.items()]
    if streams and streams.registers:
        buses.append(Bus(_MEMORY_MAP, "slave", *lite, _ports_of(info, _MEMORY_MAP), memory_map=_MEMORY_MAP))
    clock, reset, polarity = ("aclk", "aresetn", "ACTIVE_LOW") if streams else ("clk", "rst", "ACTIVE_HIGH")
    clocked = {"ASSOCIATED_RESET": reset}
    if buses:
        clocked["ASSOCIATED_BUSIF"] = ":".join(bus.name for bus in buses)
    signals = ("xilinx.com", "signal")
    if info.clock_enable:
        clocked["ASSOCIATED_CLKEN"] = ENABLE.name
        buses.append(Bus(ENABLE.name, "slave", *signals, "clockenable", "1.0", {"CE": ENABLE.name}))
    return [
        *buses,
        Bus(clock, "slave", *signals, "clock", "1.0", {"CLK": clock}, parameters=clocked),
        Bus(reset, "slave", *signals, "reset", "1.0", {"RST": reset}, parameters={"POLARITY": polarity}),
    ]


def _ports_of(info: BuildInfo, prefix: str) -> dict[str, str]:
    """The ports of the top module that begin so, by the rest of their names in capitals."""
    found = [port.name for port in top_ports(info) if port.name.startswith(f"{prefix}_")]
    return {name.removeprefix(f"{prefix}_").upper(): name for name in found}
