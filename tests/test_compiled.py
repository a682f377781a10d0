"""`difflut.compile` and its command: models, builds and circuits, and what is said without a compiler."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run
from several_heads import SeveralHeads
from several_heads import fitted as fitted_heads
from small_models import Chain, SmallImages, fitted

import difflut
from difflut import compiled
from difflut.export.engine import native
from difflut.export.errors import BundleError, SelfCheckError
from difflut.models import BaseModel
from difflut.training import predict_scores


def graph() -> BaseModel:
    """Outputs that are constant, an input, a node twice; a node of eight inputs; the head `Bits`."""
    offsets, connections = [0, 8, 10], [2, 3, 4, 5, 6, 7, 8, 9, 10, 2]
    tables = [*np.random.default_rng(1).integers(0, 2, 256), 0, 1, 1, 1]
    return difflut.from_netlist(
        offsets, connections, tables, [[0], [1], [4], [11], [11], [10]], features=8, head="bits"
    )


def tables() -> BaseModel:
    """Signed codes of three bits, as an imported network has them."""
    chance = np.random.default_rng(2)
    return difflut.from_tables(
        [chance.integers(0, 12, (16, 4)), chance.integers(0, 16, (12, 3))],
        [chance.integers(0, 2, (16, 16)), chance.integers(0, 2, (12, 8))],
        3,
        thresholds=np.sort(chance.normal(size=(4, 3)), axis=1),
        input_format=difflut.InputFormat(3, signed=True, divisor=2.0),
    )


MODELS = {
    "chain": lambda: fitted(Chain()),
    "images": lambda: fitted(SmallImages()),
    "heads": lambda: fitted_heads(SeveralHeads()),
    "bits": graph,
    "tables": tables,
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_compiled_model_is_the_model(kind: str) -> None:
    model = MODELS[kind]()
    engine = difflut.compile(torch.optim.swa_utils.AveragedModel(model) if kind == "chain" else model)
    form = model.input_format
    codes = np.random.default_rng(0).integers(form.lowest, form.highest + 1, (300, *model.input_shape))
    scores, classes = predict_scores(model, torch.from_numpy(codes))
    found = engine(codes, threads=2)
    assert np.array_equal(found.scores, scores.numpy())
    assert np.array_equal(found.classes, classes.numpy())


def test_a_build_and_its_circuit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = fitted(Chain())
    build = difflut.export_model(model, tmp_path / "build")
    codes = np.random.default_rng(0).integers(0, 256, (100, 6))
    scores = predict_scores(model, torch.from_numpy(codes))[0].numpy()
    for subject in (build, tmp_path / "build", difflut.trace(model), build.build.circuit):
        assert np.array_equal(difflut.compile(subject)(codes).scores, scores)
    status, out, _ = run(capsys, "compile", build)
    assert status == 0
    assert out.startswith("chain: ")
    assert " samples a second and thread, " in out
    status, _, err = run(capsys, "compile", build, "--model", "a:B")
    assert status == 2
    assert "is a build, which has its circuit; leave the options about the model out" in err
    with pytest.raises(BundleError):
        difflut.compile(tmp_path / "nothing")
    program = (
        "import sys, difflut; difflut.compile(sys.argv[1])([[1, 2, 3, 4, 5, 6]]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(build)], check=True)


def test_what_is_not_what_the_model_does_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(Chain())
    spoilt = difflut.trace(model)
    spoilt = spoilt.with_(lut_tables=spoilt.lut_tables ^ np.uint64(1))
    monkeypatch.setattr(compiled, "simplified", lambda _: spoilt)
    with pytest.raises(SelfCheckError, match=r"model 'chain': compiled, it has other scores for \d+ of 192 samples"):
        difflut.compile(model)


def test_the_command_without_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(Chain()).save_checkpoint(tmp_path / "chain.safetensors")
    monkeypatch.setenv("CC", "no-such-compiler")
    native.load.cache_clear()
    given = ["compile", tmp_path / "chain.safetensors", "--model", "small_models:Chain"]
    status, out, _ = run(capsys, *given)
    assert status == 0
    assert "  not compiled: no C compiler: CC=no-such-compiler is no program; on Debian: sudo apt install gcc; " in out
    status, out, _ = run(capsys, *given, "--json")
    found = json.loads(out)
    assert (status, found["compiled"], found["luts"], found["scores"]) == (0, False, 20, 4)
    native.load.cache_clear()
