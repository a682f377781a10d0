"""Proof of a build directory: its RTL against its netlist, and its netlist against the one that was traced."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from time import perf_counter
from typing import Any

import numpy as np

from difflut import reading
from difflut.export.builds import store
from difflut.export.builds.frames import framing_of
from difflut.export.builds.info import Pixels
from difflut.export.builds.store import Build
from difflut.export.builds.stored import PROOF_REPORT, read_object
from difflut.export.circuit.circuit import BODY
from difflut.export.circuit.netlist import Netlist
from difflut.export.errors import BundleError
from difflut.export.families.registry import find_family
from difflut.export.passes import pipelines
from difflut.export.proof.axi import prove_axi
from difflut.export.proof.clock_enable import enabled, prove_clock_enable
from difflut.export.proof.convolution import prove_convolution
from difflut.export.proof.core_ports import core_ports, prove_ports
from difflut.export.proof.dense import Dense, FoldedDense
from difflut.export.proof.errors import ProofError
from difflut.export.proof.expected import absent, core_claims, stream_claims
from difflut.export.proof.folded import plan_of
from difflut.export.proof.graph import Graph
from difflut.export.proof.passes import prove_pass
from difflut.export.proof.pixel_timing import prove_pixel_timing
from difflut.export.proof.read_back import read_back
from difflut.export.proof.report import OPEN, PROVED, Claim, Counterexample, ProofReport
from difflut.export.proof.rtl import Progress, prove_rtl
from difflut.export.proof.solver import require_sat
from difflut.export.proof.stream_top import StreamTiming
from difflut.export.proof.yosys import require_yosys
from difflut.export.schedule.head.outputs import Outputs, parse_outputs
from difflut.files import WriteError, write_atomically
from difflut.locks import locked
from difflut.progress import proceed

WORK = Path(store.WORK_FOLDER) / "proof"
REPORT_FILE = "report.json"
COUNTEREXAMPLE_FILE = "counterexample.npz"
ASSUMPTIONS = (
    "Yosys' Verilog front end, and what the Yosys manual says that its cells compute",
    (
        "a single clock, and registers that have taken over a value at least once since power-up; of a streaming "
        "circuit, a reset"
    ),
    "difflut's proof program, NumPy and the SAT solver",
)
_SYNCHRONOUS = "the RTL is a synchronous circuit of one clock"
_NO_TRACE = Claim(
    "passes",
    "the emitted netlist equals the traced one",
    OPEN,
    f"the build has no {store.TRACED_FILE}; export again with this version",
)


@store.uses_build
def prove(directory: Path, progress: Progress = proceed) -> ProofReport:
    """Prove a build directory and store the report in its work folder.

    Args:
        directory: a build directory.
        progress: is told what is being done, how much of it, of how much; the running task by default.

    Raises:
        BundleError: if it is not a complete, unedited build.
        ToolError: pyosys or python-sat is missing, or Yosys refuses the RTL.
    """
    require_yosys()
    require_sat()
    build = store.read(directory)
    started = perf_counter()
    form = _Whole(build) if build.info.pixels is None else _Streamed(build, build.info.pixels)
    claims, found = _passes(form, progress)
    rtl, example, read_seconds = form.rtl(progress)
    claims, found = claims + rtl, found or example
    if build.info.clock_enable:
        claims.append(prove_clock_enable(build.rtl, build.info.core))
    if build.info.axi_stream is not None:
        progress("streams", 0, 1)
        claims += prove_axi({PurePosixPath(name).name: text for name, text in build.rtl.items()}, build.info)
        claims += form.wrapper(claims)
        progress("streams", 1, 1)
    if found is not None and not found.part:
        found = replace(found, file=(WORK / COUNTEREXAMPLE_FILE).as_posix())
    report = ProofReport(
        build=build.info.name,
        digest=build.digest,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        claims=claims,
        counterexample=found,
        assumptions=ASSUMPTIONS,
        seconds=round(perf_counter() - started, 2),
        read_seconds=round(read_seconds, 2),
        directory=str(directory),
    )
    _keep(report, Path(directory) / WORK)
    return report


def _keep(report: ProofReport, folder: Path) -> None:
    """Write the report and its counterexample; of two proofs at once the later pair stays."""
    content = json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n"
    found = report.counterexample
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if found is None or found.part:
                (folder / COUNTEREXAMPLE_FILE).unlink(missing_ok=True)
            else:
                _save(found, folder / COUNTEREXAMPLE_FILE)
            write_atomically(folder / REPORT_FILE, content.encode())
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(f"cannot write to {folder}: {error.strerror}; make the build directory writable") from error


def read_report(directory: Path) -> Mapping[str, Any] | None:
    """The report of the last proof in a build directory, of whatever build, as JSON; None if there is none."""
    return read_object(Path(directory) / WORK / REPORT_FILE, PROOF_REPORT)


def load_counterexample(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """The codes of a stored counterexample, int64 (1, features).

    Raises:
        BundleError: the file cannot be read or holds something else.
    """
    try:
        found = reading.read_npz(path, ["codes"])
        if "codes" not in found:
            raise ValueError("it has no array codes")
        codes = np.atleast_2d(reading.integers(found["codes"]))
        if codes.shape[0] != 1 or codes.ndim != 2:
            raise ValueError(f"codes of shape {codes.shape}")
    except ValueError as error:
        raise BundleError(
            f"{path}: no stored counterexample ({error}); expected a file that `difflut prove` wrote"
        ) from error
    return codes


class _Whole:
    """The claims about a build that takes whole samples."""

    def __init__(self, build: Build) -> None:
        self.build = build

    def part(self, name: str) -> str:
        """What claims call a part of the circuit; empty for all of it."""
        return ""

    def rtl(self, progress: Progress) -> tuple[list[Claim], Counterexample | None, float]:
        """The claims about the core's RTL, a counterexample, and how long Yosys read."""
        build = self.build
        netlist, outputs, claims, found = build.circuit.body, _outputs(build), list[Claim](), None
        progress("reading the RTL", 0, 1)
        reading = perf_counter()
        try:
            circuit = read_back(build.rtl, build.info.core)
            if build.info.clock_enable:
                circuit = enabled(circuit)
            read_seconds = perf_counter() - reading
            progress("reading the RTL", 1, 1)
            form = netlist.input
            ports = prove_ports("ports", circuit, *core_ports(form.features * form.width_bits, outputs, netlist.head))
            claims.append(ports)
            if ports.verdict == PROVED:
                outcome = prove_rtl(circuit, netlist, build.info.latency_cycles, progress)
                claims += outcome.claims
                found = outcome.counterexample
            claims += absent(core_claims(netlist, outputs), claims)
            return claims, found, read_seconds
        except ProofError as error:
            return [*claims, Claim("RTL", _SYNCHRONOUS, OPEN, str(error))], found, perf_counter() - reading

    def wrapper(self, claims: Sequence[Claim]) -> list[Claim]:
        """What follows from all claims about the wrapper's."""
        return []


class _Streamed(_Whole):
    """The same of a circuit that images enter pixel by pixel."""

    def __init__(self, build: Build, pixels: Pixels) -> None:
        super().__init__(build)
        self.pixels = pixels

    def part(self, name: str) -> str:
        return "dense part" if name == BODY else name

    def rtl(self, progress: Progress) -> tuple[list[Claim], Counterexample | None, float]:
        build, pixels = self.build, self.pixels
        info, circuit, outputs = build.info, build.circuit, _outputs(build)
        word, timing = pixels.pixels_per_cycle, self._timing()
        try:
            dense = Dense(circuit, outputs)
            if pixels.program is not None:
                dense = FoldedDense(circuit, outputs, plan_of(pixels.program, timing.dense_latency, circuit))
            outcome = prove_convolution(
                *(build.rtl, info.core, circuit, outputs, timing, progress, word, dense), clock_enable=info.clock_enable
            )
            claims = [*outcome.claims, *absent([*stream_claims(circuit, word), *dense.expected()], outcome.claims)]
            return claims, outcome.counterexample, 0.0
        except ProofError as error:
            return [Claim("RTL", _SYNCHRONOUS, OPEN, str(error))], None, 0.0

    def wrapper(self, claims: Sequence[Claim]) -> list[Claim]:
        return [prove_pixel_timing(framing_of(self.build.info), self._timing(), claims)]

    def _timing(self) -> StreamTiming:
        info, pixels = self.build.info, self.pixels
        return StreamTiming(
            pause=pixels.pause_cycles,
            dense_latency=pixels.body_latency_cycles,
            latency=info.latency_cycles,
            interval=info.initiation_interval,
            hold=pixels.hold_cycles,
        )


def _outputs(build: Build) -> Outputs:
    """The results that `build.json` says the circuit gives."""
    return parse_outputs(build.info.outputs, build.info.output.classes)


def _passes(form: _Whole, progress: Progress) -> tuple[list[Claim], Counterexample | None]:
    """The passes of each part of the circuit; all else of it must be as it was traced."""
    build = form.build
    if store.TRACED_FILE not in build.files:
        return [_NO_TRACE], None
    traced, circuit = build.traced, build.circuit
    claims: list[Claim] = []
    if circuit.layers or traced.layers:
        same = len(traced.layers) == len(circuit.layers) and all(
            replace(before, kernel=after.kernel) == after
            for before, after in zip(traced.layers, circuit.layers, strict=True)
        )
        same = same and replace(traced, layers=circuit.layers, body=circuit.body) == circuit
        statement = "geometry, comparisons and kept bits are those that were traced"
        claims.append(Claim("geometry", statement, PROVED if same else OPEN, "by value"))
    for (name, before), (_, after) in zip(traced.parts(), circuit.parts(), strict=False):
        part = form.part(name)
        made, found = _passes_of_part(build, before, after, progress)
        claims += [replace(claim, subject=f"{part}, {claim.subject}" if part else claim.subject) for claim in made]
        if found is not None:
            return claims, replace(found, claim=f"{part}, {found.claim}", part=part) if part else found
    return claims, None


def _passes_of_part(
    build: Build, traced: Netlist, netlist: Netlist, progress: Progress
) -> tuple[list[Claim], Counterexample | None]:
    """Run the passes again on the traced netlist and prove each of them; the last result must be what was emitted."""
    current = traced
    steps = pipelines.default(find_family(build.info.fpga))
    claims: list[Claim] = []
    common = Graph()
    for number, step in enumerate(steps):
        progress("passes", number, len(steps))
        result = pipelines.result_of(step, current).netlist
        if result == current:
            continue
        outcome = prove_pass(current, result, pipelines.name_of(step), common)
        claims.append(outcome.claim)
        if outcome.counterexample is not None:
            return claims, outcome.counterexample
        current = result
    progress("passes", len(steps), len(steps))
    if current != netlist:
        # Other options, another version, or stages assigned otherwise.
        outcome = prove_pass(current, netlist, "stages", common)
        claims.append(outcome.claim)
        return claims, outcome.counterexample
    return claims, None


def _save(found: Counterexample, path: Path) -> None:
    content = io.BytesIO()
    np.savez(
        content,
        codes=np.array([found.codes], np.int64),
        expected_scores=np.array([found.expected_scores], np.int64),
        expected_classes=np.array([found.expected_class], np.int64),
    )
    write_atomically(path, content.getvalue())
