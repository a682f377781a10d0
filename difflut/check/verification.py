"""Verification of a build directory: netlist and RTL against PyTorch, every output, on the same inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut.check.builds import OpenedBuild, axi_interface, open_build, rtl_interface, words_of
from difflut.check.records import RtlOutputs, keep, now
from difflut.data import Split
from difflut.errors import ConfigError, DataError, InputShapeError
from difflut.export.builds import store
from difflut.export.builds.frames import frame_order
from difflut.export.builds.store import MODELS_FOLDER, RTL_FOLDER, Build
from difflut.export.circuit.circuit import Circuit, as_circuit
from difflut.export.circuit.netlist import Head, Netlist
from difflut.export.circuit.simulate import decide, simulate_nets
from difflut.export.engine.outputs import outputs
from difflut.models.base_model import BaseModel
from difflut.progress import task
from difflut.shown import Shown, percent
from difflut.sim import (
    Comparison,
    ProtocolError,
    RtlInterface,
    RtlResult,
    compare,
    locate,
    mismatching,
    run_axi,
    run_rtl,
)
from difflut.training import predict_scores
from difflut.training.evaluation import check_labels

SAMPLES, RANDOM_SAMPLES = 1000, 100
# With waveforms few samples, so that the file can be looked through.
WAVES_SAMPLES, WAVES_RANDOM_SAMPLES = 8, 4
NO_SIMULATOR = "none"
# The folders whose Verilog is simulated: the design, and models of the primitives that it instantiates.
_COMPILED = (RTL_FOLDER, MODELS_FOLDER)
WORK = Path(store.WORK_FOLDER) / "simulation"


@dataclass(frozen=True)
class Step:
    """One comparison with PyTorch.

    Attributes:
        name: what was compared.
        images: labelled samples compared.
        random: samples of uniformly random codes compared.
        mismatches: samples whose scores or class differ; all of them if the RTL broke the protocol of its ports.
        accuracy: the fraction of the labelled samples classified right, None without labels or results.
        first_mismatch: the first difference, or what the RTL did wrong at its ports, empty if there is nothing.
    """

    name: str
    images: int
    random: int
    mismatches: int
    accuracy: float | None
    first_mismatch: str = ""


@dataclass(frozen=True, repr=False)
class VerificationReport(Shown):
    """The outcome of `verify`.

    Attributes:
        build: the name of the build's top module.
        digest: SHA-256 of its `build.json`.
        data: the data set of the labelled samples, or "random codes".
        pytorch_accuracy: per step name, PyTorch's accuracy on the samples of that step.
        steps: the comparisons.
        simulator: which simulator ran the RTL; "none" if nothing did.
        latency_cycles: measured in the simulation, None without one, or if the RTL broke the protocol.
        build_seconds, run_seconds: wall time of building and of running the simulation; 0 without one.
        waves: the path of the waveform file, None if none was asked for.
        compared: which outputs, in words.
        date: when, UTC, ISO 8601.
    """

    build: str
    digest: str
    data: str
    pytorch_accuracy: dict[str, float | None]
    steps: list[Step]
    simulator: str
    latency_cycles: int | None
    build_seconds: float
    run_seconds: float
    waves: str | None
    compared: str
    date: str = field(default_factory=now)
    ok: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ok", all(step.mismatches == 0 for step in self.steps))

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The comparisons, the simulator's figures and the conclusion."""
        yield f"{self.build}: compared with PyTorch, {self.data}, every {self.compared}"
        yield f"  {'':<10}{'images':>8}{'random':>8}{'mismatches':>12}{'accuracy':>11}{'PyTorch':>11}"
        for step in self.steps:
            yield (
                f"  {step.name:<10}{step.images:>8}{step.random:>8}{step.mismatches:>12}{percent(step.accuracy):>11}"
                f"{percent(self.pytorch_accuracy[step.name]):>11}"
            )
        if self.simulator == NO_SIMULATOR:
            yield "  the RTL was not run; give --simulator verilator or icarus for that"
        elif self.latency_cycles is not None:
            yield (
                f"  {self.simulator}: built in {self.build_seconds:.1f} s, ran in {self.run_seconds:.1f} s; "
                f"measured latency {self.latency_cycles} cycles"
            )
        if self.waves:
            yield f"  waves: {self.waves}; open them with surfer, or with gtkwave and waves.gtkw beside them"
        for step in self.steps:
            if step.first_mismatch:
                yield f"  {step.name}: first mismatch: {step.first_mismatch}"
        agreed = "agrees bit for bit" if self.latency_cycles is not None else "the netlist agrees bit for bit"
        yield agreed if self.ok else "DIFFERS from PyTorch"


@store.uses_build
def verify(
    directory: Path,
    *,
    data: Split | None,
    data_name: str,
    samples: int | None = None,
    simulator: str = "verilator",
    model_class: str | None = None,
    seed: int = 0,
    waves: bool = False,
    opened: OpenedBuild | None = None,
) -> VerificationReport:
    """Compare a build's netlist (all samples) and its RTL (the first `samples`) with PyTorch.

    Both also run on `RANDOM_SAMPLES` samples of random codes (`WAVES_RANDOM_SAMPLES` with waves). The outcome and what
    the RTL returned are kept in the build's work folder (`difflut.check.records`).

    Args:
        directory: a build directory.
        data: labelled samples as codes or numbers; None for random codes only.
        data_name: the name of the data, for the report.
        samples: how many labelled samples the RTL runs on; by default `SAMPLES`, with waves `WAVES_SAMPLES`.
        simulator: "verilator", "icarus", or "none" to compare the netlist only, for designs too large to simulate.
        model_class: `module:Class` of the model if it is not in the zoo.
        seed: of the random codes and the gaps in `in_valid`.
        waves: whether to keep a waveform file, FST, of the whole run.
        opened: the build and its model, if they were read already.

    Raises:
        BundleError: if the directory is not a complete, unedited build.
    """
    samples = (WAVES_SAMPLES if waves else SAMPLES) if samples is None else samples
    if samples < 1:
        raise ConfigError(f"samples is {samples}; at least 1 sample must be checked")
    if data is not None and len(data) == 0:
        raise DataError("the data hold no sample; a verification that checks nothing proves nothing")
    opened = opened or open_build(directory, model_class)
    build, netlist = opened.build, opened.build.circuit
    subject = _Subject(opened.model, netlist, data, seed, WAVES_RANDOM_SAMPLES if waves else RANDOM_SAMPLES)

    with task("simulating the netlist"):
        simulated = outputs(netlist, subject.codes)
    steps = [subject.judge("netlist", len(data) if data else 0, simulated)]
    name = data_name if data is not None else "random codes"
    result, compared = None, "score and the class"
    if simulator != NO_SIMULATOR:
        images = min(samples, len(data)) if data else 0
        try:
            result, step = _run(Path(directory), build, subject, images, simulator, seed, waves)
        except ProtocolError as error:  # there is no telling which result is whose
            random = len(subject.codes) - len(subject.labels)
            step = Step("RTL", images, random, images + random, None, f"the protocol is broken: {error}")
        steps.append(step)
        compared = _compared(rtl_interface(build))
    elif waves:
        raise ConfigError("waves come from a simulation of the RTL; give a simulator, or no waves")
    report = VerificationReport(
        build=build.info.name,
        digest=build.digest,
        data=name,
        pytorch_accuracy={step.name: subject.pytorch_accuracy(step.images) for step in steps},
        steps=steps,
        simulator=simulator,
        latency_cycles=result.latency_cycles if result else None,
        build_seconds=result.build_seconds if result else 0.0,
        run_seconds=result.run_seconds if result else 0.0,
        waves=str(result.waves) if result and result.waves else None,
        compared=compared,
    )
    labels = subject.labels[: steps[-1].images]
    recorded = RtlOutputs(result.scores, result.classes, result.top, labels) if result else None
    keep(directory, report.to_json(), recorded)
    return report


def _run(
    directory: Path, build: Build, subject: _Subject, images: int, simulator: str, seed: int, waves: bool
) -> tuple[RtlResult, Step]:
    """Simulate the RTL on the first `images` labelled samples and all random ones, and judge what it gave."""
    chosen = subject.selection(images)
    work, codes, interface = directory / WORK, subject.codes[chosen], rtl_interface(build)
    sources = sorted(directory / name for name in build.files if name.startswith(_COMPILED))
    run = (
        partial(run_axi, sources, axi_interface(build), frame_order(build.info, codes))
        if build.info.axi_stream is not None
        else partial(run_rtl, sources, interface, words_of(codes, interface))
    )
    result: RtlResult = run(simulator=simulator, build_dir=work, seed=seed, waves=waves)
    comparison, found = subject.compare(result, chosen), ""
    if comparison.first is not None:
        found = _explain(comparison, subject, chosen, build, sources, interface, simulator, work)
    return result, subject.judge("RTL", images, result, chosen, found)


class _Subject:
    """The samples, and what PyTorch computes for them: labelled ones first, then random codes."""

    def __init__(
        self, model: BaseModel, netlist: Netlist | Circuit, data: Split | None, seed: int, random: int
    ) -> None:
        self.netlist = netlist
        # Of numbers alone there is no accuracy: they are compared with PyTorch's, not with their targets.
        self.decides = model.output_heads.decide
        generator = torch.Generator().manual_seed(seed)
        form = model.input_format
        shape = (random, *model.input_shape)
        parts = [torch.randint(form.lowest, form.highest + 1, shape, generator=generator, dtype=torch.int32)]
        self.labels: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        if data is not None:
            if data.x[0].numel() != model.input_size:
                raise InputShapeError(
                    f"the data have samples of shape {tuple(data.x.shape[1:])}; model {model.name!r} takes "
                    f"{model.input_size} features a sample: give it other data, or --random-only"
                )
            check_labels(model, data)
            parts.insert(0, form.quantize(data.x).reshape(len(data), *model.input_shape))
            self.labels = model.output_heads.class_words(model.output_heads.columns(data.y)).numpy()
        codes = torch.cat(parts)
        scores, classes = predict_scores(model, codes)
        self.codes = codes.reshape(len(codes), -1).numpy()
        self.scores, self.classes = scores.numpy(), classes.numpy()

    def selection(self, images: int) -> npt.NDArray[np.int64]:
        """The positions of the first `images` labelled samples and of all random ones."""
        return np.concatenate([np.arange(images), np.arange(len(self.labels), len(self.codes))])

    def pytorch_accuracy(self, images: int) -> float | None:
        """PyTorch's accuracy on the first `images` labelled samples."""
        return self._accuracy(self.classes, images)

    def _accuracy(self, predicted: npt.NDArray[np.int64], images: int) -> float | None:
        if not images or not self.decides:
            return None
        return float((predicted[:images] == self.labels[:images]).mean())

    def compare(self, result: Any, chosen: npt.NDArray[np.int64] | slice = slice(None)) -> Comparison:
        """Compare scores and classes of the chosen samples with PyTorch's."""
        top = getattr(result, "top", None)
        return compare(self.scores[chosen], self.classes[chosen], result.scores, result.classes, top)

    def judge(
        self,
        name: str,
        images: int,
        result: Any,
        chosen: npt.NDArray[np.int64] | slice = slice(None),
        explanation: str = "",
    ) -> Step:
        """The outcome of one comparison; the labelled samples come first in `result`."""
        comparison = self.compare(result, chosen)
        top = getattr(result, "top", None)
        differs = mismatching(self.scores[chosen], self.classes[chosen], result.scores, result.classes, top)
        return Step(
            name=name,
            images=images,
            random=comparison.checked - images,
            mismatches=int(differs.any(axis=1).sum()),
            accuracy=self._accuracy(_predicted(result, as_circuit(self.netlist).body.head), images),
            first_mismatch=explanation or (str(comparison.first) if comparison.first else ""),
        )


def _compared(interface: RtlInterface) -> str:
    """What is compared."""
    if interface.ranks:
        return f"rank of the best {interface.ranks}"
    return "score and the class" if interface.scores and interface.best else "score" if interface.scores else "class"


def _predicted(result: Any, head: Head) -> npt.NDArray[np.int64]:
    """int64 (N,): the class word that the outputs name or, with scores only, imply."""
    if result.classes is not None:
        return result.classes  # type: ignore[no-any-return]
    top = getattr(result, "top", None)
    return top[:, 0] if top is not None else decide(head, result.scores)


def _explain(
    comparison: Comparison,
    subject: _Subject,
    chosen: npt.NDArray[np.int64],
    build: Build,
    sources: Sequence[Path],
    interface: RtlInterface,
    simulator: str,
    work: Path,
) -> str:
    """Say which node of which layer is the first that the RTL computes wrong, by reading its registers."""
    assert comparison.first is not None
    message = str(comparison.first)
    probes, netlist = build.design.found_probes, build.circuit.body
    if not probes:
        return f"{message}; the core has no probes, so the first wrong node is not looked for"
    codes = subject.codes[chosen][comparison.first.sample : comparison.first.sample + 1]
    debug: RtlResult = run_rtl(
        sources, interface, codes, simulator=simulator, build_dir=work.with_name("debug"), probes=probes
    )
    nets = simulate_nets(netlist, codes)[0]
    difference = locate(netlist, probes, nets, [values[0] for values in debug.probe_values])
    if difference is None:
        rest = (
            "the group sum, the argmax, the control or the streams"
            if build.info.axi_stream is not None
            else "the group sum, the argmax or the control"
        )
        return f"{message}; every comparator and node is right, so the fault lies in {rest}"
    return f"{message}; first wrong node: {difference}"
