"""Nothing is silent: bars, lines and messages of what takes a while, and what a shell completes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import run
from small_models import Chain, fitted
from tools import require_package

import difflut
from difflut import progress
from difflut.export.families.registry import FAMILIES
from difflut.progress import note, proceed, task


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is shown from its beginning."""
    for name in ("BAR_SECONDS", "LINE_SECONDS"):
        monkeypatch.setattr(progress, name, 0.0)
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.05)


def work(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, **options: bool) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with task("counting", 40, "sheep", **options) as outer:
        outer.done = 20
        time.sleep(0.4)
        with task("sleeping"):
            note("deeply")
            time.sleep(0.4)
        proceed("waking", 30, 60)
        time.sleep(0.4)
    return stream.getvalue()


def test_a_log_gets_lines(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = work(io.StringIO(), monkeypatch).splitlines()
    assert "counting: 20 of 40 sheep, 0 s" in shown
    assert "sleeping: deeply, 0 s" in shown and "sleeping: ended after 0 s" in shown
    assert "counting: 30 of 60 sheep, waking, 1 s" in shown and shown[-1] == "counting: ended after 1 s"
    assert not any("\r" in line for line in shown)


def test_a_terminal_gets_a_bar(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = work(Terminal(), monkeypatch)
    assert "counting:  50%|" in shown and "20/40" in shown and "waking" in shown and "sleeping: 00:00" in shown
    assert shown.count("\n") == shown.count("\x1b[A"), "the cursor goes back to the line where it was"


def test_what_is_short_or_hidden_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert work(io.StringIO(), monkeypatch) == "", "five seconds have not passed"
    for name in ("BAR_SECONDS", "LINE_SECONDS"):
        monkeypatch.setattr(progress, name, 0.0)
    for stream in (io.StringIO(), Terminal()):
        assert work(stream, monkeypatch, hidden=True) == ""
        with progress.told(quiet=True):
            assert work(stream, monkeypatch) == ""


def test_a_task_that_fails_ends(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(ValueError, match="mine"), task("failing"):
        raise ValueError("mine")
    note("nobody hears it")
    assert progress._running == []


def test_no_command_is_silent(
    tmp_path: Path, at_once: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("pysat", "pyosys", "matplotlib"):
        require_package(package, "dev")
    monkeypatch.chdir(tmp_path)
    fitted(Chain()).save_checkpoint("net.safetensors")
    named = ("--model", "small_models:Chain")
    commands = {
        ("export", "net.safetensors", *named, "--out", "net"): "exporting chain:",
        ("estimate", "small_models:Chain"): "planning chain:",
        ("verify", "net", *named, "--random-only", "--simulator", "none"): "simulating the netlist:",
        ("prove", "net"): "proving:",
        ("synth", "net"): "yosys:",
        ("show", "net", "--node", "L1.0"): "opening net:",
        ("report", "net"): "drawing the figures:",
        ("evaluate", "mnist_bitflip_20"): "running mnist_bitflip_20:",
    }
    for arguments, expected in commands.items():
        status, _, err = run(capsys, *arguments)
        assert status == 0 and f"\n{expected}" in f"\n{err}", (arguments, err)
        monkeypatch.setattr(progress, "_quiet", False)


def test_a_full_disk_for_the_log_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_package("pyosys", "synth")
    build = difflut.export_model(fitted(Chain()), tmp_path / "net")
    status, _, err = run(capsys, "synth", build, "--quiet", "--log-file", "/dev/full")
    assert status == 2 and err.splitlines()[-1].startswith("error: cannot write /dev/full: No space left"), err
    assert "Traceback" not in err and "Logging error" not in err


def test_messages_and_a_log_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_package("pyosys", "synth")
    build = difflut.export_model(fitted(Chain()), tmp_path / "net")
    log = tmp_path / "all.log"
    status, out, err = run(capsys, "synth", build, "-v", "--log-file", log)
    told = log.read_text()
    assert status == 0 and "Executing SYNTH pass" in told and "yosys: " in told and "yosys: " in err
    assert "Executing" not in out + err, "what tools print goes to the file only"
    _, out, err = run(capsys, "synth", build, "--quiet")
    assert err == "" and log.read_text() == told, "the options are those of one call"
    status, out, err = run(capsys, "list", "--log-file", tmp_path / "no" / "all.log")
    assert (status, out) == (2, "") and "all.log" in err


def completed(words: str) -> list[str]:
    environment = {**os.environ, "_DIFFLUT_COMPLETE": "bash_complete", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    code = "import sys; sys.argv = ['difflut']\nfrom difflut.cli import main\ntry: main()\nfinally: "
    code += "assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_shell_completes_models_and_families() -> None:
    assert completed("difflut export ") == [f"plain,{name}" for name in difflut.list_models()]
    assert completed("difflut estimate mnist_fc_8k_d") == ["plain,mnist_fc_8k_dwn"]
    assert completed("difflut evaluate ./net") == ["file,./net"]
    assert completed("difflut export x --fpga ") == [f"plain,{name}" for name in FAMILIES]
