"""What a search varies, and the model and recipe that a point of it stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from difflut.export.families.registry import find_family
from difflut.models.fully_connected import FullyConnected
from difflut.searching.budget import Budget
from difflut.searching.problem import Problem
from difflut.training import Recipe

if TYPE_CHECKING:
    from optuna import Trial

VERSION = 2  # of the choices; a journal of others cannot be gone on with
MOST_LUTS = 8000  # where no budget says
MOST_WEIGHTS = 1 << 25  # that choose connections: a step of more takes a CPU core seconds
_LATER_CANDIDATES = 64
# Thermometer bits and bits of their grid; few of many features, many of few. The first is the code's top bit alone.
_MANY_FEATURES = ("1:1", "2:2", "3:2", "3:3", "5:3")
_FEW_FEATURES = ("3:2", "3:4", "7:3", "7:5", "15:6", "31:8")
_FEW = 64
# Of the passes over the samples, how many are sweeps (`difflut.training.descent`). They train no layer but the last.
_SWEEPS = {"none": 0.0, "third": 1 / 3, "all": 1.0}
_LUTS_A_NODE = 1.7  # of the last layer, with its share of the head: a guess, from which `sized` goes on
_NEAR, _STEPS = 0.04, 3


@dataclass(frozen=True)
class Space:
    """The choices for a problem under a budget.

    Attributes:
        problem: what is classified.
        least, most: LUTs that candidates aim at.
        start: those that the first ones aim at.
        encoders: "bits:grid_bits".
        candidates: of learned connections in the first layer; "all", a number, or "random" for fixed ones.
        inputs: per node.
    """

    problem: Problem
    least: float
    most: float
    start: float
    encoders: tuple[str, ...]
    candidates: tuple[str, ...]
    inputs: tuple[int, ...]

    @classmethod
    def of(cls, problem: Problem, budget: Budget) -> Space:
        """The space of a problem."""
        few = problem.features < _FEW
        encoders = [name for name in (_FEW_FEATURES if few else _MANY_FEATURES) if _parts(name)[1] <= problem.code_bits]
        lut_inputs = find_family(budget.fpga).lut_inputs
        most = float(budget.max_luts or MOST_LUTS)
        least = most / 3 if budget.max_luts else min(most, 2.0 * problem.classes)
        return cls(
            problem,
            least,
            most,
            0.95 * most if budget.max_luts else (least * most) ** 0.5,
            tuple(encoders) or ("1:1",),
            ("all", "random") if few else ("all", "128", "32"),
            (6,) if lut_inputs >= 6 else (4, 6),
        )

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """A point, of the study's sampler."""
        return {
            "luts": trial.suggest_float("luts", self.least, self.most, log=True),
            "layers": trial.suggest_int("layers", 1, 3),
            "taper": trial.suggest_float("taper", 1.0, 6.0, log=True),
            "inputs": trial.suggest_categorical("inputs", self.inputs),
            "encoder": trial.suggest_categorical("encoder", self.encoders),
            "candidates": trial.suggest_categorical("candidates", self.candidates),
            "later": trial.suggest_categorical("later", ("random", "learned")),
            "sweeps": trial.suggest_categorical("sweeps", tuple(_SWEEPS)),
            "learning_rate": trial.suggest_float("learning_rate", 3e-3, 5e-2, log=True),
            "shift": trial.suggest_int("shift", 0, int(self.problem.shifts)),
            "tau": trial.suggest_float("tau", 0.15, 1.5, log=True),
        }

    def first(self) -> list[dict[str, Any]]:
        """Points that a search starts with: one layer, by sweeps alone."""
        common = {
            "luts": self.start,
            "layers": 1,
            "taper": 2.0,
            "inputs": self.inputs[-1],
            "candidates": "all",
        }
        common |= {"later": "random", "sweeps": "all", "learning_rate": 1e-2, "tau": 0.5}
        common |= {"shift": int(self.problem.shifts)}
        return [{**common, "encoder": encoder} for encoder in self.encoders[:2]]

    def sized(
        self, point: dict[str, Any], name: str, cost: Callable[[FullyConnected], dict[str, Any]]
    ) -> tuple[FullyConnected, dict[str, Any]]:
        """The model of a point, not fitted, as wide as its LUTs allow, and what it costs before it is trained.

        All layers have `taper` times the nodes of the last.
        """
        wider = point["taper"] * (point["layers"] - 1)
        aim = (1 - _NEAR / 2) * point["luts"]
        last = aim / (_LUTS_A_NODE + wider)
        known: set[int] = set()
        while True:
            nodes = max(self.problem.classes, round(last))
            model = self._model(point, name, (*[round(nodes * point["taper"])] * (point["layers"] - 1), nodes))
            found = cost(model)
            known.add(nodes)
            last = nodes * aim / max(1, found["luts"])
            near = abs(found["luts"] / aim - 1) <= _NEAR / 2
            if near or len(known) == _STEPS or max(self.problem.classes, round(last)) in known:
                return model, found

    def _model(self, point: dict[str, Any], name: str, widths: tuple[int, ...]) -> FullyConnected:
        problem = self.problem
        bits, grid_bits = _parts(point["encoder"])
        in_width, n = problem.features * bits, point["inputs"]
        by_sweeps = self._sweeps(point) == problem.epochs
        first = "random" if by_sweeps else point["candidates"]
        chosen: list[dict[str, Any]] = [_connections(first, in_width, widths[0] * n)]
        for before, width in pairwise(widths):
            kind = str(_LATER_CANDIDATES) if point["later"] == "learned" else "random"
            chosen.append(_connections(kind, before, width * n))
        return FullyConnected(
            name,
            problem.shape,
            problem.classes,
            widths,
            n=n,
            bits=bits,
            grid_bits=grid_bits,
            tau=point["tau"] * (widths[-1] / problem.classes) ** 0.5,
            connections=tuple(chosen),
            input_format=problem.input_format,
            input_bits=problem.input_bits,
        )

    def _sweeps(self, point: dict[str, Any]) -> int:
        passes = self.problem.epochs
        most = passes if point["layers"] == 1 else passes - 1
        return min(round(_SWEEPS[str(point["sweeps"])] * passes), most)

    def recipe(self, point: dict[str, Any]) -> Recipe:
        """How the model of a point is trained."""
        problem, sweeps = self.problem, self._sweeps(point)
        return Recipe(
            epochs=problem.epochs - sweeps,
            sweeps=sweeps,
            batch_size=problem.batch_size,
            learning_rate=point["learning_rate"],
            max_shift=point["shift"],
            validation=problem.validation,
            seed=problem.seed,
        )


def words(model: FullyConnected) -> str:
    """A candidate's structure for people."""
    encoder = model.encoder
    return f"{' -> '.join(map(str, model.widths))} nodes; {encoder.bits} bits on {encoder.grid_bits}"


def _parts(encoder: str) -> tuple[int, int]:
    bits, grid_bits = encoder.split(":")
    return int(bits), int(grid_bits)


def _connections(kind: str, in_width: int, ports: int) -> dict[str, Any]:
    """The arguments of `LUTLayer`; so few candidates that a core can train them."""
    if kind == "random":
        return {}
    most = max(16, MOST_WEIGHTS // ports)
    offered = min(in_width, most, in_width if kind == "all" else int(kind))
    return {"connections": "learnable", **({} if offered == in_width else {"candidates": offered})}
