"""The files that pass between `run_rtl` and the test bench, and the packing of codes and scores.

Both sides are plain `.npz` files read with `allow_pickle=False` and written whole or not at all. This module runs
inside the simulator too: it imports numpy only.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from difflut.files import write_atomically

ByteArray = npt.NDArray[np.uint8]
CycleArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stimulus:
    """What the bench drives.

    Attributes:
        words: uint8 (N, ceil(features * width_bits / 8)), `in_codes` of each sample, little-endian bytes.
        gaps: int64 (N,), idle cycles before each sample.
        garbage: uint8 (G, same width), G >= 1, what `in_codes` shows while `in_valid` is low.
        latency_cycles: int64 (), the declared latency.
        probe_signals: str (P,), hierarchical names below the top.
        probe_cycles: int64 (P,), clock edges between a sample's input edge and the edge where the probe is read.
        result_ports: str (R,), the ports that carry results.
        waits_for_ready: bool (), whether there is a port `in_ready`, without which a word is not taken.
        words_per_sample: int64 (), words of `in_codes` that make a sample.
        interval_cycles: int64 (), the declared initiation interval: for so long a sample may wait for `in_ready`.
        stalls: int64 (S,), clock cycles with `ce` low before each one with it high, in turn; empty without that port.
    """

    words: ByteArray
    gaps: CycleArray
    garbage: ByteArray
    latency_cycles: CycleArray
    probe_signals: npt.NDArray[np.str_]
    probe_cycles: CycleArray
    result_ports: npt.NDArray[np.str_] = field(default_factory=lambda: np.array(["out_scores", "out_class"]))
    waits_for_ready: npt.NDArray[np.bool_] = field(default_factory=lambda: np.array(False))
    words_per_sample: CycleArray = field(default_factory=lambda: np.array(1))
    interval_cycles: CycleArray = field(default_factory=lambda: np.array(1))
    stalls: CycleArray = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class Recording:
    """What the bench saw; cycles count the rising clock edges from the start of the run, those with `ce` low not.

    Attributes:
        warm_up_cycles: int64 (W,), edges at which samples were accepted before the reset in the middle.
        reset_cycle: int64 (), the edge of that reset.
        input_cycles: int64 (N,), edges at which the words of the measured samples were accepted; fewer than words if
            the bench lost patience.
        output_cycles: int64 (M,), all edges after the first at which `out_valid` was 1, warm-up included.
        unknown_cycles: int64 (U,), edges after the first at which `out_valid` was neither 0 nor 1.
        last_cycle: int64 (), the last edge.
        scores: bytes (M,), `out_scores` at `output_cycles` as text of 0 and 1 (x, z: unknown), most significant first.
        classes: bytes (M,), `out_class`, likewise.
        top: bytes (M,), `out_top`, likewise. Of a port that does not exist every text is empty.
        probes: bytes (P, N), the probed signals, likewise.
    """

    warm_up_cycles: CycleArray
    reset_cycle: CycleArray
    input_cycles: CycleArray
    output_cycles: CycleArray
    unknown_cycles: CycleArray
    last_cycle: CycleArray
    scores: npt.NDArray[np.bytes_]
    classes: npt.NDArray[np.bytes_]
    probes: npt.NDArray[np.bytes_]
    top: npt.NDArray[np.bytes_] = field(default_factory=lambda: np.zeros(0, np.bytes_))


Arrays = TypeVar("Arrays")  # a dataclass of arrays


def write(path: Path, value: Any) -> None:
    """Write a dataclass of arrays, such as a `Stimulus`, to `path`; another process sees the whole file or none. Raises
    WriteError.
    """
    arrays: dict[str, Any] = {item.name: getattr(value, item.name) for item in fields(value)}
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_atomically(path, content.getvalue())


def read(path: Path, kind: type[Arrays]) -> Arrays:
    """Read what `write` wrote of a `kind`; raises OSError, KeyError or ValueError for anything else."""
    make: Any = kind
    with np.load(path, allow_pickle=False) as data:
        value: Arrays = make(**{item.name: data[item.name] for item in fields(make)})
    return value


def pack_codes(codes: npt.NDArray[Any], width_bits: int, *, chunk: int = 256) -> ByteArray:
    """Pack codes (N, features) into port words uint8 (N, ceil(features * width_bits / 8)), little-endian."""
    if width_bits == 8:
        return np.ascontiguousarray(codes.astype(np.uint8))
    shifts = np.arange(width_bits, dtype=np.int64)
    words = np.empty((len(codes), (codes.shape[1] * width_bits + 7) // 8), dtype=np.uint8)
    for start in range(0, len(codes), chunk):  # one byte a bit: keep the intermediate array small
        part = codes[start : start + chunk].astype(np.int64)
        bits = ((part[:, :, None] >> shifts) & 1).astype(np.uint8)
        words[start : start + chunk] = np.packbits(bits.reshape(len(part), -1), axis=1, bitorder="little")
    return words


def unpack_bits(text: npt.NDArray[np.bytes_], width_bits: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Turn bit strings, most significant first, into bits.

    Returns:
        bits: bool (N, width_bits), least significant first; False where unknown.
        known: bool (N,), whether the string has exactly `width_bits` characters 0 or 1.
    """
    width = max(width_bits + 1, text.dtype.itemsize)  # a NUL behind each string, so that a longer one shows
    characters = np.ascontiguousarray(text.reshape(-1).astype(f"S{width}")).view(np.uint8).reshape(-1, width)
    value = characters[:, :width_bits]
    known = ((value == ord("0")) | (value == ord("1"))).all(axis=1) & (characters[:, width_bits:] == 0).all(axis=1)
    return (value == ord("1"))[:, ::-1], known


def unpack_fields(bits: npt.NDArray[np.bool_], width_bits: int) -> npt.NDArray[np.int64]:
    """Read bits (N, fields * width_bits), least significant first, as unsigned integers int64 (N, fields)."""
    weights = np.left_shift(np.int64(1), np.arange(width_bits, dtype=np.int64))
    return bits.reshape(len(bits), -1, width_bits).astype(np.int64) @ weights


def input_gaps(samples: int, latency_cycles: int, *, bubbles: bool, seed: int, stretch: int = 16) -> CycleArray:
    """Idle cycles before each sample, int64 (samples,).

    With bubbles, stretches of `stretch` samples alternate: back to back, then with 0 to 3 idle cycles before each, and
    now and then a pause that empties the pipeline.
    """
    gaps = np.zeros(samples, dtype=np.int64)
    if bubbles:
        random = np.random.default_rng(seed)
        loose = np.arange(samples) // stretch % 2 == 1
        if samples <= stretch:
            loose[samples // 2 :] = True
        gaps[loose] = random.choice([0, 1, 2, 3], size=int(loose.sum()), p=[0.4, 0.3, 0.2, 0.1])
        gaps[loose & (random.random(samples) < 1 / 64)] += latency_cycles + 2
        if samples > 1 and not gaps[1:].any():
            gaps[samples // 2] = 1
    return gaps


def stall_cycles(*, seed: int, count: int = 251) -> CycleArray:
    """Clock cycles with `ce` low before each one with it high, int64 (count,): runs without any, and up to 3."""
    random = np.random.default_rng(seed)
    stalls = random.choice([0, 1, 2, 3], size=count, p=[0.6, 0.2, 0.1, 0.1])
    stalls[: count // 4] = 0
    return stalls.astype(np.int64)


def garbage_words(words: ByteArray, total_bits: int, *, seed: int, count: int = 7) -> ByteArray:
    """Random port words, uint8 (count, bytes), shown on `in_codes` while no sample is valid."""
    result = np.random.default_rng(seed).integers(0, 256, size=(count, words.shape[1]), dtype=np.uint8)
    if total_bits % 8:
        result[:, -1] &= (1 << (total_bits % 8)) - 1
    return result
