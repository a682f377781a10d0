"""What `difflut verify` keeps in a build, on real RTL and with wrong files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from report_builds import export, outputs_of, verification
from small_models import Chain, fitted, random_codes
from tools import require_icarus

from difflut.check.records import RtlOutputs, keep, kept
from difflut.check.verification import verify
from difflut.data import Split
from difflut.export.builds import store
from difflut.export.circuit.simulate import simulate
from difflut.files import WriteError


@pytest.mark.parametrize("outputs", ["both", "scores", "class", "top-2"])
def test_verify_keeps_what_the_rtl_returned(tmp_path: Path, outputs: str) -> None:
    require_icarus()
    model = fitted(Chain())
    build = export(model, tmp_path / "größe", outputs=outputs)
    codes = random_codes(model, 9, seed=5)
    labels = np.arange(9) % 4
    data = Split(codes, __import__("torch").from_numpy(labels))
    options = {"data": data, "data_name": "made up", "simulator": "icarus", "model_class": "small_models:Chain"}
    report = verify(tmp_path / "größe", samples=7, **options)  # type: ignore[arg-type]
    (record,) = kept(tmp_path / "größe")
    assert record.report == {**report.to_json(), "steps": [vars(step) for step in report.steps]}
    assert (record.report["digest"], record.report["data"]) == (build.digest, "made up")
    assert record.outputs is not None and record.outputs.labels.tolist() == labels[:7].tolist()
    expected = simulate(build.circuit.body, codes[:7].reshape(7, -1).numpy())
    assert record.outputs.predicted()[:7].tolist() == expected.classes.tolist()
    assert len(record.outputs.predicted()) == 107
    if outputs in ("both", "scores"):
        assert record.outputs.scores is not None
        assert record.outputs.scores[:7].tolist() == expected.scores.tolist()
    else:
        assert record.outputs.scores is None
    assert store.read(tmp_path / "größe").digest == build.digest
    # Comparing the netlist alone does not displace what was measured.
    verify(tmp_path / "größe", **{**options, "simulator": "none"})  # type: ignore[arg-type]
    assert [item.report["simulator"] for item in kept(tmp_path / "größe")] == ["icarus", "none"]


def test_the_last_run_counts(tmp_path: Path) -> None:
    model = fitted(Chain())
    build = export(model, tmp_path / "net")
    outputs = outputs_of(build, model)
    keep(tmp_path / "net", verification(build, outputs), outputs)
    shorter = RtlOutputs(None, outputs.classes[:5] if outputs.classes is not None else None, None, outputs.labels[:2])
    keep(tmp_path / "net", verification(build, shorter, date="2026-02-02T00:00:00+00:00"), shorter)
    (record,) = kept(tmp_path / "net")
    assert record.outputs is not None and record.outputs.scores is None
    assert (len(record.outputs.predicted()), record.report["date"][:7]) == (5, "2026-02")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    model = fitted(Chain())
    build = export(model, tmp_path / "net")
    (tmp_path / "net" / "work").write_text("a file where the folder should be")
    with pytest.raises(WriteError, match="make the build directory writable"):
        keep(tmp_path / "net", verification(build, None), None)
