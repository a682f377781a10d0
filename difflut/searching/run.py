"""A search from beginning to end, in one or several processes."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from difflut.data import Dataset, dataset_of, load_npz
from difflut.errors import ConfigError, DataError, DifflutError
from difflut.export.families.generic import GENERIC
from difflut.files import check_printable
from difflut.models import load_model
from difflut.progress import Task, row, task
from difflut.report.figures import require_matplotlib
from difflut.searching.budget import Budget
from difflut.searching.candidate import COST, HELD_OUT, WHY, WORDS, Examiner, Stopped
from difflut.searching.journal import ERROR, Journal, require_optuna
from difflut.searching.problem import Problem
from difflut.searching.result import Candidate, SearchResult, header, pareto_set, with_test
from difflut.searching.space import VERSION, Space
from difflut.training import add_test_accuracy

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

HOURS = 1.0
_LOOK_SECONDS = 0.5
_FAILURES = 10  # without one candidate that is possible: it is not the candidates


class SearchError(DifflutError):
    """A process of a search ended early."""


@dataclass(frozen=True)
class _Search:
    """What every process of a search is told; it can be sent to one.

    Attributes:
        problem, budget: of the search.
        directory: of the journal.
        device: where candidates are trained.
        trials: the most candidates, None for no limit.
        until: when it ends, in seconds of the system's clock.
        seed: of the sampler.
    """

    problem: Problem
    budget: Budget
    directory: Path
    device: str
    trials: int | None
    until: float
    seed: int

    def journal(self, seed: int = 0) -> Journal:
        """The journal, opened anew."""
        problem = self.problem
        common = {name: getattr(problem, name) for name in ("epochs", "batch_size", "validation", "seed")}
        identity = {"data": problem.data.name, "samples": problem.digest(), **asdict(self.budget), **common}
        identity["space"] = VERSION
        first = Space.of(problem, self.budget).first()
        return Journal(self.directory, identity, first, epochs=problem.epochs, seed=self.seed + seed)

    def over(self) -> bool:
        """Whether time is up, or who started this process is gone."""
        parent = parent_process()
        return time.time() >= self.until or (parent is not None and not parent.is_alive())

    def work(self, journal: Journal, look: Callable[[], None] = lambda: None) -> None:
        """Examine candidates until the search ends."""
        space = Space.of(self.problem, self.budget)
        examiner = Examiner(journal, self.problem, self.budget, space, torch.device(self.device), self.over)
        while not self.over():
            try:
                with journal.claimed(self.trials) as trial:
                    if trial is None:
                        return
                    examiner.examine(trial)
            except Stopped:
                return
            look()
            errors = [found.user_attrs.get(ERROR) for found in journal.candidates() if found.state.is_finished()]
            if len(errors) >= _FAILURES and all(errors):
                raise SearchError(f"none of {len(errors)} candidates is possible, the last one: {errors[-1]}")


def search(
    data: Any,
    out: str | os.PathLike[str],
    *,
    max_luts: int | None = None,
    min_accuracy: float | None = None,
    fpga: str = GENERIC.name,
    max_cycles: int | None = None,
    trials: int | None = None,
    hours: float | None = None,
    jobs: int = 1,
    epochs: int | None = None,
    validation: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = True,
) -> SearchResult:
    """Look for the most accurate network in a budget of LUTs, or for the smallest one of an accuracy.

    Candidates, `difflut.models.FullyConnected`s, are trained by successive halving and costed by the exporter's
    estimate. Held-out training samples choose; the test samples are used once, for the candidates of the Pareto set.
    All goes to a journal in `out`: called again a search goes on, and several processes on one directory share it.

    Args:
        data: a data set, or a pair (training samples, test samples), see `difflut.data.dataset_of`, or the path of an
            npz file; class indices as labels.
        out: the directory of the search; made if it is not there.
        max_luts, min_accuracy, fpga, max_cycles: see `Budget`; one of the first two.
        trials: the most candidates of the whole search.
        hours: the longest that this call takes, but for the last epoch; one if neither is given.
        jobs: processes. More than one start a fresh interpreter each, so that a script that calls this needs
            `if __name__ == "__main__":`.
        epochs: of a candidate that is trained to the end; 18, or more where few samples make few steps, by default.
        validation: training samples that are held out; a sixth, but at most 5,000, by default.
        seed: of held-out samples, trainings and the sampler.
        device: where candidates are trained, such as "cuda".
        progress: whether to show how it goes.

    Raises:
        ConfigError: Optuna or matplotlib is missing, a budget or number is senseless, or the directory holds something
            else.
        DataError: the samples are unfit, or the journal is damaged.
        WriteError: the directory cannot be written to.
        SearchError: no candidate is possible, or a process was killed.
    """
    budget = Budget(max_luts, min_accuracy, fpga, max_cycles)
    if (trials is not None and trials < 1) or (hours is not None and not 0 < hours < math.inf) or jobs < 1:
        raise ConfigError(f"trials {trials}, hours {hours} and jobs {jobs} must be positive")
    check_printable(Path(out), ConfigError)
    require_optuna()
    require_matplotlib()
    found = load_npz(data) if isinstance(data, (str, os.PathLike)) else dataset_of(data)
    problem = Problem.of(found, epochs=epochs, validation=validation, seed=seed)
    budget.check(problem.classes, problem.guessed)
    hours = HOURS if hours is None and trials is None else hours
    until = math.inf if hours is None else time.time() + 3600 * hours
    wanted = _Search(problem, budget, Path(out), device, trials, until, seed)
    with task(f"searching {found.name}", trials, "candidates", hidden=not progress) as shown:
        journal = wanted.journal()
        watch = _Watch(journal, budget, shown)
        if jobs == 1:
            wanted.work(journal, watch.look)
        else:
            _in_processes(wanted, jobs, watch.look)
        watch.look()
    with task("measuring the Pareto set", hidden=not progress):
        result = _result(wanted, journal)
    result.write()
    return result


class _Watch:
    """Shows each candidate once, as it is done."""

    def __init__(self, journal: Journal, budget: Budget, shown: Task) -> None:
        self._journal, self._budget, self._shown = journal, budget, shown
        self._known: set[int] = set()

    def look(self) -> None:
        """Show those that are new."""
        done = [trial for trial in self._journal.candidates() if trial.state.is_finished()]
        for trial in done:
            if trial.number not in self._known:
                if not self._known:
                    row(header(test=False))
                self._known.add(trial.number)
                row(_line(self._journal, trial))
        self._shown.done = len(done)
        members = pareto_set(
            [_candidate(self._journal, trial) for trial in done if HELD_OUT in trial.user_attrs], self._budget
        )
        if members:
            best = members[-1 if self._budget.max_luts is not None else 0]
            self._shown.words = f"best {100 * best.held_out:.2f} % in {best.luts:,} LUTs"


def _line(journal: Journal, trial: FrozenTrial) -> str:
    if HELD_OUT in trial.user_attrs:
        return _candidate(journal, trial).line(test=False)
    why = trial.user_attrs.get(ERROR) or f"pruned: {trial.user_attrs.get(WHY, '')}"
    return f"{journal.place(trial):>5}  {trial.user_attrs.get(WORDS, '')}; {why}"


def _candidate(journal: Journal, trial: FrozenTrial) -> Candidate:
    known = trial.user_attrs
    try:
        said = {"held_out": known[HELD_OUT], "words": known[WORDS], **known[COST]}
        place = {"number": journal.place(trial), "checkpoint": str(journal.checkpoint(trial))}
        return msgspec.convert({**said, **place}, Candidate)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise DataError(f"{journal.directory}: its journal is damaged ({error!s:.200}); choose another one") from error


def _result(wanted: _Search, journal: Journal) -> SearchResult:
    """The Pareto set, whose test accuracies are measured unless they have been."""
    done = [trial for trial in journal.candidates() if trial.state.is_finished()]
    complete = [_candidate(journal, trial) for trial in done if HELD_OUT in trial.user_attrs]
    members = pareto_set(complete, wanted.budget)
    data = wanted.problem.data
    return SearchResult(
        directory=str(wanted.directory),
        data=data.name,
        budget=wanted.budget,
        pareto=tuple(with_test(member, _tested(member.checkpoint, data)) for member in members),
        others=tuple(one for one in complete if one not in members),
        pruned=sum(WHY in trial.user_attrs for trial in done),
        failed=sum(ERROR in trial.user_attrs for trial in done),
        held_out_samples=wanted.problem.validation,
        test_samples=len(data.test),
    )


def _tested(checkpoint: str, data: Dataset) -> float:
    model = load_model(checkpoint)
    if "test_accuracy" not in model.info:
        add_test_accuracy(checkpoint, model, data)
    return float(model.info["test_accuracy"])


def _in_processes(wanted: _Search, jobs: int, look: Callable[[], None]) -> None:
    """Work in several processes, which end with this one."""
    context = get_context("spawn")  # forked ones would share torch's threads
    errors: SimpleQueue[str] = context.SimpleQueue()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    processes = [
        context.Process(target=partial(_work, wanted, errors, index, threads), daemon=True) for index in range(jobs)
    ]
    try:
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes):
            time.sleep(_LOOK_SECONDS)
            look()
    finally:
        for process in processes:
            if process.pid is not None:
                process.terminate()
                process.join()
    if not errors.empty():
        raise SearchError(errors.get())
    if broken := [process.exitcode for process in processes if process.exitcode]:
        raise SearchError(f"a process of the search ended with status {broken[0]}; start the search again to go on")


def _work(wanted: _Search, errors: SimpleQueue[str], index: int, threads: int) -> None:
    torch.set_num_threads(threads)
    try:
        require_optuna()
        wanted.work(wanted.journal(1 + index))
    except DifflutError as error:
        errors.put(str(error))
    except KeyboardInterrupt:
        sys.exit(1)
