"""The ports of a module with AXI4-Streams and AXI4-Lite registers."""

from __future__ import annotations

from difflut.export.interfaces.registers import ADDRESS_BITS
from difflut.export.verilog.design import Port
from difflut.export.verilog.ports import flag_in, flag_out, vector_in, vector_out

# Of each channel of AXI4-Lite: whether the master drives it, and what it carries, in bits.
_CHANNELS = {
    "aw": (True, {"addr": ADDRESS_BITS, "prot": 3}),
    "w": (True, {"data": 32, "strb": 4}),
    "b": (False, {"resp": 2}),
    "ar": (True, {"addr": ADDRESS_BITS, "prot": 3}),
    "r": (False, {"data": 32, "resp": 2}),
}


def stream_ports(width_bits: int, *, registers: bool = True) -> tuple[Port, ...]:
    """The ports in the order of the module's text; `width_bits` are those of TDATA."""
    found = [flag_in("aclk"), flag_in("aresetn")]
    for stream, taken in (("s_axis", True), ("m_axis", False)):
        flag, back, vector = (flag_in, flag_out, vector_in) if taken else (flag_out, flag_in, vector_out)
        found += [vector(f"{stream}_tdata", width_bits), flag(f"{stream}_tvalid")]
        found += [back(f"{stream}_tready"), flag(f"{stream}_tlast")]
    for channel, (taken, payload) in (_CHANNELS if registers else {}).items():
        flag, back, vector = (flag_in, flag_out, vector_in) if taken else (flag_out, flag_in, vector_out)
        found += [vector(f"s_axil_{channel}{name}", bits) for name, bits in payload.items()]
        found += [flag(f"s_axil_{channel}valid"), back(f"s_axil_{channel}ready")]
    return tuple(found)
