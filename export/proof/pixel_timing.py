"""The timing of a wrapper around a core that takes images word by word: by running the counters that were proved.

The claims about the wrapper say cycle by cycle when a beat is taken, when a word is offered to the core, and when
results are given; those about the core say when it takes a word and when it answers. Together they leave nothing open
while nobody stalls, and nothing of it depends on data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice

from difflut.export.interfaces.framing import Framing, PixelFraming
from difflut.export.proof.report import OPEN, PROVED, Claim
from difflut.export.proof.stream_top import StreamTiming


@dataclass
class _Control:
    """The counters of both, after the first cycle that follows a reset; names as in `axi_proof_pixels.v.j2`."""

    framing: PixelFraming
    core: StreamTiming
    length: int = 0
    level: int = 0
    word: int = 0
    ended: bool = False
    reserved: int = 0
    answers: int = 0
    out_beat: int = 0
    pause: int = 0
    hold: int = 0
    answered: list[int] = field(default_factory=list)  # cycles until each answer

    def cycle(self, offered: bool) -> tuple[bool, bool]:
        """One cycle; whether the last beat of a frame was taken, and that of a result given."""
        framing = self.framing
        take = offered and not self.ended and self.level <= framing.most_units
        last_beat, last_word = self.length == framing.codes.beats - 1, self.word == framing.words - 1
        offers = self.level >= framing.word_units and (not last_word or self.reserved < framing.credits)
        enter = offers and self.pause == 0 and not (last_word and self.hold)
        whole, entered = take and last_beat, enter and last_word
        answer = 0 in self.answered
        last_of_result = self.out_beat == framing.results.beats - 1
        give = self.answers > 0 and last_of_result
        if take:
            self.level += framing.last_beat_units if last_beat else framing.beat_units
            self.length = 0 if last_beat else self.length + 1
        if enter:
            self.level -= framing.word_units
            self.word = 0 if last_word else self.word + 1
        self.ended = whole or (self.ended and not entered)
        self.out_beat = 0 if give else self.out_beat + (self.answers > 0)
        self.reserved += entered - give
        self.answers += answer - give
        self.pause = self.core.pause if entered else max(0, self.pause - 1)
        self.hold = max(0, self.core.hold - 1) if entered else max(0, self.hold - 1)
        self.answered = [left - 1 for left in self.answered if left] + [self.core.latency - 1] * entered
        return whole, give

    def state(self) -> tuple[object, ...]:
        """All that decides what follows."""
        return (self.length, self.level, self.word, self.ended, self.reserved, self.answers, self.out_beat, self.pause,
                self.hold, *self.answered)  # fmt: skip


def prove_pixel_timing(framing: Framing, core: StreamTiming, claims: Iterable[Claim]) -> Claim:
    """The two figures of `build.json` about the streams of a core that takes images, given all other claims."""
    assert isinstance(framing, PixelFraming)  # that of such a core
    latency, apart = framing.latency_cycles, framing.cycles_per_frame
    statement = (
        f"without stalls a result comes axi_stream.latency_cycles, {latency}, after its frame, frames follow each "
        f"other every axi_stream.cycles_per_frame, {apart}, cycles"
    )
    if any(claim.verdict != PROVED for claim in claims):
        return Claim("timing", statement, OPEN, "it follows from all other claims only")
    wrong = []
    alone = _latency(_Control(framing, core))
    if alone != latency:
        wrong.append(f"the result of a frame alone comes {alone} cycles after it")
    frames, cycles = _period(_Control(framing, core))
    if cycles != apart * frames:
        wrong.append(f"{frames} frames take {cycles} cycles")
    detail = "; ".join(wrong) or "by running the counters that the other claims are about"
    return Claim("timing", statement, OPEN if wrong else PROVED, detail)


def _limit(control: _Control) -> int:
    """More cycles than anything can take that is right."""
    return 4 * (control.framing.latency_cycles + control.framing.cycles_per_frame + control.framing.codes.beats)


def _latency(control: _Control) -> int | None:
    """Cycles from the last beat of a frame to the last one of its result; None if it does not come."""
    taken = None
    for now in range(_limit(control)):
        whole, given = control.cycle(offered=taken is None)
        taken = now if whole else taken
        if given and taken is not None:
            return now - taken
    return None


def _period(control: _Control) -> tuple[int, int]:
    """After how many frames everything is as it was, and how many cycles they take; 0 frames if that never is."""
    seen: dict[tuple[object, ...], tuple[int, int]] = {}
    for frame, now in enumerate(islice(_frames(control), 64)):
        first = seen.setdefault(control.state(), (frame, now))
        if first != (frame, now):
            return frame - first[0], now - first[1]
    return 0, 1


def _frames(control: _Control) -> Iterator[int]:
    """The cycles in which last beats are taken, one frame right behind the other."""
    waited = 0
    for now in count():
        waited += 1
        if control.cycle(offered=True)[0]:
            waited = 0
            yield now
        elif waited > _limit(control):
            return
