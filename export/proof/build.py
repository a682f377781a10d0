"""Proof of a build directory: its RTL against its netlist, and its netlist against the one that was traced."""

from __future__ import annotations

import io
import json
import lzma
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from time import perf_counter
from typing import Any

import numpy as np

from difflut.export import bundle, pipelines
from difflut.export.convolution.ir import ConvolutionalNetlist
from difflut.export.convolution.text import from_text as convolution_from_text
from difflut.export.errors import BundleError
from difflut.export.heads.outputs import Outputs, parse_outputs
from difflut.export.ir import Netlist
from difflut.export.proof.convolution import prove_convolution
from difflut.export.proof.core_ports import core_ports, prove_ports
from difflut.export.proof.errors import ProofError
from difflut.export.proof.expected import absent, core_claims, stream_claims
from difflut.export.proof.graph import Graph
from difflut.export.proof.passes import prove_pass
from difflut.export.proof.read_back import read_back
from difflut.export.proof.report import OPEN, PROVED, Claim, Counterexample, ProofReport
from difflut.export.proof.rtl import Progress, prove_rtl
from difflut.export.proof.solver import require_sat
from difflut.export.proof.stream_top import StreamTiming
from difflut.export.proof.streams import not_proved, prove_streams
from difflut.export.proof.yosys import require_yosys
from difflut.export.stored import PROOF_REPORT, read_object
from difflut.export.targets import GENERIC, find_target
from difflut.export.text import from_text
from difflut.files import WriteError, write_atomically
from difflut.locks import locked

WORK = Path(bundle.WORK_FOLDER) / "proof"
REPORT_FILE = "report.json"
COUNTEREXAMPLE_FILE = "counterexample.npz"
ASSUMPTIONS = (
    "Yosys' Verilog front end, and what the Yosys manual says that its cells compute",
    "a single clock, and registers that have taken over a value at least once since power-up; of a streaming circuit, a reset",
    "difflut's proof program, NumPy and the SAT solver",
)
_SYNCHRONOUS = "the RTL is a synchronous circuit of one clock"
_NO_TRACE = Claim(
    "passes",
    "the emitted netlist equals the traced one",
    OPEN,
    f"the build has no {bundle.TRACED_FILE}; export again with this version",
)


def silent(what: str, done: int, total: int) -> None:
    """Progress for nobody."""


@bundle.uses_build
def prove(directory: Path, progress: Progress = silent) -> ProofReport:
    """Prove a build directory and store the report in its work folder.

    Args:
        directory: a build directory.
        progress: is told what is being done, how much of it, of how much.

    Raises:
        BundleError: if it is not a complete, unedited build.
        ToolError: pyosys or python-sat is missing, or Yosys refuses the RTL.
    """
    require_yosys()
    require_sat()
    build = bundle.read(directory)
    if "folded" in build.manifest.get("convolution", {}):
        raise BundleError(
            f"{directory}: its dense part is folded into memories, for which there is no proof yet; check it with `difflut "
            f"verify`, or prove an export with --conv streaming"
        )
    started = perf_counter()
    streaming = bundle.CONVOLUTION_FILE in build.files
    claims, found, read_seconds = (_prove_parts if streaming else _prove_whole)(build, progress)
    sources = {name: build.text(name) for name in build.files if name.startswith("rtl/")}
    not_covered: tuple[str, ...] = ()
    if "stream" in build.manifest:
        not_covered = not_proved(build.manifest)
        progress("streams", 0, 1)
        claims += prove_streams({PurePosixPath(name).name: text for name, text in sources.items()}, build.manifest)
        progress("streams", 1, 1)
    if found is not None and not found.part:
        found = replace(found, file=(WORK / COUNTEREXAMPLE_FILE).as_posix())
    report = ProofReport(
        build=build.manifest["name"],
        digest=build.digest,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        claims=claims,
        counterexample=found,
        assumptions=ASSUMPTIONS,
        seconds=round(perf_counter() - started, 2),
        read_seconds=round(read_seconds, 2),
        not_covered=not_covered,
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


def stored_report(directory: Path, digest: str) -> Mapping[str, Any] | None:
    """The report of the last proof of a build with this digest, as JSON; None if there is none."""
    report = read_report(directory)
    return report if report is not None and report["digest"] == digest else None


def read_report(directory: Path) -> Mapping[str, Any] | None:
    """The report of the last proof in a build directory, of whatever build, as JSON; None if there is none."""
    return read_object(Path(directory) / WORK / REPORT_FILE, PROOF_REPORT)


def load_counterexample(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """The codes of a stored counterexample, int64 (1, features).

    Raises:
        BundleError: the file cannot be read or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            codes = np.atleast_2d(data["codes"])
        if codes.shape[0] != 1 or codes.ndim != 2 or codes.dtype.kind not in "iu":
            raise ValueError(f"codes of shape {codes.shape} and type {codes.dtype}")
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{path}: no stored counterexample ({error}); expected a file that `difflut prove` wrote"
        ) from error
    return codes.astype(np.int64)


def pack_netlist(text: str) -> bytes:
    """The text form of a netlist, compressed; the same text gives the same bytes."""
    return lzma.compress(text.encode(), format=lzma.FORMAT_XZ, preset=6)


def _prove_whole(build: bundle.Bundle, progress: Progress) -> tuple[list[Claim], Counterexample | None, float]:
    """The claims about a circuit that takes whole samples, a counterexample, and how long Yosys read."""
    netlist = from_text(build.text(bundle.NETLIST_FILE))
    claims, found = [_NO_TRACE], None
    if bundle.TRACED_FILE in build.files:
        claims, found = _passes(build, from_text(_traced(build)), netlist, progress)
    progress("reading the RTL", 0, 1)
    reading = perf_counter()
    sources = {name: build.text(name) for name in build.files if name.startswith("rtl/")}
    try:
        circuit = read_back(sources, bundle.core_name(build.manifest))
        read_seconds = perf_counter() - reading
        progress("reading the RTL", 1, 1)
        outputs, form = _outputs(build, netlist), netlist.input
        ports = prove_ports("ports", circuit, *core_ports(form.features * form.width_bits, outputs, netlist.head))
        claims.append(ports)
        if ports.verdict == PROVED:
            outcome = prove_rtl(circuit, netlist, build.manifest["latency_cycles"], progress)
            claims += outcome.claims
            found = found or outcome.counterexample
        claims += absent(core_claims(netlist, outputs), claims)
        return claims, found, read_seconds
    except ProofError as error:
        return [*claims, Claim("RTL", _SYNCHRONOUS, OPEN, str(error))], found, perf_counter() - reading


def _prove_parts(build: bundle.Bundle, progress: Progress) -> tuple[list[Claim], Counterexample | None, float]:
    """The same of a streaming circuit, part by part."""
    netlist = convolution_from_text(build.text(bundle.CONVOLUTION_FILE))
    claims: list[Claim] = [_NO_TRACE]
    found: Counterexample | None = None
    if bundle.TRACED_FILE in build.files:
        claims, found = _passes_of_parts(build, convolution_from_text(_traced(build)), netlist, progress)
    sources = {name: build.text(name) for name in build.files if name.startswith("rtl/")}
    stated, outputs = build.manifest["convolution"], _outputs(build, netlist.dense)
    timing = StreamTiming(
        pause=stated["pause_cycles"],
        dense_latency=stated["dense_latency_cycles"],
        latency=build.manifest["latency_cycles"],
        interval=build.manifest["initiation_interval"],
    )
    pixels = stated["pixels_per_cycle"]
    try:
        outcome = prove_convolution(
            sources, bundle.core_name(build.manifest), netlist, outputs, timing, progress, pixels
        )
        claims += outcome.claims
        claims += absent(stream_claims(netlist, outputs, pixels), claims)
        return claims, found or outcome.counterexample, 0.0
    except ProofError as error:
        return [*claims, Claim("RTL", _SYNCHRONOUS, OPEN, str(error))], found, 0.0


def _outputs(build: bundle.Bundle, netlist: Netlist) -> Outputs:
    """The results that `build.json` says the circuit gives."""
    return parse_outputs(build.manifest["outputs"], netlist.head.classes)


def _traced(build: bundle.Bundle) -> str:
    return lzma.decompress(build.files[bundle.TRACED_FILE]).decode()


def _passes_of_parts(
    build: bundle.Bundle, traced: ConvolutionalNetlist, netlist: ConvolutionalNetlist, progress: Progress
) -> tuple[list[Claim], Counterexample | None]:
    """The passes of each kernel and of the dense part; all else of the netlist must be as it was traced."""
    statement = "geometry, comparisons and kept bits are those that were traced"
    geometry = all(
        (a.source, a.window, a.stride, a.padding) == (b.source, b.window, b.stride, b.padding)
        for a, b in zip(traced.layers, netlist.layers, strict=False)
    ) and len(traced.layers) == len(netlist.layers)
    rest = replace(traced, layers=netlist.layers, dense=netlist.dense) == netlist
    claims = [Claim("geometry", statement, PROVED if geometry and rest else OPEN, "by value")]
    pairs = [
        (f"kernel {n}", a.kernel, b.kernel)
        for n, (a, b) in enumerate(zip(traced.layers, netlist.layers, strict=False), 1)
    ]
    for part, before, after in [*pairs, ("dense part", traced.dense, netlist.dense)]:
        made, found = _passes(build, before, after, progress)
        claims += [replace(claim, subject=f"{part}, {claim.subject}") for claim in made]
        if found is not None:
            return claims, replace(found, claim=f"{part}, {found.claim}", part=part)
    return claims, None


def _passes(
    build: bundle.Bundle, traced: Netlist, netlist: Netlist, progress: Progress
) -> tuple[list[Claim], Counterexample | None]:
    """Run the passes again on the traced netlist and prove each of them; the last result must be what was emitted."""
    current = traced
    steps = pipelines.default(find_target(build.manifest.get("fpga", GENERIC.name)))
    claims: list[Claim] = []
    common = Graph()
    for number, step in enumerate(steps):
        progress("passes", number, len(steps))
        result = pipelines.result_of(step, current).netlist
        if result == current:
            continue
        outcome = prove_pass(current, result, getattr(step, "__name__", repr(step)), common)
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
