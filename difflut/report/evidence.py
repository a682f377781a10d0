"""Picks the best evidence that there is about a build, for the page, its JSON and the summary of an export alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from difflut.check.records import Record
from difflut.export.builds.evidence import (
    KINDS,
    ROUTED,
    SYNTHESISED,
    Evidence,
    estimated_clock,
    estimated_size,
)
from difflut.export.builds.info import BuildInfo
from difflut.export.families.registry import FAMILIES
from difflut.report.synthesis import Synthesis


@dataclass(frozen=True)
class Accuracy:
    """A fraction of samples that were classified right.

    Attributes:
        value: the fraction.
        samples: of how many.
        of: the RTL, the netlist or PyTorch.
        data: which samples, for people.
    """

    value: float
    samples: int | None
    of: str
    data: str

    @property
    def words(self) -> str:
        """What was measured, on how many samples of which set."""
        return f"{self.of}: {100 * self.value:.2f} % of {self.data}"


@dataclass(frozen=True)
class Known:
    """What is known about a build, the best evidence first; at most one figure of each kind.

    Attributes:
        clocks: in MHz; empty where there is not even an estimate.
        sizes: in LUTs.
        accuracies: those of the most samples first.
    """

    clocks: tuple[Evidence, ...]
    sizes: tuple[Evidence, ...]
    accuracies: tuple[Accuracy, ...] = ()

    @classmethod
    def of(cls, info: BuildInfo, syntheses: Sequence[Synthesis], measured: Record | None = None) -> Known:
        """What `build.json`, the flows and a verification say of exactly one build."""
        clock = estimated_clock(info)
        ordered = sorted(syntheses, key=lambda made: (made.family != info.fpga, _reversed(made.date)))
        clocks = [*(_clock(made) for made in ordered if made.fmax_mhz), *([clock] if clock else [])]
        sizes = [*(_size(made) for made in ordered if made.total is not None), estimated_size(info)]
        accuracies = sorted(_accuracies(info, measured), key=lambda found: -(found.samples or 0))
        return cls(_best(clocks), _best(sizes), tuple(accuracies))

    @property
    def clock(self) -> Evidence | None:
        """The best known clock."""
        return self.clocks[0] if self.clocks else None

    @property
    def size(self) -> Evidence:
        """The best known number of LUTs."""
        return self.sizes[0]


def _best(found: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The first of each kind, in the order of the kinds."""
    first = {item.kind: item for item in reversed(found)}
    return tuple(first[kind] for kind in KINDS if kind in first)


def _reversed(date: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in date)


def _clock(made: Synthesis) -> Evidence:
    assert made.fmax_mhz is not None
    if made.routed:
        return Evidence(made.fmax_mhz, "MHz", ROUTED, made.family, f"{made.device} by {made.tool}", made.around)
    on = f"{made.family} by {made.tool}, before placement"
    return Evidence(made.fmax_mhz, "MHz", SYNTHESISED, made.family, on)


def _size(made: Synthesis) -> Evidence:
    assert made.total is not None
    family = FAMILIES.get(made.family)
    unit = f"LUT{family.lut_inputs}" if family else "LUTs"
    kind = ROUTED if made.routed else SYNTHESISED
    on = f"{made.device or made.family} by {made.tool}"
    return Evidence(made.total.luts, unit, kind, made.family, on, made.around)


def _accuracies(info: BuildInfo, measured: Record | None) -> Iterator[Accuracy]:
    if measured is not None:
        report = measured.report
        most = max(step["images"] for step in report["steps"])
        for step in reversed(report["steps"]):  # of equally many samples the RTL's, which comes last
            if step["images"] and step["accuracy"] is not None:
                first = "" if step["images"] == most else "the first "
                data = f"{first}{step['images']:,} samples of {report['data']}"
                yield Accuracy(step["accuracy"], step["images"], step["name"], data)
    trained = info.model.trained
    if isinstance(trained.get("test_accuracy"), float) and "measure" not in trained:
        count = trained.get("test_samples")
        samples = count if isinstance(count, int) else None
        number = f"{samples:,} " if samples else ""
        yield Accuracy(trained["test_accuracy"], samples, "PyTorch", f"{number}{trained.get('data', '')} test samples")
