"""`difflut synth`: what it prints for each flow, its exit status, and options that do not belong together."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import command_line
import pytest
from small_models import Chain, fitted

from difflut import door
from difflut.check import synthesis_check
from difflut.check.synthesis_check import NetlistCheck
from difflut.export.builds.make import export_model
from difflut.export.flows import nextpnr, yosys
from difflut.export.flows.cells import Usage
from difflut.export.flows.clock import LongestPath
from difflut.export.flows.routed import Clock, Resource, RoutedPath


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    return command_line.run(capsys, "synth", *arguments)


def replace_flow(monkeypatch: pytest.MonkeyPatch, flow: str, fake: Callable[..., Any]) -> None:
    """Let a flow be a function that takes what the flow takes."""
    monkeypatch.setitem(door._FLOWS, flow, wraps(door._FLOWS[flow])(fake))


def routed() -> nextpnr.RoutedReport:
    path = RoutedPath(8.0, 5.5, "codes_1", "core.x", True, ())
    slow, fast = (
        nextpnr.Placement(
            seed, {"clk": Clock(mhz, 110.0, path)}, {"LC": Resource(700, 7680)}, f"s{seed}", f"s{seed}.log"
        )
        for seed, mhz in ((3, 90.0), (4, 125.0))
    )
    return nextpnr.RoutedReport(
        "net", "0" * 64, "ice40", "iCE40HX8K-CT256", {}, "synth_ice40", 110.0, 71, Usage(), (slow, fast), 1, "net.bin",
        140.0, 7.6, "net/work/x",
    )  # fmt: skip


def test_a_routed_design(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    replace_flow(monkeypatch, "nextpnr", lambda *args, **options: calls.append((args, options)) or routed())
    status, out, err = run(
        capsys, "net", "--flow", "nextpnr", "--device", "x", "--freq", "120", "--seed", "3", "--seed", "4"
    )
    assert (status, err) == (0, "")
    assert (calls[0][0], calls[0][1]["device"]) == ((Path("net"),), "x")
    assert (calls[0][1]["freq_mhz"], calls[0][1]["seeds"], calls[0][1]["pins"]) == (120, (3, 4), None)
    assert out.splitlines() == [
        "net: routed for iCE40HX8K-CT256, in a shell of 71 flip-flops",
        "  LC                   700 of    7,680     9 %",
        "  seed 3, clk: 90.0 MHz, asked for 110; 8.00 ns, of which 5.50 in wires, from codes_1 to core.x",
        "  seed 4, clk: 125.0 MHz, asked for 110; 8.00 ns, of which 5.50 in wires, from codes_1 to core.x",
        "  the export's estimate: 140.0 MHz",
        "  bitstream of seed 4: net.bin",
        "  8 s; bitstream, netlists, logs and report in net/work/x",
    ]
    status, out, err = run(capsys, "net", "--flow", "nextpnr", "--freq", "130", "--json")
    assert status == 1 and json.loads(out)["mhz"] == 125.0
    assert "--freq 130 is not reached: 125.0 MHz routed" in err
    assert run(capsys, "net", "--flow", "nextpnr")[0] == 0  # without --freq there is nothing to miss


@pytest.mark.parametrize(("mismatches", "status"), [(0, 0), (7, 1)])
def test_a_checked_netlist(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, mismatches: int, status: int
) -> None:
    report = yosys.SynthesisReport(
        "net", "0" * 64, "ice40", "synth_ice40", {"yosys": "0.70"}, Usage(luts=5), {}, LongestPath(2.0, {}), 1.0, "f"
    )
    check = NetlistCheck(
        "0" * 64, 0, 100, mismatches, "sample 3" if mismatches else "", "icarus", 4, "not attempted: x"
    )
    replace_flow(monkeypatch, "yosys", lambda *_, **__: report)
    monkeypatch.setattr(synthesis_check, "check_netlist", lambda *_, **__: check)
    found, out, err = run(capsys, "net", "--check", "0", "--simulator", "icarus")
    assert found == status
    assert ("7 differ from PyTorch: sample 3" in out) == bool(mismatches)
    assert ("agrees with PyTorch" in out) != bool(mismatches)
    assert "  netlist against RTL, all inputs: not attempted: x\n" in out
    assert err == ("the synthesised netlist DIFFERS from PyTorch\n" if mismatches else "")


def test_vivado_without_vivado(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    build = export_model(fitted(Chain()), tmp_path / "net", fpga="xc7")
    status, out, _ = run(capsys, build, "--flow", "vivado", "--freq", "400")
    assert status == 0
    folder = build / "work" / "vivado-xc7a35tcpg236-1"
    assert out.splitlines() == [
        "chain: xc7a35tcpg236-1, 400 MHz asked for, out of context",
        f"  not run: start {folder}/run.sh where Vivado is installed",
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--flow", "yosys", "--seed", "1"), "--seed is an option of --flow nextpnr, not of yosys"),
        (("--flow", "nextpnr", "--fpga", "ecp5"), "--fpga is an option of --flow yosys, not of nextpnr"),
        (("--flow", "yosys", "--freq", "9"), "--freq is an option of --flow nextpnr and vivado, not of yosys"),
        (("--flow", "vivado", "--model", "a:B"), "--model is an option of --flow yosys, not of vivado"),
    ],
)
def test_options_of_another_flow(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], problem: str) -> None:
    status, _, err = run(capsys, "net", *arguments)
    assert status == 2 and problem in err
