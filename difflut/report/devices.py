"""Which device a design might fit into."""

from __future__ import annotations

from difflut.export.families.devices import Device
from difflut.export.families.family import Family

# More than that and placers struggle to route a network whose nodes read from anywhere.
COMFORTABLE = 0.8


def smallest(family: Family, luts: int) -> tuple[Device, int] | None:
    """The smallest device of which `luts` are at most the share `COMFORTABLE`, and its LUTs; None if there is none."""
    sizes = [(device, device.luts) for device in family.devices if device.luts is not None]
    fitting = [(device, size) for device, size in sizes if luts <= COMFORTABLE * size]
    return min(fitting, key=lambda entry: entry[1], default=None)
