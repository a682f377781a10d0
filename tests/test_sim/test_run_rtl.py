"""`run_rtl` on a hand-written design: agreement, and every fault that it must catch."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from rtl_fixture import INTERFACE, PROBES, reference, sample_codes, write_rtl
from tools import require_icarus, require_verilator

from difflut.errors import ConfigError
from difflut.files import WriteError, tools_folder
from difflut.sim import Comparison, ProtocolError, RtlResult, ToolFailure, build, compare, run_rtl


def icarus(folder: Path, fault: str | None = None, samples: int = 100, **options: Any) -> tuple[RtlResult, Comparison]:
    require_icarus()
    codes = sample_codes(samples)
    sources = write_rtl(folder / "rtl", fault)
    result = run_rtl(sources, INTERFACE, codes, simulator="icarus", build_dir=folder / "build", **options)
    return result, compare(*reference(codes), result.scores, result.classes)


def test_icarus_agrees(tmp_path: Path) -> None:
    result, comparison = icarus(tmp_path, probes=PROBES, waves=True)
    assert comparison == Comparison(100, 0, 0, None)
    assert (result.scores.dtype, result.scores.shape) == (np.int64, (100, 3))
    assert (result.classes.dtype, result.classes.shape) == (np.int64, (100,))
    assert result.latency_cycles == 3
    codes = sample_codes(100)
    np.testing.assert_array_equal(result.probe_values[0], codes >= 100)
    weights = 1 << np.arange(3)
    np.testing.assert_array_equal(result.probe_values[1].reshape(100, 3, 3) @ weights, reference(codes)[0])
    assert result.waves is not None
    assert_waves(result.waves)


@pytest.mark.parametrize("samples", [1, 2, 17])
@pytest.mark.parametrize("bubbles", [False, True])
def test_few_samples(tmp_path: Path, samples: int, bubbles: bool) -> None:
    _, comparison = icarus(tmp_path, samples=samples, bubbles=bubbles)
    assert comparison == Comparison(samples, 0, 0, None)


def test_a_wrong_tie_break_changes_the_class_only(tmp_path: Path) -> None:
    _, comparison = icarus(tmp_path, "wrong tie-break")
    assert comparison.score_mismatches == 0 and comparison.class_mismatches > 0
    assert re.fullmatch(r"sample \d+: class expected 0, got 1", str(comparison.first))


def test_a_threshold_off_by_one_is_caught(tmp_path: Path) -> None:
    _, comparison = icarus(tmp_path, "threshold off by one")
    assert comparison.score_mismatches > 0
    assert re.match(r"sample \d+: score 1 expected (\d), got \d", str(comparison.first))


def test_scores_of_another_sample_after_a_bubble_are_caught(tmp_path: Path) -> None:
    _, with_bubbles = icarus(tmp_path, "stale after a bubble")
    _, without = icarus(tmp_path, "stale after a bubble", bubbles=False)
    assert with_bubbles.score_mismatches > 5
    assert without.score_mismatches <= 2  # only at the end, where idle cycles follow too


PROTOCOL_FAULTS = {
    "one cycle late": "vote: the measured latency is 4 cycles, the declared one 3",
    "valid early": "vote: the measured latency is 2 cycles, the declared one 3",
    "stuck low": "vote: out_valid never rose; 100 samples were given and the declared latency is 3 cycles",
    "stuck high": "vote: out_valid was 1 at 19 clock edges after the reset, 1 after it first, with no sample in "
    "flight; rst must clear the valid pipeline and out_valid must follow in_valid",
    "reset ignored": "vote: out_valid was 1 at 3 clock edges after the reset, 1 after it first, with no sample in "
    "flight; rst must clear the valid pipeline and out_valid must follow in_valid",
    "reset clears one stage": "vote: out_valid was 1 at 1 clock edge after the reset, 2 after it first, with no sample "
    "in flight; rst must clear the valid pipeline and out_valid must follow in_valid",
    "unknown score": r"out_scores has unknown bits for sample 0: X[01]{8}",
    "score bus too narrow": r"out_scores has 8 bits, expected 9 for sample 0: [01]{8}",
    "drops a sample": r"vote: 100 samples went in, \d+ outputs came out \(the first came 3 cycles after its sample, "
    r"declared latency 3 cycles\)",
}


@pytest.mark.parametrize("fault", PROTOCOL_FAULTS)
def test_protocol_faults_are_caught(tmp_path: Path, fault: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        icarus(tmp_path, fault)
    assert re.fullmatch(PROTOCOL_FAULTS[fault], str(caught.value))


def test_a_design_that_does_not_compile_shows_the_log(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure) as caught:
        icarus(tmp_path, "does not compile")
    log = tmp_path / "build" / "icarus" / "build.log"
    assert caught.value.log == log
    assert str(caught.value).startswith("Icarus Verilog failed with exit status ")
    assert f"\n  log: {log}\n" in str(caught.value)
    assert "vote.v:8: syntax error" in str(caught.value)
    assert "\n  command: " in str(caught.value) and caught.value.command[0].endswith("iverilog")


def test_a_missing_port_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match=r"without writing its results[\s\S]*vote contains no child object named rst"):
        icarus(tmp_path, "no reset port")


def test_an_unknown_probe_is_named(tmp_path: Path) -> None:
    probe = type(PROBES[0])(signal="encoder.nothing", nets=np.zeros(1, np.int32), stage_cycles=0)
    with pytest.raises(ToolFailure, match="no child object named nothing"):
        icarus(tmp_path, probes=[probe])


def test_the_declared_latency_matters(tmp_path: Path) -> None:
    require_icarus()
    wrong = replace(INTERFACE, latency_cycles=5)
    with pytest.raises(ProtocolError, match=r"^vote: the measured latency is 3 cycles, the declared one 5$"):
        run_rtl(
            write_rtl(tmp_path),
            wrong,
            sample_codes(20),
            simulator="icarus",
            build_dir=tmp_path / "build",
            bubbles=False,
        )


def test_no_earlier_result_counts(tmp_path: Path) -> None:
    icarus(tmp_path)
    with pytest.raises(ToolFailure, match="without writing its results"):
        icarus(tmp_path, "no reset port")


def test_the_simulator_is_reused_until_a_source_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    icarus(tmp_path)
    (built,) = (tmp_path / "cache").glob("simulators/*/simulator.vvp")
    first = built.stat()
    icarus(tmp_path, samples=7)
    assert built.stat().st_ino == first.st_ino and built.stat().st_mtime_ns == first.st_mtime_ns
    _, comparison = icarus(tmp_path, "threshold off by one")
    assert not comparison.ok


def test_a_failed_build_is_not_reused(tmp_path: Path) -> None:
    icarus(tmp_path)
    with pytest.raises(ToolFailure):
        icarus(tmp_path, "does not compile")
    with pytest.raises(ToolFailure):
        icarus(tmp_path, "does not compile")
    _, comparison = icarus(tmp_path)
    assert comparison.ok


def test_verilator_agrees_in_a_folder_with_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_verilator()
    compiles = Mock(side_effect=build._verilate)
    monkeypatch.setattr(build, "_verilate", compiles)
    folder = tmp_path / "größe und maß"
    sources = write_rtl(folder / "rtl")
    sources[0].write_text(f"{sources[0].read_text()}// of no other test\n")
    codes = sample_codes(500)
    result = run_rtl(sources, INTERFACE, codes, build_dir=folder / "build")
    assert compare(*reference(codes), result.scores, result.classes) == Comparison(500, 0, 0, None)
    assert result.latency_cycles == 3
    other = sample_codes(50, seed=2)
    again = run_rtl(sources, INTERFACE, other, build_dir=folder / "build", seed=7)
    assert compare(*reference(other), again.scores, again.classes).ok
    assert compiles.call_count == 1
    with pytest.raises(ProtocolError, match="the measured latency is 3 cycles, the declared one 2"):
        run_rtl(sources, replace(INTERFACE, latency_cycles=2), other, build_dir=folder / "build")


def test_verilator_reads_probes_and_writes_waves(tmp_path: Path) -> None:
    require_verilator()
    codes = sample_codes(40)
    sources = write_rtl(tmp_path / "rtl", "threshold off by one")
    result = run_rtl(sources, INTERFACE, codes, build_dir=tmp_path / "build", probes=PROBES, waves=True)
    comparison = compare(*reference(codes), result.scores, result.classes)
    assert comparison.score_mismatches > 0
    wrong = (result.probe_values[0] != (codes >= 100)).any(axis=0)
    assert np.flatnonzero(wrong).tolist() == [5]
    assert result.waves is not None
    assert_waves(result.waves)


def assert_waves(path: Path) -> None:
    """An FST file with the ports, the module instances and a value change of each clock edge."""
    content = path.read_bytes()
    assert path.name == "waves.fst" and content[0] == 0 and int.from_bytes(content[1:9], "big") == 329  # header block
    reader = shutil.which("fst2vcd")
    if reader is None:
        return
    text = subprocess.run([reader, path], capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"\$var \w+ \d+ \S+ (\w+)", text))
    assert {"clk", "in_valid", "in_codes", "out_valid", "out_scores", "out_class", "scores2"} <= names
    assert {"vote", "encoder"} <= set(re.findall(r"\$scope module (\w+)", text))
    clock = re.search(r"\$var \w+ 1 (\S+) clk", text)
    assert clock and text.count(f"\n1{clock[1]}\n") > 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": np.zeros((0, 12), int)}, "codes holds no sample; a simulation that checks nothing proves nothing"),
        ({"codes": np.zeros((3, 11), int)}, "codes must have the shape (samples, 12), got (3, 11)"),
        ({"codes": np.zeros((3, 12))}, "codes must be integers, got dtype float64"),
        ({"codes": np.full((3, 12), 256)}, "codes must fit 8 bits, -128..255; got 256..256"),
        ({"simulator": "vcs"}, "simulator must be one of verilator, icarus, got 'vcs'"),
        ({"seed": -1}, "seed must not be negative, got -1"),
        ({"sources": []}, "no Verilog source (.v or .sv) among []"),
        ({"sources": [Path("gone.v")]}, "Verilog source gone.v does not exist"),
        ({"sources": [Path("a.v"), Path("a.vhd")]}, None),
    ],
)
def test_bad_arguments(tmp_path: Path, change: dict[str, Any], message: str | None) -> None:
    arguments: dict[str, Any] = {"codes": sample_codes(2), "sources": write_rtl(tmp_path), **change}
    sources, codes = arguments.pop("sources"), arguments.pop("codes")
    with pytest.raises(ConfigError) as caught:
        run_rtl(sources, INTERFACE, codes, build_dir=tmp_path / "build", **arguments)
    if message is not None:
        assert str(caught.value) == message
    assert not (tmp_path / "build").exists()


def test_the_package_imports_neither_cocotb_nor_torch() -> None:
    code = (
        "import sys; from difflut.sim import run_axi, run_rtl; "
        "print([m for m in ('cocotb', 'cocotb_tools', 'torch') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_what_every_simulation_imports_is_little() -> None:
    code = (
        "import sys, difflut.sim.interface, difflut.sim.vectors, difflut.sim.axi_vectors; "
        "print([m for m in ('difflut.sim.runner', 'difflut.hdl_templates', 'jinja2') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_temporary_folder_that_the_tools_cannot_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spaced = tmp_path / "a b'c\"é"
    spaced.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spaced))
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    icarus(tmp_path)  # in another one
    monkeypatch.setattr("difflut.files._USUAL_PLACES", ())
    with pytest.raises(WriteError) as caught:
        tools_folder()
    assert str(caught.value) == (
        f"the temporary folder {str(spaced)!r} has characters that make and Verilator cannot handle; set TMPDIR to a "
        "folder with a plain name"
    )


def test_a_build_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "build").write_text("in the way", encoding="ascii")
    with pytest.raises(WriteError, match=r"^cannot create .*/build: .*; choose a build folder that is writable$"):
        icarus(tmp_path)
