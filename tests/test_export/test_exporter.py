"""Exports: equal models give equal bytes, and build.json says what a consumer needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_models import Chain, fitted

from difflut.errors import ConfigError
from difflut.export import bundle
from difflut.export.exporter import MODEL_FILE, NETLIST_FILE, export_model, make_bundle
from difflut.export.text import from_text
from difflut.input_format import InputFormat


def test_same_model_same_bytes() -> None:
    first, second = (make_bundle(fitted(Chain(), seed=3)).bundle for _ in range(2))
    assert first.files == second.files
    assert first.manifest_bytes() == second.manifest_bytes()
    assert make_bundle(fitted(Chain(), seed=4)).bundle.digest != first.digest


def test_manifest_describes_ports_and_latency() -> None:
    model = fitted(Chain(features=6, classes=4, input_format=InputFormat(5, True, 8.0)))
    manifest = json.loads(make_bundle(model).bundle.manifest_bytes())
    assert manifest["name"] == "chain"
    assert manifest["input"] == {
        "port": "in_codes",
        "shape": [6],
        "features": 6,
        "width_bits": 5,
        "signed": True,
        "divisor": 8.0,
        "meaning": "feature i is the code at in_codes[5*i +: 5]; the model sees code / 8",
    }
    assert manifest["output"]["scores"] == {"port": "out_scores", "classes": 4, "width_bits": 2}
    assert manifest["output"]["class"] == {"port": "out_class", "width_bits": 2, "ties": "lowest index"}
    assert manifest["latency_cycles"] >= 3 and manifest["initiation_interval"] == 1
    assert manifest["model"]["class"] == "small_models:Chain"
    assert 0 < manifest["netlist"]["luts"] <= 20  # the passes simplify random tables
    assert manifest["fpga"] == "generic"
    assert set(manifest["netlist"]["lut6"]) == {"encoder", "layers", "head", "total"}
    assert {MODEL_FILE, NETLIST_FILE, "README.md", "rtl/chain.v"} <= set(manifest["files"])


def test_netlist_in_the_build_is_the_emitted_one() -> None:
    made = make_bundle(fitted(Chain()))
    assert from_text(made.bundle.text(NETLIST_FILE)) == made.netlist


def test_readme_is_complete() -> None:
    readme = make_bundle(fitted(Chain())).bundle.text("README.md")
    assert "chain classifier (" in readme
    assert "out_scores[2*k +: 2]" in readme


def test_export_writes_a_build(tmp_path: Path) -> None:
    model = fitted(Chain())
    assert export_model(model, tmp_path / "net") == tmp_path / "net"
    assert bundle.read(tmp_path / "net").digest == make_bundle(model).bundle.digest


def test_unknown_target_and_interface() -> None:
    with pytest.raises(ConfigError, match="unknown target 'vhdl'; known: verilog"):
        make_bundle(fitted(Chain()), target="vhdl")
    with pytest.raises(ConfigError, match="unknown interface 'wishbone'; known: plain"):
        make_bundle(fitted(Chain()), interface="wishbone")
