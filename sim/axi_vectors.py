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
    frames = layout.pack(codes)
    padding = layout.beats * (layout.width_bits // 8) - layout.frame_bytes
    if padding:  # must be ignored
        frames.reshape(len(frames), -1)[:, layout.frame_bytes :] = random.integers(0, 256, (len(frames), padding))
    sent = _Sent(random, layout.width_bits // 8)
    # Before the reset: whole frames, whose results nobody takes, and the beginning of one.
    for _ in range(2):
        sent.add(sent.garbage(layout.beats))
    if layout.beats > 1:
        sent.add(sent.garbage(layout.beats // 2), ends=False)
    reset_before = sum(map(len, sent.parts))
    sent.add_frames(frames, bubbles)
    data, last = np.concatenate(sent.parts), np.concatenate(sent.lasts)
    alone = reset_before + layout.beats  # the first sample runs alone, before this beat
    stalls, ready = np.zeros(len(data), np.int64), np.ones(READY_PATTERN, np.bool_)
    if bubbles:
        stalls, ready = _stalls(random, len(data), framing.latency_cycles)
    stalls[:alone] = 0
    settle = framing.latency_cycles + 16
    patience = 8 * settle + 4 * READY_PATTERN + 2 * framing.cycles_per_frame
    # The receiver takes a beat in at least every third cycle of a stretch.
    needed = int(stalls.sum()) + len(data) + int(last.sum()) * (framing.cycles_per_frame + framing.results.beats)
    return AxiStimulus(
        beats=data,
        last=last,
        stalls=stalls,
        samples=np.concatenate(sent.samples),
        reset_before=np.array(reset_before, np.int64),
        ready=ready,
        ready_from=np.array(alone, np.int64),
        short_frames=np.array(sent.short, np.int64),
        long_frames=np.array(sent.long, np.int64),
        quiet_cycles=np.array(settle, np.int64),
        patience=np.array(patience, np.int64),
        limit=np.array(patience + 8 * needed, np.int64),
        register_addresses=np.zeros(0, np.int64),
    )


class _Sent:
    """What goes in, frame by frame: beats, TLAST, and of which sample a beat is the last."""

    def __init__(self, random: np.random.Generator, octets: int) -> None:
        self.random, self.octets = random, octets
        self.parts: list[ByteArray] = []
        self.lasts: list[npt.NDArray[np.bool_]] = []
        self.samples: list[CycleArray] = []
        self.short = self.long = 0

    def garbage(self, count: int) -> ByteArray:
        """Random beats."""
        return self.random.integers(0, 256, (count, self.octets), dtype=np.uint8)

    def add(self, data: ByteArray, *, ends: bool = True, sample: int = NOT_A_SAMPLE) -> None:
        """Add beats, the last with TLAST unless they are the beginning of a frame."""
        last = np.zeros(len(data), np.bool_)
        last[-1] = ends
        numbers = np.full(len(data), NOT_A_SAMPLE, np.int64)
        numbers[-1] = sample
        self.parts.append(data)
        self.lasts.append(last)
        self.samples.append(numbers)

    def add_frames(self, frames: ByteArray, misaligned: bool) -> None:
        """Add the frames of all samples; if asked for, with some between them that are too short or too long."""
        random, beats = self.random, frames.shape[1]
        chosen = set(random.choice(len(frames), min(len(frames), 4 + len(frames) // 50), replace=False).tolist())
        for sample, frame in enumerate(frames):
            if misaligned and sample > 0 and (sample in chosen or sample == 1):
                if beats > 1 and random.random() < 0.5:
                    self.add(self.garbage(int(random.integers(1, beats))))
                    self.short += 1
                else:
                    self.add(self.garbage(beats + int(random.integers(1, 4))))
                    self.long += 1
            self.add(frame, sample=sample)


def _stalls(random: np.random.Generator, beats: int, latency_cycles: int) -> tuple[CycleArray, npt.NDArray[np.bool_]]:
    """Cycles without a beat before each one, and TREADY of the receiver: stretches without stalls and with, of which
    some of the receiver's are longer than the core's latency.
    """
    stalls = np.zeros(beats, np.int64)
    stretch = np.arange(beats) // 61 % 3 == 2
    stalls[stretch] = random.choice([0, 1, 2, 7], size=int(stretch.sum()), p=[0.7, 0.2, 0.05, 0.05])
    ready = random.random(READY_PATTERN) < np.where(np.arange(READY_PATTERN) // 97 % 3 == 0, 0.3, 0.9)
    longest = 3 * latency_cycles
    start = int(random.integers(0, READY_PATTERN - longest - 1)) if latency_cycles < 1000 else 0
    ready[start : start + longest] = False
    return stalls, ready
