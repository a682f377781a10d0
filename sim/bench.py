"""The cocotb test bench; cocotb imports it inside the simulator, nothing else does.

It drives and records; whether the recording is right is judged outside, by `difflut.sim.protocol` and
`difflut.sim.scoreboard`. Every value is written and read just after a rising clock edge was announced and before its
effects: reads see what registers sample at that edge, writes are seen at the next edge.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from difflut.sim.interface import SAMPLE_IN, SAMPLE_OUT
from difflut.sim.vectors import ByteArray, Recording, Stimulus, read, write

STIMULUS, RECORDING, PROGRESS = "DIFFLUT_SIM_STIMULUS", "DIFFLUT_SIM_RECORDING", "DIFFLUT_SIM_PROGRESS"
QUIET_CYCLES = 16  # watched beyond the latency, after the reset and after the last sample

RESET, WARM_UP, IDLE, SAMPLE = range(4)


def _integers(words: ByteArray) -> list[int]:
    return [int.from_bytes(word.tobytes(), "little") for word in words]


def _cycles(stimulus: Stimulus, taken: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    """What each cycle does, and the value of `in_codes`; `taken` tells whether the last cycle's word was.

    When all samples so far have together waited for longer than their intervals allow, no more are given.
    """
    garbage = _integers(stimulus.garbage)
    latency = int(stimulus.latency_cycles)
    turn = 0

    def idle(action: int, cycles: int) -> Iterator[tuple[int, int]]:
        nonlocal turn
        for _ in range(cycles):
            turn += 1
            yield action, garbage[turn % len(garbage)]

    yield from idle(RESET, 2)
    yield from idle(WARM_UP, latency + 2)
    yield from idle(RESET, 1)
    yield from idle(IDLE, latency + QUIET_CYCLES)
    waited = 0
    for number, (gap, word) in enumerate(zip(stimulus.gaps.tolist(), stimulus.words, strict=True)):
        yield from idle(IDLE, gap)
        value = int.from_bytes(word.tobytes(), "little")
        yield SAMPLE, value
        patience = int(stimulus.interval_cycles) * (1 + number // int(stimulus.words_per_sample))
        while not taken():
            waited += 1
            if waited > patience:
                return
            yield SAMPLE, value
    yield from idle(IDLE, latency + QUIET_CYCLES)


def _find(dut: Any, path: str) -> Any:
    for name in path.split("."):
        dut = getattr(dut, name)
    return dut


class Numbers:
    """Writes the numbers of the samples that go in and come out, where the design is watched (`difflut.sim.waves`)."""

    def __init__(self, dut: Any) -> None:
        self._ports = [getattr(dut, name) for name in (SAMPLE_IN, SAMPLE_OUT) if hasattr(dut, name)]
        self._shown = [-1 for _ in self._ports]

    def show(self, *numbers: int) -> None:
        """The number of the sample of which the next word goes in, and of that whose result comes next."""
        for place, (port, number) in enumerate(zip(self._ports, numbers, strict=False)):
            if self._shown[place] != number:
                port.value = self._shown[place] = number


async def _stall(dut: Any, edge: RisingEdge, cycles: int, word: int) -> None:
    """Hold `ce` low for some cycles, in which what the other inputs say must change nothing."""
    dut.ce.value = 0
    dut.rst.value = 1
    dut.in_valid.value = 1
    dut.in_codes.value = word
    for _ in range(cycles):
        await edge
    dut.ce.value = 1


@cocotb.test()
async def drive_and_record(dut: Any) -> None:
    """Drive the stimulus file's samples and write the recording file."""
    stimulus = read(Path(os.environ[STIMULUS]), Stimulus)
    samples = len(stimulus.words)
    probes = [_find(dut, str(signal)) for signal in stimulus.probe_signals]
    probe_delays = stimulus.probe_cycles.tolist()
    probe_texts = [["" for _ in range(samples)] for _ in probes]
    pending: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)

    inputs: dict[int, list[int]] = {action: [] for action in (RESET, WARM_UP, IDLE, SAMPLE)}
    outputs: list[int] = []
    unknown: list[int] = []
    results: dict[str, list[str]] = {"out_scores": [], "out_class": [], "out_top": []}
    ports = {port: getattr(dut, port) if port in stimulus.result_ports else None for port in results}

    Clock(dut.clk, 2, unit="step").start(start_high=False)
    edge = RisingEdge(dut.clk)
    rst, in_valid, in_codes = dut.rst, dut.in_valid, dut.in_codes
    out_valid = dut.out_valid
    in_ready = dut.in_ready if stimulus.waits_for_ready else None
    garbage, stalls = _integers(stimulus.garbage), stimulus.stalls.tolist()
    if stalls:
        dut.ce.value = 1
    numbers, shown = Numbers(dut), 0
    ready = True

    def was_ready() -> bool:
        return ready

    report_every = max(1, samples // 100)
    last_action = -1
    cycle = 0
    with Path(os.environ[PROGRESS]).open("w", encoding="ascii") as progress:  # noqa: ASYNC230 (nothing else runs)
        for cycle, (action, word) in enumerate(_cycles(stimulus, was_ready)):
            stall = stalls[cycle % len(stalls)] if stalls else 0
            if stall:
                await _stall(dut, edge, stall, garbage[cycle % len(garbage)])
            if action != last_action or stall:
                rst.value = int(action == RESET)
                in_valid.value = int(action != IDLE)  # during a reset too, which must not take what is offered
                last_action = action
            in_codes.value = word
            shown = 0 if action == RESET else shown
            numbers.show(len(inputs[SAMPLE]) // int(stimulus.words_per_sample), shown)
            await edge
            ready = in_ready is None or str(in_ready.value) == "1"
            taken = ready or action not in (WARM_UP, SAMPLE)
            if action == SAMPLE and taken:
                sample = len(inputs[SAMPLE])
                for probe, delay in enumerate(probe_delays):
                    pending[cycle + delay].append((probe, sample))
                if (sample + 1) % report_every == 0:
                    print(sample + 1, file=progress, flush=True)
            if taken:
                inputs[action].append(cycle)
            valid = str(out_valid.value) if cycle > 0 else "0"  # edge 0 comes before the reset took effect
            if valid == "1":
                shown += action != RESET
                outputs.append(cycle)
                for port, handle in ports.items():
                    results[port].append("" if handle is None else str(handle.value))
            elif valid != "0":
                unknown.append(cycle)
            for probe, sample in pending.pop(cycle, ()):
                probe_texts[probe][sample] = str(probes[probe].value)

    write(
        Path(os.environ[RECORDING]),
        Recording(
            warm_up_cycles=np.array(inputs[WARM_UP], dtype=np.int64),
            reset_cycle=np.array(inputs[RESET][-1], dtype=np.int64),
            input_cycles=np.array(inputs[SAMPLE], dtype=np.int64),
            output_cycles=np.array(outputs, dtype=np.int64),
            unknown_cycles=np.array(unknown, dtype=np.int64),
            last_cycle=np.array(cycle, dtype=np.int64),
            scores=np.array(results["out_scores"], dtype=np.bytes_),
            classes=np.array(results["out_class"], dtype=np.bytes_),
            top=np.array(results["out_top"], dtype=np.bytes_),
            probes=np.array(probe_texts, dtype=np.bytes_).reshape(len(probes), samples),
        ),
    )
