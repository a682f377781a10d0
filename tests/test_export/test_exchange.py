"""Files for other tools: read back by our importers, by Yosys and by ABC, and proved equal to the build's Verilog."""

from __future__ import annotations

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run
from several_heads import SeveralHeads, fitted
from tools import require_prover, require_yosys
from yosys import run_yosys

import difflut
from difflut import InputFormat
from difflut.errors import ConfigError
from difflut.export.circuit.simulate import simulate
from difflut.export.proof.passes import prove_pass
from difflut.models import BaseModel

TARGETS = ("blif", "aiger", "tables")
# A register as a wire: what a pipeline without feedback computes.
FF = "module \\$dff (input CLK, input [WIDTH-1:0] D, output [WIDTH-1:0] Q);\n" \
     "parameter WIDTH = 1;\nparameter CLK_POLARITY = 1;\nassign Q = D;\nendmodule\n"  # fmt: skip


def classes(name: str = "net") -> BaseModel:
    """Signed codes of three bits, ties among three scores."""
    chance = np.random.default_rng(2)
    return difflut.from_tables(
        [chance.integers(0, 12, (16, 4)), chance.integers(0, 16, (12, 3))],
        [chance.integers(0, 2, (16, 16)), chance.integers(0, 2, (12, 8))],
        3,
        thresholds=np.sort(chance.normal(size=(4, 3)), axis=1),
        input_format=InputFormat(3, signed=True, divisor=2.0),
        name=name,
    )


def bits() -> BaseModel:
    """Outputs that are constant, an input, a node twice; a node of eight inputs."""
    offsets, connections = [0, 8, 10], [2, 3, 4, 5, 6, 7, 8, 9, 10, 2]
    tables = [*np.random.default_rng(1).integers(0, 2, 256), 0, 1, 1, 1]
    outputs = [[0], [1], [4], [11], [11], [10]]
    return difflut.from_netlist(offsets, connections, tables, outputs, features=8, head="bits")


MODELS = {"classes": classes, "bits": bits, "several": lambda: fitted(SeveralHeads())}


def exported(model: BaseModel, folder: Path) -> dict[str, BaseModel]:
    """The model as each target, read back."""
    found = {}
    for target in TARGETS:
        made = difflut.export_netlist(model, folder / f"net.{target}", target=target)
        found[target] = difflut.load_network(made.path)
        assert (found[target].input_size, found[target].num_classes) == (made.inputs, made.outputs)
    return found


@pytest.mark.parametrize("kind", MODELS)
def test_read_back(kind: str, tmp_path: Path) -> None:
    model = MODELS[kind]()
    netlist = difflut.trace(model)
    form, head = netlist.input, netlist.head
    codes = np.random.default_rng(0).integers(form.lowest, form.highest + 1, (200, form.features))
    expected = simulate(netlist, codes)
    given = (codes[:, :, None] >> np.arange(form.width_bits) & 1).reshape(200, -1)
    weights = 1 << np.arange(head.score_width_bits)
    for again in exported(model, tmp_path).values():
        found = again(torch.tensor(given)).numpy().astype(np.int64)
        scores = found[:, : head.classes * head.score_width_bits].reshape(200, head.classes, -1) @ weights
        assert np.array_equal(scores, expected.scores)
        if model.output_heads.decide:
            word = found[:, head.classes * head.score_width_bits :]
            assert np.array_equal(word @ (1 << np.arange(head.class_word_bits)), expected.classes)


@pytest.mark.parametrize("kind", ["classes", "bits"])
def test_all_files_are_proved_equal(kind: str, tmp_path: Path) -> None:
    require_prover()
    again = exported(MODELS[kind](), tmp_path)
    first = difflut.trace(again["blif"])
    for target in ("aiger", "tables"):
        assert prove_pass(first, difflut.trace(again[target]), target).claim.verdict == "proved"
    (tmp_path / "wrong.aig").write_bytes(spoilt((tmp_path / "net.aiger").read_bytes()))
    wrong = difflut.trace(difflut.load_network(tmp_path / "wrong.aig"))
    assert prove_pass(first, wrong, "wrong").claim.verdict == "refuted"


def spoilt(content: bytes) -> bytes:
    """With the last output complemented."""
    lines = content.split(b"\n")
    count = int(lines[0].split()[4])
    lines[count] = str(int(lines[count]) ^ 1).encode()
    return b"\n".join(lines)


def abc_equal(first: Path, second: Path) -> bool:
    spec = find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    program = Path(spec.origin).parent / "yosys-abc"
    done = subprocess.run([program, "-c", f"cec {first} {second}"], capture_output=True, text=True, check=True)
    assert ("are equivalent" in done.stdout) != ("NOT EQUIVALENT" in done.stdout), done.stdout
    return "are equivalent" in done.stdout


@pytest.mark.parametrize("kind", ["classes", "bits", pytest.param("several", marks=pytest.mark.full)])
def test_yosys_and_abc_read_what_the_verilog_computes(kind: str, tmp_path: Path) -> None:
    """The build's RTL with its registers as wires against each file, by ABC's equivalence check."""
    require_yosys()
    model = MODELS[kind]()
    exported(model, tmp_path)
    build = difflut.export_model(model, tmp_path / "build", name="top")
    (tmp_path / "ff.v").write_text(FF)
    sources = " ".join(str(path) for path in sorted((build.directory / "rtl").glob("*.v")))
    flat = ["proc", "flatten", "opt_clean", "opt_dff -nodffe -nosdff", "techmap -map ff.v"]
    ports = ["delete -port top/clk top/rst top/in_valid top/out_valid"]
    run_yosys(
        [f"read_verilog {sources}", "hierarchy -top top", *flat, *ports, "opt -full", "techmap", "opt_clean",
         "write_blif rtl.blif"],
        tmp_path,
    )  # fmt: skip
    (tmp_path / "net.aig").write_bytes((tmp_path / "net.aiger").read_bytes())
    run_yosys(["read_blif net.blif", "write_blif yosys.blif"], tmp_path)
    run_yosys(["read_aiger net.aig", "write_blif yosys_aig.blif"], tmp_path)
    for file in ("net.blif", "net.aig", "yosys.blif", "yosys_aig.blif"):
        assert abc_equal(tmp_path / "rtl.blif", tmp_path / file), file
    (tmp_path / "wrong.aig").write_bytes(spoilt((tmp_path / "net.aig").read_bytes()))
    assert not abc_equal(tmp_path / "rtl.blif", tmp_path / "wrong.aig")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    classes("a_net").save_checkpoint("net.safetensors")
    status, out, _ = run(capsys, "export", "net.safetensors", "--target", "blif", "--json")
    assert status == 0 and json.loads(out)["path"] == "build/a_net.blif"
    assert Path("build/a_net.blif").read_text().startswith(".model a_net\n.inputs in_codes[0] in_codes[1] ")
    line = ("export", "net.safetensors", "--target", "aiger", "--outputs", "class", "--out", "x.aig")
    status, out, _ = run(capsys, *line)
    assert (status, out) == (0, "a_net -> x.aig\n  aiger: 12 input bits, 63 nodes, 2 output bits\n")
    for options, message in (
        (["--interface", "axi-stream", "--fmax", "3"], "is a circuit without registers; leave --fmax, --interface out"),
        (["--prove"], "--prove is of a build; read the file back with difflut import to check --target aiger"),
        (["--outputs", "top-2"], "outputs 'top-2': a file for other tools has both, scores or class"),
    ):
        status, _, err = run(capsys, "export", "net.safetensors", "--target", "aiger", "--out", "y.aig", *options)
        assert status == 2 and message in err and not Path("y.aig").exists()
    with pytest.raises(ConfigError, match="unknown target 'edif'; known: blif, aiger, tables, c"):
        difflut.export_netlist(classes(), target="edif")
