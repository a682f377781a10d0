"""How samples and results lie in the beats of a stream: one owner of the layout, for the RTL, the bench and the documents.

A frame is a row of bytes, the first one in the lowest byte of the first beat. Every value starts at a byte and takes the
least number of whole bytes, the low one first; the rest of its last byte, and of the last beat, is padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError

WIDTHS = (8, 16, 32, 64, 128, 256, 512)
OUTPUTS = ("scores", "class")
# The deserialiser holds a whole frame in flip-flops; more than this is surely a mistake.
MOST_FRAME_BYTES = 1 << 16


@dataclass(frozen=True)
class Stream:
    """What a user chooses.

    Attributes:
        width_bits: the width of TDATA on both sides, one of `WIDTHS`.
        output: "scores" (all of them) or "class" (the index).

    Raises:
        ConfigError: the width or the output is another one.
    """

    width_bits: int = 32
    output: str = "scores"

    def __post_init__(self) -> None:
        if self.width_bits not in WIDTHS:
            raise ConfigError(
                f"stream width {self.width_bits}: TDATA can be {', '.join(map(str, WIDTHS[:-1]))} or {WIDTHS[-1]} bits wide"
            )
        if self.output not in OUTPUTS:
            raise ConfigError(f"stream output {self.output!r}: expected {' or '.join(OUTPUTS)}")


@dataclass(frozen=True)
class Layout:
    """One direction of a stream: `count` numbers of `value_bits` bits in beats of `width_bits` bits."""

    count: int
    value_bits: int
    width_bits: int

    @property
    def value_bytes(self) -> int:
        """The bytes that one value takes."""
        return (self.value_bits + 7) // 8

    @property
    def frame_bytes(self) -> int:
        """The bytes of a frame, padding of the last beat left out."""
        return self.count * self.value_bytes

    @property
    def beats(self) -> int:
        """The beats of a frame; the last one carries TLAST."""
        return -(-self.frame_bytes * 8 // self.width_bits)

    @property
    def packed_bits(self) -> int:
        """The width of the values without padding."""
        return self.count * self.value_bits

    def pack(self, values: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """The beats of frames: uint8 (N, beats, width_bits / 8) from values (N, count); padding is 0.

        Negative values become two's complement.
        """
        numbers = np.asarray(values).astype(np.int64) & ((1 << self.value_bits) - 1)
        shifts = 8 * np.arange(self.value_bytes, dtype=np.int64)
        octets = ((numbers[:, :, None] >> shifts) & 0xFF).astype(np.uint8).reshape(len(numbers), -1)
        frames = np.zeros((len(numbers), self.beats * self.width_bits // 8), np.uint8)
        frames[:, : octets.shape[1]] = octets
        return frames.reshape(len(numbers), self.beats, -1)

    def unpack(self, beats: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Unsigned values int64 (N, count) from beats (N, beats, width_bits / 8), and bool (N,): all padding is 0."""
        octets = beats.reshape(len(beats), -1).astype(np.int64)
        used = octets[:, : self.frame_bytes].reshape(len(beats), self.count, self.value_bytes)
        values = used @ (np.int64(1) << 8 * np.arange(self.value_bytes, dtype=np.int64))
        clean = (octets[:, self.frame_bytes :] == 0).all(axis=1) & (values < (1 << self.value_bits)).all(axis=1)
        return values, clean


@dataclass(frozen=True)
class Framing:
    """Both directions, and how many results the wrapper can hold.

    Attributes:
        codes: the frames that come in, one code a feature.
        results: the frames that go out.
        core_latency_cycles: the latency of the core.
    """

    codes: Layout
    results: Layout
    core_latency_cycles: int

    @property
    def latency_cycles(self) -> int:
        """Clock edges from the one that takes the last beat of a frame to the one that gives the last beat of its result.

        The data path runs one cycle behind the handshake, and the queue of results is another register.
        """
        return self.core_latency_cycles + 2 + self.results.beats

    @property
    def cycles_per_frame(self) -> int:
        """The least number of cycles from one frame to the next when nobody stalls."""
        return max(self.codes.beats, self.results.beats)

    @property
    def credits(self) -> int:
        """How many results may be on their way: the fewest that never slow an unstalled stream down."""
        return -(-self.latency_cycles // self.cycles_per_frame)


def plan_framing(
    stream: Stream, *, features: int, code_bits: int, results: int, result_bits: int, core_latency_cycles: int
) -> Framing:
    """The framing of a core with `features` codes in and `results` numbers out.

    Raises:
        ConfigError: a frame is longer than the deserialiser can hold.
    """
    codes = Layout(features, code_bits, stream.width_bits)
    if codes.frame_bytes > MOST_FRAME_BYTES:
        raise ConfigError(
            f"interface axi-stream: {features} codes of {codes.value_bytes} bytes make frames of {codes.frame_bytes} bytes; "
            f"the deserialiser holds at most {MOST_FRAME_BYTES}: use the plain interface"
        )
    return Framing(codes, Layout(results, result_bits, stream.width_bits), core_latency_cycles)


def framing_of(manifest: Mapping[str, Any]) -> Framing:
    """The framing that a `build.json` states."""
    stream = manifest["stream"]
    codes, results = (
        Layout(stream[side]["count"], stream[side]["value_bits"], stream["width_bits"]) for side in ("codes", "results")
    )
    return Framing(codes, results, manifest["latency_cycles"])
