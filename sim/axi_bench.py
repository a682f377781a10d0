"""The cocotb bench of AXI4-Stream designs; cocotb imports it inside the simulator, nothing else does.

Like `difflut.sim.bench` it drives and records; what is right is judged outside. Values are read just after a rising
edge was announced and before its effects: they are what that edge samples. Values written are seen at the next edge.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from difflut.sim.axi_vectors import AxiRecording, AxiStimulus
from difflut.sim.bench import PROGRESS, RECORDING, STIMULUS, Numbers
from difflut.sim.vectors import read, write

RESET_CYCLES = 2
ANSWER_CYCLES = 64  # in which a register must answer
NO_ANSWER = -1
_KNOWN = ("0", "1")


class _Streams:
    """Drives both streams of one design and records what they show."""

    def __init__(self, dut: Any, stimulus: AxiStimulus) -> None:
        self.dut = dut
        self.stimulus = stimulus
        self.edge = RisingEdge(dut.aclk)
        self.cycle = 0
        self.ready = stimulus.ready.tolist()
        self.receiving = False  # what TREADY is
        self.in_cycles: list[int] = []
        self.out_cycles: list[int] = []
        self.out_data: list[str] = []
        self.out_last: list[str] = []
        self.out_ready: list[bool] = []
        self.unknown: list[int] = []
        self.given = 0  # results
        self.taken = 0  # samples
        self.numbers = Numbers(dut)
        written = ("awvalid", "wvalid", "arvalid") if len(stimulus.register_addresses) else ()
        self.written = tuple(getattr(dut, f"s_axil_{port}") for port in written)

    def receive(self, take: bool) -> None:
        """Set TREADY from now on."""
        if take != self.receiving:
            self.dut.m_axis_tready.value = int(take)
            self.receiving = take

    async def step(self) -> bool:
        """Wait for an edge and record it; whether the sender's beat would be taken at it."""
        self.numbers.show(self.taken, self.given)
        await self.edge
        dut = self.dut
        valid, taken = str(dut.m_axis_tvalid.value), str(dut.s_axis_tready.value)
        if self.cycle >= RESET_CYCLES and (valid not in _KNOWN or taken not in _KNOWN):
            self.unknown.append(self.cycle)
        if valid == "1" and self.cycle > 0:  # edge 0 comes before the reset took effect
            last = str(dut.m_axis_tlast.value)
            self.out_cycles.append(self.cycle)
            self.out_data.append(str(dut.m_axis_tdata.value))
            self.out_last.append(last)
            self.out_ready.append(self.receiving)
            self.given += self.receiving and last == "1"
        self.cycle += 1
        return taken == "1"

    async def reset(self) -> int:
        """Reset the design; the last edge of the reset."""
        offered = (self.dut.s_axis_tvalid, self.dut.s_axis_tlast, *self.written)
        for port in offered:  # a reset must not take what is offered
            port.value = 1
        self.dut.aresetn.value = 0
        for _ in range(RESET_CYCLES):
            await self.step()
        self.dut.aresetn.value = 1
        for port in offered:
            port.value = 0
        return self.cycle - 1

    async def watch(self, cycles: int) -> None:
        """Let cycles pass without a beat."""
        self.dut.s_axis_tvalid.value = 0
        for _ in range(cycles):
            await self.step()

    def pattern(self) -> bool:
        return bool(self.ready[self.cycle % len(self.ready)])

    async def send(self, first: int, end: int, receive: bool | None, progress: Any = None) -> bool:
        """Send the beats `first` to `end`; the receiver takes all, nothing, or what its pattern says (None).

        Returns:
            Whether all were taken before the bench lost patience.
        """
        dut, stimulus = self.dut, self.stimulus
        words = [int.from_bytes(beat.tobytes(), "little") for beat in stimulus.beats[first:end]]
        lasts, stalls = stimulus.last[first:end].tolist(), stimulus.stalls[first:end].tolist()
        samples = stimulus.samples[first:end].tolist()
        patience = int(stimulus.patience)
        data, valid, tlast = dut.s_axis_tdata, dut.s_axis_tvalid, dut.s_axis_tlast
        driven_valid = driven_last = -1
        every = max(1, int(stimulus.samples.max() + 1) // 100)
        for word, last, stall, sample in zip(words, lasts, stalls, samples, strict=True):
            for _ in range(stall):  # shows garbage
                if driven_valid != 0:
                    valid.value = driven_valid = 0
                    data.value, tlast.value = word ^ 1, 1 - last
                    driven_last = 1 - last
                self.receive(self.pattern() if receive is None else receive)
                await self.step()
            if driven_valid != 1:
                valid.value = driven_valid = 1
            if last != driven_last:
                tlast.value = driven_last = int(last)
            data.value = word
            for waited in range(patience + 1):
                self.receive(self.pattern() if receive is None else receive)
                if await self.step():
                    self.in_cycles.append(self.cycle - 1)
                    self.taken = max(self.taken, sample + 1)
                    break
                if receive is False and waited > 2 * int(stimulus.quiet_cycles):
                    valid.value = 0
                    return True  # nobody takes results: the design has to stop
            else:
                return False
            if self.cycle > int(stimulus.limit):
                return False
            if progress is not None and sample >= 0 and (sample + 1) % every == 0:
                print(sample + 1, file=progress, flush=True)
        valid.value = 0
        return True


class _Registers:
    """An AXI4-Lite master that does one transfer at a time."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.aclk)
        for port in ("awvalid", "wvalid", "bready", "arvalid", "rready", "awaddr", "wdata", "wstrb", "araddr"):
            getattr(dut, f"s_axil_{port}").value = 0

    async def _wait(self, ours: str, theirs: str) -> bool:
        """Raise our side of a channel; whether the other side answers. The caller lowers ours before the next edge."""
        driven, awaited = getattr(self.dut, f"s_axil_{ours}"), getattr(self.dut, f"s_axil_{theirs}")
        driven.value = 1
        for _ in range(ANSWER_CYCLES):
            await self.edge
            if str(awaited.value) == "1":
                return True
        return False

    async def read(self, address: int) -> tuple[int, int]:
        """Value and response; `NO_ANSWER` without one, or with unknown bits."""
        self.dut.s_axil_araddr.value = address
        taken = await self._wait("arvalid", "arready")
        self.dut.s_axil_arvalid.value = 0
        if not taken or not await self._wait("rready", "rvalid"):
            return NO_ANSWER, NO_ANSWER
        value, response = str(self.dut.s_axil_rdata.value), str(self.dut.s_axil_rresp.value)
        self.dut.s_axil_rready.value = 0
        return _number(value), _number(response)

    async def write(self, address: int, value: int) -> int:
        """The response to a write; `NO_ANSWER` without one."""
        self.dut.s_axil_awaddr.value = address
        self.dut.s_axil_wdata.value = value
        self.dut.s_axil_wstrb.value = 0xF
        taken = await self._wait("awvalid", "awready")
        self.dut.s_axil_awvalid.value = 0
        taken = taken and await self._wait("wvalid", "wready")
        self.dut.s_axil_wvalid.value = 0
        if not taken or not await self._wait("bready", "bvalid"):
            return NO_ANSWER
        response = _number(str(self.dut.s_axil_bresp.value))
        self.dut.s_axil_bready.value = 0
        return response


def _number(text: str) -> int:
    return int(text, 2) if set(text) <= set(_KNOWN) else NO_ANSWER


@cocotb.test()
async def drive_and_record(dut: Any) -> None:
    """Drive the stimulus file's beats and write the recording file."""
    stimulus = read(Path(os.environ[STIMULUS]), AxiStimulus)
    dut.m_axis_tready.value = 0
    dut.s_axis_tdata.value = 0
    dut.s_axis_tlast.value = 0
    registers = _Registers(dut) if len(stimulus.register_addresses) else None
    Clock(dut.aclk, 2, unit="step").start(start_high=False)
    streams = _Streams(dut, stimulus)
    total, middle, alone = len(stimulus.beats), int(stimulus.reset_before), int(stimulus.ready_from)
    quiet = int(stimulus.quiet_cycles)
    values: list[tuple[int, int]] = []
    refusals = [NO_ANSWER, NO_ANSWER]
    with Path(os.environ[PROGRESS]).open("w", encoding="ascii") as progress:  # noqa: ASYNC230 (nothing else runs)
        await streams.reset()
        await streams.send(0, middle, receive=False)
        streams.in_cycles.clear()
        reset_cycle = await streams.reset()
        streams.receive(True)
        await streams.watch(quiet)
        done = await streams.send(middle, alone, receive=True)
        await streams.watch(quiet)
        if done:
            done = await streams.send(alone, total, receive=None, progress=progress)
        expected = int(stimulus.samples.max()) + 1
        waited, given = 0, streams.given
        while waited < quiet and given <= expected and streams.cycle <= 2 * int(stimulus.limit):
            streams.receive(streams.pattern())
            await streams.step()
            waited = 0 if streams.given != given else waited + int(streams.receiving)
            given = streams.given
        if registers is not None:
            values = [await registers.read(address) for address in stimulus.register_addresses.tolist()]
            beyond = int(stimulus.register_addresses[-1]) + 4
            refusals = [(await registers.read(beyond))[1], await registers.write(0, 0)]

    write(
        Path(os.environ[RECORDING]),
        AxiRecording(
            reset_cycle=np.array(reset_cycle, np.int64),
            in_cycles=np.array(streams.in_cycles, np.int64),
            out_cycles=np.array(streams.out_cycles, np.int64),
            out_data=np.array(streams.out_data, np.bytes_),
            out_last=np.array(streams.out_last, np.bytes_),
            out_ready=np.array(streams.out_ready, np.bool_),
            unknown_cycles=np.array(streams.unknown, np.int64),
            register_values=np.array([value for value, _ in values], np.int64),
            register_responses=np.array([response for _, response in values], np.int64),
            refusals=np.array(refusals, np.int64),
        ),
    )
