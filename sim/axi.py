"""Runs RTL with AXI4-Stream ports on codes: random stalls on both sides, misaligned frames, a reset in mid-frame."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.sim import axi_protocol
from difflut.sim.axi_interface import AxiInterface
from difflut.sim.axi_vectors import AxiRecording, AxiStimulus, make_stimulus
from difflut.sim.interface import as_codes
from difflut.sim.runner import Bench, RtlResult, build, check_options, keep_view, simulate, watched
from difflut.sim.toolchain import find_cocotb


def run_axi(
    sources: Sequence[Path],
    interface: AxiInterface,
    codes: npt.ArrayLike,
    *,
    simulator: str = "verilator",
    build_dir: Path,
    bubbles: bool = True,
    seed: int = 0,
    waves: bool = False,
) -> RtlResult:
    """Send every row of `codes` as a frame and return the results.

    The bench resets the design, sends it frames, resets it in the middle of one, and watches that nothing comes out.
    The first sample then runs alone and gives the latency; the others follow, with `bubbles` stalled at random on both
    sides and with misaligned frames between them. At the end it reads all registers. See `axi_protocol` for what is
    judged.

    Args:
        sources: Verilog files, any order.
        interface: the top module and its framing.
        codes: integers (N, features), N >= 1.
        simulator: "verilator" or "icarus".
        build_dir: receives logs, the simulator and waveforms.
        bubbles: whether there are stalls and misaligned frames; without, beats follow back to back.
        seed: of the stalls, the garbage and Verilator's random initial register values.
        waves: whether to write a waveform file and what GTKWave shows of it, as `run_rtl` does.

    Returns:
        The results; `latency_cycles` counts from the last beat of a frame to the last beat of its result.

    Raises:
        ConfigError, ToolError, WriteError: as `run_rtl`.
        ProtocolError: the RTL broke a rule of AXI, lost or invented results, or a register reads wrong.
    """
    paths = check_options(sources, simulator, seed)
    layout = interface.framing.codes
    checked = as_codes(codes, layout.count, layout.value_bits)
    started = time.monotonic()
    ports, around = watched(interface, build_dir, waves)
    sources = [*paths, *around]
    built = build(sources, ports, find_cocotb(), simulator, build_dir=build_dir, waves=waves, probes=(), seed=seed)
    build_seconds = time.monotonic() - started
    started = time.monotonic()
    stimulus = make_stimulus(checked, interface.framing, bubbles=bubbles, seed=seed)
    stimulus = _with_registers(stimulus, interface)
    recording = simulate(built, Bench(ports.top, "difflut.sim.axi_bench", AxiRecording), stimulus, len(checked))
    keep_view(built, ports)
    run_seconds = time.monotonic() - started
    judged = axi_protocol.judge(recording, stimulus, interface.top, interface.framing, len(checked))
    axi_protocol.check_registers(recording, stimulus, interface.top, interface.constants, interface.counters)
    scores = interface.output == "scores"
    return RtlResult(
        scores=judged.values if scores else None,
        classes=None if scores else judged.values[:, 0],
        latency_cycles=judged.latency_cycles,
        build_seconds=build_seconds,
        run_seconds=run_seconds,
        waves=built.waves,
    )


def _with_registers(stimulus: AxiStimulus, interface: AxiInterface) -> AxiStimulus:
    if set(interface.counters) not in (set(), set(axi_protocol.COUNTERS)):
        raise ConfigError(
            f"counters must be none or {', '.join(axi_protocol.COUNTERS)}, got {', '.join(interface.counters)}"
        )
    addresses = sorted({*interface.constants, *interface.counters.values()})
    return replace(stimulus, register_addresses=np.array(addresses, np.int64))
