from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from small_models import Chain, fitted
from tools import require_icarus, require_tool, require_yosys

from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import export_model
from difflut.export.verilog import names

RENAMED = {
    "my-model v2": "my_model_v2",
    "2x4000": "m_2x4000",
    "größe": "gr_e",
    "": "m",
    "_": "m",
    "日本": "m",
    "__a__b_": "a_b",
    "_9": "m_9",
    'a"; touch P\\': "a_touch_P",
    # Verilog's and VHDL's words in any case, packages, YAML's words, files that some systems do not have.
    **{word: f"m_{word}" for word in ("module", "logic", "Module", "entity", "SIGNAL", "std", "work", "ieee")},
    **{word: f"m_{word}" for word in ("on", "yes", "True", "null", "n", "aux", "COM1")},
    **{word: f"m_{word}" for word in ("LUT6", "FDRE", "CARRY4", "SB_DFF", "TRELLIS_FF", "RAM64x12", "rPLL", "A")},
}


@pytest.mark.parametrize(("text", "expected"), RENAMED.items())
def test_names_that_mean_something_elsewhere_are_changed(text: str, expected: str) -> None:
    assert names.identifier(text) == expected
    assert names.identifier(expected) == expected
    with pytest.raises(ConfigError, match=rf"^the name .* is no module's: .*; {expected} is one$") as caught:
        names.check_identifier(text)
    assert str(caught.value).isascii()


@pytest.mark.parametrize("text", ["mnist_fc_8k", "MyNet", "Net2", "modules", "lut_net", "x" * 80])
def test_other_names_stay(text: str) -> None:
    assert names.check_identifier(text) == text


@pytest.mark.parametrize("text", ["x" * 81, "x\x1b" * 150])
def test_long_names_are_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^the name 'x.*'\.\.\. has {len(text)} characters; .* give a shorter name$"
    ):
        names.identifier(text)


def test_no_name_is_that_of_a_primitive() -> None:
    """Of the cells that Yosys knows for the families that difflut exports for."""
    require_yosys()
    (package,) = importlib.util.find_spec("pyosys").submodule_search_locations  # type: ignore[union-attr, misc]
    cells = {
        cell
        for folder in ("xilinx", "lattice", "ecp5", "ice40", "gowin")
        for file in (Path(package) / "share" / folder).glob("cells_*.v")
        for cell in re.findall(r"^\s*module +([A-Za-z]\w*)", file.read_text(), re.MULTILINE)
    }
    assert len(cells) > 500 and not {cell for cell in cells if names.identifier(cell) == cell}


@pytest.mark.parametrize("text", ["on", "LUT6", "entity", "clk", "out_class", "encoder", "std"])
def test_tools_take_what_an_export_calls_modules(tmp_path: Path, text: str) -> None:
    """Also where a module is called like a port or a part of it."""
    folder = export_model(fitted(Chain(name=text)), tmp_path / "net")
    build = store.read(folder)
    top = build.info.name
    assert top == names.identifier(text) and all(Path(name).stem.startswith(top) for name in build.rtl)
    core = yaml.safe_load((folder / f"{top}.core").read_text(encoding="utf-8"))
    assert core["targets"]["default"]["toplevel"] == top
    require_icarus()
    rtl = [str(folder / name) for name in build.rtl]
    for generation in ("-g2001", "-g2012"):
        subprocess.run([require_tool("iverilog"), generation, "-o", tmp_path / "out", "-s", top, *rtl], check=True)


def test_literals_have_all_their_digits() -> None:
    assert names.literal(10, 8) == "8'h0a"
    assert names.literal(1, 1) == "1'h1"
    assert names.literal((1 << 256) - 1, 256) == "256'h" + "f" * 64


@pytest.mark.parametrize("value", [-1, 16])
def test_a_value_that_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=rf"^{value} does not fit an unsigned literal of 4 bits$"):
        names.literal(value, 4)


def test_ranges_and_parts() -> None:
    assert (names.vector(1), names.vector(8)) == ("[0:0]", "[7:0]")
    assert (names.part(3, 1), names.part(8, 4)) == ("[3]", "[11:8]")


def test_concatenations_and_extensions() -> None:
    assert names.concatenation(["a"]) == "a"
    assert names.concatenation(["a", "b"]) == "{a, b}"
    assert names.zero_extended("a", 3, 3) == "a"
    assert names.zero_extended("a", 3, 5) == "{2'd0, a}"


def test_comments_stay_on_their_line() -> None:
    assert names.comment("a\nb\\") == "a b"
    assert names.comment("größe\t1") == "gr e 1"
