"""How samples and results lie in the beats of a stream: one owner of the layout, for the RTL, the bench and the
documents.

A frame is a row of bytes, the first one in the lowest byte of the first beat. Every value starts at a byte and takes
the least number of whole bytes, the low one first; the rest of its last byte, and of the last beat, is padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import gcd
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError

WIDTHS = (8, 16, 32, 64, 128, 256, 512)
OUTPUTS = ("scores", "class")
# AXI4-Lite registers beside the streams: no port at all, what the build is, counters too.
REGISTERS = ("none", "identity", "full")
# The deserialiser holds a whole frame in flip-flops; more than this is surely a mistake.
MOST_FRAME_BYTES = 1 << 16


@dataclass(frozen=True)
class Stream:
    """What a user chooses.

    Attributes:
        width_bits: the width of TDATA on both sides, one of `WIDTHS`.
        output: "scores" (all of them) or "class" (the index).
        registers: the AXI4-Lite registers beside them: "none", "identity" (constants that say what the build is) or
            "full" (counters too).

    Raises:
        ConfigError: the width, the output or the registers are others.
    """

    width_bits: int = 32
    output: str = "scores"
    registers: str = REGISTERS[-1]

    def __post_init__(self) -> None:
        if self.width_bits not in WIDTHS:
            raise ConfigError(
                f"stream width {self.width_bits}: TDATA can be {', '.join(map(str, WIDTHS[:-1]))} or {WIDTHS[-1]} "
                "bits wide"
            )
        if self.output not in OUTPUTS:
            raise ConfigError(f"stream output {self.output!r}: expected {' or '.join(OUTPUTS)}")
        if self.registers not in REGISTERS:
            raise ConfigError(
                f"registers {self.registers!r} of a stream: expected {', '.join(REGISTERS[:-1])} or {REGISTERS[-1]}"
            )


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
    # How a frame is ordered, for people who know the order of a sample.
    order: ClassVar[str] = ""

    @property
    def core_codes(self) -> int | None:
        """How many codes the core takes in a cycle, if that is not a whole sample."""
        return None

    @property
    def latency_cycles(self) -> int:
        """Clock edges from the one that takes the last beat of a frame to the one that gives the last beat of its
        result.

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


@dataclass(frozen=True)
class PixelFraming(Framing):
    """The framing of a streaming core, which takes an image word by word and pauses after it.

    A frame is an image: pixel after pixel in raster order, of each pixel its colours in order; so a word of the core is
    the next `word_values` codes. Words are cut from a buffer of *units*, the largest number of bytes that both a beat
    and a word are made of.

    Attributes:
        word_values: how many codes the core takes at once.
        pause_cycles: how long it takes none after the last word of an image.
        interval_cycles: from one image to the next in the core; more than words and pause where the last word waits.
    """

    word_values: int
    pause_cycles: int
    interval_cycles: int
    order: ClassVar[str] = "; an image pixel by pixel, row by row, of each pixel the colours in order"

    @property
    def core_codes(self) -> int:
        """As `Framing.core_codes`."""
        return self.word_values

    @property
    def words(self) -> int:
        """Words of an image."""
        return self.codes.count // self.word_values

    @property
    def unit_bytes(self) -> int:
        """Bytes of a unit."""
        return gcd(self.codes.width_bits // 8, self.word_values * self.codes.value_bytes)

    @property
    def beat_units(self) -> int:
        """Units of a beat."""
        return self.codes.width_bits // 8 // self.unit_bytes

    @property
    def word_units(self) -> int:
        """Units of a word."""
        return self.word_values * self.codes.value_bytes // self.unit_bytes

    @property
    def last_beat_units(self) -> int:
        """Units of the last beat of a frame, padding left out."""
        return self.words * self.word_units - (self.codes.beats - 1) * self.beat_units

    @property
    def most_units(self) -> int:
        """With how many units in the buffer a beat is still taken: the fewest that never hold up a beat or a word."""
        return self.word_units + min(self.beat_units, self.word_units) - 1

    @property
    def images(self) -> int:
        """How many images the core can have whole without having answered them."""
        return max(1, -(-self.core_latency_cycles // self.interval_cycles))

    @property
    def latency_cycles(self) -> int:
        """As `Framing`: what is left in the buffer at the last beat enters first."""
        return self._unstalled[0] + self.core_latency_cycles + self.results.beats

    @property
    def cycles_per_frame(self) -> int:
        """As `Framing`."""
        return max(self._unstalled[1], self.interval_cycles, self.results.beats)

    @property
    def credits(self) -> int:
        """As `Framing`; room is taken by the last word of an image."""
        return -(-(self.core_latency_cycles + self.results.beats + 1) // self.cycles_per_frame)

    @cached_property
    def _unstalled(self) -> tuple[int, int]:
        return _count_cycles(
            self.codes.beats,
            self.words,
            self.beat_units,
            self.last_beat_units,
            self.word_units,
            self.most_units,
            self.pause_cycles,
        )


@lru_cache(maxsize=64)
def _count_cycles(
    beats: int, words: int, beat_units: int, last_units: int, word_units: int, most_units: int, pause_cycles: int
) -> tuple[int, int]:
    """Run the wrapper's buffer without stalls (`axi_pixels.v.j2`): the edges from the last beat of the first image to
    its last word, and from one image's last word to the next one's, when that has become steady."""
    level = beat = word = pause = cycle = last_beat = 0
    ended = False
    entered: list[int] = []
    latency = 0
    while len(entered) < 4:
        accept = not ended and level <= most_units
        if give := pause == 0 and level >= word_units:
            level -= word_units
            word += 1
        pause = max(0, pause - 1)
        if accept:
            beat += 1
            level += last_units if beat == beats else beat_units
            if beat == beats:
                ended, beat, last_beat = True, 0, cycle
        if give and word == words:
            latency = latency if entered else cycle - last_beat
            entered.append(cycle)
            ended, word, pause = False, 0, pause_cycles
        cycle += 1
    return latency, entered[-1] - entered[-2]


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
            f"interface axi-stream: {features} codes of {codes.value_bytes} bytes make frames of {codes.frame_bytes} "
            f"bytes; the deserialiser holds at most {MOST_FRAME_BYTES}: use the plain interface"
        )
    return Framing(codes, Layout(results, result_bits, stream.width_bits), core_latency_cycles)
