"""What a synthesised netlist, as Yosys writes it in JSON, is made of: LUTs, carry cells, multiplexers, flip-flops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Modules = Mapping[str, Mapping[str, Any]]

# How many LUTs one cell takes. A carry cell of ECP5 and of Gowin contains the LUTs in front of its chain; those of
# Xilinx and iCE40 take them from separate LUT cells.
_LUT_CELLS = {"INV": 1, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1, "CCU2C": 2, "ALU": 1}
_LUT = re.compile(r"(LUT\d(_2)?|SB_LUT4|\$lut|GENERIC_LUT)$")
_CARRY = re.compile(r"(CARRY[48]|SB_CARRY|CCU2C|ALU)$")
_MUX = re.compile(r"(MUXF[789]|MUXCY|PFUMX|L6MUX21|MUX2_LUT\d)$")
_FLIP_FLOP = re.compile(r"(FD[RSCP]E?(_1)?|SB_DFF\w*|TRELLIS_FF|DFF\w*|\$_(S?DFF|ALDFF|DLATCH)\w*)$")
_NO_LOGIC = re.compile(r"(\$scopeinfo|I?O?BUFG?|IBUF|OBUF|BUFGCTRL|GND|VCC|GSR)$")


@dataclass(frozen=True)
class Usage:
    """The cells of a circuit or of a part of it.

    Attributes:
        luts: LUTs in all: LUT cells of any size, dual-output ones once, inverters and LUTs used as shift registers.
        luts_by_kind: the same by cell type.
        carries: carry cells (Xilinx: of four or eight bits) by type.
        muxes: multiplexers between LUTs of one slice.
        flip_flops: flip-flops, shift registers not among them.
        others: cells that are none of these, by type; pads and clock buffers are left out.
    """

    luts: int = 0
    luts_by_kind: Mapping[str, int] = field(default_factory=dict)
    carries: Mapping[str, int] = field(default_factory=dict)
    muxes: int = 0
    flip_flops: int = 0
    others: Mapping[str, int] = field(default_factory=dict)


def usage(types: Mapping[str, int]) -> Usage:
    """Sort cells, given by type and number."""
    luts: dict[str, int] = {}
    carries: dict[str, int] = {}
    others: dict[str, int] = {}
    muxes = flip_flops = 0
    for kind, count in sorted(types.items()):
        known = False
        if _LUT.match(kind) or kind in _LUT_CELLS:
            luts[kind] = count * _LUT_CELLS.get(kind, 1)
            known = True
        if _CARRY.match(kind):
            carries[kind] = count
        elif _MUX.match(kind):
            muxes += count
        elif _FLIP_FLOP.match(kind):
            flip_flops += count
        elif not known and not _NO_LOGIC.match(kind):
            others[kind] = count
    return Usage(sum(luts.values()), luts, carries, muxes, flip_flops, others)


def count_types(modules: Modules, top: str) -> Counter[str]:
    """The primitive cells of module `top`, those of the modules that it instantiates included."""
    total: Counter[str] = Counter()
    for cell in modules[top]["cells"].values():
        total.update(_types_of(modules, cell["type"]))
    return total


def count_parts(modules: Modules, top: str) -> dict[str, Counter[str]]:
    """The primitive cells of every instance in `top` by instance name; "top" has those outside all instances."""
    parts: dict[str, Counter[str]] = {}
    own: Counter[str] = Counter()
    for name, cell in modules[top]["cells"].items():
        if _is_primitive(modules, cell["type"]):
            own[cell["type"]] += 1
        else:
            parts[name] = count_types(modules, cell["type"])
    return {**parts, "top": own}


def _types_of(modules: Modules, kind: str) -> Counter[str]:
    return Counter({kind: 1}) if _is_primitive(modules, kind) else count_types(modules, kind)


def _is_primitive(modules: Modules, kind: str) -> bool:
    """Cells of the library occur as modules that are marked as black or white boxes, or not at all."""
    module = modules.get(kind)
    return module is None or bool({"blackbox", "whitebox"} & set(module.get("attributes", {})))
