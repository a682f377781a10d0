"""What a synthesised netlist, as Yosys writes it in JSON, is made of: LUTs, carry cells, multiplexers, flip-flops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from difflut.export.families.cells import Cells
from difflut.shown import Brief

Modules = Mapping[str, Mapping[str, Any]]
_SCOPE = "$scopeinfo"  # Yosys' note of a module that was flattened


@dataclass(frozen=True, repr=False)
class Usage(Brief):
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


def usage(types: Mapping[str, int], cells: Cells) -> Usage:
    """Sort cells, given by type and number, by what they are in a family."""
    luts: dict[str, int] = {}
    carries: dict[str, int] = {}
    others: dict[str, int] = {}
    muxes = flip_flops = 0
    for kind, count in sorted(types.items()):
        if kind in cells.luts:
            luts[kind] = count * cells.luts[kind]
        if kind in cells.carries:
            carries[kind] = count
        elif kind in cells.muxes:
            muxes += count
        elif cells.is_flip_flop(kind):
            flip_flops += count
        elif kind not in cells.luts and kind not in cells.ignored and kind != _SCOPE:
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
