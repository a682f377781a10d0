"""The proof of the AXI wrapper: right ones are proved, wrong ones refuted."""

from __future__ import annotations

from pathlib import Path

import pytest
from stream_builds import FAULTS, SHAPES, broken, rtl, stream_bundle
from tools import require_prover

from difflut.export.builds import bundle
from difflut.export.proof.build import prove
from difflut.export.proof.streams import induction, prove_streams

# Faults that the properties do not speak of: they show in what registers read, or only in how fast the design is.
NOT_REFUTED = {"a counter that does not count", "ready stuck"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_right_wrapper_is_proved(shape: str) -> None:
    require_prover()
    made = stream_bundle(shape)
    claims = prove_streams(rtl(made), made.manifest)
    assert [(claim.subject, claim.verdict) for claim in claims] == [("streams", "proved"), ("frames", "proved")]


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - NOT_REFUTED))
def test_a_wrong_wrapper_is_not_proved(fault: str) -> None:
    require_prover()
    made = broken(fault)
    verdicts = [claim.verdict for claim in prove_streams(rtl(made), made.manifest)]
    assert verdicts != ["proved", "proved"]


def test_a_valid_that_falls_is_refuted_by_a_run() -> None:
    """Not only that induction fails: the solver shows a run from the reset on that breaks the rule."""
    require_prover()
    source = """module t(input aclk, input aresetn, input ready, output reg valid);
  always @(posedge aclk) valid <= aresetn & ~valid;
  reg started = 1'b0, waiting;
  always @(posedge aclk) begin started <= 1'b1; waiting <= aresetn & valid & ~ready; end
  always @* if (!started) assume(!aresetn);
  always @* if (started & waiting) assert(valid);
endmodule
"""
    assert induction("t", {"t.v": source}, "t").verdict == "refuted"
    right = source.replace("aresetn & ~valid", "aresetn & (~valid | ~ready)")
    assert induction("t", {"t.v": right}, "t").verdict == "proved"


def test_prove_speaks_of_core_and_streams(tmp_path: Path) -> None:
    require_prover()
    bundle.write(stream_bundle("class"), tmp_path / "net")
    report = prove(tmp_path / "net")
    assert report.ok
    subjects = [claim.subject for claim in report.claims]
    assert subjects[-2:] == ["streams", "frames"] and "argmax" in subjects
    bundle.write(broken("swapped lanes"), tmp_path / "wrong")
    report = prove(tmp_path / "wrong")
    assert [claim.subject for claim in report.claims if claim.verdict != "proved"] == ["streams"]
