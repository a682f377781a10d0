"""One candidate: sized, trained as far as it is worth it, and costed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from difflut.errors import DifflutError, LostFeatureWarning
from difflut.export.schedule.pipelining import AUTO, Pipeline
from difflut.models import load_model
from difflut.models.base_model import BaseModel
from difflut.progress import task
from difflut.searching.budget import HOPELESS, Budget
from difflut.searching.journal import Journal
from difflut.searching.problem import Problem
from difflut.searching.space import Space, words
from difflut.sizing import SAMPLES, Estimate, estimate
from difflut.training import train_untested

if TYPE_CHECKING:
    from optuna import Trial

COST, HELD_OUT, WORDS, WHY = "cost", "held_out", "words", "why"


class Stopped(Exception):
    """The search ends while a candidate is trained, which goes on another time."""


class _Pruned(Exception):
    """Halving ends the training."""


@dataclass(frozen=True)
class Examiner:
    """Examines candidates.

    Attributes:
        journal: gets what is found.
        problem, budget, space: of the search.
        device: where candidates are trained.
        stop: whether the search is to end.
    """

    journal: Journal
    problem: Problem
    budget: Budget
    space: Space
    device: torch.device
    stop: Callable[[], bool]

    def examine(self, trial: Trial) -> None:
        """Tell the journal what becomes of a candidate.

        Raises:
            Stopped: the search is to end.
        """
        point = self.space.suggest(trial)
        try:
            model, planned = self.space.sized(point, f"candidate_{self.journal.place(trial)}", self._cost)
            trial.set_user_attr(WORDS, words(model))
            if self.budget.max_luts is not None and planned["luts"] > HOPELESS * self.budget.max_luts:
                self._prune(trial, planned["luts"], f"about {planned['luts']:,} LUTs before it is trained")
                return
            started = time.perf_counter()
            trained = self._trained(trial, point, model, planned["luts"])
            cost = self._cost(trained)
        except _Pruned:
            self.journal.checkpoint(trial).with_name(self.journal.checkpoint(trial).name + ".resume").unlink()
            self._prune(trial, planned["luts"], "behind others after as many epochs")
            return
        except DifflutError as error:
            self.journal.fail(trial, str(error))
            return
        held_out = float(trained.info["validation_accuracy"])
        trial.set_user_attr(COST, cost)
        trial.set_user_attr("planned_luts", planned["luts"])
        trial.set_user_attr(HELD_OUT, held_out)
        trial.set_user_attr("seconds", time.perf_counter() - started)
        trial.set_constraint("budget", self.budget.lacks(cost["luts"], held_out))
        self.journal.tell(trial, self.budget.objective(cost["luts"], held_out))

    def _prune(self, trial: Trial, luts: float, why: str) -> None:
        trial.set_user_attr(WHY, why)
        if self.budget.max_luts is not None:
            trial.set_constraint("budget", self.budget.lacks(luts, 0.0))
        self.journal.tell(trial)

    def _cost(self, model: BaseModel) -> dict[str, Any]:
        """What the exporter makes of a model, its class as the output."""
        pipeline = Pipeline(AUTO, None, self.budget.max_cycles)
        some = self.problem.data.train.x[:SAMPLES]
        with task("sizing", hidden=True):
            found: Estimate = estimate(model, some, fpga=self.budget.fpga, outputs="class", pipeline=pipeline)
        clock = found.clock
        return {
            "luts": round(found.luts.value),
            "flip_flops": found.flip_flops,
            "latency_cycles": found.latency_cycles,
            "clock_mhz": None if clock is None else clock.value,
        }

    def _trained(self, trial: Trial, point: dict[str, Any], model: BaseModel, luts: float) -> BaseModel:
        path = self.journal.checkpoint(trial)
        if path.exists():  # a kill came between its checkpoint and the journal
            return load_model(str(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LostFeatureWarning)  # few thresholds lose features, and may be the best
            trained = train_untested(
                model.made_again,
                self.problem.data,
                self.space.recipe(point),
                path,
                device=self.device,
                progress=False,
                after_epoch=partial(self._after_epoch, trial, luts),
            )
        return trained.cpu()

    def _after_epoch(self, trial: Trial, luts: float, history: list[dict[str, float]]) -> None:
        row = history[-1]
        trial.report(self.budget.progress(luts, row["validation_accuracy"]), int(row["epoch"]))
        if len(history) == self.problem.epochs:
            return
        if trial.should_prune():
            raise _Pruned
        if self.stop():
            raise Stopped
