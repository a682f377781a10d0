"""Exports: equal models give equal bytes, and build.json says what a consumer needs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from netlists import emit_options, levels_of
from small_models import Chain, fitted
from tools import require_icarus

from difflut.check.verification import verify
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import export_model, make_build
from difflut.export.builds.store import MODEL_FILE, NETLIST_FILE, Build
from difflut.export.families.registry import find_family
from difflut.export.schedule.pipelining import Pipeline, parse_plan
from difflut.export.schedule.timing import analyse
from difflut.export.verilog.netlist import emit
from difflut.input_format import InputFormat


def test_same_model_same_bytes() -> None:
    first, second = (make_build(fitted(Chain(), seed=3)) for _ in range(2))
    assert first.files == second.files
    assert first.manifest_bytes == second.manifest_bytes
    assert make_build(fitted(Chain(), seed=4)).digest != first.digest


def test_manifest_describes_ports_and_latency() -> None:
    model = fitted(Chain(features=6, classes=4, input_format=InputFormat(5, True, 8.0)))
    manifest = json.loads(make_build(model).manifest_bytes)
    assert manifest["name"] == "chain"
    assert manifest["input"] == {
        "port": "in_codes",
        "shape": [6],
        "features": 6,
        "width_bits": 5,
        "signed": True,
        "divisor": 8.0,
        "offset": 0.0,
        "meaning": "feature i is the code at in_codes[5*i +: 5]; the model sees code / 8",
    }
    assert manifest["output"]["scores"] == {"port": "out_scores", "classes": 4, "width_bits": 2}
    assert manifest["output"]["class"] == {"port": "out_class", "width_bits": 2, "ties": "lowest index"}
    assert manifest["latency_cycles"] >= 3 and manifest["initiation_interval"] == 1
    assert manifest["model"]["class"] == "small_models:Chain"
    assert 0 < manifest["netlist"]["luts"] <= 20  # the passes simplify random tables
    assert manifest["fpga"] == "generic"
    kinds = [part["kind"] for part in manifest["parts"]]
    assert kinds == ["encoder", "layer", "layer", "group sum", "argmax"] and all(
        part["estimated_luts"] for part in manifest["parts"]
    )
    assert {MODEL_FILE, NETLIST_FILE, "README.md", "rtl/chain.v"} <= set(manifest["files"])


def test_netlist_in_the_build_is_the_emitted_one() -> None:
    made = make_build(fitted(Chain()), pipeline="levels")
    assert emit(made.circuit.body).files == {name.removeprefix("rtl/"): text for name, text in made.rtl.items()}


def test_readme_is_complete() -> None:
    readme = make_build(fitted(Chain())).text("README.md")
    assert "chain classifier (" in readme
    assert "out_scores[2*k +: 2]" in readme


def test_export_writes_a_build(tmp_path: Path) -> None:
    model = fitted(Chain())
    assert export_model(model, tmp_path / "net") == tmp_path / "net"
    assert store.read(tmp_path / "net").digest == make_build(model).digest


def test_unknown_target_and_interface() -> None:
    with pytest.raises(ConfigError, match="unknown target 'vhdl'; known: verilog"):
        make_build(fitted(Chain()), target="vhdl")
    with pytest.raises(ConfigError, match="unknown interface 'wishbone'; known: plain, axi-stream"):
        make_build(fitted(Chain()), interface="wishbone")


@pytest.mark.parametrize("spec", ["levels", "auto", "encoder,2,argmax2", "1", "sum1"])
def test_the_pipeline_in_the_build(spec: str) -> None:
    made = make_build(fitted(Chain()), pipeline=spec)
    pipeline = made.info.pipeline
    assert pipeline is not None and pipeline.spec == spec
    assert pipeline.levels == ("encoder", "1", "2", "sum1", "argmax1", "argmax2")
    assert made.info.latency_cycles == len(pipeline.registers_after)
    if "," in spec:
        assert list(pipeline.registers_after) == spec.split(",")
    assert made.manifest_bytes == make_build(fitted(Chain()), pipeline=spec).manifest_bytes


@pytest.mark.parametrize("fpga", ["generic", "xc7", "xcup", "ice40", "ecp5", "gowin"])
def test_the_estimate_in_the_build(fpga: str) -> None:
    made = make_build(fitted(Chain()), fpga=fpga, pipeline=Pipeline("auto", latency_cycles=3))
    assert made.info.pipeline is not None
    manifest = json.loads(made.manifest_bytes)
    assert (manifest["fpga"], manifest["latency_cycles"]) == (fpga, 3)
    assert (made.info.pipeline.fmax_mhz, made.info.pipeline.latency_cycles) == (None, 3)
    timing = manifest["timing"]
    netlist, family = made.circuit.body, find_family(fpga)
    plan = parse_plan(",".join(made.info.pipeline.registers_after), levels_of(netlist, family))
    estimated = analyse(netlist, family, plan).stages
    assert [len(stage["levels"]) for stage in timing["stages"]] == [len(stage.levels) for stage in estimated]
    slowest = max(stage["delay_ns"] for stage in timing["stages"])
    assert timing["fmax_mhz"] == pytest.approx(1e3 / slowest, abs=0.2)
    critical = timing["critical_path"]
    assert timing["stages"][critical["stage"] - 1]["delay_ns"] == slowest
    assert timing["estimate"].startswith("a delay model, ")
    assert f" MHz (estimated: delay model of {fpga}" in made.text("README.md")


@pytest.mark.parametrize("spec", ["levels", "encoder,2,argmax2", "1", "sum1", "argmax2"])
def test_the_latency_in_the_build_is_the_measured_one(spec: str, tmp_path: Path) -> None:
    require_icarus()
    store.write(make_build(fitted(Chain()), pipeline=spec), tmp_path)
    report = verify(tmp_path, data=None, data_name="", simulator="icarus", model_class="small_models:Chain")
    assert report.ok
    assert report.latency_cycles == make_build(fitted(Chain()), pipeline=spec).info.latency_cycles


def test_a_fault_behind_an_unusual_pipeline_is_located(tmp_path: Path) -> None:
    require_icarus()
    made = make_build(fitted(Chain()), pipeline="1,argmax2")
    netlist = made.circuit.body
    tables = netlist.lut_tables.copy()
    tables[0] ^= np.uint64(0xF)
    plan = parse_plan("1,argmax2", levels_of(netlist))
    wrong = emit(netlist.with_(lut_tables=tables), **emit_options(plan))
    rtl = {f"rtl/{name}": text.encode() for name, text in wrong.files.items()}
    store.write(Build.of(made.info, {**made.files, **rtl}), tmp_path)
    report = verify(tmp_path, data=None, data_name="", simulator="icarus", model_class="small_models:Chain")
    assert not report.ok
    assert "first wrong node: " in str(report.steps[-1].first_mismatch)
