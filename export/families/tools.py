"""How the tools of an FPGA family are called, as data: Yosys, nextpnr, Vivado, FuseSoC."""

from __future__ import annotations

import re
from dataclasses import dataclass

from difflut.export.families.devices import Device


@dataclass(frozen=True)
class YosysSynthesis:
    """Synthesis by Yosys.

    Attributes:
        command: the synthesis command; `-flatten` keeps modules with the attribute keep_hierarchy.
        libraries: what defines the primitives that builds for the family instantiate.
        models: simulation models of the cells that a netlist of the family has; without any, the netlist is plain
            Verilog.
        lut_map: the file, and options of `techmap`, that make the family's cells of wide LUTs; empty where Yosys' own
            LUTs are the cells, None where there is no such file.
        large_options: of the command, for designs whose LUTs are kept: without passes that take long on many registers
            or pads and find nothing in a network.
    """

    command: str
    libraries: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    lut_map: str | None = None
    large_options: str = ""


@dataclass(frozen=True)
class Package:
    """What brings a tool: the distribution, its module and the function that is the tool; `arguments` says whether the
    function takes the arguments as a list (or reads sys.argv)."""

    distribution: str
    module: str
    function: str
    arguments: bool = True


@dataclass(frozen=True)
class Program:
    """A tool: its executable's name, and the Python package that brings it too."""

    name: str
    package: Package


@dataclass(frozen=True)
class PlaceAndRoute:
    """How nextpnr places and routes the devices of a family, and what packs the bitstream.

    Attributes:
        place: nextpnr for the family.
        packer: what makes a bitstream of a routed design.
        pins: the options that name a file of pins, {file}.
        pins_ending: the ending of such files.
        write: the option that the routed design's file follows.
        routed_ending: the ending of such files.
        bitstream_ending: the ending of a bitstream.
        unconstrained: what lets ports have no place; empty where nextpnr refuses that.
        pin_line: the line that gives a {port} its {pin}, for devices that name pins for the shell.
        packing: the packer's arguments behind the device's, with {routed} and {bitstream}.
        logic: nextpnr's names for the LUTs and flip-flops, which decide whether a network fits.
    """

    place: Program
    packer: Program
    pins: tuple[str, ...]
    pins_ending: str
    write: str
    routed_ending: str
    bitstream_ending: str
    unconstrained: tuple[str, ...] = ()
    pin_line: str = ""
    packing: tuple[str, ...] = ("{routed}", "{bitstream}")
    logic: tuple[str, ...] = ()

    def pin_options(self, file: str) -> tuple[str, ...]:
        """The options that name a file of pins."""
        return tuple(word.format(file=file) for word in self.pins)

    def pack_options(self, routed: str, bitstream: str, device: Device) -> tuple[str, ...]:
        """The packer's arguments."""
        return (*device.packer_options, *(word.format(routed=routed, bitstream=bitstream) for word in self.packing))


@dataclass(frozen=True)
class Vivado:
    """Vivado knows the family; its default part is that of the family's first device.

    Attributes:
        parts: how the names of the family's parts begin, a regular expression; a build with primitives fits no other.
    """

    parts: str

    def has(self, part: str) -> bool:
        """Whether a part may be one of the family's."""
        return re.match(self.parts, part, re.IGNORECASE) is not None


@dataclass(frozen=True)
class FuseSoc:
    """FuseSoC's tool that synthesises for the family, and its options; a part among them is an example."""

    tool: str
    options: tuple[str, ...]
