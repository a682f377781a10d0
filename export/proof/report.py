"""What was proved and what not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from difflut.shown import Brief, Shown

PROVED = "proved"
REFUTED = "refuted"
OPEN = "not proved"
_CODES_A_LINE = 28


@dataclass(frozen=True)
class Claim:
    """One statement about all inputs.

    Attributes:
        subject: what it is about, such as "group sum" or "pass remove_dead".
        statement: the statement in words.
        verdict: PROVED, REFUTED (an input shows that it is wrong) or OPEN.
        detail: how it was proved, or why not.
    """

    subject: str
    statement: str
    verdict: str
    detail: str = ""


@dataclass(frozen=True, repr=False)
class Counterexample(Brief):
    """An input on which two descriptions differ, confirmed by running both.

    Attributes:
        claim: which claim it refutes.
        codes: the input codes, one a feature.
        expected_scores, expected_class: what the netlist gives.
        scores, classes: what the other side gives; None where it has no such output.
        valid: whether the other side marks the answer as valid (RTL only).
        top: the ranking that the RTL gives, if it has that output.
        file: where it was stored, relative to the build, for `difflut verify --replay`; empty if it is no whole sample.
        part: of a streaming build the part whose inputs these are; empty if they are those of the whole.
    """

    claim: str
    codes: list[int]
    expected_scores: list[int]
    expected_class: int
    scores: list[int] | None
    classes: int | None
    valid: bool = True
    top: list[int] | None = None
    file: str = ""
    part: str = ""

    def lines(self) -> list[str]:
        """For people: the differing outputs and the codes."""
        found = []
        for number, (expected, got) in enumerate(
            zip(self.expected_scores, self.scores or self.expected_scores, strict=True)
        ):
            if expected != got:
                found.append(f"score {number}: expected {expected}, got {got}")
        if self.classes is not None and self.classes != self.expected_class:
            found.append(f"class: expected {self.expected_class}, got {self.classes}")
        if self.top is not None:
            order = sorted(range(len(self.expected_scores)), key=lambda k: (-self.expected_scores[k], k))
            for rank, (expected, got) in enumerate(zip(order, self.top, strict=False)):
                if expected != got:
                    found.append(f"rank {rank}: expected {expected}, got {got}")
        if not self.valid:
            found.append("out_valid: expected 1, got 0")
        return found


@dataclass(frozen=True, repr=False)
class ProofReport(Shown):
    """The outcome of `prove`.

    Attributes:
        build: the name of the top module.
        digest: SHA-256 of the build's `build.json`.
        date: when, UTC, ISO 8601.
        claims: in the order in which they were examined.
        counterexample: if a claim was refuted by an input image.
        assumptions: what the proof relies on.
        seconds: wall time.
        read_seconds: of those, the time Yosys took to read the RTL; 0 where that was not measured apart.
        directory: the build's; not part of the JSON object.
    """

    build: str
    digest: str
    date: str
    claims: list[Claim]
    counterexample: Counterexample | None
    assumptions: tuple[str, ...]
    seconds: float
    read_seconds: float
    directory: str = ""
    ok: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ok", bool(self.claims) and all(claim.verdict == PROVED for claim in self.claims))

    @property
    def conclusion(self) -> str:
        """The last line for people, which says no more than the claims do."""
        reading = f", of which Yosys read the RTL in {self.read_seconds:.1f} s" if self.read_seconds else ""
        took = f"in {self.seconds:.1f} s{reading}"
        proved = sum(claim.verdict == PROVED for claim in self.claims)
        if not self.ok:
            return f"NOT PROVED: {len(self.claims) - proved} of {len(self.claims)} claims are open or refuted ({took})"
        return f"proved: the RTL equals the traced model for all inputs ({proved} claims {took})"

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return {name: value for name, value in asdict(self).items() if name != "directory"}

    def lines(self) -> Iterator[str]:
        """The claims, the counterexample if there is one, and the conclusion."""
        yield f"{self.build}: for all inputs"
        for claim in self.claims:
            detail = f" ({claim.detail})" if claim.detail else ""
            yield f"  {claim.verdict:<11}{claim.subject}: {claim.statement}{detail}"
        if (found := self.counterexample) is not None:
            yield f"counterexample ({found.claim}), an input on which the outputs differ:"
            yield from (f"  {line}" for line in found.lines())
            width = max(len(str(code)) for code in found.codes)
            for start in range(0, len(found.codes), _CODES_A_LINE):
                yield "  " + " ".join(f"{code:>{width}}" for code in found.codes[start : start + _CODES_A_LINE])
            if found.part:
                yield f"these are the inputs of the part {found.part!r} alone, so there is no image to replay"
            else:
                file = shlex.quote(str(Path(self.directory) / found.file))
                yield f"replay it: difflut verify {shlex.quote(self.directory)} --replay {file}"
        yield self.conclusion
