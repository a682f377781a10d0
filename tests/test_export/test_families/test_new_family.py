"""A family is one object: with that alone everything from the export to a bitstream and the command line knows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_models import Chain, fitted

from difflut.cli import cli
from difflut.errors import UnknownNameError
from difflut.export.builds import store
from difflut.export.builds.make import export_model
from difflut.export.families.cells import Carry, Cells
from difflut.export.families.delays import Delays
from difflut.export.families.devices import Device
from difflut.export.families.family import Family
from difflut.export.families.registry import FAMILIES
from difflut.export.families.tools import FuseSoc, Package, PlaceAndRoute, Program, YosysSynthesis
from difflut.export.flows import netlist, nextpnr, vivado, yosys
from difflut.report.devices import smallest

PROGRAMS = Package("acme-tools", "acme_tools", "main")
ACME = Family(
    "acme",
    "Acme Anvil",
    lut_inputs=5,
    delays=Delays("made up", False, 0.5, 1.0, None, 2.0, 0.25, 0.125, 0.0, 0.0),
    yosys=YosysSynthesis("synth_acme -anvil", models=("+/acme/cells.v",)),
    cells=Cells(
        luts={"ACME_LUT": 1, "ACME_ADD": 2},
        carries={"ACME_ADD": Carry({"FROM": 0})},
        flip_flops=("ACME_FF*",),
        ignored=("ACME_PAD",),
        clock_pins=("TICK",),
    ),
    devices=(
        Device("Anvil 2", 2_000, part="AN2/QFP", options=("--anvil", "2"), synthesis="-two"),
        Device("Anvil 1", 1_000),
    ),
    nextpnr=PlaceAndRoute(
        Program("nextpnr-acme", PROGRAMS),
        packer=Program("acmepack", PROGRAMS),
        pins=("--places={file}",),
        pins_ending=".places",
        write="--routed",
        routed_ending=".anvil",
        bitstream_ending=".bits",
        unconstrained=("--anywhere",),
        packing=("--from", "{routed}", "--to", "{bitstream}"),
        logic=("ACME_SLICE",),
    ),
    fusesoc=FuseSoc("acmeflow", ("anvil: 2",)),
)


def made_netlist() -> dict[str, object]:
    """A netlist of Acme's cells: input, LUT, adder, flip-flop, output."""
    cells = {
        "pad": ("ACME_PAD", {"I": [2]}, {"O": [3]}),
        "lut": ("ACME_LUT", {"A": [3]}, {"Z": [4]}),
        "add": ("ACME_ADD", {"A": [4], "FROM": ["0"]}, {"S": [5]}),
        "register": ("ACME_FFR", {"TICK": [6], "D": [5]}, {"Q": [7]}),
        "scope": ("$scopeinfo", {}, {}),
    }
    found = {
        name: {
            "type": kind,
            "connections": {**inputs, **outputs},
            "port_directions": {**dict.fromkeys(inputs, "input"), **dict.fromkeys(outputs, "output")},
        }
        for name, (kind, inputs, outputs) in cells.items()
    }
    ports = {"a": {"direction": "input", "bits": [2]}, "y": {"direction": "output", "bits": [7]}}
    return {"ports": ports, "cells": found}


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Family:
    """The family known, and tools on PATH that do as if they knew it."""
    monkeypatch.setitem(FAMILIES, "acme", ACME)
    folder = tmp_path / "bin"
    folder.mkdir()
    modules = {"modules": {"chain": made_netlist(), "chain_shell": made_netlist()}}
    report = {"fmax": {"clk$ACME_IO_IN": {"achieved": 77.0, "constraint": 50.0}}, "critical_paths": [],
              "utilization": {"ACME_SLICE": {"used": 3, "available": 2000}}}  # fmt: skip
    (folder / "netlist.json").write_text(json.dumps(modules))
    (folder / "report.json").write_text(json.dumps(report))
    scripts = {
        "yosys": f"cp {folder}/netlist.json ${{2%.ys}}.json; echo '// made' > ${{2%.ys}}.v",
        "nextpnr-acme": f'echo "$@" > calls; cp {folder}/report.json seed1.report.json; echo routed > seed1.anvil',
        "acmepack": 'echo "$@" >> calls; cp $2 $4',
    }
    for name, script in scripts.items():
        version = 'case "$1" in -V) echo "Yosys 0.70"; exit;; --version) echo "1.2"; exit;; esac'
        (folder / name).write_text(f"#!/bin/sh\n{version}\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    monkeypatch.setenv(yosys.VARIABLE, str(folder / "yosys"))
    return ACME


@pytest.fixture
def build(acme: Family, tmp_path: Path) -> Path:
    return export_model(fitted(Chain()), tmp_path / "net", fpga=acme.name)


def test_a_build_is_planned_for_the_family(build: Path) -> None:
    exported = store.read(build)
    assert exported.info.fpga == "acme" and exported.info.timing is not None
    assert exported.info.timing.fmax_mhz < 1000 / (0.5 + 0.125 + 1.0)  # a register, a wire, a LUT
    core = exported.text("chain.core")
    assert "default_tool: acmeflow\n" in core and "        anvil: 2\n" in core


def test_it_is_synthesised(build: Path) -> None:
    report = yosys.synthesise(build)
    assert (report.fpga, report.command, Path(report.folder).name) == ("acme", "synth_acme -anvil", "yosys-acme")
    assert "synth_acme -anvil -top chain\n" in (Path(report.folder) / "flat.ys").read_text()
    total = report.total
    assert (total.luts, total.luts_by_kind) == (3, {"ACME_ADD": 2, "ACME_LUT": 1})
    assert (total.carries, total.flip_flops, total.others) == ({"ACME_ADD": 1}, 1, {})
    # Wires to the pad, the LUT and the adder; a LUT, the adder's LUT, into its chain, along a bit and out; a register.
    assert report.path.delay_ns == pytest.approx(3 * 0.125 + 1.0 + 1.0 + 1.0 + 0.25 + 1.0 + 0.5)
    assert report.path.cells == {"ACME_ADD": 1, "ACME_LUT": 1}


def test_it_is_placed_routed_and_packed(build: Path, tmp_path: Path) -> None:
    result = nextpnr.implement(build, freq_mhz=50)
    folder = Path(result.folder)
    assert (result.fpga, result.device, folder.name) == ("acme", "AN2/QFP", "nextpnr-AN2_QFP")
    assert (result.command, result.total.luts, result.mhz) == ("synth_acme -anvil -two", 3, 77.0)
    assert list(result.fastest.clocks) == ["clk"] and (folder / "chain.bits").read_text() == "routed\n"
    assert (folder / "calls").read_text() == (
        "--anvil 2 --json flat.json --freq 50 --timing-allow-fail --anywhere --seed 1 --report seed1.report.json "
        "--routed seed1.anvil\n--from seed1.anvil --to chain.bits\n"
    )
    pins = tmp_path / "board.places"
    pins.write_text("clk 1\n")
    assert nextpnr.implement(build, "an2", pins=pins).shell is None
    assert "--places=pins.places" in (folder / "calls").read_text()


def test_what_it_does_not_have_is_refused(build: Path) -> None:
    with pytest.raises(UnknownNameError, match="the build is for acme, which is not AMD's"):
        vivado.implement(build)


def test_the_check_of_a_netlist_takes_its_models(build: Path) -> None:
    folder = Path(yosys.synthesise(build).folder)
    netlist.write_simulated(yosys.find_yosys(), "chain", ACME, folder)
    assert "read_verilog -defer -overwrite +/acme/cells.v\n" in (folder / "simulated.ys").read_text()


def test_the_command_line_and_the_report_know_it(build: Path) -> None:
    shown = CliRunner().invoke(cli, ["list", "--fpgas"], catch_exceptions=False).output
    assert "acme     Acme Anvil: LUT5; delay model not checked against routed designs\n" in shown
    shown = CliRunner().invoke(cli, ["synth", str(build)], catch_exceptions=False).output
    assert "synth_acme -anvil" in shown
    found = smallest(ACME, 700)
    assert found is not None and found[0].chip == "Anvil 1"
    assert smallest(ACME, 1_601) is None
