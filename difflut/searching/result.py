"""What a search found: a table, files, and a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from difflut.files import write_atomically
from difflut.quoting import json_text
from difflut.searching.budget import Budget
from difflut.shown import Brief, Shown, percent

TABLE = "pareto"  # the files' stem


@dataclass(frozen=True, repr=False)
class Candidate(Brief):
    """A candidate that was trained to the end.

    Attributes:
        number: of the candidate.
        held_out: accuracy on the held-out training samples, which chose its epoch, and it.
        luts: estimated, of the trained circuit, encoder and head included, the class its output.
        flip_flops, latency_cycles, clock_mhz: estimated alike; the clock is None where the delay model says nothing.
        words: its structure.
        checkpoint: its file.
        test_accuracy: None unless it is in the Pareto set of a search that ended.
    """

    number: int
    held_out: float
    luts: int
    flip_flops: int
    latency_cycles: int
    clock_mhz: float | None
    words: str
    checkpoint: str
    test_accuracy: float | None = None

    def line(self, test: bool = True) -> str:
        """A row of the table."""
        clock = "-" if self.clock_mhz is None else f"{self.clock_mhz:.0f}"
        measured = f"{percent(self.test_accuracy):>9}" if test else ""
        return (
            f"{self.number:>5}{self.luts:>8,}{percent(self.held_out):>10}{measured}{self.latency_cycles:>8}{clock:>6}"
            f"{self.flip_flops:>8,}  {self.words}"
        )


def header(test: bool = True) -> str:
    """The first row of the table."""
    measured = f"{'test':>9}" if test else ""
    return f"{'':>5}{'LUTs':>8}{'held out':>10}{measured}{'cycles':>8}{'MHz':>6}{'FFs':>8}"


@dataclass(frozen=True, repr=False)
class SearchResult(Shown):
    """The Pareto set of a search, and how much was tried.

    Attributes:
        directory: of the search.
        data: the data set.
        budget: what was asked for.
        pareto: the candidates within the budget of which no other has fewer LUTs at the same held-out accuracy, or a
            higher one at as many; by LUTs.
        others: all others that were trained to the end.
        pruned: how many were not.
        failed: how many were impossible.
        held_out_samples, test_samples: how many.
    """

    directory: str
    data: str
    budget: Budget
    pareto: tuple[Candidate, ...]
    others: tuple[Candidate, ...]
    pruned: int
    failed: int
    held_out_samples: int
    test_samples: int

    @property
    def met(self) -> bool:
        """Whether any candidate is within the budget."""
        return bool(self.pareto)

    @property
    def best(self) -> Candidate | None:
        """Of the Pareto set the most accurate on the held-out samples, or with min_accuracy the smallest."""
        if not self.pareto:
            return None
        return self.pareto[-1 if self.budget.max_luts is not None else 0]

    @property
    def nearest(self) -> Candidate | None:
        """Of all others that which misses the budget least; None if nothing was trained to the end."""
        return min(self.others, key=lambda other: self.budget.lacks(other.luts, other.held_out), default=None)

    def lines(self) -> Iterator[str]:
        """The table, and what to do with it."""
        complete = len(self.pareto) + len(self.others)
        yield f"{self.data}: {self.budget}"
        yield (
            f"{complete + self.pruned + self.failed} candidates: {complete} trained to the end, {self.pruned} pruned"
            + (f", {self.failed} impossible" if self.failed else "")
        )
        if self.best is None:
            near, words = self.nearest, "no candidate was trained to the end"
            if near is not None:
                words = f"nearest is candidate {near.number}: {percent(near.held_out)} held out in {near.luts:,} LUTs"
            yield f"nothing meets the budget; {words}. Search longer, or change the budget"
            return
        yield header()
        for candidate in self.pareto:
            yield candidate.line() + ("  <- best" if candidate is self.best else "")
        yield (
            f"LUTs, cycles and MHz are estimates. {self.held_out_samples:,} held-out training samples chose; the test "
            f"accuracy, on {self.test_samples:,} samples, was measured afterwards and chose nothing"
        )
        yield f"next: {self.export_command}"

    @property
    def export_command(self) -> str:
        """What exports the best candidate."""
        latency = "" if self.budget.max_cycles is None else f" --latency {self.budget.max_cycles}"
        place = self.best.checkpoint if self.best else "CHECKPOINT"
        return f"difflut export {place} --fpga {self.budget.fpga} --outputs class{latency}"

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        kept: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        kept["budget"] = {item.name: getattr(self.budget, item.name) for item in fields(self.budget)}
        for key in ("pareto", "others"):
            kept[key] = [_row(candidate) for candidate in kept[key]]
        return {**kept, "met": self.met, "best": None if self.best is None else self.best.number}

    def write(self) -> list[Path]:
        """Write the table as JSON, CSV and Markdown, and the figure; the paths."""
        from difflut.report.svg import save
        from difflut.searching.figure import pareto

        stem = Path(self.directory) / TABLE
        contents = {".json": json_text(self.to_json()) + "\n", ".csv": self._csv(), ".md": self._markdown()}
        for suffix, content in contents.items():
            write_atomically(stem.with_suffix(suffix), content.encode())
        save(pareto(self), stem.with_suffix(".svg"))
        return [stem.with_suffix(suffix) for suffix in (*contents, ".svg")]

    def _csv(self) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, [item.name for item in fields(Candidate)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(candidate) for candidate in self.pareto)
        return text.getvalue()

    def _markdown(self) -> str:
        rows = ["| candidate | LUTs | held out | test | cycles | MHz | FFs | |", "| ---: " * 7 + "| --- |"]
        for c in self.pareto:
            clock = "-" if c.clock_mhz is None else f"{c.clock_mhz:.0f}"
            cells = (c.number, f"{c.luts:,}", percent(c.held_out), percent(c.test_accuracy), c.latency_cycles, clock)
            rows.append(f"| {' | '.join(map(str, cells))} | {c.flip_flops:,} | {c.words} |")
        return "\n".join(rows) + "\n"


def _row(candidate: Candidate) -> dict[str, Any]:
    return {item.name: getattr(candidate, item.name) for item in fields(candidate)}


def pareto_set(candidates: Sequence[Candidate], budget: Budget) -> tuple[Candidate, ...]:
    """Those within the budget that no other is as good as, by LUTs; of equals the first."""
    within = [one for one in candidates if budget.lacks(one.luts, one.held_out) <= 0]
    found: list[Candidate] = []
    for one in sorted(within, key=lambda one: (one.luts, -one.held_out, one.number)):
        if not found or one.held_out > found[-1].held_out:
            found.append(one)
    return tuple(found)


def with_test(candidate: Candidate, accuracy: float) -> Candidate:
    """The candidate, its test accuracy measured."""
    return replace(candidate, test_accuracy=accuracy)
