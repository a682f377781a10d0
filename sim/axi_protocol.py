"""Judges a recording of AXI4-Stream ports: handshakes, frames, latency, registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.export.interfaces.framing import Framing
from difflut.sim.axi_vectors import NOT_A_SAMPLE, AxiRecording, AxiStimulus
from difflut.sim.protocol import ProtocolError
from difflut.sim.vectors import unpack_bits

COUNTERS = ("frames", "results", "dropped_short", "dropped_long", "last_latency")
OKAY, SLVERR = 0, 2


@dataclass(frozen=True, eq=False)
class Judged:
    """What a right recording holds: the results, int64 (N, numbers of a result), and the measured latency."""

    values: npt.NDArray[np.int64]
    latency_cycles: int


def judge(recording: AxiRecording, stimulus: AxiStimulus, top: str, framing: Framing, samples: int) -> Judged:
    """Check the streams and return the results in the order of the samples.

    Raises:
        ProtocolError: TVALID or TREADY is unknown; TVALID fell, or TDATA or TLAST changed, before TREADY; a result
            appeared after a reset; the design stopped taking beats; results are missing, too many, of another length,
            or have padding that is not zero; or the latency is another than the framing's.
    """
    reset = int(recording.reset_cycle)
    if len(recording.unknown_cycles):
        raise ProtocolError(
            f"{top}: m_axis_tvalid or s_axis_tready is neither 0 nor 1 at clock edge {recording.unknown_cycles[0]}; "
            "aresetn must set the whole control"
        )
    _check_handshake(recording, stimulus, top)
    expected_beats = len(stimulus.beats) - int(stimulus.reset_before)
    if len(recording.in_cycles) < expected_beats:
        raise ProtocolError(
            f"{top}: took {len(recording.in_cycles)} of {expected_beats} beats: s_axis_tready was low for "
            f"{int(stimulus.patience)} clock edges together, or for most of {int(stimulus.limit)}"
        )
    ends = stimulus.samples[int(stimulus.reset_before) :]
    frame_ends = recording.in_cycles[ends != NOT_A_SAMPLE]
    after = recording.out_cycles >= reset
    early = recording.out_cycles[after & (recording.out_cycles <= frame_ends[0])]
    if len(early):
        raise ProtocolError(
            f"{top}: m_axis_tvalid was 1 at clock edge {early[0] - reset} after the reset, before a whole frame came "
            "in; aresetn must empty the core and the queue of results"
        )
    given = after & recording.out_ready
    cycles, lasts = recording.out_cycles[given], recording.out_last[given] == b"1"
    ends_at = np.flatnonzero(lasts)
    if len(ends_at) != samples:
        raise ProtocolError(f"{top}: {samples} frames went in, {len(ends_at)} results came out")
    lengths = np.diff(ends_at, prepend=-1)
    wrong = np.flatnonzero(lengths != framing.results.beats)
    if len(wrong) or len(cycles) != samples * framing.results.beats:
        found = lengths[wrong[0]] if len(wrong) else len(cycles) - ends_at[-1] - 1
        raise ProtocolError(
            f"{top}: result {wrong[0] if len(wrong) else samples} has {found} beats, expected {framing.results.beats}"
        )
    results_end = cycles[ends_at]
    late = np.flatnonzero(results_end <= frame_ends)
    if len(late):
        raise ProtocolError(f"{top}: the result of sample {late[0]} was given before its frame had come in")
    values = _values(recording, given, top, framing, samples)
    latency = int(results_end[0] - frame_ends[0])
    if latency != framing.latency_cycles:
        raise ProtocolError(
            f"{top}: without stalls the result of a frame ends {latency} cycles after it, declared are "
            f"{framing.latency_cycles}"
        )
    return Judged(values, latency)


def _check_handshake(recording: AxiRecording, stimulus: AxiStimulus, top: str) -> None:
    """TVALID stays, and TDATA and TLAST do not change, until TREADY; the edges of a reset are exempt."""
    cycles, reset = recording.out_cycles, int(recording.reset_cycle)
    waiting = ~recording.out_ready & ((cycles < reset - 1) | (cycles > reset))  # a reset of two edges
    following = np.append(cycles[1:], -1)
    fell = np.flatnonzero(waiting & (following != cycles + 1))
    fell = fell[cycles[fell] != cycles.max(initial=-1)]  # the recording ends there
    if len(fell):
        raise ProtocolError(
            f"{top}: m_axis_tvalid fell at clock edge {cycles[fell[0]] + 1} although m_axis_tready was 0"
        )
    for port, texts in (("m_axis_tdata", recording.out_data), ("m_axis_tlast", recording.out_last)):
        changed = np.flatnonzero(waiting[:-1] & (texts[1:] != texts[:-1]))
        if len(changed):
            raise ProtocolError(
                f"{top}: {port} changed at clock edge {cycles[changed[0]] + 1} although m_axis_tready was 0"
            )


def _values(
    recording: AxiRecording, given: npt.NDArray[np.bool_], top: str, framing: Framing, samples: int
) -> npt.NDArray[np.int64]:
    width = framing.results.width_bits
    bits, known = unpack_bits(recording.out_data[given], width)
    if not known.all():
        beat = int(np.argmin(known))
        raise ProtocolError(f"{top}: m_axis_tdata has unknown bits, or not {width}, in beat {beat} after the reset")
    octets = np.packbits(bits, axis=1, bitorder="little").reshape(samples, framing.results.beats, width // 8)
    values, clean = framing.results.unpack(octets)
    if not clean.all():
        raise ProtocolError(f"{top}: the padding of result {int(np.argmin(clean))} is not zero")
    return values


def check_registers(
    recording: AxiRecording,
    stimulus: AxiStimulus,
    top: str,
    constants: Mapping[int, int],
    counters: Mapping[str, int],
) -> None:
    """Compare all registers with what the build says and what the bench saw.

    Raises:
        ProtocolError: a register does not answer, reads something else, or an address without register is accepted.
    """
    expected = dict(constants)
    counted = _counted(recording, stimulus)
    for name, address in counters.items():
        expected[address] = counted[name]
    names = {address: name for name, address in counters.items()}
    rows = zip(
        stimulus.register_addresses.tolist(),
        recording.register_values.tolist(),
        recording.register_responses.tolist(),
        strict=True,
    )
    for address, value, response in rows:
        what = f"register 0x{address:02x}" + (f" ({names[address].upper()})" if address in names else "")
        if value < 0 or response != OKAY:
            raise ProtocolError(f"{top}: {what} gives no answer, unknown bits, or an error (response {response})")
        if value != expected[address]:
            raise ProtocolError(f"{top}: {what} reads 0x{value:08x}, expected 0x{expected[address]:08x}")
    if not len(stimulus.register_addresses):
        return
    for what, response in zip(
        ("reading an address without register", "writing IDENTITY"), recording.refusals, strict=True
    ):
        if response != SLVERR:
            raise ProtocolError(f"{top}: {what} must be answered with SLVERR ({SLVERR}), got {response}")


def _counted(recording: AxiRecording, stimulus: AxiStimulus) -> dict[str, int]:
    """What the counters must read: those of the samples, and the latency of the latest frame that was measured."""
    ends = stimulus.samples[int(stimulus.reset_before) :]
    frame_ends = recording.in_cycles[ends != NOT_A_SAMPLE].tolist()
    given = (recording.out_cycles > int(recording.reset_cycle)) & recording.out_ready & (recording.out_last == b"1")
    results_end = recording.out_cycles[given].tolist()
    busy_until, latency = -1, 0
    for taken, sent in zip(frame_ends, results_end, strict=True):
        if taken > busy_until:  # one frame is measured at a time
            busy_until, latency = sent, sent - taken
    return {
        "frames": len(frame_ends),
        "results": len(results_end),
        "dropped_short": int(stimulus.short_frames),
        "dropped_long": int(stimulus.long_frames),
        "last_latency": latency,
    }
