"""`difflut prove`, `export --prove` and `verify --replay`: what they print, store and return."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from small_models import NarrowChain, fitted
from tools import require_icarus, require_prover

from difflut.export.builds import make as exporter
from difflut.export.builds import store
from difflut.export.builds.store import Build
from difflut.export.proof import build as proof
from difflut.export.proof.build import read_report


def broken(made: Build) -> Build:
    """The argmax of the build gives ties to the later class."""
    name = "rtl/chain_argmax.v"
    text = made.text(name)
    assert " > " in text
    return Build.of(made.info, {**made.files, name: text.replace(" > ", " >= ").encode()})


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "chain.safetensors"
    fitted(NarrowChain()).save_checkpoint(path)
    return path


def test_a_right_build_is_proved_in_one_go_with_the_export(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_prover()
    arguments = ["export", str(checkpoint), "--model", "small_models:NarrowChain", "--out", str(tmp_path / "net")]
    status, out, _ = run(capsys, *arguments, "--prove")
    assert status == 0
    assert "proved     argmax: the class is the index of the largest score" in out
    assert "proved: the RTL equals the traced model for all inputs" in out
    digest = store.read(tmp_path / "net").digest
    stored = read_report(tmp_path / "net")
    assert stored is not None and stored["ok"] is True and stored["date"] and stored["digest"] == digest
    status, out, _ = run(capsys, "prove", str(tmp_path / "net"), "--json")
    report = json.loads(out)
    assert status == 0 and report["ok"] and report["digest"] == digest
    assert all(claim["verdict"] == "proved" for claim in report["claims"])


def test_a_wrong_build_gives_an_input_that_the_simulator_confirms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_prover()
    require_icarus()
    made = exporter.make_build(fitted(NarrowChain()))
    store.write(made, tmp_path / "right")
    store.write(broken(made), tmp_path / "wrong")
    status, out, _ = run(capsys, "prove", str(tmp_path / "wrong"))
    assert status == 1
    assert "refuted    argmax: the class is the index of the largest score, the lowest of equals" in out
    assert "counterexample (RTL), an input on which the outputs differ:\n  class: expected " in out
    assert "NOT PROVED: 1 of " in out
    file = tmp_path / "wrong" / "work" / "proof" / "counterexample.npz"
    assert f"--replay {file}" in out
    with np.load(file) as stored:
        assert stored["codes"].shape == (1, 6)
    options = ["--replay", str(file), "--simulator", "icarus"]
    status, out, _ = run(capsys, "verify", str(tmp_path / "wrong"), *options)
    assert status == 1 and "class expected " in out
    status, out, _ = run(capsys, "verify", str(tmp_path / "right"), *options, "--json")
    assert status == 0 and json.loads(out)["difference"] == ""


def test_an_export_that_is_not_proved_stays_and_fails(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_prover()
    make_build = exporter.make_build

    def wrong(*arguments: Any, **options: Any) -> Build:
        return broken(make_build(*arguments, **options))

    monkeypatch.setattr(exporter, "make_build", wrong)
    out_dir = tmp_path / "net"
    arguments = ["export", str(checkpoint), "--model", "small_models:NarrowChain", "--out", str(out_dir), "--prove"]
    status, out, err = run(capsys, *arguments)
    assert status == 1 and "NOT PROVED" in out
    assert err.endswith(f"the build stays in {out_dir}, but it is not proved to compute what the model does\n")
    assert store.read(out_dir).info.name == "chain"
    status, out, _ = run(capsys, *arguments, "--json")
    assert status == 1 and json.loads(out)["proof"]["ok"] is False


def test_a_netlist_that_is_not_what_was_traced_is_refuted(tmp_path: Path) -> None:
    """The netlist and the RTL agree, but the passes changed the function: only the traced netlist can tell."""
    require_prover()
    first, second = (exporter.make_build(fitted(NarrowChain(), seed)) for seed in (0, 1))
    traced = {store.TRACED_FILE: first.files[store.TRACED_FILE]}
    store.write(Build.of(second.info, {**second.files, **traced}), tmp_path / "net")
    report = proof.prove(tmp_path / "net")
    assert not report.ok
    assert [claim.subject for claim in report.claims if claim.verdict != "proved"] == ["pass stages"]
    assert report.counterexample is not None and report.counterexample.claim == "pass stages"


def test_a_build_without_the_traced_netlist_is_not_proved(tmp_path: Path) -> None:
    require_prover()
    made = exporter.make_build(fitted(NarrowChain()))
    files = {name: content for name, content in made.files.items() if name != store.TRACED_FILE}
    store.write(Build.of(made.info, files), tmp_path / "net")
    report = proof.prove(tmp_path / "net")
    assert [claim.detail for claim in report.claims if claim.verdict != "proved"] == [
        "the build has no verify/traced.txt.xz; export again with this version"
    ]


def test_usage_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    require_prover()
    status, _, err = run(capsys, "prove", str(tmp_path))
    assert status == 2 and "has no build.json" in err
    store.write(exporter.make_build(fitted(NarrowChain())), tmp_path / "net")
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    status, _, err = run(capsys, "verify", str(tmp_path / "net"), "--replay", str(tmp_path / "bad.npz"))
    assert status == 2 and "no stored counterexample" in err
    with (tmp_path / "net" / "rtl" / "chain.v").open("a") as file:
        file.write("// edited\n")
    status, _, err = run(capsys, "prove", str(tmp_path / "net"))
    assert status == 2 and "differs from what was exported" in err
    monkeypatch.setattr("difflut.export.flows.yosys.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("difflut.export.flows.yosys.shutil.which", lambda name: None)
    monkeypatch.delenv("DIFFLUT_YOSYS", raising=False)
    status, _, err = run(capsys, "prove", str(tmp_path / "net"))
    assert status == 2 and "Yosys is missing; install it" in err
