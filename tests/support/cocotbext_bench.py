"""A second bench of AXI builds, with the AXI models of cocotbext-axi, which share no code with difflut's own bench.

cocotb imports it inside the simulator; `test_sim/test_cocotbext.py` starts it.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)
from cocotbext_bench_frames import Frames, Passed

from difflut.sim.bench import RECORDING, STIMULUS
from difflut.sim.vectors import read, write


def pauses(chance: random.Random) -> Iterator[bool]:
    """Stretches of random stalls, of none, and one long stall now and then."""
    while True:
        likely = chance.choice([0.0, 0.2, 0.7])
        yield from (chance.random() < likely for _ in range(40))
        yield from itertools.repeat(True, chance.choice([0, 0, 60]))


@cocotb.test()
async def axi_models(dut: Any) -> None:
    """Streams under random stalls, misaligned frames, resets in the middle of frames, registers."""
    frames = read(Path(os.environ[STIMULUS]), Frames)
    chance = random.Random(int(frames.seed))
    identity, control, taken, sent, short, long = frames.addresses.tolist()
    dut.aresetn.value = 0
    Clock(dut.aclk, 2, unit="step").start()
    reset = {"reset": dut.aresetn, "reset_active_level": False}
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, **reset)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **reset)
    lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.aclk, **reset)
    compared, octets = 0, len(dut.s_axis_tdata) // 8  # all frames here fill their last beat

    async def start() -> None:
        dut.aresetn.value = 0
        await ClockCycles(dut.aclk, 3)
        source.clear()
        sink.clear()
        dut.aresetn.value = 1
        await RisingEdge(dut.aclk)

    async def check(numbers: list[int]) -> None:
        nonlocal compared
        for number in numbers:
            got: AxiStreamFrame = await with_timeout(sink.recv(), 40_000, "step")
            assert bytes(got.tdata) == frames.results[number].tobytes(), f"result of frame {number}"
            compared += 1

    async def register(address: int) -> int:
        answer = await with_timeout(lite.read(address, 4), 2_000, "step")
        assert answer.resp == AxiResp.OKAY
        return int.from_bytes(answer.data, "little")

    await start()
    for stalls in (False, True):  # back to back, then with random stalls on both sides
        if stalls:
            source.set_pause_generator(pauses(chance))
            sink.set_pause_generator(pauses(chance))
        numbers = list(range(len(frames.codes)))
        for number in numbers:
            await source.send(frames.codes[number].tobytes())
        await check(numbers)

    wrong_short = wrong_long = 0
    for number in (1, 0, 3, 2):  # misaligned frames give nothing, and the next frame is right
        frame = frames.codes[chance.randrange(len(frames.codes))].tobytes()
        if len(frame) > octets and (number == 1 or chance.random() < 0.6):
            await source.send(frame[: octets * chance.randrange(1, len(frame) // octets)])
            wrong_short += 1
        else:
            await source.send(frame + frame[: octets * chance.randrange(1, 4)])
            wrong_long += 1
        await source.send(frames.codes[number].tobytes())
        await check([number])
    assert sink.empty()
    good = 2 * len(frames.codes) + 4
    assert await register(identity) == 0x444C5554
    assert [await register(address) for address in (taken, sent, short, long)] == [good, good, wrong_short, wrong_long]

    answer = await lite.write(identity, bytes(4))
    assert answer.resp == AxiResp.SLVERR
    answer = await lite.read(0x7C, 4)
    assert answer.resp == AxiResp.SLVERR
    answer = await lite.write(control, b"\x01\0\0\0")
    assert answer.resp == AxiResp.OKAY
    assert [await register(address) for address in (taken, sent, short, long)] == [0, 0, 0, 0]

    for number in range(6):  # resets in the middle of frames, with results on their way and without
        for _ in range(1 + number % 3):
            await source.send(frames.codes[number].tobytes())
        await ClockCycles(dut.aclk, chance.randrange(3, 3 * frames.codes.shape[1]))
        await start()
        await source.send(frames.codes[number + 1].tobytes())
        await check([number + 1])
        await ClockCycles(dut.aclk, 30)
        assert sink.empty()
    assert await register(taken) == 1 and await register(sent) == 1
    write(Path(os.environ[RECORDING]), Passed(np.array(compared, np.int64)))
