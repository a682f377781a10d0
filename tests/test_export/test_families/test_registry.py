"""What every family states, and that its name stands nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from difflut.errors import UnknownNameError
from difflut.export.families.family import Family
from difflut.export.families.registry import FAMILIES, VENDORS, find_family, listed, placed_devices
from difflut.export.flows.shell import PINS
from difflut.export.verilog.names import RESERVED
from difflut.report.devices import COMFORTABLE, smallest

ROOT = Path(__file__).parents[3]
EXAMPLE = re.compile(r"--fpga \w+")  # of a command line in a help text


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """The strings of a module, those that are documentation left out."""
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def names_in(text: str) -> list[str]:
    """The families that the strings of a module name, command lines for people left out."""
    words = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(FAMILIES)})(?![A-Za-z0-9])")
    return [word for literal in literals(ast.parse(text)) for word in words.findall(EXAMPLE.sub("", literal.value))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('COMMANDS = {"xc7": "synth_xilinx"}', ["xc7"]),
        ('if family.name == "ecp5": pass', ["ecp5"]),
        ('help = "FPGA family: generic, gowin."', ["generic", "gowin"]),
        ('help = f"such as {one} or ice40"', ["ice40"]),
        ('"""Builds for xcup differ."""\n"  difflut export net --fpga xcup\\n"', []),
        ('run("difflut export net --fpga xcup")', []),
        ('tool = "nextpnr-ecp5", "synth_ice40"', ["ecp5", "ice40"]),
        ('lines = "generics"; T = np.generic', []),
    ],
)
def test_names_are_found_in_strings(text: str, found: list[str]) -> None:
    assert names_in(text) == found


def test_families_are_named_in_their_own_files_only() -> None:
    found = {}
    for top in ("export", "difflut", "sim", "hdl_templates"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if path.parent == ROOT / "export" / "families":
                continue
            words = names_in(path.read_text(encoding="utf-8"))
            if path.name == "names.py":
                words = [word for word in words if word.lower() not in RESERVED]  # "generic" is a keyword of VHDL
            if words:
                found[str(path.relative_to(ROOT))] = words
    assert not found


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    assert all(find_family(name) is family and family.name == name for name, family in FAMILIES.items())
    assert sum(len(vendor.FAMILIES) for vendor in VENDORS) == len(FAMILIES)  # no name twice
    with pytest.raises(UnknownNameError) as caught:
        find_family("zx81")
    assert str(caught.value) == "unknown FPGA family 'zx81'; known: generic, xc7, xcup, ice40, ecp5, gowin"
    assert (listed(["a"]), listed("aba"), listed("abc")) == ("a", "a or b", "a, b or c")


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_what_a_family_states_fits_together(family: Family) -> None:
    cells = family.cells
    assert family.description and family.lut_inputs >= 4 and cells.luts and cells.flip_flops
    assert set(cells.shift_registers) <= cells.luts.keys() and set(cells.after_carry) <= cells.luts.keys()
    assert not cells.muxes.keys() & (cells.luts.keys() | cells.carries.keys())
    assert not any(cells.is_flip_flop(kind) for kind in (*cells.luts, *cells.carries, *cells.muxes, *cells.ignored))
    assert (family.carry_bits > 0) == family.has_primitives
    if family.has_primitives:
        assert family.yosys.libraries and (ROOT / "hdl_templates" / f"{family.primitives}_models.v.j2").is_file()
    assert len({device.part for device in family.devices if device.part}) == sum(
        bool(device.part) for device in family.devices
    )
    if family.nextpnr is not None or family.vivado is not None:  # the first device is the one they take
        assert family.devices[0].part
    if family.vivado is not None:
        assert family.vivado.has(family.devices[0].part)
    if family.nextpnr is not None:
        assert family.nextpnr.logic and "{file}" in "".join(family.nextpnr.pins)


def test_every_port_has_a_place_where_nextpnr_gives_it_none() -> None:
    for _, placing, device in placed_devices():
        assert device.pins or placing.unconstrained
        if device.pins:
            assert set(device.pins) == set(PINS) and len(set(device.pins.values())) == len(PINS)
            assert "{port}" in placing.pin_line and "{pin}" in placing.pin_line


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_the_smallest_device_that_a_design_fits_into_comfortably(family: Family) -> None:
    sizes = sorted(device.luts for device in family.devices if device.luts is not None)
    for smaller, size in zip([0, *sizes], sizes, strict=False):
        for luts in (int(COMFORTABLE * smaller) + 1, int(COMFORTABLE * size)):
            found = smallest(family, luts)
            assert found is not None and found[1] == found[0].luts == size
    assert smallest(family, sizes[-1]) is None


def test_chips_are_named_after_their_parts() -> None:
    chips = {device.part: device.chip for family in FAMILIES.values() for device in family.devices if device.part}
    assert chips["iCE40HX8K-CT256"] == "iCE40 HX8K" and chips["LFE5U-25F-6BG256C"] == "LFE5U-25F"
    assert chips["LFE5UM5G-85F-8BG381I"] == "LFE5UM5G-85F"
