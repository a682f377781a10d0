"""The families and devices that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from difflut.errors import ConfigError, UnknownNameError
from difflut.export.errors import ToolError
from difflut.export.families import generic, gowin, lattice, xilinx
from difflut.export.families.devices import Device
from difflut.export.families.family import Family
from difflut.export.families.tools import PlaceAndRoute
from difflut.registry import Registry

VENDORS = (generic, xilinx, lattice, gowin)
FAMILIES: Registry[Family] = Registry(
    "FPGA family", "difflut.export.families", {family.name: family for vendor in VENDORS for family in vendor.FAMILIES}
)


def find_family(name: str) -> Family:
    """The family of a name.

    Raises:
        UnknownNameError: if there is none; names the known ones.
    """
    return FAMILIES.find(name)


def family_of_device(name: str) -> Family:
    """The family of a device or part, listed or not, in any case.

    Raises:
        UnknownNameError: no family has parts of such a name; names an example of each.
    """
    wanted = name.lower().replace(" ", "")
    for family in FAMILIES.values():
        if family.part_names and re.match(family.part_names, wanted):
            return family
    examples = ", ".join(family.devices[0].part for family in FAMILIES.values() if family.part_names)
    raise UnknownNameError(f"device {name!r} is of no known FPGA family; such are {examples}")


def chosen_family(device: str | None, fpga: str | None) -> str | None:
    """The name of the family that a device, a family or both choose, None if neither is given.

    Raises:
        UnknownNameError: there is no such device.
        ConfigError: the device is of another family.
    """
    if device is None:
        return fpga
    family = family_of_device(device).name
    if fpga not in (None, family):
        raise ConfigError(f"device {device!r} is of the family {family}, not of {fpga}; leave one of them out")
    return family


def listed(words: Iterable[str]) -> str:
    """Words in their order, each once: a, b or c."""
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def placed_devices() -> list[tuple[Family, PlaceAndRoute, Device]]:
    """The devices that nextpnr places and routes for, with their families."""
    return [
        (family, family.nextpnr, device)
        for family in FAMILIES.values()
        if family.nextpnr is not None
        for device in family.devices
        if device.part
    ]


def find_device(name: str | None, family: Family) -> tuple[Family, PlaceAndRoute, Device]:
    """A device that nextpnr places and routes for, by its part's name or an unambiguous beginning of one, in any case.

    Args:
        name: such as "LFE5U-85F"; None for the first device of the family.
        family: the FPGA family of the build.

    Returns:
        The device's family, how that is placed and routed, and the device.

    Raises:
        UnknownNameError: there is no such device, or several; lists what there is.
        ToolError: no name, and nextpnr has no device of the family.
    """
    known = placed_devices()
    parts = ", ".join(device.part for _, _, device in known)
    if name is None:
        of_family = [entry for entry in known if entry[0] == family]
        if not of_family:
            raise ToolError(
                f"the build is for {family.name}, which nextpnr does not place for; export it with --fpga "
                f"{listed(entry[0].name for entry in known)}, or choose a --device: {parts}"
            )
        return of_family[0]
    wanted = name.lower()
    exact = [entry for entry in known if entry[2].part.lower() == wanted]
    found = exact or [entry for entry in known if entry[2].part.lower().startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownNameError(f"device {name!r} is ambiguous: {', '.join(entry[2].part for entry in found)}")
    raise UnknownNameError(f"unknown device {name!r}; known: {parts}")
