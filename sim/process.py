"""Runs external tools: the output goes to a log file, a failure becomes one exception that shows what matters of it.

A tool runs in a process group of its own, under a small guard process that holds the read end of a pipe. When the
pipe's other end closes, because this process is done with the tool or was killed, the guard kills the group: the tool
and whatever it started.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from difflut.export.errors import ToolError
from difflut.files import scratch, tools_folder
from difflut.progress import LOGGER

SHOWN_LINES = 12
SHOWN_COLUMNS = 160
_ERROR_LINE = re.compile(
    r"%Error|\berror:|\bError:|[A-Za-z]Error\b|\bsorry:|\bundefined reference\b|: No such file", re.IGNORECASE
)
# Lists of folders. An empty or relative entry would mean the folder that the tool runs in, which may be somebody
# else's.
_SEARCH_PATHS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "PERL5LIB")
# The guard: started in a session of its own, with the pipe as standard input and, as its first argument, where to write
# the error number if the tool cannot be started, as its second, how many bytes of memory it may have (0: any number).
# It ends as the tool does.
_GUARD = """
import _thread, os, signal, sys

def watch():
    os.read(0, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)

failure = int(sys.argv[1])
os.set_inheritable(failure, False)
_thread.start_new_thread(watch, ())
if int(sys.argv[2]):
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), resource.getrlimit(resource.RLIMIT_AS)[1]))
try:
    tool = os.posix_spawnp(
        sys.argv[3],
        sys.argv[3:],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )
except OSError as error:
    os.write(failure, str(error.errno).encode())
    os._exit(127)
status = os.waitstatus_to_exitcode(os.waitpid(tool, 0)[1])
if status < 0:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -status not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""
_FOREIGN_VARIABLES = ("COCOTB_", "GPI_", "PYGPI_", "VERILATOR_", "MAKE", "MFLAGS", "GNUMAKEFLAGS")


class ToolFailure(ToolError):
    """An external tool ran and failed, or did not give what it had to.

    Attributes:
        command: the command line.
        log: the file with the tool's whole output.
    """

    def __init__(self, problem: str, command: Sequence[str], log: Path, excerpt: Sequence[str] | None = None) -> None:
        self.command = tuple(command)
        self.log = log
        lines = [f"{problem}", f"  command: {shlex.join(command)}", f"  log: {log}"]
        excerpt = log_excerpt(log) if excerpt is None else excerpt
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


class _NotStarted(OSError):
    """A tool cannot be started."""


@contextmanager
def _guarded(
    command: Sequence[str],
    output: int | IO[bytes],
    *,
    cwd: Path | None,
    environment: Mapping[str, str],
    memory_bytes: int = 0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a tool under a guard; however this ends, the tool and whatever it started have ended.

    Raises:
        _NotStarted: the tool cannot be started; when the guard finds that, on leaving.
    """
    with ExitStack() as held:
        # A killed tool cannot remove its own temporary files.
        variables = {**environment, "TMPDIR": str(held.enter_context(scratch("tool", tools_folder())))}
        guard_end, own_end = os.pipe()
        held.callback(os.close, own_end)
        read_failure, write_failure = os.pipe()
        held.callback(os.close, read_failure)
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _GUARD, str(write_failure), str(memory_bytes), *command],
                cwd=cwd,
                env=variables,
                stdin=guard_end,
                stdout=output,
                stderr=output,
                pass_fds=(write_failure,),
                start_new_session=True,
            )
        except OSError as error:
            raise _NotStarted(error.errno, error.strerror) from error
        finally:
            os.close(guard_end)
            os.close(write_failure)
        with process:
            try:
                yield process
            except BaseException:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        number = os.read(read_failure, 16)
        if number:
            raise _NotStarted(int(number), os.strerror(int(number)))


def run_logged(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    environment: Mapping[str, str],
    poll: Callable[[], None] = lambda: None,
) -> int:
    """Run `command`, append its output to `log` and return its exit status; `poll` is called about five times a second.

    When this function is left by an exception or this process is killed, the command and its children end too.

    Raises:
        ToolFailure: the command cannot be started.
    """
    with log.open("ab") as output:
        before = output.tell()
        output.write(f"$ {shlex.join(command)}\n".encode())
        output.flush()
        try:
            with _guarded(command, output, cwd=cwd, environment=environment) as process:
                status = None
                while status is None:
                    try:
                        status = process.wait(timeout=0.2)
                    except subprocess.TimeoutExpired:
                        poll()
        except _NotStarted as error:
            raise ToolFailure(f"cannot start {command[0]}: {error.strerror}", command, log) from error
    _tell(log, before)
    return status


def _tell(log: Path, start: int) -> None:
    """Give what a tool added to its log to the log of all, if there is one."""
    if LOGGER.isEnabledFor(logging.DEBUG):
        with log.open("rb") as file:
            file.seek(start)
            LOGGER.debug("%s\n%s", log, file.read().decode(errors="replace"))


def run_captured(
    command: Sequence[str], *, cwd: Path | None = None, timeout: float | None = None, memory_bytes: int = 0
) -> tuple[int, str]:
    """Run `command` in a clean environment; return its exit status and what it printed: on standard output, then on
    standard error.

    It ends as `run_logged` says.

    Args:
        command: the tool and its arguments.
        cwd: where it runs; the working directory by default.
        timeout: seconds after which it is killed; none by default.
        memory_bytes: how much address space it may have; any by default.

    Raises:
        OSError: the command cannot be started.
        subprocess.TimeoutExpired: it took too long.
    """
    with _guarded(
        command, subprocess.PIPE, cwd=cwd, environment=clean_environment(), memory_bytes=memory_bytes
    ) as process:
        printed = b"".join(process.communicate(timeout=timeout))
    return process.returncode, printed.decode(errors="replace")
