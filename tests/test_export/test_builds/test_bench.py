"""The test bench of a build: right RTL passes, wrong RTL and wrong vectors fail, under every handshake."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from convolutions import Plan, Step, made
from several_heads import Detector, Regressor, SeveralHeads
from small_models import Chain, fitted
from tools import require_icarus, require_verilator

from difflut.export.builds import store
from difflut.export.builds.make import GOLDEN_SAMPLES, make_build
from difflut.export.builds.store import Build
from difflut.models import BaseModel
from difflut.sim.toolchain import find_verilator

FORMS: dict[str, dict[str, Any]] = {
    "both": {},
    "class": {"outputs": "class"},
    "top-3 of primitives": {"outputs": "top-3", "fpga": "xc7"},
    "combinational end": {"pipeline": "encoder"},
    "clock enable": {"clock_enable": True},
    "axi": {"interface": "axi-stream"},
    "streaming": {"form": "streaming"},
    "two pixels": {"form": "folded=8"},
    "folded": {"form": "folded=25", "clock_enable": True},
}


@pytest.mark.parametrize("model", [Detector, Regressor, SeveralHeads])
def test_all_decisions_are_compared(model: type[BaseModel], tmp_path: Path) -> None:
    store.write(make_build(fitted(model()), name="net"), tmp_path / "net")
    assert f"PASS: {GOLDEN_SAMPLES} samples" in printed(tmp_path / "net").splitlines()


@cache
def build(form: str) -> Build:
    options = FORMS[form]
    if "form" in options:
        return make_build(made(Plan((1, 4, 4), (Step(2, (3, 3)),))), name="net", **options)
    return make_build(fitted(Chain()), name="net", **options)


def printed(written: Path) -> str:
    """What the bench prints, run as the README says."""
    require_icarus()
    work = written / "work"
    work.mkdir(exist_ok=True)
    files = [str(path) for folder in ("tb", "rtl", "sim") for path in sorted((written / folder).glob("*.v"))]
    subprocess.run(["iverilog", "-Wall", "-o", "tb.vvp", *files], cwd=work, check=True, capture_output=True)
    return subprocess.run(
        ["vvp", "tb.vvp", "+waves"], cwd=work, check=True, capture_output=True, text=True, timeout=120
    ).stdout


@pytest.mark.parametrize("form", FORMS)
def test_right_rtl_passes(form: str, tmp_path: Path) -> None:
    store.write(build(form), tmp_path / "net")
    assert f"PASS: {GOLDEN_SAMPLES} samples" in printed(tmp_path / "net").splitlines()
    signals = [
        line.split(".", 1)[1].partition("[")[0]
        for line in build(form).text("tb/net_tb.gtkw").splitlines()
        if line.startswith("net_tb.")
    ]
    waves = (tmp_path / "net" / "work" / "net_tb.vcd").read_text(encoding="ascii")
    assert "sample_out" in signals and [name for name in signals if f" {name} " not in waves] == []


@pytest.mark.parametrize("form", ["both", "streaming"])
@pytest.mark.parametrize("fault", ["vector", "latency", "silent"])
def test_wrong_rtl_and_wrong_vectors_fail(form: str, fault: str, tmp_path: Path) -> None:
    store.write(build(form), tmp_path / "net")
    if fault == "vector":
        path = tmp_path / "net" / "tb" / "net_expected.hex"
        first, rest = path.read_text(encoding="ascii").split("\n", 1)
        path.write_text(f"{int(first, 16) ^ 1:x}\n{rest}", encoding="ascii")
        said = "sample 0: result "
    else:
        path = tmp_path / "net" / "tb" / "net_tb.v"
        old, new, said = {
            "latency": ("localparam LATENCY = ", "localparam LATENCY = 1 + ", ": latency "),
            "silent": (".out_valid(out_valid)", ".out_valid()", "out_valid is z"),
        }[fault]
        text = path.read_text(encoding="ascii")
        assert old in text
        path.write_text(text.replace(old, new), encoding="ascii")
    lines = printed(tmp_path / "net").splitlines()
    assert any(said in line for line in lines) and any(line.startswith("FAIL: ") for line in lines)
    assert not [line for line in lines if line.startswith("PASS")]


def test_it_runs_under_verilator(tmp_path: Path) -> None:
    require_verilator()
    store.write(build("both"), tmp_path / "net")
    work = tmp_path / "net" / "work"
    work.mkdir()
    (command,) = [line for line in build("both").text("README.md").splitlines() if line.startswith("verilator ")]
    verilator = str(find_verilator().executable)
    done = subprocess.run(
        ["sh", "-c", command.replace("verilator", verilator, 1)], cwd=work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and f"PASS: {GOLDEN_SAMPLES} samples" in done.stdout, done.stdout + done.stderr
