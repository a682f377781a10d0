"""Compiled inference: a model, a circuit or a build as a function of integer codes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import Netlist
from difflut.export.engine.engine import BLOCK, Engine
from difflut.export.engine.simplify import simplified
from difflut.export.errors import SelfCheckError
from difflut.progress import note, task
from difflut.shown import Shown
from difflut.stored_build import StoredBuild

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel

_TIMED_SECONDS = 0.3
_TIMED_BLOCKS = 16
_TIMED_CALLS = 200


def compile(subject: BaseModel | StoredBuild | Circuit | Netlist | str | os.PathLike[str]) -> Engine:
    """Compile a network for this machine's processor: `compile(model)(codes)` gives scores and classes.

    The engine of a model gives what the model does in eval mode, bit for bit; that is compared on a few hundred drawn
    samples. A build and a circuit need no PyTorch.

    Args:
        subject: a fitted model, a build or the path of its directory, or a circuit.

    Returns:
        the engine, which computes in NumPy where there is no C compiler: `missing` says why.

    Raises:
        TraceError: the model has no circuit.
        SelfCheckError: the engine does not compute what the model does.
        BundleError: the directory is no complete, unedited build.
        NetlistError: the circuit breaks its specification.
    """
    if isinstance(subject, Circuit | Netlist):
        return Engine(subject)
    if isinstance(subject, StoredBuild | str | os.PathLike):
        return Engine(StoredBuild(subject).build.circuit)
    from difflut.models.wrappers import unwrap

    model = unwrap(subject)
    with task(f"compiling {model.name}"):
        return _of_model(model)


def _of_model(model: BaseModel) -> Engine:
    from difflut.export.builds.self_check import drawn_codes
    from difflut.export.frontend.trace import trace
    from difflut.training import predict_scores

    note("tracing")
    netlist = trace(model)
    note("compiling")
    engine = Engine(simplified(netlist))
    note("self-check")
    codes = drawn_codes(model)
    scores, classes = predict_scores(model, codes)
    found = engine(codes.numpy())
    wrong = (found.scores != scores.numpy()).any(axis=1) | (found.classes != classes.numpy())
    if wrong.any():
        raise SelfCheckError(
            f"model {model.name!r}: compiled, it has other scores for {int(wrong.sum())} of {len(codes)} samples; its "
            "forward is another one each time it runs, or that is a fault of difflut: please report it with the model"
        )
    return engine


@dataclass(frozen=True, repr=False)
class Speed(Shown):
    """How fast an engine is on this machine, as measured now.

    Attributes:
        name: of the circuit.
        luts, comparators, scores: what it has.
        compiled: whether it is compiled code.
        missing: why not.
        samples_per_second: of one thread, codes in memory to classes, in seconds of this process.
        one_sample_us: of a call with one sample, its classes, the median.
    """

    name: str
    luts: int
    comparators: int
    scores: int
    compiled: bool
    missing: str
    samples_per_second: float
    one_sample_us: float

    def lines(self) -> Iterator[str]:
        """Size and speed."""
        yield f"{self.name}: {self.comparators:,} comparators, {self.luts:,} LUTs, {self.scores:,} scores"
        if not self.compiled:
            yield f"  not compiled: {self.missing}; NumPy computes instead"
        yield f"  {self.samples_per_second:,.0f} samples a second and thread, {self.one_sample_us:.0f} us for one alone"

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def measure(engine: Engine) -> Speed:
    """Time an engine on codes drawn at random; what the codes are makes no difference."""
    form, body = engine.circuit.input, engine.circuit.body
    count = BLOCK * (_TIMED_BLOCKS if not engine.missing else 1)
    shape = (count, form.features)
    codes = np.random.default_rng(0).integers(form.lowest, form.highest + 1, shape).astype(engine.dtype)
    engine.classes(codes[:BLOCK])
    rounds, started = 0, time.process_time()
    while (spent := time.process_time() - started) < _TIMED_SECONDS:
        engine.classes(codes)
        rounds += 1
    alone = []
    for sample in range(_TIMED_CALLS):
        before = time.perf_counter()
        engine.classes(codes[sample : sample + 1])
        alone.append(time.perf_counter() - before)
        if sum(alone) > _TIMED_SECONDS:
            break
    return Speed(
        *(engine.circuit.name, engine.circuit.luts, body.comparators, body.head.classes),
        *(not engine.missing, engine.missing),
        samples_per_second=rounds * count / spent,
        one_sample_us=float(np.median(alone)) * 1e6,
    )
