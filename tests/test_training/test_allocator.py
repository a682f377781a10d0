"""The allocator's setting: a training step's memory is kept."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from difflut.training import allocator
from difflut.training.allocator import keep_freed_memory

_SCRIPT = """
import resource, torch
from difflut.training.allocator import keep_freed_memory
assert keep_freed_memory()
for _ in range(3):
    torch.zeros(1 << 24)  # 64 MiB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.zeros(1 << 24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="only glibc's allocator is changed",
)
def test_freed_memory_is_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout) < 1000  # mapped anew, 64 MiB are 16,384 pages


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert keep_freed_memory() is False
