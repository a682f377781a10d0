"""The synthesised netlist against PyTorch; a faulty one has to be caught."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from small_models import Chain, fitted
from tools import require_icarus, require_yosys

from difflut.check.synthesis_check import NetlistCheck, check_netlist
from difflut.export.builds import store
from difflut.export.builds.make import export_model
from difflut.export.errors import BundleError
from difflut.export.flows import yosys
from difflut.export.flows.reports import find_reports

MODEL = "small_models:Chain"


def synthesised(folder: Path, fpga: str, keep_luts: bool | None = None) -> Path:
    require_yosys()
    require_icarus()
    build = export_model(fitted(Chain()), folder / "net", fpga=fpga)
    yosys.synthesise(build, keep_luts=keep_luts)
    return build


def check(build: Path) -> NetlistCheck:
    return check_netlist(build, simulator="icarus", model_class=MODEL)


@pytest.mark.parametrize("fpga", ["generic", "ecp5", "gowin", "xc7"])
def test_netlists_of_all_families_compute_the_scores(tmp_path: Path, fpga: str) -> None:
    build = synthesised(tmp_path, fpga)
    found = check(build)
    assert found.ok and found.mismatches == 0 and found.first_mismatch == ""
    assert (found.images, found.random) == (0, 100)
    assert found.latency_cycles == store.read(build).info.latency_cycles
    if fpga == "xc7":
        assert found.proof == "not attempted: the RTL itself instantiates cells of xc7"
    else:
        assert re.fullmatch(r"proved: \d+ outputs and registers, once equal, stay equal for all inputs", found.proof)
    (report,) = find_reports(build)
    assert report.content["check"] == json.loads(json.dumps(found.to_json())) and report.content["check"]["ok"]


@pytest.mark.parametrize("fpga", ["generic", "ecp5", "gowin", "xc7"])
def test_netlists_with_kept_luts_compute_the_scores(tmp_path: Path, fpga: str) -> None:
    build = synthesised(tmp_path, fpga, keep_luts=True)
    netlist = (build / "work" / f"yosys-{fpga}" / "flat.v").read_text()
    assert not re.search(r"^ *difflut_lut\d", netlist, re.MULTILINE)
    found = check(build)
    assert found.ok and found.latency_cycles == store.read(build).info.latency_cycles


def test_faulty_and_stale_netlists(tmp_path: Path) -> None:
    build = synthesised(tmp_path, "ice40")
    netlist = build / "work" / "yosys-ice40" / "flat.v"
    right = netlist.read_text()
    assert check(build).ok

    head, table, tail = right.rpartition(".LUT_INIT(16'h")  # one table, inverted
    assert table
    netlist.write_text(head + table + f"{0xFFFF ^ int(tail[:4], 16):04x}" + tail[4:])
    found = check(build)
    assert not found.ok and 0 < found.mismatches <= 100 and "sample" in found.first_mismatch
    assert re.fullmatch(r"not proved: \d+ of \d+ outputs and registers", found.proof)
    (report,) = find_reports(build)
    assert report.content["check"]["ok"] is False

    netlist.write_text(right)
    report.path.write_text(report.path.read_text().replace(store.read(build).digest, "0" * 64))
    with pytest.raises(BundleError, match="is a synthesis of an earlier build; run difflut synth again"):
        check(build)
    shutil.rmtree(build / "work")
    with pytest.raises(BundleError, match="holds no finished synthesis; run difflut synth first"):
        check(build)
