"""A tool with a child and a grandchild, like make with its compilers, and who of them runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

MEMBERS = 3
# Each appends its process number to the file {pids}.
COMMAND = "sh -c 'sh -c \"echo \\$\\$ >> {pids}; sleep 300\" & echo $$ >> {pids}; wait' & echo $$ >> {pids}; wait"


def started(pids: Path) -> list[int]:
    """The process numbers, once all are there."""
    for _ in range(6000):
        if pids.exists() and len(found := pids.read_text().split()) >= MEMBERS:
            return [int(pid) for pid in found]
        time.sleep(0.01)
    raise AssertionError("the tool did not start")


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody waited for does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")  # of Linux
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def all_end(pids: list[int]) -> bool:
    """Wait for the end of processes; False if that takes a minute."""
    for _ in range(6000):
        if not any(is_running(pid) for pid in pids):
            return True
        time.sleep(0.01)
    return False
