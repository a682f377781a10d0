"""Large designs for Yosys: the LUTs of the network stay as they are instead of being taken apart and mapped anew.

Yosys' synthesis commands make of each LUT its tree of multiplexers, 63 for six inputs, on which all later passes work:
60,000 LUTs are some three million cells, and neither time nor memory are there for what follows. The exporter has
mapped the network already. So, while a command runs, LUTs are cells that it does not look into; then the family's own
map makes LUTs of them.
"""

from __future__ import annotations

from difflut.errors import ConfigError
from difflut.export.families.family import Family

MOST_MAPPED = 20_000  # LUTs of a network up to which Yosys maps them anew
COUNTED = (
    "each LUT of the network counts as it was exported, none is mapped anew or shared; no DSPs, shift registers are "
    "flip-flops"
)
LIBRARY = "kept_luts.v"
_WIDTHS = range(1, 9)


def keeps(family: Family, luts: int, asked: bool | None = None) -> bool:
    """Whether the LUTs of a network of `luts` stay as they are: where it is asked for, else where they are many.

    Raises:
        ConfigError: it is asked for, and Yosys has no map of wide LUTs for the family.
    """
    possible = family.yosys.lut_map is not None
    if asked and not possible:
        raise ConfigError(f"keeping LUTs: Yosys has no map of LUTs of six inputs for {family.name}; leave it out")
    return possible and luts > MOST_MAPPED if asked is None else asked


def library() -> str:
    """The cells that stand for LUTs, one of each number of inputs, as Verilog without a content."""
    return "".join(
        f"(* blackbox *) module difflut_lut{width} (input [{width - 1}:0] A, output Y);\n"
        f"  parameter WIDTH = {width};\n  parameter [{(1 << width) - 1}:0] LUT = 0;\nendmodule\n"
        for width in _WIDTHS
    )


def hide() -> list[str]:
    """The lines of a script that put these cells into the places of LUTs."""
    return [f"read_verilog -lib {LIBRARY}"] + [
        f"chtype -set difflut_lut{width} t:$lut r:WIDTH={width} %i" for width in _WIDTHS
    ]


def bring_back(family: Family) -> list[str]:
    """The lines that make LUTs of the family of them."""
    lines = [f"chtype -set $lut t:difflut_lut{width}" for width in _WIDTHS]
    if family.yosys.lut_map:
        lines.append(f"techmap -map {family.yosys.lut_map}")
    return [*lines, "clean"]
