"""Verilator's run-time library is compiled once, whatever the design."""

from __future__ import annotations

from pathlib import Path

import pytest
from rtl_fixture import INTERFACE, reference, sample_codes, write_rtl
from tools import require_verilator

from difflut.sim import build, compare, run_rtl, runtime
from difflut.sim.toolchain import Verilator

TOOL = Verilator("verilator", (5, 48), None, "make", "g++")


def compiled(obj: Path, options: list[str], content: str) -> dict[str, str]:
    """What lies in a folder when make begins, which compiles what is not there."""
    obj.mkdir()
    with runtime.kept(obj, TOOL, options):
        there = {file.name: file.read_text() for file in obj.iterdir()}
        for name in ("verilated.o", "verilated_vpi.o", "Vtop.o"):
            if name not in there:
                (obj / name).write_text(content)
    return there


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "simulators"


def test_objects_are_kept_for_equal_options(tmp_path: Path, cache: Path) -> None:
    assert compiled(tmp_path / "a", ["-O0"], "first") == {}
    assert compiled(tmp_path / "b", ["-O0"], "second") == {"verilated.o": "first", "verilated_vpi.o": "first"}
    (entry,) = cache.iterdir()
    (entry / "verilated.o").unlink()  # as if a run had been killed while it kept them
    assert compiled(tmp_path / "c", ["-O0"], "third") == {"verilated_vpi.o": "first"}
    assert compiled(tmp_path / "d", ["-O0"], "fourth") == {"verilated.o": "third", "verilated_vpi.o": "first"}
    assert compiled(tmp_path / "e", ["-O0", "--trace-fst"], "fifth") == {}


def test_what_fails_keeps_nothing(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(RuntimeError), runtime.kept(tmp_path / "a", TOOL, []):
        (tmp_path / "a" / "verilated.o").write_text("half")
        raise RuntimeError
    assert compiled(tmp_path / "b", [], "whole") == {}


def test_a_second_design_compiles_its_own_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first in files of its own, as large designs are, the second in one piece."""
    require_verilator()
    codes, expected = sample_codes(40), reference(sample_codes(40))
    for folder, pieces in (("first", 0), ("second", build.ONE_PIECE)):
        monkeypatch.setattr(build, "ONE_PIECE", pieces)
        (source, *others) = write_rtl(tmp_path / folder)
        source.write_text(f"{source.read_text()}// {folder}\n")
        result = run_rtl([source, *others], INTERFACE, codes, build_dir=tmp_path / folder / "work")
        assert compare(*expected, result.scores, result.classes).ok
        log = (tmp_path / folder / "work" / "verilator" / "build.log").read_text()
        assert ("Vtop__ALL.cpp" in log) == (pieces > 0)
    assert "-o simulator" in log and "verilated_vpi.cpp" not in log
