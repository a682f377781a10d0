"""Everything that the report says about one build, read from its directory. Free of torch and of drawing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export import bundle
from difflut.export.analysis import estimate_luts
from difflut.export.convolution.ir import ConvolutionalNetlist
from difflut.export.convolution.pixel import pixel_netlist
from difflut.export.convolution.text import from_text as convolution_from_text
from difflut.export.encoder_plan import plan_encoder
from difflut.export.heads.cost import counter_luts, selection_luts
from difflut.export.heads.outputs import Outputs, parse_outputs
from difflut.export.heads.plan import plan_head
from difflut.export.ir import FIRST_NET, Netlist
from difflut.export.pipelining import parse_plan
from difflut.export.proof.build import read_report
from difflut.export.targets import GENERIC, Target, find_target
from difflut.export.text import from_text
from difflut.export.timing import Paths
from difflut.records import Record, RtlOutputs, kept
from difflut.report.stream import MapFacts, read_maps
from difflut.report.synthesis import Synthesis, syntheses

Counts = npt.NDArray[np.int64]

ENCODER, KERNEL, LAYER, GROUP_SUM, SELECTION = "encoder", "kernel", "layer", "group sum", "argmax"


@dataclass(frozen=True)
class Part:
    """One part of the circuit.

    Attributes:
        name: for people, such as "layer 2".
        kind: ENCODER, KERNEL, LAYER, GROUP_SUM or SELECTION.
        luts: the estimate of its LUTs.
    """

    name: str
    kind: str
    luts: int


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


@dataclass(frozen=True, eq=False)
class Facts:
    """One build.

    Attributes:
        directory: where it is.
        manifest: its `build.json`.
        digest: SHA-256 of that.
        netlist: what was emitted; of a streaming circuit the dense part.
        encoded: the netlist whose comparisons encode what enters in a cycle: `netlist`, or that of one pixel.
        maps: of a streaming circuit, the encoded image first; empty for any other.
        family: the FPGA family it was exported for.
        outputs: its output ports.
        parts: LUTs by part, an estimate.
        stages: from input to output; none where delays are not estimated, as in a folded dense part.
        comparisons: int64 (features,), how many thresholds each input of `encoded` is compared with.
        records: the kept verifications of exactly this build.
        measured: of those the one with what the RTL returned for the most labelled samples, if there is one.
        proof: the kept proof of exactly this build, as JSON, if there is one.
        syntheses: the synthesis reports of exactly this build.
        missing: what is not there or was made from another build.
    """

    directory: Path
    manifest: Mapping[str, Any]
    digest: str
    netlist: Netlist
    encoded: Netlist
    maps: tuple[MapFacts, ...]
    family: Target
    outputs: Outputs
    parts: tuple[Part, ...]
    stages: tuple[Stage, ...]
    comparisons: Counts
    records: tuple[Record, ...]
    measured: Record | None
    proof: Mapping[str, Any] | None
    syntheses: tuple[Synthesis, ...]
    missing: tuple[Missing, ...]

    @property
    def luts(self) -> int:
        """The estimated LUTs of all parts."""
        return sum(part.luts for part in self.parts)

    @property
    def fmax_mhz(self) -> float | None:
        """The estimated clock, if there is an estimate."""
        return float(self.manifest["timing"]["fmax_mhz"]) if "timing" in self.manifest else None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.manifest["input"]["shape"])

    @property
    def interval_cycles(self) -> int:
        """The least number of cycles from one sample to the next."""
        stream = self.manifest.get("stream")
        return int(stream["cycles_per_frame"] if stream else self.manifest["initiation_interval"])

    @property
    def rtl(self) -> RtlOutputs | None:
        """What the RTL returned, if it is kept."""
        return self.measured.outputs if self.measured else None


@bundle.uses_build
def read_facts(directory: Path) -> Facts:
    """Read a build and what verification, proof and synthesis left in it.

    Raises:
        BundleError: if it is not a complete, unedited build.
    """
    build = bundle.read(directory)
    manifest = build.manifest
    stream = (
        convolution_from_text(build.text(bundle.CONVOLUTION_FILE)) if bundle.CONVOLUTION_FILE in build.files else None
    )
    netlist = stream.dense if stream else from_text(build.text(bundle.NETLIST_FILE))
    encoded = pixel_netlist(stream) if stream else netlist
    family = find_target(manifest.get("fpga", GENERIC.name))
    outputs = parse_outputs(manifest.get("outputs", "both"), netlist.head.classes)
    records, proof, made = kept(directory), read_report(directory), syntheses(directory)
    digest = build.digest
    fresh = tuple(record for record in records if record.report["digest"] == digest)
    measured = max(
        (record for record in fresh if record.outputs is not None),
        key=lambda record: len(record.outputs.labels) if record.outputs else 0,
        default=None,
    )
    return Facts(
        directory=Path(directory),
        manifest=manifest,
        digest=digest,
        netlist=netlist,
        encoded=encoded,
        maps=read_maps(stream) if stream else (),
        family=family,
        outputs=outputs,
        parts=_stream_parts(stream, encoded, family, outputs, manifest["convolution"])
        if stream
        else _parts(netlist, family, outputs),
        stages=_stages(netlist, family, outputs, manifest) if "timing" in manifest else (),
        comparisons=np.bincount(encoded.compare_feature, minlength=encoded.input.features),
        records=fresh,
        measured=measured,
        proof=proof if proof and proof["digest"] == digest else None,
        syntheses=tuple(synthesis for synthesis in made if synthesis.digest == digest),
        missing=tuple(_missing(Path(directory), manifest, digest, records, measured, proof, made)),
    )


def _parts(netlist: Netlist, family: Target, outputs: Outputs) -> tuple[Part, ...]:
    estimate, head = estimate_luts(netlist, family, outputs), plan_head(netlist.head, family, outputs)
    layers = [
        Part(f"layer {layer.layer}" if layer.layer > 0 else "LUTs of the export", LAYER, layer.lut6)
        for layer in sorted(estimate.layers, key=lambda layer: layer.layer)
    ]
    parts = [Part("encoder", ENCODER, estimate.encoder), *layers, Part("group sum", GROUP_SUM, counter_luts(head))]
    if head.selection.levels:
        parts.append(Part("top-k" if outputs.top else "argmax", SELECTION, selection_luts(head, family)))
    return tuple(parts)


def _stream_parts(
    stream: ConvolutionalNetlist, pixel: Netlist, family: Target, outputs: Outputs, form: Mapping[str, Any]
) -> tuple[Part, ...]:
    """Each kernel as often as it is built; masks, counters, registers of maps and what reads memories are not estimated."""
    kernels = [
        Part(
            f"kernel {number}",
            KERNEL,
            made["lanes"] * sum(part.lut6 for part in estimate_luts(layer.kernel, family).layers),
        )
        for number, (layer, made) in enumerate(zip(stream.layers, form["maps"], strict=True), 1)
    ]
    in_memory = (ENCODER, LAYER, GROUP_SUM) if "folded" in form else (ENCODER,)
    dense = [part for part in _parts(stream.dense, family, outputs) if part.kind not in in_memory]
    comparisons = form["pixels_per_cycle"] * plan_encoder(pixel, family).luts
    return Part("comparisons", ENCODER, comparisons), *kernels, *dense


def _stages(netlist: Netlist, family: Target, outputs: Outputs, manifest: Mapping[str, Any]) -> tuple[Stage, ...]:
    paths = Paths(netlist, family, outputs)
    bits = paths.register_bits()
    plan = parse_plan(",".join(manifest["pipeline"]["registers_after"]), paths.levels)
    delays = [float(stage["delay_ns"]) for stage in manifest["timing"]["stages"]]
    names = paths.levels.names
    return tuple(
        Stage(
            number,
            names[places.start : places.stop],
            _kind(names[places.stop - 1]),
            delay,
            int(bits[places.stop - 1]) if places.stop - 1 in plan.places else 0,
        )
        for number, (places, delay) in enumerate(zip(plan.stages, delays, strict=True), 1)
    )


def _kind(level: str) -> str:
    if level.startswith("sum"):
        return GROUP_SUM
    if level.startswith("argmax"):
        return SELECTION
    return ENCODER if level == "encoder" else LAYER


def _missing(
    directory: Path,
    manifest: Mapping[str, Any],
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
            Missing("Measurement on the RTL", why(stale), f"difflut verify {place}{_verify_options(manifest['model'])}")
        )
    provable = "folded" not in manifest.get("convolution", {})
    if provable and (proof is None or proof["digest"] != digest):
        stale = [proof["date"]] if proof else []
        found.append(Missing("Proof for all inputs", why(stale), f"difflut prove {place}"))
    if all(synthesis.digest != digest for synthesis in made):
        stale = [synthesis.date for synthesis in made]
        found.append(Missing("Synthesis", why(stale), f"difflut synth {place} --flow yosys"))
    return found


def _verify_options(model: Mapping[str, Any]) -> str:
    """What `difflut verify` must be told: where the samples are unless the package ships them, and the user's own class."""
    own = "" if model["class"].startswith("difflut.models.") else f" --model {shlex.quote(model['class'])}"
    return own + ("" if model["trained"].get("data") == "MNIST" else " --data DIR")


def readers(netlist: Netlist) -> Counts:
    """int64 (features,): how many LUT inputs and scores read a comparison of each feature."""
    read = np.bincount(netlist.lut_fanin, minlength=netlist.nets) + np.bincount(
        netlist.head.nets, minlength=netlist.nets
    )
    return np.bincount(
        netlist.compare_feature, weights=read[FIRST_NET : netlist.first_lut_net], minlength=netlist.input.features
    ).astype(np.int64)
