"""Devices of an FPGA family: their LUT counts, and how tools are told the part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Device:
    """One chip, and the part (a chip in a package) that flows take of it.

    Attributes:
        chip: its name for people.
        luts: its LUTs, of as many inputs as the family's have; entered by hand, those of ECP5 and iCE40 as nextpnr
            reports them, the others not checked against a data sheet. None for variants that are not to be suggested.
        part: the part number, for iCE40 chip and package; empty where no flow needs one.
        options: what tells nextpnr the part.
        synthesis: options of Yosys' synthesis command of the family.
        packer_options: what tells the tool that packs the bitstream the part.
        pins: pins for the shell's ports, where nextpnr refuses ports without a place.
    """

    chip: str
    luts: int | None
    part: str = ""
    options: tuple[str, ...] = ()
    synthesis: str = ""
    packer_options: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The part's name as a folder name."""
        return self.part.replace("/", "_")
