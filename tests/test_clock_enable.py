"""`clock_enable`: with `ce` low nothing changes, in every form; what changes all the same is found and not proved."""

from __future__ import annotations

import re
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convolutions import Plan, Step, made
from small_models import Chain, fitted, random_codes
from tools import require_icarus

from difflut.check.builds import rtl_interface, words_of
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate
from difflut.export.proof.build import prove
from difflut.export.proof.clock_enable import enabled, prove_clock_enable
from difflut.export.proof.errors import ProofError
from difflut.export.proof.read_back import read_modules
from difflut.export.proof.report import OPEN, PROVED
from difflut.models import BaseModel
from difflut.sim import ProtocolError, run_rtl

FORMS: dict[str, dict[str, Any]] = {
    "whole": {"outputs": "top-2"},
    "primitives": {"fpga": "xcup"},
    "combinational end": {"pipeline": "encoder"},
    "streaming": {"form": "streaming"},
    "folded": {"form": "folded=25"},
}
GATE = "always @(posedge clk) if (ce)"


@cache
def build(form: str) -> Build:
    options = FORMS[form]
    return make_build(stack() if "form" in options else fitted(Chain()), name="net", clock_enable=True, **options)


def stack() -> BaseModel:
    return made(Plan((1, 4, 4), (Step(2, (3, 3)),)))


def texts(form: str) -> dict[str, str]:
    return {Path(name).name: text for name, text in build(form).rtl.items()}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_proved(form: str, tmp_path: Path) -> None:
    store.write(build(form), tmp_path / "net")
    report = prove(tmp_path / "net")
    assert report.ok
    (claim,) = [claim for claim in report.claims if claim.subject == "clock enable"]
    assert re.fullmatch(r"by structure, [1-9]\d+ flip-flops and \d+ memories", claim.detail)


@pytest.mark.parametrize(("form", "written"), [("whole", 0), ("folded", 4)])
def test_every_register_and_memory_without_it_is_found(form: str, written: int) -> None:
    """Of the folded form's six memories the two of the program are never written."""
    registers = int(re.findall(r"\d+", prove_clock_enable(texts(form), "net").detail)[0])
    free = {name: text.replace(GATE, GATE.removesuffix(" if (ce)")) for name, text in texts(form).items()}
    claim = prove_clock_enable(free, "net")
    found = re.fullmatch(r"register .* changes, .*, .* and (\d+) more", claim.detail)
    assert claim.verdict == OPEN and found is not None
    assert int(found[1]) + 3 == registers + written


@pytest.mark.full
@pytest.mark.parametrize("form", [name for name in FORMS if name != "primitives"])
def test_each_statement_without_it_is_refused(form: str) -> None:
    sources = texts(form)
    for name, text in sources.items():
        for found in re.finditer(re.escape(GATE), text):
            wrong = text[: found.start()] + GATE.removesuffix(" if (ce)") + text[found.end() :]
            claim = prove_clock_enable({**sources, name: wrong}, "net")
            assert claim.verdict == OPEN and re.search(r"changes|is written", claim.detail), (name, found)


@pytest.mark.parametrize(
    ("form", "file", "old", "new", "said"),
    [
        ("whole", "net.v", "assign out_valid = valid[", "assign out_valid = ce & valid[", "out_valid depends on it"),
        ("whole", "net.v", "input wire ce,", "input wire cf,", "no input ce of one bit"),
        ("whole", "net_encoder.v", "if (ce)", "if (ce | in_codes[0])", "changes"),
        ("whole", "net.v", ".ce(ce)", ".ce(1'b1)", "changes"),
        ("streaming", "net_map1.v", "lines[next_address]", "lines[ce]", "address of memory map1.lines depends on it"),
    ],
)
def test_other_faults_are_refused(form: str, file: str, old: str, new: str, said: str) -> None:
    sources = texts(form)
    assert old in sources[file]
    sources = {**sources, file: sources[file].replace(old, new, 1)}
    if new.endswith("cf,"):
        sources[file] = re.sub(r"\bce\b", "cf", sources[file]).replace(".cf(", ".ce(")
    claim = prove_clock_enable(sources, "net")
    assert claim.verdict == OPEN and said in claim.detail


def test_a_module_with_another_enable_is_not_taken_as_enabled() -> None:
    """It holds with `ce` low, and is another circuit with `ce` high."""
    sources = texts("streaming")
    assert ".ce(ce),\n      .rst(rst),\n      .in_valid(valid0)" in sources["net.v"]
    wrong = {**sources, "net.v": sources["net.v"].replace(".ce(ce),\n      .rst", ".ce(ce & in_valid),\n      .rst")}
    assert prove_clock_enable(wrong, "net").verdict == PROVED
    circuit = read_modules(wrong, "net", ["net_map1", "net_dense"], ["net_dense"])["net"]
    with pytest.raises(ProofError, match=r"^\w+\.ce in module net is something else$"):
        enabled(circuit)


@pytest.mark.parametrize("wrong", [False, True])
def test_the_bench_of_verify_holds_it_low_at_random(wrong: bool, tmp_path: Path) -> None:
    """Right RTL agrees, RTL that ignores it does not."""
    require_icarus()
    for name, text in texts("folded").items():
        (tmp_path / name).write_text(text.replace(GATE, GATE.removesuffix(" if (ce)")) if wrong else text)
    model, interface = stack(), rtl_interface(build("folded"))
    codes = random_codes(model, 10).numpy().reshape(10, -1)
    sources = sorted(tmp_path.glob("*.v"))
    run = partial(run_rtl, sources, interface, words_of(codes, interface), simulator="icarus", build_dir=tmp_path / "w")
    if wrong:
        with pytest.raises(ProtocolError):
            run()
    else:
        assert np.array_equal(run().scores, simulate(build("folded").circuit, codes).scores)


def test_streams_have_none() -> None:
    with pytest.raises(ConfigError, match=r"^a clock enable with interface 'axi-stream': its handshakes stop the str"):
        make_build(fitted(Chain()), interface="axi-stream", clock_enable=True)


def test_a_build_without_it_has_no_trace_of_it() -> None:
    plain = make_build(fitted(Chain()), name="net")
    readable = {name: content for name, content in plain.files.items() if not name.startswith("verify/")}
    assert not [name for name, content in readable.items() if re.search(rb"\b(ce|clock.enable)\b", content)]
    assert b"clock_enable" not in plain.manifest_bytes
