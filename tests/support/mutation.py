"""Mutation test of what checks a build: small builds of every form, changed at random, and who notices."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import axi_builds
import pixel_builds
from mutation_operators import mutants
from proof_mutants import folded_build, plain_build, streaming_build

from difflut.check.verification import verify
from difflut.export.builds import store
from difflut.export.builds.store import Build
from difflut.export.errors import ExportError
from difflut.export.proof.build import prove
from difflut.export.proof.yosys import run_script

PATIENCE = 120  # seconds, by which a tool that does not end is told from one that is slow
INDUCTION_PATIENCE = 15  # seconds; memories full of constants are too much for it
OTHER_SEEDS = (1, 2, 3)
CAUGHT, MISSED, ENDLESS = "caught", "missed", "endless"

SUBJECTS: dict[str, tuple[Callable[[], Build], str]] = {
    "plain": (plain_build, "small_models:Chain"),
    "plain, xcup": (lambda: plain_build(fpga="xcup"), "small_models:Chain"),
    "streaming": (streaming_build, "proof_mutants:Layers"),
    "folded": (folded_build, "convolutions:Long"),
    "AXI": (axi_builds.axi_build, axi_builds.MODEL),
    "AXI, streaming": (lambda: pixel_builds.pixel_build("wide"), pixel_builds.MODEL),
    "AXI, 2 pixels": (lambda: pixel_builds.pixel_build("words"), "mutation_models:Words"),
    "AXI, folded": (lambda: pixel_builds.pixel_build("folded"), "mutation_models:Folded"),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        place: the change.
        verify, prove: CAUGHT, MISSED (no difference was simulated, or all was proved), or ENDLESS.
        harmless: how it was shown that a mutant which nobody caught changes nothing; empty if it was not.
    """

    place: str
    verify: str
    prove: str
    harmless: str = ""

    @property
    def survivor(self) -> bool:
        """Whether nobody noticed a change that was not shown to change nothing."""
        return CAUGHT not in (self.verify, self.prove) and not self.harmless

    @property
    def unsound(self) -> bool:
        """Whether that was proved of which simulation showed a difference."""
        return self.verify == CAUGHT and self.prove == MISSED


def outcomes(subject: str, count: int, seed: int, folder: Path) -> Iterator[Outcome]:
    """Judge so many mutants of a subject."""
    make, model = SUBJECTS[subject]
    for number, mutant in enumerate(mutants(make(), count, seed)):
        place = folder / f"{subject.replace(', ', '-').replace(' ', '-')}-{seed}-{number}"
        yield _judged(make(), mutant.build, mutant.place, model, place)


def _judged(right: Build, wrong: Build, where: str, model: str, folder: Path) -> Outcome:
    store.write(wrong, folder)
    verified = _verified(folder, model, 0)
    proved = _proved(folder)
    harmless = ""
    if CAUGHT not in (verified, proved):
        if _equivalent(right, wrong, folder.with_name(f"{folder.name}-yosys")):
            harmless = "Yosys"
        elif verified == MISSED and all(_verified(folder, model, seed) == MISSED for seed in OTHER_SEEDS):
            harmless = "other stimulus"
    return Outcome(where, verified, proved, harmless)


def _verified(folder: Path, model: str, seed: int) -> str:
    """Whether simulation shows a difference."""
    try:
        with _patience():
            report = verify(folder, data=None, data_name="", simulator="icarus", model_class=model, seed=seed)
    except ExportError:  # the simulator refuses the text
        return CAUGHT
    except TimeoutError:
        return ENDLESS
    return MISSED if report.ok else CAUGHT


def _proved(folder: Path) -> str:
    """Whether a claim is not proved, or the text is refused."""
    try:
        with _patience():
            report = prove(folder)
    except ExportError:
        return CAUGHT
    except TimeoutError:
        return ENDLESS
    return MISSED if report.ok else CAUGHT


def _equivalent(right: Build, wrong: Build, folder: Path) -> bool:
    """Whether Yosys proves by induction that both texts are the same circuit."""
    folder.mkdir()
    script = []
    for name, build in (("gold", right), ("gate", wrong)):
        for number, text in enumerate(build.rtl.values()):
            (folder / f"{name}{number}.v").write_text(text, encoding="utf-8")
            script.append(f"read_verilog {name}{number}.v")
        script += [f"hierarchy -check -top {build.info.name}", "proc", "flatten", "memory_map", "opt -full"]
        script += [f"rename {build.info.name} {name}", f"design -stash {name}"]
    script += ["design -copy-from gold -as gold gold", "design -copy-from gate -as gate gate"]
    script += ["equiv_make gold gate both", "hierarchy -top both", "equiv_simple -undef", "equiv_induct -undef"]
    try:
        with _patience(INDUCTION_PATIENCE):
            return run_script([*script, "equiv_status -assert"], folder)[0] == 0
    except TimeoutError:
        return False


@contextmanager
def _patience(seconds: int = PATIENCE) -> Iterator[None]:
    def ended(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, ended)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def row(subject: str, found: Sequence[Outcome]) -> str:
    """A row of the table in docs/proofs.md."""
    verified = sum(outcome.verify == CAUGHT for outcome in found)
    proved = sum(outcome.prove == CAUGHT for outcome in found)
    either = sum(CAUGHT in (outcome.verify, outcome.prove) for outcome in found)
    harmless = sum(bool(outcome.harmless) for outcome in found)
    survivors = sum(outcome.survivor for outcome in found)
    return f"| {subject} | {len(found)} | {verified} | {proved} | {either} | {harmless} | {survivors} |"
