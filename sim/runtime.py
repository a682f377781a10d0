"""Verilator's run-time library, which is the same for every design: its objects are compiled once and kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from difflut.sim import cache
from difflut.sim.toolchain import Verilator

_OBJECTS = "verilated*.o"


@contextmanager
def kept(obj: Path, tool: Verilator, options: Sequence[str]) -> Iterator[None]:
    """While a design is compiled in `obj`: make finds the kept objects there, and new ones are kept afterwards.

    Args:
        obj: Verilator's output folder.
        tool: what compiles.
        options: all that the objects depend on besides.
    """
    digest = hashlib.sha256(json.dumps(["run-time", asdict(tool), options], default=str).encode()).hexdigest()
    known = set()
    for file in cache.kept(digest):
        shutil.copyfile(file, obj / file.name)  # newer than its source, so that make leaves it alone
        known.add(file.name)
    yield
    for file in sorted(obj.glob(_OBJECTS)):
        if file.name not in known:
            cache.install(file, digest, file.name)
