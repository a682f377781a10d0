"""How many LUTs some devices have, to say what a design might fit into.

A guide, entered by hand: those of the ECP5 and iCE40 parts are what nextpnr reports, the others were not checked
against a data sheet.
"""

from __future__ import annotations

from dataclasses import dataclass

# More than that and placers struggle to route a network whose nodes read from anywhere.
COMFORTABLE = 0.8


@dataclass(frozen=True)
class Device:
    """A device and its LUTs, of as many inputs as its family's have."""

    name: str
    luts: int


_XC7 = (
    Device("XC7S15", 8_000),
    Device("XC7A35T", 20_800),
    Device("XC7A50T", 32_600),
    Device("XC7A100T", 63_400),
    Device("XC7A200T", 134_600),
    Device("XC7K325T", 203_800),
    Device("XC7V2000T", 1_221_600),
)
DEVICES: dict[str, tuple[Device, ...]] = {
    "generic": _XC7,  # counted in six-input LUTs
    "xc7": _XC7,
    "xcup": (
        Device("ZU2", 47_232),
        Device("ZU3", 70_560),
        Device("KU3P", 162_720),
        Device("ZU9", 274_080),
        Device("VU9P", 1_182_240),
    ),
    "ecp5": (Device("LFE5U-25F", 24_288), Device("LFE5U-45F", 43_848), Device("LFE5U-85F", 83_640)),
    "ice40": (Device("iCE40 HX1K", 1_280), Device("iCE40 UP5K", 5_280), Device("iCE40 HX8K", 7_680)),
    "gowin": (Device("GW1NR-9", 8_640), Device("GW2A-18", 20_736), Device("GW2A-55", 54_720)),
}


def smallest(family: str, luts: int) -> Device | None:
    """The smallest listed device of a family of which `luts` are at most the share `COMFORTABLE`; None if there is
    none.
    """
    return next((device for device in DEVICES.get(family, ()) if luts <= COMFORTABLE * device.luts), None)
