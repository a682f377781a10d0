"""The synthesised netlist of a build against PyTorch: simulated on real and random inputs, and proved where that
finishes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from difflut.check.builds import OpenedBuild, open_build, rtl_interface, words_of
from difflut.check.verification import RANDOM_SAMPLES
from difflut.data import Split
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.stored import FLOW_REPORT, read_object
from difflut.export.builds.values import check_netlist_text
from difflut.export.errors import BundleError
from difflut.export.families.family import Family
from difflut.export.families.registry import find_family
from difflut.export.flows import netlist, yosys
from difflut.export.flows.reports import REPORT, save_report
from difflut.locks import locked
from difflut.models.base_model import BaseModel
from difflut.progress import task
from difflut.shown import Shown
from difflut.sim import RtlResult, compare, mismatching, run_rtl
from difflut.training import predict_scores

# Yosys' equivalence check of more LUTs was not seen to end within minutes.
PROVED_LUTS = 500


@dataclass(frozen=True, repr=False)
class NetlistCheck(Shown):
    """The outcome of `check_netlist`.

    Attributes:
        netlist: SHA-256 of the netlist that was simulated.
        images: labelled samples compared with PyTorch.
        random: samples of random codes compared.
        mismatches: samples whose outputs differ.
        first_mismatch: the first difference in words, empty if there is none.
        simulator: what ran the netlist.
        latency_cycles: measured.
        proof: "proved", "not proved" or "not attempted", and why or what.
    """

    netlist: str
    images: int
    random: int
    mismatches: int
    first_mismatch: str
    simulator: str
    latency_cycles: int
    proof: str

    @property
    def ok(self) -> bool:
        """Whether all samples agree; a proof that was not found is no failure."""
        return self.mismatches == 0

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object, `ok` added."""
        return {**asdict(self), "ok": self.ok}

    def lines(self) -> Iterator[str]:
        """The simulation and the proof."""
        agreed = "agrees with PyTorch"
        if not self.ok:
            agreed = f"{self.mismatches} differ from PyTorch: {self.first_mismatch}"
        yield (
            f"  netlist in {self.simulator}, {self.images} images and {self.random} random inputs: {agreed}; "
            f"latency {self.latency_cycles} cycles"
        )
        yield f"  netlist against RTL, all inputs: {self.proof}"


@store.uses_build
def check_netlist(
    directory: Path,
    fpga: str | None = None,
    *,
    data: Split | None = None,
    images: int = 100,
    simulator: str = "verilator",
    model_class: str | None = None,
    seed: int = 0,
    opened: OpenedBuild | None = None,
) -> NetlistCheck:
    """Compare the netlist of an earlier `yosys.synthesise` with PyTorch, and add the outcome to that report, as
    `check`.

    Args:
        directory: a build directory.
        fpga: the family that was synthesised for; the build's own by default.
        data: labelled samples; None for `RANDOM_SAMPLES` samples of random codes only.
        images: how many of the labelled samples to take.
        simulator: "verilator" or "icarus".
        model_class: `module:Class` of the model if it is not in the zoo.
        seed: of the random codes and of the gaps in `in_valid`.
        opened: the build and its model, if they were read already.

    Raises:
        BundleError: the directory is not a complete, unedited build, or was not synthesised since it was made.
        ConfigError: the interface is not the plain one, or no sample is asked for.
        ToolError: a tool is missing or failed.
    """
    opened = opened or open_build(directory, model_class)
    build, model = opened.build, opened.model
    if build.info.axi_stream is not None:
        raise ConfigError(f"the netlist check drives the plain interface; the build has {build.info.interface}")
    if data is not None and images < 1:
        raise ConfigError(f"images is {images}; at least 1 must be checked")
    family = find_family(fpga or build.info.fpga)
    folder = Path(directory) / store.WORK_FOLDER / f"{yosys.FLOW}-{family.name}"
    _fresh_report(folder, build)
    taken = 0 if data is None else min(images, len(data))
    codes = _codes(model, data, taken, seed)
    interface = rtl_interface(build)

    with task("checking the netlist"), locked(folder):  # a synthesis at the same time waits
        report = _fresh_report(folder, build)
        tool = yosys.find_yosys()
        synthesised = (folder / netlist.NETLIST).read_bytes()
        check_netlist_text(str(folder / netlist.NETLIST), synthesised)
        digest = hashlib.sha256(synthesised).hexdigest()
        source = netlist.write_simulated(tool, build.info.name, family, folder)
        result = run_rtl(
            [source],
            interface,
            words_of(codes.reshape(len(codes), -1).numpy(), interface),
            simulator=simulator,
            build_dir=folder / "simulation",
            seed=seed,
        )
        proof = _prove(tool, build, family, folder, directory, int(report["total"]["luts"]))
        check = _judge(model, codes, result, digest, taken, simulator, proof)
        save_report(folder, {**report, "check": check.to_json()})
    return check


def _judge(
    model: BaseModel, codes: Tensor, result: RtlResult, digest: str, images: int, simulator: str, proof: str
) -> NetlistCheck:
    """Compare what the simulated netlist gave with PyTorch."""
    scores, classes = (values.numpy() for values in predict_scores(model, codes))
    outputs = (result.scores, result.classes, result.top)
    first = compare(scores, classes, *outputs).first
    return NetlistCheck(
        netlist=digest,
        images=images,
        random=len(codes) - images,
        mismatches=int(mismatching(scores, classes, *outputs).any(axis=1).sum()),
        first_mismatch=str(first) if first else "",
        simulator=simulator,
        latency_cycles=result.latency_cycles,
        proof=proof,
    )


def _codes(model: BaseModel, data: Split | None, taken: int, seed: int) -> Tensor:
    """The codes of the first `taken` labelled samples, then random ones: int32 (samples, *shape)."""
    form, generator = model.input_format, torch.Generator().manual_seed(seed)
    shape = (RANDOM_SAMPLES, *model.input_shape)
    codes = torch.randint(form.lowest, form.highest + 1, shape, generator=generator, dtype=torch.int32)
    if data is None:
        return codes
    labelled = form.quantize(data.x[:taken]).reshape(taken, *model.input_shape).to(torch.int32)
    return torch.cat([labelled, codes])


def _fresh_report(folder: Path, build: store.Build) -> dict[str, Any]:
    report = read_object(folder / REPORT, {**FLOW_REPORT, "total": {"luts": int}})
    if report is None:
        raise BundleError(f"{folder}: holds no finished synthesis; run difflut synth first")
    if report.get("digest") != build.digest:
        raise BundleError(f"{folder}: is a synthesis of an earlier build; run difflut synth again")
    return report


def _prove(tool: yosys.Yosys, build: store.Build, family: Family, folder: Path, directory: Path, luts: int) -> str:
    if luts > PROVED_LUTS:
        return f"not attempted: {luts:,} LUTs, more than {PROVED_LUTS}"
    if family.has_primitives and any(name.startswith("sim/") for name in build.files):
        return f"not attempted: the RTL itself instantiates cells of {family.name}"
    sources = [Path(os.path.abspath(directory)) / name for name in build.rtl]
    proved, unproved = netlist.prove_netlist(tool, build.info.name, family, folder, sources)
    if unproved:
        return f"not proved: {unproved} of {proved + unproved} outputs and registers"
    return f"proved: {proved} outputs and registers, once equal, stay equal for all inputs"
