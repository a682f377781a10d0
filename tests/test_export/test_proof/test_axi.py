"""The proof of the AXI wrapper: right ones are proved, wrong ones not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pixel_builds
import pytest
from axi_builds import FAULTS, SHAPES, axi_build, broken, rtl
from text_mutants import mutants
from tools import require_prover
from wrapper_faults import FAULTS as WRAPPER_FAULTS
from wrapper_faults import REGISTER_FAULTS, Fault, faults_of_width

from difflut.export.builds import store
from difflut.export.builds.frames import framing_of
from difflut.export.builds.store import Build
from difflut.export.errors import ToolError
from difflut.export.proof.axi import induction, prove_axi, prove_wrapper, wrapper_of
from difflut.export.proof.build import prove
from difflut.export.proof.harness import harness
from difflut.export.proof.wrapper_circuit import read_wrapper

PARTS = ["wrapper", "streams", "frames", "results", "registers"]
BUILDS = {"frames": axi_build, "pixels": pixel_builds.pixel_build}


def some(cases: Iterable[str], every: int) -> list[Any]:
    """All cases, of which CI runs some; each is a proof of several seconds."""
    return [pytest.param(case, marks=pytest.mark.full if place % every else ()) for place, case in enumerate(cases)]


def first_open(files: Mapping[str, str], made: Build, parts: Sequence[str] | None = None) -> str:
    """The first claim that is not proved, of some parts or all, or what could not be read; empty if all is proved."""
    try:
        for claim in prove_wrapper(files, wrapper_of(made.info), parts):
            if claim.verdict != "proved":
                return claim.subject
    except ToolError as error:
        return f"unreadable: {error}"
    return ""


def found(fault: Fault, made: Build) -> bool:
    """Whether the claim that the fault makes false is not proved, or the text is refused."""
    files = fault.edit(rtl(made), made.info.name)
    what = first_open(files, made, [fault.claim] if fault.claim not in ("", "wrapper") else [])
    return what == fault.claim if fault.claim else what.startswith("unreadable: Yosys cannot read")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_right_wrapper_is_proved(shape: str) -> None:
    require_prover()
    made = axi_build(shape)
    claims = prove_axi(rtl(made), made.info)
    assert [(claim.subject, claim.verdict) for claim in claims] == [(part, "proved") for part in [*PARTS, "timing"]]


@pytest.mark.parametrize(("registers", "parts"), [("identity", PARTS), ("none", PARTS[:-1])])
def test_a_wrapper_with_fewer_registers_is_proved(registers: str, parts: list[str]) -> None:
    require_prover()
    made = axi_build(registers)
    claims = prove_axi(rtl(made), made.info)
    assert [(claim.subject, claim.verdict) for claim in claims] == [(part, "proved") for part in [*parts, "timing"]]


@pytest.mark.parametrize("shape", some(pixel_builds.SHAPES, 4))
def test_registers_beside_pixels_are_proved(shape: str) -> None:
    """Their harness stands beside that of the pixels, in one module."""
    require_prover()
    made = pixel_builds.pixel_build(shape)
    claims = list(prove_wrapper(rtl(made), wrapper_of(made.info), ["registers"]))
    assert [(claim.subject, claim.verdict) for claim in claims] == [("wrapper", "proved"), ("registers", "proved")]


def test_registers_must_be_those_of_the_description() -> None:
    require_prover()
    full, identity, none = (axi_build(name) for name in ("class", "identity", "none"))
    assert first_open(rtl(none), identity) == "wrapper"
    assert first_open(rtl(identity), none)  # unreadable: it instantiates a module that must not be there
    assert first_open(rtl(identity), full) and first_open(rtl(full), identity)
    wrong = {name: text.replace("= SLVERR", "= OKAY") for name, text in rtl(identity).items()}
    assert first_open(wrong, identity, ["registers"]) == "registers"
    wrong = {name: text.replace("32'h00000006", "32'h00000007") for name, text in rtl(identity).items()}
    assert first_open(wrong, identity, ["registers"]) == "registers"


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_wrong_wrapper_is_not_proved(fault: str) -> None:
    require_prover()
    made = broken(fault)
    assert first_open(rtl(made), made)


@pytest.mark.parametrize("fault", WRAPPER_FAULTS)
@pytest.mark.parametrize("framing", BUILDS)
def test_faults_of_ports_edges_and_handshakes(framing: str, fault: str) -> None:
    require_prover()
    assert found(WRAPPER_FAULTS[fault], BUILDS[framing]("narrow"))


@pytest.mark.parametrize("fault", some(REGISTER_FAULTS, 3))
def test_faults_of_registers(fault: str) -> None:
    require_prover()
    assert found(Fault("registers", REGISTER_FAULTS[fault]), axi_build("narrow"))


@pytest.mark.parametrize("shape", ["narrow", "wide"])
@pytest.mark.parametrize("framing", BUILDS)
def test_faults_of_data(framing: str, shape: str) -> None:
    require_prover()
    made = BUILDS[framing](shape)
    plan = framing_of(made.info)
    faults = faults_of_width(plan.codes.width_bits, plan.results.packed_bits)
    assert [name for name, fault in faults.items() if not found(fault, made)] == []


def test_comments_do_not_matter() -> None:
    require_prover()
    made = axi_build("narrow")
    files = {name: f"{text}/* endmodule */\n" for name, text in rtl(made).items()}
    assert first_open(files, made) == ""


def test_a_file_that_is_not_there() -> None:
    require_prover()
    made = axi_build("narrow")
    files = {name: text for name, text in rtl(made).items() if name != "chain_frames.v"}
    (claim,) = prove_wrapper(files, wrapper_of(made.info))
    assert (claim.subject, claim.verdict, claim.detail) == ("wrapper", "refuted", "there is no chain_frames.v")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("port missing", "port s_axil_arprot is missing; expected an input of 3 bits"),
        ("port too many", "port spare, an input of 1 bit, is not expected"),
        ("port narrow", "port s_axil_arprot is an input of 2 bits; expected an input of 3 bits"),
        ("core clocked by the other edge", "the clock of chain_core is not aclk"),
        ("results at the falling edge", "register results.beat takes over at the falling edge"),
        (
            "asynchronous reset",
            "is a cell of type $adff; expected combinational logic, and registers of the rising edge",
        ),
        ("other text for other tools", "chain_results.v has '`ifdef', which tools do not read alike"),
    ],
)
def test_what_is_wrong_is_said(fault: str, said: str) -> None:
    require_prover()
    made = axi_build("narrow")
    wrapper = wrapper_of(made.info)
    files = WRAPPER_FAULTS[fault].edit(rtl(made), "chain")
    own = {name: text for name, text in files.items() if "core" not in name}
    problems = read_wrapper(own, wrapper).problems
    assert any(said in problem for problem in problems), problems


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
    assert induction("t", "", source, "t", 1).verdict == "refuted"
    right = source.replace("aresetn & ~valid", "aresetn & (~valid | ~ready)")
    assert induction("t", "", right, "t", 1).verdict == "proved"


def test_assertions_are_counted() -> None:
    require_prover()
    source = "module t(input aclk, input a);\n  always @* assert(a | ~a);\nendmodule\n"
    assert induction("t", "", source, "t", 1).verdict == "proved"
    with pytest.raises(ToolError, match="ended without a result"):
        induction("t", "", source, "t", 2)
    with pytest.raises(ToolError, match="t has no assertions"):
        induction("t", "", source.replace("assert(a | ~a)", ""), "t", 0)


def test_assumptions_that_contradict_each_other_prove_nothing() -> None:
    require_prover()
    source = "module t(input aclk, input a);\n  always @* assume(a & ~a);\n  always @* assert(a);\nendmodule\n"
    with pytest.raises(ToolError, match="ended without a result"):
        induction("t", "", source, "t", 1)


def test_no_internal_name_is_assumed() -> None:
    """What the harness assumes is about the reset and about what it chose itself."""
    for framing in BUILDS.values():
        wrapper = wrapper_of(framing("narrow").info)
        for part in wrapper.parts:
            text, asserted = harness(wrapper, "core", part)
            assumed = [line for line in text.splitlines() if "assume(" in line]
            assert asserted > 10 and assumed and not [line for line in assumed if "dut" in line]


def test_prove_speaks_of_core_and_streams(tmp_path: Path) -> None:
    require_prover()
    store.write(axi_build("class"), tmp_path / "net")
    report = prove(tmp_path / "net")
    assert report.ok
    subjects = [claim.subject for claim in report.claims]
    assert subjects[-6:] == [*PARTS, "timing"] and "argmax" in subjects
    store.write(broken("swapped lanes"), tmp_path / "wrong")
    report = prove(tmp_path / "wrong")
    assert [claim.subject for claim in report.claims if claim.verdict != "proved"] == ["results"]
    assert report.text.splitlines()[-1].startswith("NOT PROVED: 1 of ")


# Mutants that no proof can find, because they are the same circuit: part, operator, line of the emitted text. Counters
# of one bit go up as they go down, and two levels of four are as far below as above; a register of one bit is empty
# after a shift in either direction; AWPROT and ARPROT are not used; CONTROL is 0 whoever reads it; what lies in the
# buffer above its level is not read before a beat has replaced it, or the image is filled up and its result dropped.
EQUIVALENT = {
    ("", "inverted", ".s_axil_awprot(~s_axil_awprot),"),
    ("", "inverted", ".s_axil_arprot(~s_axil_arprot),"),
    ("_registers", "equal", "({32{word != 4'd12}} & 32'h00000000);"),
    ("_registers", "constant", "({32{word == 4'd11}} & 32'h00000000);"),
    ("_registers", "constant", "({32{word == 4'd13}} & 32'h00000000);"),
    ("_results", "minus", "outstanding <= outstanding + issue + give;"),
    ("_results", "plus", "outstanding <= outstanding - issue - give;"),
    ("_results", "minus", "stored <= stored + in_valid + give;"),
    ("_results", "plus", "stored <= stored - in_valid - give;"),
    ("_frames", "less", "for (i = 0; i <= 6; i = i + 1) begin : code"),
    ("_results", "plus", "else if (m_axis_tvalid & m_axis_tready) beat <= m_axis_tlast ? 1'd0 : beat - 1'd1;"),
    ("_frames", "constant", "wire [23:0] shifted = give ? {16'd1, buffer[23:16]} : buffer;"),
    ("_frames", "constant", "wire [23:0] shifted = give ? {16'd65535, buffer[23:16]} : buffer;"),
    ("_frames", "minus", "wire [0:0] others = held + answer;"),
    ("_frames", "plus", "held <= others - entered;"),
    ("_frames", "minus", "wire [1:0] left = give ? level + 2'd2 : level;"),
    ("_frames", "right shift", "flags <= (answer ? flags << 1 : flags) | (issue ? 1'd1 << others : 1'd0);"),
    ("_frames", "constant", "2'd0: buffer <= {16'd1, s_axis_tdata};"),
    ("_frames", "constant", "2'd0: buffer <= {16'd65535, s_axis_tdata};"),
    ("_frames", "constant", "2'd1: buffer <= {8'd1, s_axis_tdata, shifted[7:0]};"),
    ("_frames", "constant", "2'd1: buffer <= {8'd255, s_axis_tdata, shifted[7:0]};"),
}


@pytest.mark.full
@pytest.mark.parametrize("framing", BUILDS)
def test_every_mutant_of_a_wrapper(framing: str) -> None:
    """Each fault that a slip of the pen makes is found, or is known to be none."""
    require_prover()
    made = BUILDS[framing]("narrow")
    files, top = rtl(made), made.info.name
    caught: Counter[str] = Counter()
    survivors = []
    # The registers are the same text in both, but for constants.
    for part in ("", "_frames", "_results", *(["_registers"] if framing == "frames" else [])):
        name = f"{top}{part}.v"
        for mutant in mutants(files[name]):
            faulty = {**files, name: mutant.text}
            own = [part.removeprefix("_")] if part else []
            what = (first_open(faulty, made, own) or first_open(faulty, made)).partition(":")[0]
            caught[what] += 1
            line = mutant.text.split("\n")[mutant.line - 1].strip()
            if not what and (part, mutant.operator, line) not in EQUIVALENT:
                survivors.append((part, mutant.operator, line))
    print(dict(caught))
    assert survivors == []
