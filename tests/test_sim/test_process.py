"""Tools end with the process that started them, and end as they end by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tool_family import COMMAND, all_end, is_running, started

from difflut.sim.process import ToolFailure, run_captured, run_logged


def logged(folder: Path, *command: str, poll: object = None) -> int:
    options = {} if poll is None else {"poll": poll}
    return run_logged(command, log=folder / "log", cwd=folder, environment=dict(os.environ), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [0, 3, 127])
def test_exit_status_and_output(tmp_path: Path, status: int) -> None:
    assert logged(tmp_path, "sh", "-c", f"echo out; echo err >&2; pwd; exit {status}") == status
    assert (tmp_path / "log").read_text().splitlines()[1:] == ["out", "err", os.path.realpath(tmp_path)]
    assert run_captured(["sh", "-c", f"echo err >&2; echo out; exit {status}"]) == (status, "out\nerr\n")


def test_what_a_tool_says_of_itself_is_asked_in_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "-k")
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    assert run_captured(["sh", "-c", "echo $MAKEFLAGS ${LD_LIBRARY_PATH-unset}"]) == (0, "unset\n")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGABRT", "SIGSEGV"])
def test_a_tool_that_a_signal_ends(tmp_path: Path, name: str) -> None:
    assert logged(tmp_path, "sh", "-c", f"kill -{name[3:]} $$") == -getattr(signal, name)


def test_temporary_files_of_a_tool_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert logged(tmp_path, "sh", "-c", 'echo x > "$TMPDIR/cc123.s"; echo "$TMPDIR"') == 0
    assert (tmp_path / "log").read_text().splitlines()[1].startswith(f"{tmp_path}/difflut-tool-")
    assert os.listdir(tmp_path) == ["log"]


def test_standard_input_is_empty(tmp_path: Path) -> None:
    assert logged(tmp_path, "cat") == 0
    assert run_captured(["cat"]) == (0, "")


def test_a_tool_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    with pytest.raises(ToolFailure, match="cannot start no-such-tool: No such file or directory"):
        logged(tmp_path, "no-such-tool")
    with pytest.raises(ToolFailure, match="text: Permission denied"):
        logged(tmp_path, str(tmp_path / "text"))
    with pytest.raises(OSError, match="No such file or directory"):
        run_captured(["no-such-tool", "-V"])


def test_a_slow_tool_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_captured(["sh", "-c", COMMAND.format(pids=tmp_path / "pids")], timeout=0.5)
    pids = (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []
    assert all_end([int(pid) for pid in pids])


def test_an_interruption_ends_the_tool_and_its_children(tmp_path: Path) -> None:
    def interrupt() -> None:
        started(tmp_path / "pids")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logged(tmp_path, "sh", "-c", COMMAND.format(pids=tmp_path / "pids"), poll=interrupt)
    assert all_end(started(tmp_path / "pids"))


def test_a_killed_run_leaves_no_tool_behind(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from difflut.sim.process import run_logged\n"
        "run_logged(['sh', '-c', sys.argv[2]], log=Path(sys.argv[1]) / 'log', cwd=Path(sys.argv[1]), "
        "environment=os.environ)"
    )
    command = [sys.executable, "-c", program, str(tmp_path), COMMAND.format(pids=tmp_path / "pids")]
    with subprocess.Popen(command) as run:
        pids = started(tmp_path / "pids")
        assert all(is_running(pid) for pid in pids)
        run.kill()
    assert all_end(pids)
