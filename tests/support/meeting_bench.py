"""Drives several builds in one top at once, each with words of its own; cocotb imports it inside the simulator."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from meeting import Met, Plan

from difflut.sim.bench import RECORDING, STIMULUS
from difflut.sim.vectors import read, write

MOST_CYCLES = 20_000


async def serve(dut: Any, entry: dict[str, Any]) -> int:
    """Send the words of one build and compare its results; returns their number. What is set at a falling edge is taken
    at the next rising one.
    """

    def port(name: str) -> Any:
        return getattr(dut, f"{entry['name']}_{name}")

    words, lasts, results = entry["words"], entry["lasts"], entry["results"]
    sent, found = 0, []
    for _ in range(MOST_CYCLES):
        await FallingEdge(dut.clk)
        if int(port("out_valid").value):
            found.append(hex(int(port("out").value)))
            assert found == results[: len(found)], f"{entry['name']}: result {len(found) - 1}"
        if len(found) == len(results):
            break
        port("valid").value = int(sent < len(words))
        if sent < len(words):
            port("data").value = int(words[sent], 16)
            if lasts:
                port("last").value = int(lasts[sent])
            sent += int(port("ready").value) if entry["ready"] else 1
    assert len(found) == len(results) > 0, f"{entry['name']}: {len(found)} results"
    return len(found)


@cocotb.test()
async def meet(dut: Any) -> None:
    """All builds at once."""
    plan = json.loads(read(Path(os.environ[STIMULUS]), Plan).text.tobytes())
    dut.rst.value = 1
    for entry in plan:
        for name in ("valid", "data", *(["last"] if entry["lasts"] else [])):
            getattr(dut, f"{entry['name']}_{name}").value = 0
    Clock(dut.clk, 2, unit="step").start()
    for _ in range(4):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    tasks = [cocotb.start_soon(serve(dut, entry)) for entry in plan]
    total = sum([await task for task in tasks])
    write(Path(os.environ[RECORDING]), Met(np.array(total, np.int64)))
