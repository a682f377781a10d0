"""Signals end a command with its tools, and what they cut off counts for nothing afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import Chain, fitted
from tool_family import COMMAND, all_end, is_running, started

from difflut.cli import main
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.flows.reports import find_reports


@pytest.fixture
def build(tmp_path: Path) -> Path:
    store.write(make_build(fitted(Chain())), tmp_path / "net")
    return tmp_path / "net"


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("SIGKILL", -9)])
def test_a_signal_ends_a_synthesis_and_its_tools(build: Path, tmp_path: Path, name: str, status: int) -> None:
    folder = build / "work" / "yosys-generic"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text('{"flow": "yosys", "digest": "of an earlier run"}')
    fake, pids = tmp_path / "yosys", tmp_path / "pids"
    fake.write_text(f'#!/bin/sh\nif [ "$1" = -V ]; then echo Yosys 0.61; exit; fi\n{COMMAND.format(pids=pids)}\n')
    fake.chmod(0o755)
    command = [sys.executable, "-m", "difflut", "synth", str(build)]
    environment = {**os.environ, "DIFFLUT_YOSYS": str(fake)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as run:
        running = started(pids)
        assert all(is_running(pid) for pid in running)
        run.send_signal(getattr(signal, name))
        _, err = run.communicate()
    assert run.returncode == status and all_end(running)
    assert err == ("" if name == "SIGKILL" else "\ninterrupted\n"), err
    assert find_reports(build) == []


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)
    with pytest.raises(SystemExit):
        main(["list", "--no-such-option"])
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)) == before
