"""Runs external tools: the output goes to a log file, a failure becomes one exception that shows what matters of it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from difflut.export.errors import ToolError

SHOWN_LINES = 12
SHOWN_COLUMNS = 160
_ERROR_LINE = re.compile(
    r"%Error|\berror:|\bError:|[A-Za-z]Error\b|\bsorry:|\bundefined reference\b|: No such file", re.IGNORECASE
)
# Lists of folders. An empty or relative entry would mean the folder that the tool runs in, which may be somebody else's.
_SEARCH_PATHS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "PERL5LIB")
_FOREIGN_VARIABLES = ("COCOTB_", "GPI_", "PYGPI_", "VERILATOR_", "MAKE", "MFLAGS", "GNUMAKEFLAGS")


class ToolFailure(ToolError):
    """An external tool ran and failed, or did not give what it had to.

    Attributes:
        command: the command line.
        log: the file with the tool's whole output.
    """

    def __init__(self, problem: str, command: Sequence[str], log: Path) -> None:
        self.command = tuple(command)
        self.log = log
        lines = [f"{problem}", f"  command: {shlex.join(command)}", f"  log: {log}"]
        excerpt = log_excerpt(log)
        lines += [f"  | {line}" for line in excerpt] if excerpt else ["  (the log is empty)"]
        super().__init__("\n".join(lines))


def log_excerpt(log: Path) -> list[str]:
    """The first error line of a log, when it is not near the end, and the last lines."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    except OSError:
        return []
    lines = [line if len(line) <= SHOWN_COLUMNS else f"{line[: SHOWN_COLUMNS - 3]}..." for line in lines]
    tail = lines[-SHOWN_LINES:]
    first = next((line for line in lines[:-SHOWN_LINES] if _ERROR_LINE.search(line)), None)
    return tail if first is None else [first, "...", *tail]


def clean_environment(**changes: str) -> dict[str, str]:
    """The environment for a tool: the user's, less what would steer cocotb, Verilator or make, with `changes`.

    Search paths have absolute entries only.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_VARIABLES)}
    for name in _SEARCH_PATHS:
        folders = [os.path.abspath(folder) for folder in kept.pop(name, "").split(os.pathsep) if folder]
        if folders:
            kept[name] = os.pathsep.join(folders)
    return {**kept, **changes}


def python_command(program: str) -> tuple[str, ...]:
    """The command that runs a Python program of one line, without importing from the folder that it runs in.

    (`-P` is unknown to Python 3.10, and `-I` would leave out PYTHONPATH.)
    """
    return sys.executable, "-c", f"import sys; sys.path = [path for path in sys.path if path]; {program}"


def run_logged(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    environment: Mapping[str, str],
    poll: Callable[[], None] = lambda: None,
) -> int:
    """Run `command`, append its output to `log` and return its exit status; `poll` is called about five times a second.

    The process is killed when this function is left by an exception.

    Raises:
        ToolFailure: the command cannot be started.
    """
    with log.open("ab") as output:
        output.write(f"$ {shlex.join(command)}\n".encode())
        output.flush()
        try:
            process = subprocess.Popen(
                command, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        except OSError as error:
            raise ToolFailure(f"cannot start {command[0]}: {error.strerror}", command, log) from error
        with process:
            try:
                while True:
                    try:
                        return process.wait(timeout=0.2)
                    except subprocess.TimeoutExpired:
                        poll()
            except BaseException:
                process.kill()
                raise
