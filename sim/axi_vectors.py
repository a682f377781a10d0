"""The files that pass between `run_axi` and its bench. Runs inside the simulator too: imports numpy only, no
torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.interfaces.framing import Framing
from difflut.sim.vectors import ByteArray, CycleArray

READY_PATTERN = 4099  # a prime, so that the pattern does not move in step with the frames
NOT_A_SAMPLE = -1


@dataclass(frozen=True)
class AxiStimulus:
    """What the bench drives.

    Attributes:
        beats: uint8 (T, width_bits / 8), TDATA of each beat.
        last: bool (T,), TLAST.
        stalls: int64 (T,), cycles without TVALID before each beat.
        samples: int64 (T,), the sample whose last beat this is, or `NOT_A_SAMPLE`.
        reset_before: int64 (), the beat before which the bench resets the design.
        ready: bool (K,), the receiver's TREADY, cycle by cycle, over and over.
        ready_from: int64 (), the first beat from which `ready` is used; up to the reset the receiver takes nothing,
            from there to this beat everything.
        short_frames, long_frames: int64 (), misaligned frames after the reset.
        quiet_cycles: int64 (), cycles watched after the reset, and after the last result.
        patience: int64 (), cycles without any transfer after which the bench gives up.
        limit: int64 (), cycles in all after which it does.
        register_addresses: int64 (R,), registers to read at the end.
    """

    beats: ByteArray
    last: npt.NDArray[np.bool_]
    stalls: CycleArray
    samples: CycleArray
    reset_before: CycleArray
    ready: npt.NDArray[np.bool_]
    ready_from: CycleArray
    short_frames: CycleArray
    long_frames: CycleArray
    quiet_cycles: CycleArray
    patience: CycleArray
    limit: CycleArray
    register_addresses: CycleArray


@dataclass(frozen=True)
class AxiRecording:
    """What the bench saw; cycles count the rising clock edges.

    Attributes:
        reset_cycle: int64 (), the last edge of the reset in the middle.
        in_cycles: int64 (B,), edges at which the beats were taken; fewer than beats if the design stopped taking them.
        out_cycles: int64 (M,), edges at which TVALID was 1.
        out_data: bytes (M,), TDATA there as text of 0 and 1 (x, z: unknown), most significant first.
        out_last: bytes (M,), TLAST there.
        out_ready: bool (M,), TREADY there.
        unknown_cycles: int64 (U,), edges at which TVALID or TREADY of the design was neither 0 nor 1.
        register_values: int64 (R,), what the registers read, -1 for unknown bits or no answer.
        register_responses: int64 (R,), RRESP.
        refusals: int64 (2,), RRESP of an address without register and BRESP of a register that cannot be written.
    """

    reset_cycle: CycleArray
    in_cycles: CycleArray
    out_cycles: CycleArray
    out_data: npt.NDArray[np.bytes_]
    out_last: npt.NDArray[np.bytes_]
    out_ready: npt.NDArray[np.bool_]
    unknown_cycles: CycleArray
    register_values: CycleArray
    register_responses: CycleArray
    refusals: CycleArray


def make_stimulus(codes: npt.NDArray[Any], framing: Framing, *, bubbles: bool, seed: int) -> AxiStimulus:
    """Frames for codes (N, features), a reset before them, stalls and misaligned frames between them."""
    random = np.random.default_rng(seed)
    layout = framing.codes
    beats, octets = layout.beats, layout.width_bits // 8
    frames = layout.pack(codes)
    padding = beats * octets - layout.frame_bytes
    if padding:  # must be ignored
        frames.reshape(len(frames), -1)[:, layout.frame_bytes :] = random.integers(0, 256, (len(frames), padding))

    parts: list[ByteArray] = []
    lasts: list[npt.NDArray[np.bool_]] = []
    samples: list[CycleArray] = []

    def add(data: ByteArray, ends: bool, sample: int = NOT_A_SAMPLE) -> None:
        last = np.zeros(len(data), np.bool_)
        last[-1] = ends
        numbers = np.full(len(data), NOT_A_SAMPLE, np.int64)
        numbers[-1] = sample
        parts.append(data)
        lasts.append(last)
        samples.append(numbers)

    def garbage(count: int) -> ByteArray:
        return random.integers(0, 256, (count, octets), dtype=np.uint8)

    # Before the reset: whole frames, whose results nobody takes, and the beginning of one.
    for _ in range(2):
        add(garbage(beats), ends=True)
    if beats > 1:
        add(garbage(beats // 2), ends=False)
    reset_before = sum(map(len, parts))
    short = long = 0
    misaligned = set(random.choice(len(frames), min(len(frames), 4 + len(frames) // 50), replace=False).tolist())
    for sample, frame in enumerate(frames):
        if bubbles and sample > 0 and (sample in misaligned or sample == 1):
            if beats > 1 and random.random() < 0.5:
                add(garbage(int(random.integers(1, beats))), ends=True)
                short += 1
            else:
                add(garbage(beats + int(random.integers(1, 4))), ends=True)
                long += 1
        add(frame, ends=True, sample=sample)
    data, last = np.concatenate(parts), np.concatenate(lasts)
    alone = reset_before + beats  # the first sample runs alone, before this beat
    stalls = np.zeros(len(data), np.int64)
    ready = np.ones(READY_PATTERN, np.bool_)
    if bubbles:
        # Stretches of beats without stalls and with; of the receiver's stalls some are longer than the core's latency.
        stretch = np.arange(len(data)) // 61 % 3 == 2
        stalls[stretch] = random.choice([0, 1, 2, 7], size=int(stretch.sum()), p=[0.7, 0.2, 0.05, 0.05])
        ready = random.random(READY_PATTERN) < np.where(np.arange(READY_PATTERN) // 97 % 3 == 0, 0.3, 0.9)
        start = (
            int(random.integers(0, READY_PATTERN - 3 * framing.latency_cycles - 1))
            if framing.latency_cycles < 1000
            else 0
        )
        ready[start : start + 3 * framing.latency_cycles] = False
    stalls[:alone] = 0
    settle = framing.latency_cycles + 16
    patience = 8 * settle + 4 * READY_PATTERN + 2 * framing.cycles_per_frame
    # The receiver takes a beat in at least every third cycle of a stretch.
    needed = int(stalls.sum()) + len(data) + int(last.sum()) * (framing.cycles_per_frame + framing.results.beats)
    return AxiStimulus(
        beats=data,
        last=last,
        stalls=stalls,
        samples=np.concatenate(samples),
        reset_before=np.array(reset_before, np.int64),
        ready=ready,
        ready_from=np.array(alone, np.int64),
        short_frames=np.array(short, np.int64),
        long_frames=np.array(long, np.int64),
        quiet_cycles=np.array(settle, np.int64),
        patience=np.array(patience, np.int64),
        limit=np.array(patience + 8 * needed, np.int64),
        register_addresses=np.zeros(0, np.int64),
    )
