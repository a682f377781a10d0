"""The circuit that a page runs, and what its codes and results mean: of a build, a model or a checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from difflut.data_names import Wording
from difflut.export.builds import store
from difflut.export.builds.info import HeadInfo
from difflut.export.circuit.circuit import Circuit
from difflut.export.errors import BundleError
from difflut.progress import note, task
from difflut.shown import Brief

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel


@dataclass(frozen=True, eq=False, repr=False)
class Subject(Brief):
    """A circuit and what it means.

    Attributes:
        name: of the model.
        circuit: as it is emitted, after the passes; of a model of convolutions each kernel once.
        heads: what the scores are, in their order.
        wording: codes and classes in the words of the data.
        build: the directory, None for a model.
    """

    name: str
    circuit: Circuit
    heads: tuple[HeadInfo, ...]
    wording: Wording
    build: Path | None = None


def open_subject(source: str, model_class: str | None = None) -> Subject:
    """Open a build directory, without torch, or trace a zoo model or a checkpoint.

    Raises:
        BundleError: a directory that is no complete, unedited build.
        DifflutError: no such model, or no checkpoint.
    """
    with task(f"opening {source}"):
        if Path(source).is_dir():
            return of_build(Path(source))
        from difflut.models import load_model

        return of_model(load_model(source, model_class))


def of_build(folder: Path) -> Subject:
    """What a build emits.

    Raises:
        BundleError: it is no complete, unedited build.
    """
    build = store.read(folder)
    info, circuit = build.info, build.circuit
    decisions = [count for head in info.output.heads for count in _decisions(head)]
    if decisions != circuit.body.head.decisions.tolist() or math.prod(info.input.shape) != circuit.input.features:
        raise BundleError(f"{folder}: its circuit does not have the inputs and scores of its build.json; export again")
    return Subject(info.model.name, circuit, info.output.heads, info.wording, folder)


def _decisions(head: HeadInfo) -> tuple[int, ...]:
    """Among how many scores each decision of a head is taken, see `difflut.export.circuit.netlist.Head`."""
    if head.kind == "classes":
        return (head.results,)
    return (2 if head.kind == "labels" else 1,) * head.results


def of_model(model: BaseModel) -> Subject:
    """What an export of a fitted model would emit, convolutions with each kernel once where they can be.

    Raises:
        NotFittedError: the model is not fitted.
        TraceError: it has no circuit.
    """
    from difflut.export.builds.describe import heads_of
    from difflut.export.errors import TraceError
    from difflut.export.frontend.trace import record
    from difflut.export.frontend.unrolled import build_netlist
    from difflut.export.frontend.windowed import build_circuit
    from difflut.export.passes import pipelines

    note("tracing")
    recording = record(model)
    try:
        traced = build_circuit(recording)
    except TraceError:  # it has no convolution, or one that reads no whole map
        traced = Circuit.of(build_netlist(recording))
    note("passes")
    circuit, _ = pipelines.run(traced)
    heads = tuple(heads_of(model, circuit.body.head))
    wording = Wording(model.names, model.input_format, tuple(model.input_shape))
    return Subject(model.name, circuit, heads, wording)
