"""`export --name`, and every command on what it makes: a build of each form and interface."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from command_line import run
from convolutions import Stack
from small_models import Chain, fitted
from tools import require_icarus, require_package, require_prover, require_yosys

from difflut.check.verification import verify

FORMS: dict[str, list[str]] = {
    "plain": ["--fpga", "xc7"],
    "axi": ["--interface", "axi-stream"],
    "streaming": ["--conv", "streaming"],
    "axi streaming": ["--conv", "streaming", "--interface", "axi-stream"],
    "folded": ["--conv", "folded=200"],
    "axi folded": ["--conv", "folded=200", "--interface", "axi-stream"],
}


@pytest.mark.parametrize(
    "form", [form if form == "axi" else pytest.param(form, marks=pytest.mark.full) for form in FORMS]
)
def test_all_commands(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_icarus()
    require_yosys()
    require_prover()
    require_package("matplotlib", "report")
    monkeypatch.chdir(tmp_path)
    conv = "--conv" in FORMS[form]
    fitted(Stack() if conv else Chain()).save_checkpoint(tmp_path / "net.safetensors")
    name = "convolutions:stack" if conv else "small_models:Chain"
    status, out, err = run(
        capsys, "export", "net.safetensors", "--model", name, "--name", "net_a", *FORMS[form], "--json"
    )
    assert status == 0, err
    made = json.loads(out)
    place = Path(made["directory"])
    assert place == Path("build/net_a") and made["name"] == "net_a"

    checked = verify(place, data=None, data_name="", simulator="icarus", model_class=name)
    assert checked.ok, checked

    status, out, err = run(capsys, "prove", place)
    assert status == 0 and "net_a" in out, out + err

    status, out, err = run(capsys, "synth", place, "--flow", "yosys")
    assert status == 0, out + err

    status, out, err = run(capsys, "report", place)
    assert status == 0 and "net_a" in (place / "work" / "report.html").read_text(encoding="utf-8"), out + err


def test_a_name_that_cannot_be_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fitted(Chain()).save_checkpoint(tmp_path / "net.safetensors")
    for name in ("net_core", "a b", "module", "../net", ""):
        command = ["export", tmp_path / "net.safetensors", "--model", "small_models:Chain", "--name", name]
        status, out, err = run(capsys, *command, "--out", tmp_path / "net")
        assert status == 2 and not out and err.startswith(f"error: the name '{name}' is no module's: ")
        assert not os.path.lexists(tmp_path / "net")
