"""Vivado: the scripts, a fake that checks the call, and reports in the format of the real ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from small_models import Chain, fitted

from difflut.errors import ConfigError, UnknownNameError
from difflut.export.builds import store
from difflut.export.builds.make import export_model
from difflut.export.errors import ToolError
from difflut.export.flows import vivado
from difflut.export.flows.reports import find_reports
from difflut.export.flows.routed import Resource
from difflut.export.flows.vivado_reports import SlowPath, read_timing, read_utilisation
from difflut.sim.process import ToolFailure

UTILISATION = """\
Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
---------------------------------------------------------------------------------------------
| Tool Version : Vivado v.2022.2 (lin64) Build 3671981 Fri Oct 14 04:59:54 MDT 2022
| Date         : Tue Mar  4 10:11:12 2025
| Host         : somewhere running 64-bit Ubuntu 22.04
| Command      : report_utilization -file utilization.rpt
| Design       : chain
| Device       : xc7a35tcpg236-1
| Design State : Routed
---------------------------------------------------------------------------------------------

Utilization Design Information

Table of Contents
-----------------
1. Slice Logic
1.1 Summary of Registers by Type
7. Primitives

1. Slice Logic
--------------

+-------------------------+------+-------+------------+-----------+-------+
|        Site Type        | Used | Fixed | Prohibited | Available | Util% |
+-------------------------+------+-------+------------+-----------+-------+
| Slice LUTs              |   43 |     0 |          0 |     20800 |  0.21 |
|   LUT as Logic          |   41 |     0 |          0 |     20800 |  0.20 |
|   LUT as Memory         |    2 |     0 |          0 |      9600 |  0.02 |
| Slice Registers         |   68 |     0 |          0 |     41600 |  0.16 |
|   Register as Flip Flop |   68 |     0 |          0 |     41600 |  0.16 |
|   Register as Latch     |    0 |     0 |          0 |     41600 |  0.00 |
| F7 Muxes                |    3 |     0 |          0 |     16300 |  0.02 |
| F8 Muxes                |    1 |     0 |          0 |      8150 |  0.01 |
+-------------------------+------+-------+------------+-----------+-------+
* Warning! LUT value is adjusted to account for LUT combining.


1.1 Summary of Registers by Type
--------------------------------

+-------+--------------+-------------+--------------+
| Total | Clock Enable | Synchronous | Asynchronous |
+-------+--------------+-------------+--------------+
| 0     |            _ |           - |            - |
| 68    |          Yes |       Reset |            - |
+-------+--------------+-------------+--------------+


3. Memory
---------

+----------------+------+-------+------------+-----------+-------+
|    Site Type   | Used | Fixed | Prohibited | Available | Util% |
+----------------+------+-------+------------+-----------+-------+
| Block RAM Tile |  0.5 |     0 |          0 |        50 |  1.00 |
+----------------+------+-------+------------+-----------+-------+


7. Primitives
-------------

+----------+------+---------------------+
| Ref Name | Used | Functional Category |
+----------+------+---------------------+
| FDRE     |   68 |        Flop & Latch |
| LUT6     |   30 |                 LUT |
| CARRY4   |    4 |          CarryLogic |
+----------+------+---------------------+


8. Black Boxes
--------------

+----------+------+
| Ref Name | Used |
+----------+------+
"""

# An older Vivado, UltraScale+: no column "Prohibited", CLBs for slices, an asterisk before placement.
ULTRASCALE = """\
| Tool Version : Vivado v.2018.3 (lin64) Build 2405991 Thu Dec  6 23:36:41 MST 2018
1. CLB Logic
------------

+----------------------------+------+-------+-----------+-------+
|          Site Type         | Used | Fixed | Available | Util% |
+----------------------------+------+-------+-----------+-------+
| CLB LUTs*                  | 4907 |     0 |   1182240 |  0.42 |
|   LUT as Logic             | 4907 |     0 |   1182240 |  0.42 |
| CLB Registers              | 3912 |     0 |   2364480 |  0.17 |
| CARRY8                     |   61 |     0 |    147780 |  0.04 |
| F7 Muxes                   |    0 |     0 |    591120 |  0.00 |
+----------------------------+------+-------+-----------+-------+

8. Primitives
-------------

+----------+------+---------------------+
| Ref Name | Used | Functional Category |
+----------+------+---------------------+
| LUT6     | 2710 |                 CLB |
| CARRY8   |   61 |                 CLB |
+----------+------+---------------------+
"""

TIMING = """\
| Tool Version : Vivado v.2022.2 (lin64) Build 3671981 Fri Oct 14 04:59:54 MDT 2022
| Command      : report_timing_summary -delay_type max -max_paths 10 -file timing.rpt

Timing Summary Report

------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  TPWS Total Endpoints  
    -------      -------  ---------------------  -------------------     --------     --------  ----------------------  --------------------  
     -0.475       -1.250                      3                  123        0.500        0.000                       0                    69  


Timing constraints are not met.


------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock  Waveform(ns)       Period(ns)      Frequency(MHz)
-----  ------------       ----------      --------------
clk    {0.000 1.262}      2.525           396.040         


Max Delay Paths
--------------------------------------------------------------------------------------
Slack (VIOLATED) :        -0.475ns  (required time - arrival time)
  Source:                 encoder/out_bits_reg[3]/C
                            (rising edge-triggered cell FDRE clocked by clk  {rise@0.000ns fall@1.262ns period=2.525ns})
  Destination:            stage2/out_bits_reg[7]/D
                            (rising edge-triggered cell FDRE clocked by clk  {rise@0.000ns fall@1.262ns period=2.525ns})
  Path Group:             clk
  Path Type:              Setup (Max at Slow Process Corner)
  Requirement:            2.525ns  (clk rise@2.525ns - clk rise@0.000ns)
  Data Path Delay:        2.960ns  (logic 0.704ns (23.784%)  route 2.256ns (76.216%))
  Logic Levels:           2  (LUT4=1 LUT6=1)
  Clock Path Skew:        -0.025ns (DCD - SCD + CPR)

    Location             Delay type                Incr(ns)  Path(ns)    Netlist Resource(s)
  -------------------------------------------------------------------    -------------------
                         (clock clk rise edge)        0.000     0.000 r  

Slack (VIOLATED) :        -0.400ns  (required time - arrival time)
  Source:                 in_codes[4]
                            (input port clocked by clk  {rise@0.000ns fall@1.262ns period=2.525ns})
  Destination:            encoder/out_bits_reg[0]/D
  Path Group:             clk
  Path Type:              Setup (Max at Slow Process Corner)
  Data Path Delay:        2.900ns  (logic 0.500ns (17.241%)  route 2.400ns (82.759%))
  Logic Levels:           1  (LUT6=1)
"""  # noqa: E501


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return export_model(fitted(Chain()), tmp_path / "net", fpga="xc7")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vivado on PATH that keeps its call, and leaves the reports that lie beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "utilization.rpt").write_text(UTILISATION)
    (folder / "timing.rpt").write_text(TIMING)
    script = (
        f'#!/bin/sh\necho "$@" > call\necho "INFO: [Synth 8] all is well"\ncp {folder}/*.rpt .\n[ ! -e '
        f"{folder}/fails ]\n"
    )
    (folder / "vivado").write_text(script)
    (folder / "vivado").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    return folder


def test_without_vivado_the_scripts_are_written(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    report = vivado.implement(build)
    folder = build / "work" / "vivado-xc7a35tcpg236-1"
    assert (report.status, report.utilisation, report.timing, report.mhz) == ("not run", None, None, None)
    (found,) = find_reports(build)
    assert found.content["status"] == "not run" and found.content["tools"] == {} and not found.stale
    tcl = (folder / "out_of_context.tcl").read_text()
    sources = re.findall(r"^read_verilog (\S+)$", tcl, re.MULTILINE)
    exported = store.read(build)
    named = [str((folder / source).resolve().relative_to(build.resolve())) for source in sources]
    assert named == list(exported.rtl)
    assert "synth_design -mode out_of_context -top chain -part xc7a35tcpg236-1\n" in tcl
    assert exported.info.timing is not None
    period = 1000 / exported.info.timing.fmax_mhz
    assert f"create_clock -name clk -period {period:.3f} [get_ports clk]\n" in (folder / "clock.xdc").read_text()
    assert all(source in (folder / "project.tcl").read_text() for source in sources)
    assert os.access(folder / "run.sh", os.X_OK)
    with pytest.raises(
        ToolError, match=r"vivado is not on PATH; source its settings64\.sh first, or write the scripts"
    ):
        vivado.implement(build, run=True)


def test_the_call_the_log_and_the_reports(build: Path, fake: Path) -> None:
    report = vivado.implement(build, freq_mhz=400)
    folder = Path(report.folder)
    assert (folder / "call").read_text() == "-mode batch -nojournal -nolog -notrace -source out_of_context.tcl\n"
    assert "all is well" in (folder / "vivado.log").read_text()
    assert "-period 2.500 " in (folder / "clock.xdc").read_text()
    assert report.status == "done" and report.tools == {"vivado": "2022.2"}
    used, timing = report.utilisation, report.timing
    assert used is not None and timing is not None
    assert (used.luts, used.flip_flops, used.muxes, used.carries) == (43, 68, 4, {"CARRY4": 4})
    assert report.mhz == timing.mhz == 333.33
    (found,) = find_reports(build)
    assert found.content == json.loads(json.dumps(report.to_json()))


def test_run_sh_runs_in_its_folder(build: Path, fake: Path, tmp_path: Path) -> None:
    folder = Path(vivado.implement(build, run=False).folder)
    assert not (folder / "call").exists()
    subprocess.run([folder / "run.sh"], cwd=tmp_path, check=True, capture_output=True)
    assert (folder / "call").read_text() == "-mode batch -nojournal -notrace -source out_of_context.tcl\n"
    assert (folder / "timing.rpt").exists()


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("fails", "", "Vivado failed with exit status 1\n"),
        ("timing.rpt", None, "Vivado ended without an error but did not write timing.rpt\n"),
        ("timing.rpt", "empty", "a report of Vivado cannot be read: the timing report has no design timing summary\n"),
        (
            "utilization.rpt",
            "",
            "a report of Vivado cannot be read: the utilisation report has no line CLB LUTs or Slice",
        ),
    ],
)
def test_a_failing_vivado(build: Path, fake: Path, file: str, text: str | None, problem: str) -> None:
    (fake / file).unlink(missing_ok=True)
    if text is not None:
        (fake / file).write_text(text)
    with pytest.raises(ToolFailure) as caught:
        vivado.implement(build)
    assert str(caught.value).startswith(problem)
    assert find_reports(build) == []


def test_reports_of_slices_and_of_clbs() -> None:
    used = read_utilisation(UTILISATION)
    assert used.sites["LUT as Memory"] == Resource(2, 9600) and used.sites["Block RAM Tile"] == Resource(1, 50)
    assert "Register as Latch" not in used.sites  # unused
    assert used.primitives == {"FDRE": 68, "LUT6": 30, "CARRY4": 4}
    used = read_utilisation(ULTRASCALE)
    assert (used.version, used.luts, used.flip_flops, used.muxes) == ("2018.3", 4907, 3912, 0)
    assert used.carries == {"CARRY8": 61} and used.sites["CLB LUTs"] == Resource(4907, 1182240)


def test_the_timing_report() -> None:
    timing = read_timing(TIMING)
    assert (timing.period_ns, timing.worst_slack_ns, timing.failing, timing.mhz) == (2.525, -0.475, 3, 333.33)
    assert timing.path == SlowPath(
        "encoder/out_bits_reg[3]/C", "stage2/out_bits_reg[7]/D", 2.96, 2.256, "2  (LUT4=1 LUT6=1)"
    )
    met = read_timing(TIMING.replace("-0.475", " 0.025").replace("VIOLATED", "MET"))
    assert met.mhz == 400.0
    with pytest.raises(ValueError, match="times no path: the constraints name no clock"):
        read_timing(TIMING.replace("-0.475  ", "NA      "))
    with pytest.raises(ValueError, match="the timing report has no clock"):
        read_timing(TIMING.replace("Waveform(ns)", ""))


def test_parts_that_cannot_be(build: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="instantiates primitives of xc7, and xcvu9p-flga2104-2-i is no part of it"):
        vivado.implement(build, "xcvu9p-flga2104-2-i")
    with pytest.raises(ConfigError, match="'x; exec rm' is no part as Vivado names them, such as xc7a35tcpg236-1"):
        vivado.implement(build, "x; exec rm")
    other = export_model(fitted(Chain()), tmp_path / "other", fpga="ecp5")
    with pytest.raises(
        UnknownNameError, match="the build is for ecp5, which is not AMD's; export it with --fpga generic"
    ):
        vivado.implement(other)
