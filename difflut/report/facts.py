"""Everything that the report says about one build, read from its directory. Free of torch and of drawing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.check.records import Record, RtlOutputs, kept
from difflut.export.builds import store
from difflut.export.builds.info import BuildInfo, ModelInfo, PartInfo, TimingInfo
from difflut.export.circuit.netlist import FIRST_NET, Netlist
from difflut.export.circuit.pixel import compared
from difflut.export.families.family import Family
from difflut.export.families.registry import find_family
from difflut.export.proof.build import read_report
from difflut.export.schedule.estimate import ENCODER, GROUP_SUM, LAYER, SELECTION
from difflut.report.evidence import Known
from difflut.report.maps import MapFacts, read_maps
from difflut.report.synthesis import Synthesis, syntheses
from difflut.shown import Brief

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stage:
    """One register-to-register stage.

    Attributes:
        number: counted from 1.
        levels: the levels in it, as `--pipeline` names them.
        kind: of the part that its last level belongs to.
        delay_ns: estimated.
        register_bits: bits of the register at its end; 0 if it ends at the output port without one.
    """

    number: int
    levels: tuple[str, ...]
    kind: str
    delay_ns: float
    register_bits: int

    @property
    def words(self) -> tuple[str, ...]:
        """The levels for people: LUT levels are called so."""
        return tuple(f"LUTs {level}" if level.isdigit() else level for level in self.levels)


@dataclass(frozen=True)
class Missing:
    """Something that the report would show if it were there and fresh: what, why not, the command that makes it."""

    what: str
    why: str
    command: str


@dataclass(frozen=True, eq=False, repr=False)
class Facts(Brief):
    """One build.

    Attributes:
        directory: where it is.
        info: its `build.json`.
        digest: SHA-256 of that.
        netlist: what was emitted; of a streaming circuit the dense part.
        encoded: the netlist whose comparisons encode what enters in a cycle: `netlist`, or that of one pixel.
        maps: of a streaming circuit, the encoded image first; empty for any other.
        family: the FPGA family it was exported for.
        parts: what it is made of, with an estimate of its LUTs where there is one.
        stages: from input to output; none where delays are not estimated, as in a folded dense part.
        comparisons: int64 (features,), how many thresholds each input of `encoded` is compared with.
        records: the kept verifications of exactly this build.
        measured: of those the one with what the RTL returned for the most labelled samples, if there is one.
        proof: the kept proof of exactly this build, as JSON, if there is one.
        syntheses: the synthesis reports of exactly this build.
        missing: what is not there or was made from another build.
        known: the best evidence of size, clock and accuracy.
    """

    directory: Path
    info: BuildInfo
    digest: str
    netlist: Netlist
    encoded: Netlist
    maps: tuple[MapFacts, ...]
    family: Family
    parts: tuple[PartInfo, ...]
    stages: tuple[Stage, ...]
    comparisons: Counts
    records: tuple[Record, ...]
    measured: Record | None
    proof: Mapping[str, Any] | None
    syntheses: tuple[Synthesis, ...]
    missing: tuple[Missing, ...]
    known: Known

    @property
    def luts(self) -> int:
        """The estimated LUTs of all parts."""
        return self.info.estimated_luts

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.info.input.shape

    @property
    def interval_cycles(self) -> int:
        """The least number of cycles from one sample to the next."""
        streams = self.info.axi_stream
        return streams.cycles_per_frame if streams else self.info.initiation_interval

    @property
    def rtl(self) -> RtlOutputs | None:
        """What the RTL returned, if it is kept."""
        return self.measured.outputs if self.measured else None


@store.uses_build
def read_facts(directory: Path) -> Facts:
    """Read a build and what verification, proof and synthesis left in it.

    Raises:
        BundleError: if it is not a complete, unedited build.
    """
    build = store.read(directory)
    circuit, info = build.circuit, build.info
    encoded = compared(circuit)
    records, proof, made = kept(directory), read_report(directory), syntheses(directory)
    digest = build.digest
    fresh = tuple(record for record in records if record.report["digest"] == digest)
    measured = max(
        (record for record in fresh if record.outputs is not None),
        key=lambda record: len(record.outputs.labels) if record.outputs else 0,
        default=None,
    )
    fresh_syntheses = tuple(synthesis for synthesis in made if synthesis.digest == digest)
    return Facts(
        directory=Path(directory),
        info=info,
        digest=digest,
        netlist=circuit.body,
        encoded=encoded,
        maps=read_maps(circuit),
        family=find_family(info.fpga),
        parts=tuple(part for part in info.parts if part.estimated_luts is not None),
        stages=_stages(info.timing),
        comparisons=np.bincount(_features(encoded), minlength=encoded.input.features),
        records=fresh,
        measured=measured,
        proof=proof if proof and proof["digest"] == digest else None,
        syntheses=fresh_syntheses,
        missing=tuple(_missing(Path(directory), info, digest, records, measured, proof, made)),
        known=Known.of(info, fresh_syntheses, measured or next(iter(fresh), None)),
    )


def _stages(timing: TimingInfo | None) -> tuple[Stage, ...]:
    return tuple(
        Stage(number, stage.levels, _kind(stage.levels[-1]), stage.delay_ns, stage.register_bits)
        for number, stage in enumerate(timing.stages if timing else (), 1)
    )


def _kind(level: str) -> str:
    if level.startswith("sum"):
        return GROUP_SUM
    if level.startswith("argmax"):
        return SELECTION
    return ENCODER if level == "encoder" else LAYER


def _missing(
    directory: Path,
    info: BuildInfo,
    digest: str,
    records: list[Record],
    measured: Record | None,
    proof: Mapping[str, Any] | None,
    made: list[Synthesis],
) -> list[Missing]:
    def why(dates: list[str]) -> str:
        return f"there is one of another build of {min(dates)[:10]}, which is stale" if dates else "not done yet"

    place = shlex.quote(str(directory))
    found = []
    if measured is None:
        stale = [record.report["date"] for record in records if record.report["digest"] != digest]
        found.append(
            Missing("Measurement on the RTL", why(stale), f"difflut verify {place}{_verify_options(info.model)}")
        )
    if proof is None or proof["digest"] != digest:
        stale = [proof["date"]] if proof else []
        found.append(Missing("Proof for all inputs", why(stale), f"difflut prove {place}"))
    if all(synthesis.digest != digest for synthesis in made):
        stale = [synthesis.date for synthesis in made]
        found.append(Missing("Synthesis", why(stale), f"difflut synth {place} --flow yosys"))
    return found


def _verify_options(model: ModelInfo) -> str:
    """What `difflut verify` must be told: where the samples are unless the package ships them, and the user's own
    class.
    """
    own = "" if model.class_name.startswith("difflut.models.") else f" --model {shlex.quote(model.class_name)}"
    return own + ("" if model.trained.get("data") == "MNIST" else " --data DIR")


def readers(netlist: Netlist) -> Counts:
    """int64 (features,): how many LUT inputs and scores read a comparison of each feature."""
    read = np.bincount(netlist.lut_fanin, minlength=netlist.nets) + np.bincount(
        netlist.head.nets, minlength=netlist.nets
    )
    return np.bincount(
        _features(netlist), weights=read[FIRST_NET : netlist.first_lut_net], minlength=netlist.input.features
    ).astype(np.int64)


def _features(netlist: Netlist) -> Counts:
    """int64 (C,): the feature that each comparator reads, all of its code or a bit of it."""
    return netlist.input.features_and_bits(netlist.compare_feature)[0]
