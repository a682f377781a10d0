"""AMD's (Xilinx') families: builds instantiate LUT6, LUT6_2 and carry primitives, Vivado routes them."""

from __future__ import annotations

from difflut.export.families.cells import Carry, Cells
from difflut.export.families.delays import Delays
from difflut.export.families.devices import Device
from difflut.export.families.family import Family
from difflut.export.families.tools import FuseSoc, Vivado, YosysSynthesis

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

_CARRY_INPUTS = {"CI": 0, "CYINIT": 0, "CI_TOP": 4}  # the upper half of a CARRY8 may be a chain of its own
_CELLS = Cells(
    luts={
        **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
        "LUT6_2": 1,
        "INV": 1,
        "SRL16E": 1,
        "SRLC16E": 1,
        "SRLC32E": 1,
    },
    carries={kind: Carry(_CARRY_INPUTS, wide=True, beside=("S",)) for kind in ("CARRY4", "CARRY8")},
    muxes={"MUXF7": "S", "MUXF8": "S", "MUXF9": "S", "MUXCY": "S"},
    flip_flops=("FDC*", "FDP*", "FDR*", "FDS*"),
    shift_registers=("SRL16E", "SRLC16E", "SRLC32E"),
    ignored=("BUF", "BUFG", "BUFGCTRL", "IBUF", "IBUFG", "IOBUF", "OBUF", "GND", "VCC"),
)
_MODELS = ("+/xilinx/cells_sim.v",)
_LIBRARIES = ("+/xilinx/cells_sim.v", "+/xilinx/cells_xtra.v")

_LARGE = ("+/xilinx/lut_map.v -D LUT_WIDTH=6", "-nodsp -nosrl -noiopad")


def _fusesoc(part: str) -> FuseSoc:
    return FuseSoc("vivado", (f"part: {part}", "pnr: none"))


XC7 = Family(
    "xc7",
    "Xilinx 7 series",
    lut_inputs=6,
    delays=_XC7,
    dual_output=True,
    carry_bits=4,
    primitives="xilinx",
    yosys=YosysSynthesis("synth_xilinx -family xc7 -flatten", _LIBRARIES, _MODELS, *_LARGE),
    cells=_CELLS,
    devices=(
        Device("XC7A35T", 20_800, part="xc7a35tcpg236-1"),
        Device("XC7S15", 8_000),
        Device("XC7A50T", 32_600),
        Device("XC7A100T", 63_400),
        Device("XC7A200T", 134_600),
        Device("XC7K325T", 203_800),
        Device("XC7V2000T", 1_221_600),
    ),
    part_names="xc7",
    vivado=Vivado("xc7"),
    fusesoc=_fusesoc("xc7a35tcpg236-1"),
)
XCUP = Family(
    "xcup",
    "Xilinx UltraScale+",
    lut_inputs=6,
    delays=_XCUP,
    dual_output=True,
    carry_bits=8,
    primitives="xilinx",
    yosys=YosysSynthesis("synth_xilinx -family xcup -flatten", _LIBRARIES, _MODELS, *_LARGE),
    cells=_CELLS,
    devices=(
        Device("VU9P", 1_182_240, part="xcvu9p-flga2104-2-i"),
        Device("ZU2", 47_232),
        Device("ZU3", 70_560),
        Device("KU3P", 162_720),
        Device("ZU9", 274_080),
    ),
    part_names=r"xc(zu|[akv]u\d+p)",
    vivado=Vivado("(?!xc7)"),
    fusesoc=_fusesoc("xcvu9p-flga2104-2-i"),
)
FAMILIES = (XC7, XCUP)
