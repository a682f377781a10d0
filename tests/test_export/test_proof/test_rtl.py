"""Right RTL is proved, whatever its shape; wrong RTL of every kind is not, and comes with an input that shows it.

A mutant counts only if Icarus, on its own, shows that its function changed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edited_designs import edited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from netlists import netlists, staged_netlists
from proof_alterations import altered, every_code
from proof_designs import Mutation, emitted, function_changed, mutated, prove, simulated, staged_netlist
from tools import require_prover, require_tool

from difflut.export.circuit.netlist import CONST0, CONST1, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.simulate import simulate
from difflut.export.families.registry import FAMILIES
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.proof.read_back import read_back
from difflut.export.proof.report import Counterexample
from difflut.export.proof.rtl import run_circuit
from difflut.export.schedule.head.outputs import parse_outputs
from difflut.export.verilog.design import Design


@pytest.mark.parametrize("fpga", FAMILIES)
@pytest.mark.parametrize("outputs", ["both", "scores", "class", "top-2"])
def test_every_family_and_output_is_proved(fpga: str, outputs: str) -> None:
    require_prover()
    netlist = staged_netlist()
    outcome = prove(emitted(netlist, fpga, outputs=parse_outputs(outputs, 3)), netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []
    subjects = [claim.subject for claim in outcome.claims]
    last = {"both": ["argmax"], "class": ["argmax"], "top-2": ["top-k"], "scores": []}[outputs]
    assert subjects == ["pipeline", "encoder", "nodes", "group sum", *last, "valid"]
    assert outcome.counterexample is None


def thermometer_heads(levels: int = 30, classes: int = 3) -> Netlist:
    """Scores that count thermometer bits of one feature each: what a counter computes inside is often one of them."""
    builder = NetlistBuilder("meter", InputFormat(classes, 8))
    bits = builder.add_comparators(
        np.repeat(np.arange(classes), levels), np.tile(np.arange(1, levels + 1) * 8, classes)
    )
    return assign_stages(builder.finish(Head(np.arange(classes + 1) * levels, bits)))


@pytest.mark.parametrize("fpga", ["generic", "xcup", "ecp5"])
def test_counted_nets_that_imply_each_other(fpga: str) -> None:
    """Of x >= 8 and x >= 16 the AND is the second: inside a counter nodes equal counted nets for all codes."""
    require_prover()
    netlist = thermometer_heads()
    outcome = prove(emitted(netlist, fpga), netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(netlist=staged_netlists(), fpga=st.sampled_from(["generic", "xcup", "ice40"]))
def test_right_rtl_of_any_staged_netlist_is_never_called_wrong(netlist: Netlist, fpga: str) -> None:
    """Heads whose scores share nets or are constant may stay open (docs/proofs.md); nothing else may."""
    require_prover()
    outcome = prove(emitted(netlist, fpga), netlist)
    open_ = {claim.subject for claim in outcome.claims if claim.verdict != "proved"}
    assert open_ <= {"nodes", "group sum", "argmax"}
    assert all(claim.verdict != "refuted" for claim in outcome.claims)
    assert outcome.counterexample is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), fpga=st.sampled_from(["generic", "xcup", "ice40"]))
def test_a_proof_is_never_wrong(data: st.DataObject, fpga: str) -> None:
    """RTL of an altered netlist against the netlist: proved only if all inputs agree, an input shown exactly if not."""
    require_prover()
    netlist = assign_stages(
        data.draw(netlists(max_nodes=4).filter(lambda n: n.input.features * n.input.width_bits <= 12))
    )
    other = assign_stages(data.draw(altered(netlist)))
    codes = every_code(netlist)
    equal = bool((simulate(netlist, codes).scores == simulate(other, codes).scores).all())
    outcome = prove(emitted(other, fpga), netlist)
    open_ = {claim.subject for claim in outcome.claims if claim.verdict != "proved"}
    assert equal or open_
    assert (outcome.counterexample is None) == equal
    assert not equal or open_ <= {"nodes", "group sum", "argmax"}


@pytest.mark.parametrize("levels", [(True, False), (False, True), (False, False)])
def test_registers_between_any_levels_of_the_head(levels: tuple[bool, bool]) -> None:
    require_prover()
    netlist = staged_netlist()
    every = len(emitted(netlist, "xcup").head.registers) if hasattr(emitted(netlist, "xcup").head, "registers") else 5
    registers = [levels[i % 2] for i in range(every)]
    outcome = prove(emitted(netlist, "xcup", head_registers=registers), netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []


def test_wide_codes_are_proved_without_trying_them_all() -> None:
    require_prover()
    rng = np.random.default_rng(0)
    form = InputFormat(2, 20, signed=True)
    builder = NetlistBuilder("wide", form)
    compare = builder.add_comparators([0, 0, 0, 1, 1, 1], rng.integers(form.lowest + 1, form.highest, 6))
    nodes = builder.add_layer(rng.choice(compare, (12, 3)), rng.random((12, 8)) < 0.5)
    netlist = assign_stages(builder.finish(nodes.reshape(2, 6)))
    outcome = prove(emitted(netlist), netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []


def counting(sizes: list[int]) -> Netlist:
    total = sum(sizes)
    builder = NetlistBuilder("toy", InputFormat(total, 1))
    nets = builder.add_comparators(np.arange(total), np.full(total, 1))
    return assign_stages(builder.finish(Head(np.cumsum([0, *sizes]), nets)))


@pytest.mark.parametrize("fpga", ["generic", "xcup", "ecp5"])
@pytest.mark.parametrize("sizes", [[1, 1], [400, 399], [130, 64, 63, 7]], ids=str)
def test_counters_of_many_sizes(sizes: list[int], fpga: str) -> None:
    require_prover()
    netlist = counting(sizes)
    outcome = prove(emitted(netlist, fpga), netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []


def test_constants_and_nets_counted_twice() -> None:
    require_prover()
    builder = NetlistBuilder("toy", InputFormat(9, 1))
    nets = builder.add_comparators(np.arange(9), np.ones(9))
    groups = np.array([[*nets, *nets[:4], CONST1, CONST1, CONST0], [*nets[::-1], *nets[2:8], CONST1]])
    netlist = assign_stages(builder.finish(groups))
    outcome = prove(emitted(netlist), netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []


@pytest.mark.parametrize("fpga", FAMILIES)
def test_decisions_against_constants_and_numbers(fpga: str) -> None:
    require_prover()
    builder = NetlistBuilder("detect", InputFormat(43, 1))
    nets = builder.add_comparators(np.arange(43), np.ones(43))
    groups = [[CONST1] * 11, nets[:30], [CONST0], nets[30:33], nets[33:36], nets[36:39], nets[39:], [CONST1, CONST0]]
    head = Head(np.cumsum([0, *map(len, groups)]), np.concatenate(groups), [2, 2, 3, 1])  # type: ignore[arg-type]
    netlist = assign_stages(builder.finish(head))
    for outputs in ("both", "class", "scores"):
        outcome = prove(emitted(netlist, fpga, outputs=parse_outputs(outputs, 8)), netlist)
        assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []
    lower = Head(np.cumsum([0, 10, *map(len, groups[1:])]), head.nets[1:], head.decisions)
    elsewhere = replace(head, decisions=np.array([2, 2, 2, 2]))
    for other in (lower, elsewhere):
        assert prove(emitted(netlist.with_(head=other), fpga), netlist).counterexample is not None


# --- Negative controls -----------------------------------------------------------------------------------------------

# name: (family, subjects that must not be proved, mutation)
WRONG: dict[str, tuple[str, set[str], Mutation]] = {
    "threshold off by one": ("generic", {"group sum"}, ("_encoder", r"T4 = 4'he", "T4 = 4'ha")),
    "comparator of another code": (
        "generic",
        {"group sum"},
        ("_encoder", r"T4\[in_codes\[8:7\]\]", "T4[in_codes[7:6]]"),
    ),
    "flipped bit of a first-layer table": ("generic", {"group sum"}, ("_stage2", r"T9 = 16'h2dd8", "T9 = 16'h2dd9")),
    "flipped bit of a last-layer table": ("generic", {"group sum"}, ("_stage3", r"T5 = 16'h5334", "T5 = 16'h5335")),
    "swapped connections": (
        "generic",
        {"group sum"},
        ("_stage3", r"T32\[\{(\w+\[\d+\]), (\w+\[\d+\])", r"T32[{\2, \1"),
    ),
    "missing register on a skip": (
        "generic",
        {"pipeline", "group sum"},
        (
            "",
            r"reg (\[21:0\] delay2_bits;)((.|\n)*?)always @\(posedge clk\) delay2_bits <=",
            (
                r"wire \1\2assign "
                r"delay2_bits ="
            ),
        ),
    ),
    "a register too many": (
        "generic",
        {"pipeline"},
        (
            "_argmax",
            r"assign out_class = index2\[1:0\];",
            "reg [1:0] late; always @(posedge clk) late <= index2[1:0];\n  assign out_class = late;",
        ),
    ),
    "a bit counted twice": (
        "generic",
        {"group sum"},
        ("_count22", r"ONES6_0\[in_bits\[5:0\]\]", "ONES6_0[{in_bits[5:1], in_bits[1]}]"),
    ),
    "a bit not counted": (
        "generic",
        {"group sum"},
        ("_count22", r"ONES6_1\[in_bits\[5:0\]\]", "ONES6_1[{in_bits[5:1], 1'b0}]"),
    ),
    "a wrong table of a counter": ("generic", {"group sum"}, ("_count22", r"h8117177e177e7ee8", "h8117177e177e7ee9")),
    "a carry dropped": (
        "generic",
        {"group sum"},
        (
            "_count22",
            (
                r"level2\[4:0\] \+ \{2'd0, "
                r"level2\[7:5\]\}"
            ),
            "level2[4:0] + {3'd0, level2[6:5]}",
        ),
    ),
    "an added term twice": (
        "generic",
        {"group sum"},
        ("_count22", r"\+ \{2'd0, level1\[8:6\]\}", "+ {2'd0, level1[5:3]}"),
    ),
    "a wrong carry": ("xcup", {"group sum"}, ("_chain0_6c", r"CI\(in_bits\[6\]\)", "CI(1'b0)")),
    "a wrong table on a carry chain": (
        "xcup",
        {"group sum"},
        ("_chain0_6c", r"INIT\(64'h([0-9a-f]{15})[0-9a-f]\)", r"INIT(64'h\g<1>5)"),
    ),
    "swapped classes": (
        "generic",
        {"group sum"},
        (
            "_group_sum",
            r"in_bits\[21:0\](.|\n)*in_bits\[43:22\]",
            "in_bits[43:22]),\n.out_count(out_scores[4:0]));\ntoy_count22 class1 (.clk(clk), .in_bits(in_bits[21:0]",
        ),
    ),
    ">= in an index multiplexer": (
        "generic",
        {"argmax"},
        (
            "_argmax",
            (
                r"index1\[1:0\] <= "
                r"right1\[0\]"
            ),
            "index1[1:0] <= (in_scores[9:5] >= in_scores[4:0])",
        ),
    ),
    ">= in the last comparison": ("generic", {"argmax"}, ("_argmax", r"right2\[0\] = (.*) > ", r"right2[0] = \1 >= ")),
    "the worse of two goes on": (
        "generic",
        {"argmax"},
        (
            "_argmax",
            (
                r"best1\[4:0\] <= right1\[0\] "
                r"\?"
            ),
            "best1[4:0] <= !right1[0] ?",
        ),
    ),
    "a wrong comparison on carries": ("xcup", {"argmax"}, ("_greater5", r"carry0\[2\]", "carry0[1]")),
    "valid one cycle early": ("generic", {"valid"}, ("", r"out_valid = valid\[7\]", "out_valid = valid[6]")),
    "reset ignored": (
        "generic",
        {"valid"},
        ("", r"if \(rst\) valid <= 8'd0;\n    else", "if (1'b0) valid <= 8'd0;\n    else"),
    ),
    "reset leaves one stage": ("generic", {"valid"}, ("", r"valid <= 8'd0", "valid <= {4'd0, valid[2], 3'd0}")),
    "valid forgotten": ("generic", {"valid"}, ("", r"valid\[6:0\], in_valid", "valid[6:0], 1'b1")),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rtl_is_not_proved_and_an_input_shows_it(name: str, tmp_path: Path) -> None:
    require_tool("iverilog")
    require_prover()
    fpga, subjects, mutation = WRONG[name]
    netlist = staged_netlist()
    right = emitted(netlist, fpga)
    wrong = mutated(right, mutation)
    assert function_changed(right, wrong, netlist, tmp_path), "the mutation changes nothing, so this proves nothing"
    outcome = prove(wrong, netlist)
    bad = {claim.subject for claim in outcome.claims if claim.verdict != "proved"}
    assert subjects <= bad
    assert ("valid" in bad) == ("valid" in subjects)
    if subjects != {"valid"}:
        found = outcome.counterexample
        assert found is not None and found.lines()
        assert shows_a_difference(wrong, netlist, found, tmp_path)
    else:
        claim = next(claim for claim in outcome.claims if claim.subject == "valid")
        assert claim.verdict == "refuted" and claim.detail.startswith("wrong after")


def shows_a_difference(design: Design, netlist: Netlist, found: Counterexample, folder: Path) -> bool:
    """Whether Icarus, fed with the counterexample between other codes, gives another answer than the netlist."""
    codes = np.array([found.codes])
    expected = simulate(netlist, codes)
    assert expected.scores[0].tolist() == found.expected_scores
    rng = np.random.default_rng(3)
    form = netlist.input
    steady = np.repeat(codes, 40, axis=0)
    noisy = rng.integers(form.lowest, form.highest + 1, steady.shape)
    noisy[20] = codes[0]
    wrong = design.latency_cycles
    for number, stimulus in enumerate((steady, noisy)):
        trace = simulated(design, netlist, stimulus, folder / f"replay{number}")
        at = (30 if number == 0 else 20) + wrong
        if at >= len(stimulus):
            at = len(stimulus) - 1 if number == 0 else at
        outputs = {port: column[min(at, len(column) - 1)] for port, column in trace.outputs.items()}
        bits = netlist.head.score_width_bits
        scores = [
            int(outputs["out_scores"][::-1][k * bits : (k + 1) * bits][::-1], 2) for k in range(netlist.head.classes)
        ]
        if scores != found.expected_scores or int(outputs["out_class"], 2) != found.expected_class:
            return True
    return False


def test_value_multiplexer_with_ties_the_other_way_is_the_same_function(tmp_path: Path) -> None:
    """Of two equal scores it does not matter which goes on; a proof that refused this would be too strict."""
    require_tool("iverilog")
    require_prover()
    netlist = staged_netlist()
    right = emitted(netlist)
    same = mutated(
        right, ("_argmax", r"best1\[4:0\] <= right1\[0\]", "best1[4:0] <= (in_scores[9:5] >= in_scores[4:0])")
    )
    assert not function_changed(right, same, netlist, tmp_path)
    outcome = prove(same, netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []


def test_equal_functions_written_otherwise_are_proved() -> None:
    """The proof compares functions, not texts: a node as logic, a comparison by a comparator, a sum in another
    order.
    """
    require_prover()
    netlist = staged_netlist()
    design = emitted(netlist)
    rewritten = {
        "_encoder": (r"T4\[in_codes\[8:7\]\]", "(in_codes[8:6] >= 3'd2)"),
        "_stage3": (r"T5\[\{(\w+\[\d+\]), ", r"(\1 ? T5[{1'b1, "),
        "_count22": (r"level2\[4:0\] \+ \{2'd0, level2\[7:5\]\}", "{2'd0, level2[7:5]} + level2[4:0]"),
    }
    for file, (pattern, replacement) in rewritten.items():
        design = mutated(design, (file, pattern, replacement))
    text = design.files["toy_stage3.v"]
    start = text.index("T5[{1'b1, ")
    rest = text[start + len("T5[{1'b1, ") : text.index("}]", start)]
    text = text.replace(f"T5[{{1'b1, {rest}}}]", f"T5[{{1'b1, {rest}}}] : T5[{{1'b0, {rest}}}])")
    design = edited(design, {"toy_stage3.v": text})
    outcome = prove(design, netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []


def test_the_circuit_run_clock_by_clock_agrees_with_icarus_and_the_netlist() -> None:
    require_prover()
    netlist = staged_netlist()
    design = emitted(netlist, "xcup")
    codes = np.random.default_rng(5).integers(0, 8, (200, 8))
    result = run_circuit(read_back(design.files, design.top), netlist, design.latency_cycles, codes)
    expected = simulate(netlist, codes)
    assert result.valid.all()
    np.testing.assert_array_equal(result.scores, expected.scores)
    np.testing.assert_array_equal(result.classes, expected.classes)
