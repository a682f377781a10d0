"""Place and route: real runs on a tiny network, and fakes for what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_models import Chain, fitted
from tools import require_package, require_yosys

from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import export_model
from difflut.export.families.registry import find_family
from difflut.export.flows import nextpnr, yosys
from difflut.export.flows.reports import find_reports
from difflut.export.flows.routed import Resource, overfull, read_clocks
from difflut.sim.process import ToolFailure

# What the tools leave, as far as the flow reads it.
REPORT = {
    "fmax": {"clk$SB_IO_IN_$glb_clk": {"achieved": 125.004, "constraint": 100.0}},
    "utilization": {"ICESTORM_LC": {"used": 700, "available": 7680}, "ICESTORM_RAM": {"used": 0, "available": 32}},
    "critical_paths": [
        {
            "from": "posedge clk$SB_IO_IN_$glb_clk",
            "to": "posedge clk$SB_IO_IN_$glb_clk",
            "path": [
                {"type": "clk-to-q", "delay": 1.0, "from": {"cell": "codes_LC"}, "to": {"cell": "codes_LC"}},
                {"type": "routing", "delay": 5.5, "from": {"cell": "codes_LC"}, "to": {"cell": "x"}, "net": "core.in[1]"},  # noqa: E501
                {"type": "setup", "delay": 1.5, "from": {"cell": "x"}, "to": {"cell": "x"}},
            ],
        },
        {
            "from": "<async>",
            "to": "posedge clk$SB_IO_IN_$glb_clk",
            "path": [{"type": "source", "delay": 99.0, "from": {"cell": "pin"}, "to": {"cell": "pin"}}],
        },
    ],
}  # fmt: skip
FULL = """\
Info: Device utilisation:
Info: \t         ICESTORM_LC:    9313/   7680   121%
Info: \t        ICESTORM_RAM:       0/     32     0%
Info: \t               SB_IO:       6/    206     2%
ERROR: Unable to place cell 'core.x', no BELs remaining to implement cell type 'ICESTORM_LC'
0 warnings, 1 error
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return export_model(fitted(Chain()), tmp_path / "net", fpga="ice40")


def _fake(path: Path, script: str) -> None:
    """A program that tells its version, in whatever folder it is asked, and otherwise runs the script."""
    version = f'case "$1" in -V) echo "Yosys 0.70"; exit;; --version) echo "{path.name} 1.2.3"; exit;; esac'
    path.write_text(f"#!/bin/sh\n{version}\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with a Yosys, a nextpnr and a packer; the files beside them decide what they do."""
    folder = tmp_path / "bin"
    folder.mkdir()
    modules = {"modules": {"chain_shell": {"cells": {"a": {"type": "SB_LUT4"}, "b": {"type": "SB_DFF"}}}}}
    (folder / "netlist.json").write_text(json.dumps(modules))
    (folder / "report.json").write_text(json.dumps(REPORT))
    scripts = {
        "yosys": f"cp {folder}/netlist.json flat.json",
        "nextpnr-ice40": 'echo "$@" >> calls; while [ $# -gt 1 ]; do [ "$1" = --asc ] && asc=$2; [ "$1" = --report ] '
        "&& report=$2; shift; "
        f"done\n[ -e {folder}/full ] && cat {folder}/full && exit 1\necho routed > $asc; cp {folder}/report.json "
        "$report",
        "icepack": 'echo "$@" >> calls; cp $1 $2',
    }
    for name, text in scripts.items():
        _fake(folder / name, text)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    monkeypatch.setenv(yosys.VARIABLE, str(folder / "yosys"))
    return folder


def test_what_a_run_leaves(build: Path, fakes: Path) -> None:
    result = nextpnr.implement(build, freq_mhz=100, seeds=(3, 4))
    folder = build / "work" / "nextpnr-iCE40HX8K-CT256"
    assert result.folder == str(folder) and result.device == "iCE40HX8K-CT256" and result.fpga == "ice40"
    assert (folder / "calls").read_text().splitlines() == [
        *(
            "--hx8k --package ct256 --json flat.json --freq 100 --timing-allow-fail --pcf-allow-unconstrained --seed "
            f"{seed} --report seed{seed}.report.json --asc seed{seed}.asc"
            for seed in (3, 4)
        ),
        "seed3.asc chain.bin",
    ]
    assert (folder / "chain.bin").read_text() == "routed\n"
    assert result.mhz == 125.0 and result.total.luts == 1 and result.total.flip_flops == 1
    path = result.fastest.clocks["clk"].path
    assert path is not None and (path.delay_ns, path.routing_ns) == (8.0, 5.5)
    assert (path.source, path.sink, path.in_core) == ("codes_LC", "x", True)
    assert result.fastest.utilisation == {"ICESTORM_LC": Resource(700, 7680)}
    assert result.tools["nextpnr-ice40"] == f"{fakes / 'nextpnr-ice40'}: nextpnr-ice40 1.2.3"
    (found,) = find_reports(build)  # which also says that the build is still whole
    assert found.content == json.loads(json.dumps(result.to_json())) and not found.stale
    assert found.content["mhz"] == 125.0 and found.content["digest"] == store.read(build).digest


def test_a_report_of_an_earlier_build_is_stale(build: Path, fakes: Path) -> None:
    path = Path(nextpnr.implement(build).folder) / "report.json"
    path.write_text(path.read_text().replace(store.read(build).digest, "0" * 64))
    (build / "work" / "proof").mkdir()
    (build / "work" / "proof" / "report.json").write_text("{}")  # no report of a flow
    (found,) = find_reports(build)
    assert found.stale and found.flow == "nextpnr"


def test_a_design_that_does_not_fit(build: Path, fakes: Path) -> None:
    (fakes / "full").write_text(FULL)
    with pytest.raises(nextpnr.DoesNotFit) as caught:
        nextpnr.implement(build)
    assert str(caught.value).startswith(
        "the design does not fit iCE40HX8K-CT256: it takes 9,313 ICESTORM_LC of 7,680; choose a larger --device, or a "
        "smaller network\n"
    )
    assert caught.value.resources == {"ICESTORM_LC": Resource(9313, 7680)}
    assert not (build / "work" / "nextpnr-iCE40HX8K-CT256" / "report.json").exists()


def test_nothing_of_an_earlier_run_is_left_when_one_fails(build: Path, fakes: Path) -> None:
    folder = Path(nextpnr.implement(build).folder)
    assert (folder / "report.json").exists()
    (fakes / "full").write_text("ERROR: something else\n")
    with pytest.raises(ToolFailure) as caught:
        nextpnr.implement(build)
    assert not isinstance(caught.value, nextpnr.DoesNotFit)
    assert str(caught.value).startswith("nextpnr-ice40 failed with exit status 1\n")
    assert not (folder / "report.json").exists() and not (folder / "chain.bin").exists() and find_reports(build) == []


@pytest.mark.parametrize(
    ("name", "script", "problem"),
    [
        ("nextpnr-ice40", "exit 0", "nextpnr-ice40 ended without an error but did not write seed1.asc\n"),
        ("nextpnr-ice40", "echo x > seed1.asc", "nextpnr-ice40 wrote a seed1.report.json that cannot be read (FileNot"),
        ("icepack", "touch $2", "icepack ended without an error but did not write chain.bin\n"),
        ("icepack", "exit 3", "icepack failed with exit status 3\n"),
    ],
)
def test_failing_tools(build: Path, fakes: Path, name: str, script: str, problem: str) -> None:
    _fake(fakes / name, script)
    with pytest.raises(ToolFailure) as caught:
        nextpnr.implement(build)
    assert str(caught.value).startswith(problem)
    assert find_reports(build) == []


def test_pins_and_options_that_cannot_be(build: Path, fakes: Path, tmp_path: Path) -> None:
    pins = tmp_path / "board.pcf"
    pins.write_text("set_io clk J3\n")
    netlist = {"modules": {"chain": {"cells": {}}}}
    (fakes / "netlist.json").write_text(json.dumps(netlist))
    result = nextpnr.implement(build, pins=pins)  # the top itself, no shell
    folder = Path(result.folder)
    assert result.shell is None and (folder / "pins.pcf").read_text() == pins.read_text()
    assert not (folder / "shell.v").exists()
    assert "--pcf pins.pcf" in (folder / "calls").read_text() and "unconstrained" not in (folder / "calls").read_text()
    with pytest.raises(ConfigError, match=r"board\.pcf: a file of pins for LFE5U-85F-6BG381C ends in \.lpf"):
        nextpnr.implement(build, "LFE5U-85F", pins=pins)
    with pytest.raises(ConfigError, match=r"none\.pcf: no such file"):
        nextpnr.implement(build, pins=tmp_path / "none.pcf")
    with pytest.raises(ConfigError, match=r"seeds are \[1, 1\]; expected at least one, none twice"):
        nextpnr.implement(build, seeds=(1, 1))
    with pytest.raises(ConfigError, match="the clock is 0 MHz; it must be above 0"):
        nextpnr.implement(build, freq_mhz=0)


def test_primitives_of_another_vendor_are_refused(tmp_path: Path) -> None:
    build = export_model(fitted(Chain()), tmp_path / "net", fpga="xcup")
    with pytest.raises(ConfigError) as caught:
        nextpnr.implement(build, "LFE5U-25F")
    assert str(caught.value) == (
        "the build instantiates primitives of xcup, which LFE5U-25F-6BG256C does not have; export it with --fpga ecp5"
    )


def test_a_path_of_the_shell_alone_is_told_apart() -> None:
    path = [
        {"type": "routing", "delay": 1.0, "from": {"cell": "codes_1"}, "to": {"cell": "codes_0"}, "net": "codes[1]"}
    ]
    net = "$glbnet$clk"
    paths = [{"from": f"posedge {net}", "to": f"posedge {net}", "path": path}]
    report = {"fmax": {net: {"achieved": 9.0, "constraint": 8.0}}, "critical_paths": paths}
    clocks = read_clocks(report, in_shell=True)
    assert clocks["clk"].path is not None and not clocks["clk"].path.in_core
    clocks = read_clocks(report, in_shell=False)
    assert clocks["clk"].path is not None and clocks["clk"].path.in_core


def test_only_what_is_overfull_is_named() -> None:
    assert overfull(FULL) == {"ICESTORM_LC": Resource(9313, 7680)}
    assert overfull("Info: all is well\n") == {}


@pytest.mark.parametrize(
    ("fpga", "device", "cells"),
    [
        ("ice40", "iCE40HX1K", "ICESTORM_LC"),
        ("ecp5", "LFE5U-12F", "TRELLIS_COMB"),
        ("gowin", "GW1NR", "LUT4"),
    ],
)
def test_a_tiny_network_is_routed(tmp_path: Path, fpga: str, device: str, cells: str) -> None:
    require_yosys()
    placing = find_family(fpga).nextpnr
    assert placing is not None
    for program in (placing.place, placing.packer):
        require_package(program.package.module.partition(".")[0], "pnr")
    build = export_model(fitted(Chain(features=4, layers=((9, 4), (6, 3)), classes=3)), tmp_path / "net", fpga=fpga)
    result = nextpnr.implement(build, device)
    assert result.mhz > 0 and list(result.fastest.clocks) == ["clk"]
    assert result.fastest.utilisation[cells].used > 0
    path = result.fastest.clocks["clk"].path
    assert path is not None and 0 < path.routing_ns < path.delay_ns and path.delay_ns <= 1000 / result.mhz + 0.01
    assert (Path(result.folder) / result.bitstream).stat().st_size > 1000
    assert result.total.flip_flops >= (result.shell or 0) > 0
    assert [found.stale for found in find_reports(build)] == [False]
