"""No wrong build is reported as proved; the right ones are, and the last line says no more than the claims."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from convolutions import LONG, Plan, Step, made
from proof_mutants import ENCODER, FOLDED, PLAIN, STREAMING, changed, folded_build, plain_build, streaming_build
from tools import require_prover

from difflut.export.builds import store
from difflut.export.builds.info import Pixels
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.errors import BundleError, ToolError
from difflut.export.proof.build import prove
from difflut.export.proof.report import OPEN, ProofReport
from difflut.export.schedule.forms import Folded


def report_of(build: Build, folder: Path) -> ProofReport:
    require_prover()
    store.write(build, folder)
    return prove(folder)


@pytest.mark.parametrize("fault", STREAMING)
def test_a_wrong_streaming_build_is_not_proved(fault: str, tmp_path: Path) -> None:
    report = report_of(changed(streaming_build(), STREAMING[fault]), tmp_path / "net")
    assert not report.ok and report.conclusion.startswith("NOT PROVED: ")


_CLOCKED = [fault for fault in ENCODER if fault.startswith(("on ", "registers", "outputs", "bits"))]


@pytest.mark.parametrize(
    ("fpga", "fault"), [*(("generic", fault) for fault in ENCODER), *(("xcup", fault) for fault in _CLOCKED)]
)
def test_a_wrong_encoder_of_a_streaming_build_is_not_proved(fpga: str, fault: str, tmp_path: Path) -> None:
    """The proof makes the encoder's module a part of the top, where it is looked for by the wires of its bits."""
    report = report_of(changed(streaming_build(fpga), ENCODER[fault]), tmp_path / "net")
    assert not report.ok and report.conclusion.startswith("NOT PROVED: ")


@pytest.mark.parametrize("fpga", ["generic", "xcup", "ice40"])
def test_right_streaming_builds_are_proved(fpga: str, tmp_path: Path) -> None:
    report = report_of(streaming_build(fpga), tmp_path / "net")
    assert report.ok and report.conclusion.startswith("proved: the RTL equals the traced model for all inputs (")


@pytest.mark.parametrize("fault", FOLDED)
def test_a_wrong_folded_build_is_not_proved(fault: str, tmp_path: Path) -> None:
    report = report_of(changed(folded_build(), FOLDED[fault]), tmp_path / "net")
    assert not report.ok and report.conclusion.startswith("NOT PROVED: ")


_BORDERS = (Step(4, (3, 3), padding=(1, 1), depth=2), Step(0, (2, 2), (2, 1)))
_TWO_BANKS = Plan((2, 6, 5), _BORDERS, read=(0, 2), bits=2)


@pytest.mark.parametrize(
    ("plan", "lanes", "outputs"),
    [(LONG, 1, "scores"), (LONG, 2, "both"), (_TWO_BANKS, 3, "top-2"), (_TWO_BANKS, 1, "class")],
)
def test_right_folded_builds_are_proved(plan: Plan, lanes: int, outputs: str, tmp_path: Path) -> None:
    build = make_build(made(plan), form=Folded(nodes_per_cycle=lanes), outputs=outputs)
    report = report_of(build, tmp_path / "net")
    assert report.ok and report.conclusion.startswith("proved: the RTL equals the traced model for all inputs (")
    assert {"dense part, program", "dense part, look-up"} <= {claim.subject for claim in report.claims}


@pytest.mark.parametrize(
    ("key", "value"), [("program_cycles", 24), ("hold_cycles", 30), ("nodes_per_cycle", 3), ("copies", 6)]
)
def test_what_build_json_says_of_a_program_is_proved(key: str, value: int, tmp_path: Path) -> None:
    right = folded_build()
    assert isinstance(right.info.schedule, Pixels) and right.info.folded is not None
    program = msgspec.structs.replace(right.info.folded, **{key: value})
    info = msgspec.structs.replace(right.info, schedule=msgspec.structs.replace(right.info.schedule, program=program))
    assert not report_of(Build.of(info, right.files), tmp_path / "net").ok


@pytest.mark.parametrize("fault", PLAIN)
def test_a_wrong_plain_build_is_not_proved(fault: str, tmp_path: Path) -> None:
    outputs, changes = PLAIN[fault]
    report = report_of(changed(plain_build(outputs), changes), tmp_path / "net")
    assert not report.ok and report.conclusion.startswith("NOT PROVED: ")


@pytest.mark.parametrize("outputs", ["both", "scores", "class", "top-3"])
@pytest.mark.parametrize(("fpga", "pipeline"), [("generic", "levels"), ("xcup", "levels"), ("generic", "1")])
def test_right_builds_are_proved(outputs: str, fpga: str, pipeline: str, tmp_path: Path) -> None:
    report = report_of(plain_build(outputs, fpga, pipeline), tmp_path / "net")
    assert report.ok and report.conclusion.startswith("proved: the RTL equals the traced model for all inputs (")
    subjects = {claim.subject for claim in report.claims}
    assert {"ports", "valid"} <= subjects
    assert ("argmax" in subjects, "top-k" in subjects) == (outputs in ("both", "class"), outputs == "top-3")


@pytest.mark.parametrize(
    ("key", "value", "subject"),
    [
        ("latency_cycles", 17, "wiring"),
        ("initiation_interval", 40, "schedule"),
        ("outputs", "scores", "ports"),
        ("outputs", "top-1", "ports"),
    ],
)
def test_what_build_json_says_of_a_streaming_circuit_is_proved(
    key: str, value: object, subject: str, tmp_path: Path
) -> None:
    right = streaming_build()
    assert getattr(right.info, key) != value
    info = msgspec.structs.replace(right.info, **{key: value})
    report = report_of(Build.of(info, right.files), tmp_path / "net")
    assert subject in {claim.subject for claim in report.claims if claim.verdict == OPEN}


def test_a_module_that_yosys_refuses_is_no_proof(tmp_path: Path) -> None:
    wrong = changed(streaming_build(), [("stack_map1", ".out_bits(out_bits)", ".out_nits(out_bits)")])
    with pytest.raises(ToolError, match="Yosys cannot read the emitted Verilog"):
        report_of(wrong, tmp_path / "net")


def test_a_build_with_a_directive_is_no_build(tmp_path: Path) -> None:
    chosen = "`ifdef SYNTHESIS\n  assign in_ready = pause == 4'd0;\n`else\n  assign in_ready = 1'b1;\n`endif"
    wrong = changed(streaming_build(), [("stack", "assign in_ready = pause == 4'd0;", chosen)])
    with pytest.raises(BundleError, match=r"rtl/stack\.v:\d+: has '`', which no export writes"):
        report_of(wrong, tmp_path / "net")
