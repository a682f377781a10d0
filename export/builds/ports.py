"""The ports of a build's top module, from what `build.json` says."""

from __future__ import annotations

from difflut.export.builds.info import BuildInfo
from difflut.export.interfaces.ports import stream_ports
from difflut.export.verilog.clock_enable import ENABLE
from difflut.export.verilog.design import Port
from difflut.export.verilog.ports import CLOCK, flag_in, flag_out, reset, vector_in, vector_out


def top_ports(info: BuildInfo) -> tuple[Port, ...]:
    """The ports of the top module, in the order of its text."""
    if info.axi_stream is not None:
        return stream_ports(info.axi_stream.width_bits, registers=bool(info.axi_stream.registers))
    return (
        CLOCK,
        *([flag_in(ENABLE.name)] if info.clock_enable else []),
        reset(),
        flag_in("in_valid"),
        *map(flag_out, info.schedule.ready_ports),
        vector_in("in_codes", info.input.features * info.input.width_bits),
        flag_out("out_valid"),
        *(vector_out(name, width) for name, width in info.output.ports),
    )
