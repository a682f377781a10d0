"""One door: everything that the command line does with a model and its builds, as functions of live objects.

Each takes a fitted model, a `StoredBuild`, or the path of a build directory. A model is exported first, as
`export_model(model)` does it, unless the build that is in its place was made of this very model.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, overload

from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from difflut.check import verification
from difflut.check.builds import open_build
from difflut.check.verification import VerificationReport
from difflut.data import Dataset, Split, load_npz, mnist_test, split_of
from difflut.errors import ConfigError
from difflut.export.builds import make, store
from difflut.export.builds.store import MODEL_FILE
from difflut.export.builds.writing import digest_of
from difflut.export.flows import nextpnr, vivado, yosys
from difflut.export.flows.nextpnr import RoutedReport
from difflut.export.flows.vivado import VivadoReport
from difflut.export.flows.yosys import SynthesisReport
from difflut.export.proof import build as proof
from difflut.export.proof.report import ProofReport
from difflut.models import zoo
from difflut.models.base_model import BaseModel
from difflut.models.wrappers import takes_wrapped, unwrap
from difflut.playing.samples import chosen_samples, random_samples
from difflut.playing.subject import of_build, of_model
from difflut.playing.written import CircuitPage, write_page
from difflut.progress import task
from difflut.report.written import Page, write_report
from difflut.stored_build import StoredBuild

Subject = BaseModel | StoredBuild | str | os.PathLike[str]
# Labelled samples: a pair is (x, y), a path names an npz file.
Samples = Dataset | Split | tuple[Any, Any] | DataLoader[Any] | TorchDataset[Any] | str | os.PathLike[str]

_FLOWS: dict[str, Callable[..., Any]] = {
    yosys.FLOW: yosys.synthesise,
    nextpnr.FLOW: nextpnr.implement,
    vivado.FLOW: vivado.implement,
}


@takes_wrapped
def export_model(model: BaseModel, out: str | os.PathLike[str] | None = None, **options: Any) -> StoredBuild:
    """Export a fitted model into a build directory, whole or not at all.

    Args:
        model: the model.
        out: the directory; build/NAME by default. An earlier build there is replaced.
        options: as for `difflut.export.builds.make.make_build`: form, fpga, interface, stream, outputs, pipeline, ...

    Raises:
        BundleError: the directory holds something else than a build.
        WriteError: it cannot be written.
        ConfigError, TraceError, SelfCheckError: as `make_build`.
    """
    place = store.default_directory(options.get("name") or model.name) if out is None else out
    with task(f"exporting {model.name}"):
        return StoredBuild(make.export_model(model, place, **options), model)


def verify(
    build: Subject,
    data: Samples | None = None,
    *,
    data_name: str | None = None,
    model: BaseModel | str | None = None,
    samples: int | None = None,
    simulator: str = "verilator",
    seed: int = 0,
    waves: bool = False,
) -> VerificationReport:
    """Compare a build's netlist and its RTL with PyTorch, every output, on labelled samples and on random codes.

    Args:
        build: what is verified.
        data: labelled samples; by default those that the package ships for a zoo model, random codes alone for others.
        data_name: what the samples are called in the report.
        model: what makes the model if it is not in the zoo: itself, or `module:Class`; that which was exported by
            default.
        samples: how many of the samples the RTL runs on; 1000 by default, 8 with waves.
        simulator: "verilator", "icarus", or "none" to compare the netlist only.
        seed: of the random codes and of the gaps in the input.
        waves: whether to keep a waveform file.

    Raises:
        BundleError: the directory is no complete, unedited build, or nobody says what makes its model.
        DataError: the samples do not fit the model.
        ToolError: the simulator is missing or fails.
    """
    stored = stored_build(build)
    opened = open_build(stored.directory, model or stored.model)
    split, name = _labelled(opened.model.name, data)
    return verification.verify(
        stored.directory,
        data=split,
        data_name=data_name or name,
        samples=samples,
        simulator=simulator,
        seed=seed,
        waves=waves,
        opened=opened,
    )


def prove(build: Subject) -> ProofReport:
    """Prove for all inputs that a build's RTL computes what was traced from the model.

    Raises:
        BundleError: the directory is no complete, unedited build.
        ToolError: pyosys or python-sat is missing, or Yosys refuses the RTL.
    """
    stored = stored_build(build)
    with task("proving"):
        return proof.prove(stored.directory)


def report(
    build: Subject,
    out: str | os.PathLike[str] | None = None,
    *,
    against: Subject | None = None,
    images: str | os.PathLike[str] | None = None,
) -> Page:
    """Write one self-contained HTML page about a build.

    Args:
        build: what it is about.
        out: the page; `work/report.html` in the build by default.
        against: a second build to compare with.
        images: a folder that gets the figures as SVG and PNG files.

    Raises:
        BundleError: a directory is no complete, unedited build.
        ConfigError: matplotlib is missing, or a place lies in a build.
        WriteError: a file cannot be written.
    """
    other = None if against is None else stored_build(against)
    return write_report(stored_build(build), out, against=other, images=images)


def play(
    subject: Subject,
    out: str | os.PathLike[str] | None = None,
    *,
    data: Samples | None = None,
    data_name: str | None = None,
    samples: int = 20,
) -> CircuitPage:
    """Write one self-contained HTML page in which a circuit runs: inputs are drawn or chosen, every bit is shown.

    Args:
        subject: a model, which is traced and not exported, or a build.
        out: the page; by default build/NAME.html of a model, `work/circuit.html` in a build.
        data: labelled samples to choose from; by default the images that the package ships for a zoo model, else
            random codes.
        data_name: what the samples are called.
        samples: how many of them are in the page, at most; 1 to 1,000.

    Raises:
        BundleError: a directory is no complete, unedited build.
        TraceError: the model has no circuit.
        ConfigError: the circuit is too large for a page, the place lies in a build, or a page takes no such number of
            samples.
        DataError: the samples are none of the model's.
        WriteError: the file cannot be written.
    """
    found = of_model(unwrap(subject)) if isinstance(subject, nn.Module) else of_build(stored_build(subject).directory)
    split, name = _labelled(found.name, data)
    chosen = random_samples(found) if split is None else chosen_samples(found, split, data_name or name, samples)
    return write_page(found, chosen, None if out is None else Path(out))


@overload
def synthesise(build: Subject, flow: Literal["yosys"] = "yosys", **options: Any) -> SynthesisReport: ...
@overload
def synthesise(build: Subject, flow: Literal["nextpnr"], **options: Any) -> RoutedReport: ...
@overload
def synthesise(build: Subject, flow: Literal["vivado"], **options: Any) -> VivadoReport: ...
@overload
def synthesise(build: Subject, flow: str, **options: Any) -> SynthesisReport | RoutedReport | VivadoReport: ...
def synthesise(build: Subject, flow: str = yosys.FLOW, **options: Any) -> SynthesisReport | RoutedReport | VivadoReport:
    """Synthesise a build, or place and route it.

    Args:
        build: what is synthesised.
        flow: "yosys" counts cells, "nextpnr" places and routes, "vivado" writes scripts and runs them.
        options: those of the flow: `fpga` for yosys; `device`, `freq_mhz`, `seeds`, `pins` for nextpnr; `device`,
            `freq_mhz`, `run` for vivado.

    Raises:
        ConfigError: there is no such flow or option.
        BundleError: the directory is no complete, unedited build.
        ToolError: a tool is missing or failed.
    """
    if flow not in _FLOWS:
        raise ConfigError(f"synthesise: unknown flow {flow!r}; known: {', '.join(_FLOWS)}")
    known = [name for name in inspect.signature(_FLOWS[flow]).parameters if name not in ("directory", "report")]
    for name in options:
        if name not in known:
            raise ConfigError(f"synthesise: flow {flow} has no option {name!r}; it takes {', '.join(known)}")
    stored = stored_build(build)
    with task(flow):
        result: SynthesisReport | RoutedReport | VivadoReport = _FLOWS[flow](stored.directory, **options)
    return result


def stored_build(build: Subject) -> StoredBuild:
    """The build that is meant: itself, that in a directory, or an export of a model.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(build, StoredBuild):
        return build
    if isinstance(build, nn.Module):
        return _exported(unwrap(build))
    if isinstance(build, (str, os.PathLike)):
        return StoredBuild(build)
    raise ConfigError(
        f"got a {type(build).__name__}; expected a model, a build of export_model, or the path of a build directory"
    )


def _exported(model: BaseModel) -> StoredBuild:
    """The build of a model in its default place, exported unless it is there."""
    place = store.default_directory(model.name)
    if store.is_build(place):
        stored = StoredBuild(place, model)
        if stored.info.files.get(MODEL_FILE) == digest_of(model.checkpoint_bytes(frozen=True)):
            return stored
    return export_model(model)


def _labelled(model: str, data: Samples | None) -> tuple[Split | None, str]:
    """The labelled samples for the model of a name and what they are called."""
    if data is None:
        entry = zoo().get(model)
        return (mnist_test(), "MNIST") if entry is not None and entry.dataset == "mnist" else (None, "random codes")
    if isinstance(data, (str, os.PathLike)):
        data = load_npz(data)
    if isinstance(data, Dataset):
        return data.test, data.name
    if isinstance(data, (Split, tuple, DataLoader, TorchDataset)):
        return split_of(data), "samples"
    raise ConfigError(
        f"got a {type(data).__name__} as data; expected a Dataset, a Split, a pair (x, y) or the path of an npz file"
    )
