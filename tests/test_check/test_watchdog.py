"""RTL that answers forever, never, or at the wrong time ends a verification, as a difference."""

from __future__ import annotations

from pathlib import Path

import pytest
from axi_builds import axi_build
from command_line import run
from proof_mutants import changed, plain_build, streaming_build
from tools import require_icarus

from difflut.check.records import kept
from difflut.check.verification import VerificationReport, verify
from difflut.export.builds import store
from difflut.export.builds.store import Build

MODELS = {"plain": "small_models:Chain", "streaming": "proof_mutants:Layers", "axi": "axi_builds:Signed"}
BUILDS = {"plain": plain_build, "streaming": streaming_build, "axi": axi_build}
_VALID = "always @(posedge clk) begin\n    if (rst) valid <= 6'd0;\n    else valid <= {valid[4:0], in_valid};\n  end"
# form, file, text, replacement, what is said
FAULTS = {
    "never ready": (
        "streaming", "stack", "assign in_ready = pause == 4'd0;", "assign in_ready = 1'b0;",
        "took 0 of 3000 words; up to there in_ready was low",
    ),
    "seldom ready": (
        "streaming", "stack", "if (last_taken) pause", "if (take) pause", "of 3000 words; up to there in_ready was low",
    ),
    "a pixel taken during reset": ("streaming", "stack", "valid0 <= take & ~rst;", "valid0 <= take;", ""),
    "never an answer": ("plain", "chain", "assign out_valid = valid[5];", "assign out_valid = 1'b0;", "never rose"),
    "a sample taken during reset": (
        "plain", "chain", _VALID, _VALID.replace("valid <= 6'd0", "valid <= {5'd0, in_valid}"),
        "out_valid was 1 at 1 clock edge after the reset",
    ),
    "beats never taken": (
        "axi", "chain_frames", "assign s_axis_tready = running", "assign s_axis_tready = 1'b0 & running",
        "s_axis_tready was low for",
    ),
    "endless results": (
        "axi", "chain_results", "stored <= stored + in_valid - give", "stored <= stored | in_valid",
        "m_axis_tdata changed at clock edge",
    ),
    "a beat taken during reset": (
        "axi", "chain_frames", "      beat <= 4'd0;\n", "      beat <= {3'd0, s_axis_tvalid};\n", "",
    ),
}  # fmt: skip


def wrong(fault: str) -> Build:
    form, file, old, new, _ = FAULTS[fault]
    return changed(BUILDS[form](), [(file, old, new)])


def verified(fault: str, folder: Path) -> VerificationReport:
    require_icarus()
    store.write(wrong(fault), folder)
    return verify(folder, data=None, data_name="", simulator="icarus", model_class=MODELS[FAULTS[fault][0]])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_verification_ends(fault: str, tmp_path: Path) -> None:
    report = verified(fault, tmp_path / "net")
    step = report.steps[-1]
    assert not report.ok and step.mismatches
    assert FAULTS[fault][-1] in step.first_mismatch
    if FAULTS[fault][-1]:
        assert step.first_mismatch.startswith("the protocol is broken: ") and report.latency_cycles is None
    (record,) = kept(tmp_path / "net")
    assert record.report["steps"][-1]["mismatches"] == step.mismatches


def test_a_broken_protocol_is_a_difference_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_icarus()
    store.write(wrong("never an answer"), tmp_path / "net")
    arguments = ("--random-only", "--simulator", "icarus", "--model", MODELS["plain"])
    status, printed, _ = run(capsys, "verify", tmp_path / "net", *arguments)
    assert status == 1
    assert "RTL: first mismatch: the protocol is broken: chain: out_valid never rose" in printed
    assert printed.rstrip().endswith("DIFFERS from PyTorch")
