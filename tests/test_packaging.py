"""The wheel has every package and template, and nothing reaches for what only the checkout has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]


def setuptools_table() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_is_listed() -> None:
    listed = set(setuptools_table()["packages"])  # type: ignore[call-overload]
    found = set()
    for top, name in (
        ("difflut", "difflut"),
        ("export", "difflut.export"),
        ("sim", "difflut.sim"),
        ("hdl_templates", "difflut.hdl_templates"),
    ):
        for init in (ROOT / top).rglob("__init__.py"):
            relative = init.parent.relative_to(ROOT / top)
            found.add(".".join([name, *relative.parts]))
    assert found == listed


def test_an_editable_install_is_one_folder() -> None:
    """Type checkers follow a folder on the path, and no import hook, which setuptools makes of any other mapping."""
    table = setuptools_table()
    assert table["package-dir"] == {"": "."}
    missing = [name for name in table["packages"] if not (ROOT.joinpath(*name.split(".")) / "__init__.py").is_file()]  # type: ignore[attr-defined]
    assert missing == []


@pytest.mark.parametrize("name", ["export", "sim", "hdl_templates"])
def test_symlinks_are_relative(name: str) -> None:
    link = ROOT / "difflut" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [("difflut", "torch"), ("difflut.export", "torch"), ("difflut.export.verilog", "torch"), ("difflut.sim", "torch"),
     ("difflut.sim", "cocotb"), ("difflut.cli", "torch")],
)  # fmt: skip
def test_import_stays_light(module: str, forbidden: str) -> None:
    code = f"import sys, {module}; sys.exit({forbidden!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_people_build_with_is_at_the_top() -> None:
    import difflut

    assert set(difflut.__all__) <= set(dir(difflut))
    for name in difflut.__all__:
        assert getattr(difflut, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'LUTLayers'"):
        _ = difflut.LUTLayers


def test_version_is_the_same_everywhere() -> None:
    from importlib.metadata import version

    import difflut

    assert difflut.__version__ == version("difflut")
    assert f"## {difflut.__version__}" in (ROOT / "CHANGELOG.md").read_text()
