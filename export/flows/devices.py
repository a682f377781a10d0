"""The devices that nextpnr places and routes for, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from difflut.errors import UnknownNameError
from difflut.export.errors import ToolError


@dataclass(frozen=True)
class Device:
    """One part in one package.

    Attributes:
        part: its name: the part number, for iCE40 part and package.
        family: the FPGA family, a name in `difflut.export.families.family.TARGETS`.
        options: what tells nextpnr the part.
        synthesis: options of Yosys' synthesis command of the family.
        packer_options: what tells the tool that packs the bitstream the part.
        pins: pins for the shell's ports, where nextpnr refuses ports without a place.
    """

    part: str
    family: str
    options: tuple[str, ...]
    synthesis: str = ""
    packer_options: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The part's name as a folder name."""
        return self.part.replace("/", "_")


def _ecp5(part: str, size: str, package: str, speed: str) -> Device:
    return Device(part, "ecp5", (f"--{size}", "--package", package, "--speed", speed))


def _ice40(part: str, size: str, package: str, kind: str) -> Device:
    return Device(part, "ice40", (f"--{size}", "--package", package), synthesis=f"-device {kind}")


def _gowin(part: str, family: str, synthesis: str, pins: tuple[int, ...]) -> Device:
    ports = ("clk", "rst", "in_bit", "in_last", "out_bit", "out_valid")
    return Device(
        part,
        "gowin",
        ("--device", part, "--vopt", f"family={family}"),
        synthesis=f"-family {synthesis}",
        packer_options=("-d", family),
        pins={port: str(pin) for port, pin in zip(ports, pins, strict=True)},
    )


# The first device of a family is the one that is taken if none is named.
DEVICES: dict[str, Device] = {
    device.part: device
    for device in (
        _ecp5("LFE5U-85F-6BG381C", "85k", "CABGA381", "6"),
        _ecp5("LFE5U-45F-6BG381C", "45k", "CABGA381", "6"),
        _ecp5("LFE5U-25F-6BG256C", "25k", "CABGA256", "6"),
        _ecp5("LFE5U-12F-6BG256C", "12k", "CABGA256", "6"),
        _ecp5("LFE5UM5G-85F-8BG381I", "um5g-85k", "CABGA381", "8"),
        _ice40("iCE40HX8K-CT256", "hx8k", "ct256", "hx"),
        _ice40("iCE40HX1K-TQ144", "hx1k", "tq144", "hx"),
        _ice40("iCE40UP5K-SG48", "up5k", "sg48", "u"),
        _gowin("GW1NR-LV9QN88PC6/I5", "GW1N-9C", "gw1n", (52, 25, 26, 27, 28, 29)),
        _gowin("GW2AR-LV18QN88C8/I7", "GW2A-18C", "gw2a", (4, 73, 74, 75, 85, 77)),
    )
}


def find_device(name: str | None, family: str) -> Device:
    """The device of a name, or of an unambiguous beginning of one; upper and lower case are the same.

    Args:
        name: such as "LFE5U-85F"; None for the first device of the family.
        family: the FPGA family of the build.

    Raises:
        UnknownNameError: there is no such device, or several; lists what there is.
        ToolError: no name, and nextpnr has no device of the family.
    """
    if name is None:
        found = [device for device in DEVICES.values() if device.family == family]
        if not found:
            raise ToolError(
                f"the build is for {family}, which nextpnr does not place for; export it with --fpga ecp5, ice40 or "
                f"gowin, or choose a --device: {', '.join(DEVICES)}"
            )
        return found[0]
    exact = [device for part, device in DEVICES.items() if part.lower() == name.lower()]
    found = exact or [device for part, device in DEVICES.items() if part.lower().startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownNameError(f"device {name!r} is ambiguous: {', '.join(device.part for device in found)}")
    raise UnknownNameError(f"unknown device {name!r}; known: {', '.join(DEVICES)}")
