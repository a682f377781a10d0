"""Pairs share at most five nets, do not depend on each other, and their emission computes what the netlist says."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from icarus import check_cycles
from netlists import codes_for, layered_netlist, staged_netlists
from proof_designs import Mutation, emitted, function_changed, mutated, prove
from tools import require_prover, require_tool

from difflut.export.circuit.analysis import stage_levels
from difflut.export.circuit.netlist import Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.estimate import estimate_luts
from difflut.export.schedule.packing import _sizes, pair_luts
from difflut.export.verilog.netlist import emit

XCUP = find_family("xcup")


def small_nodes(widths: tuple[int, ...] = (40, 40), n: int = 2, groups: int = 4) -> Netlist:
    return assign_stages(
        layered_netlist(widths, n=n, features=6, width_bits=3, comparators=18, classes=groups, name="small")
    )


def fits(netlist: Netlist, a: int, b: int) -> bool:
    """The definition, with Python's own sets."""
    stage, level = netlist.stage[netlist.comparators :], stage_levels(netlist)
    together = {*netlist.fanin(a).tolist(), *netlist.fanin(b).tolist()}
    return bool(stage[a] == stage[b] and level[a] == level[b] and len(together) <= 5)


def test_every_two_sizes_that_can_share_are_tried_with_the_fewest_nets_in_common_that_suffice() -> None:
    found = list(_sizes(5))
    assert sorted((a, b) for a, b, _ in found) == [(a, b) for a in range(1, 6) for b in range(1, a + 1)]
    assert all(common == max(a + b - 5, 0) for a, b, common in found)
    assert [common for *_, common in found] == sorted((common for *_, common in found), reverse=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(netlist=staged_netlists())
def test_pairs_are_mutual_and_fit(netlist: Netlist) -> None:
    partner = pair_luts(netlist, XCUP)
    for lut, other in enumerate(partner.tolist()):
        if other >= 0:
            assert other != lut and partner[other] == lut
            assert fits(netlist, lut, other)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_what_is_left_over_does_not_fit_together(n: int) -> None:
    netlist = small_nodes((60, 40), n)
    partner = pair_luts(netlist, XCUP)
    single = np.flatnonzero(partner < 0).tolist()
    assert len(single) < netlist.luts
    assert not any(fits(netlist, a, b) for a, b in combinations(single, 2))


def test_all_nodes_of_two_inputs_find_partners() -> None:
    assert (pair_luts(small_nodes(), XCUP) >= 0).all()


@pytest.mark.parametrize("fpga", [name for name, target in FAMILIES.items() if not target.dual_output])
def test_other_targets_have_no_pairs(fpga: str) -> None:
    assert (pair_luts(small_nodes(), find_family(fpga)) < 0).all()


def test_without_instances_the_tool_pairs() -> None:
    assert (pair_luts(small_nodes(), replace(XCUP, primitives=None)) < 0).all()


def test_luts_that_read_each_other_are_no_pair() -> None:
    builder = NetlistBuilder("chain", InputFormat(2, 2))
    x = builder.add_comparators([0, 1], [1, 2])
    a = builder.add_layer([x], np.array([[0, 1, 1, 0]], bool))
    b = builder.add_layer([[a[0], x[1]]], np.array([[0, 1, 1, 0]], bool))
    netlist = builder.finish([[a[0], b[0]]])
    assert pair_luts(netlist, XCUP).tolist() == [-1, -1]


def test_two_chains_are_not_paired_crosswise() -> None:
    """a -> b and c -> d as the pairs (a, d) and (c, b) would be a ring of LUTs."""
    builder = NetlistBuilder("chains", InputFormat(4, 2))
    x = builder.add_comparators(range(4), [1] * 4)
    low = builder.add_layer([x[:2], x[2:]], np.array([[0, 1, 1, 0]] * 2, bool))
    high = builder.add_layer([[low[0], x[2]], [low[1], x[0]]], np.array([[0, 1, 1, 0]] * 2, bool))
    netlist = builder.finish([[*low, *high]])
    assert pair_luts(netlist, XCUP).tolist() == [1, 0, 3, 2]


def test_the_estimate_counts_a_pair_once_in_the_layer_of_its_first_lut() -> None:
    netlist = small_nodes((40, 20))
    assert [(part.layer, part.luts, part.estimated_luts) for part in estimate_luts(netlist, XCUP).layers] == [
        (1, 40, 20),
        (2, 20, 10),
    ]
    assert [part.estimated_luts for part in estimate_luts(netlist).layers] == [40, 20]


def test_the_text_of_a_pair() -> None:
    builder = NetlistBuilder("pair", InputFormat(3, 1))
    x, y, z = builder.add_comparators([0, 1, 2], [1, 1, 1])
    one = builder.add_layer([[y, x], [z, y]], np.array([[0, 0, 0, 1], [0, 1, 1, 0]], bool))
    wide = builder.add_layer([[x, y, z, x, y, z]], np.arange(64)[None] % 3 == 0)
    design = emit(assign_stages(builder.finish([[*one, *wide]])), XCUP)
    text = design.files["pair_stage2.v"]
    assert text[text.index("  localparam") :] == (
        "  localparam [63:0] T2 = 64'h9249249249249249; // layer 2, node 0\n"
        "\n"
        "  wire [1:0] pair0_0;\n"
        # I0 = y, I1 = x, I2 = z: O6 = x & y, O5 = z ^ y
        "  LUT6_2 #(.INIT(64'h888888885a5a5a5a)) dual0_0 (.O6(pair0_0[0]), .O5(pair0_0[1]), .I0(encoder_bits[1]), "
        ".I1(encoder_bits[0]), .I2(encoder_bits[2]), .I3(1'b0), .I4(1'b0), .I5(1'b1)); "
        "// O6: layer 1, node 0; O5: layer 1, node 1\n"
        "\n"
        "  always @(posedge clk) begin\n"
        "    out_bits[2:0] <= {\n"
        "      T2[{encoder_bits[2], encoder_bits[1], encoder_bits[0], encoder_bits[2], encoder_bits[1], "
        "encoder_bits[0]}],\n"
        "      pair0_0[1],\n"
        "      pair0_0[0]\n"
        "    };\n"
        "  end\n"
        "endmodule\n"
    )
    assert "LUT6_2" not in emit(assign_stages(builder.finish([[*one, *wide]]))).files["pair_stage2.v"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(netlist=staged_netlists())
def test_any_staged_netlist_with_pairs_agrees_in_every_cycle(netlist: Netlist) -> None:
    require_tool("iverilog")
    with tempfile.TemporaryDirectory() as folder:
        check_cycles(netlist, codes_for(netlist, 40), Path(folder), family=XCUP)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_many_pairs_agree_in_every_cycle(n: int, tmp_path: Path) -> None:
    require_tool("iverilog")
    netlist = small_nodes((80, 80), n)
    assert (pair_luts(netlist, XCUP) >= 0).any()
    check_cycles(netlist, codes_for(netlist, 60), tmp_path, family=XCUP)


@pytest.mark.parametrize("n", [2, 3])
def test_pairs_are_proved(n: int) -> None:
    require_prover()
    netlist = small_nodes((30, 30), n, groups=3)
    outcome = prove(emitted(netlist, "xcup"), netlist)
    assert [claim for claim in outcome.claims if claim.verdict != "proved"] == []


MUTANTS: dict[str, Mutation] = {
    "a bit of O6": ("_stage2", r"64'h(.)", r"64'h7"),
    "the outputs swapped": ("_stage2", r"\.O6\((.*?)\), \.O5\((.*?)\)", r".O6(\2), .O5(\1)"),
    "I5 tied to 0": ("_stage2", r"\.I5\(1'b1\)", ".I5(1'b0)"),
    "two pins swapped": ("_stage2", r"\.I0\((.*?)\), \.I1\((.*?)\)", r".I0(\2), .I1(\1)"),
}


@pytest.mark.parametrize("kind", MUTANTS)
def test_a_wrong_pair_is_refuted(kind: str, tmp_path: Path) -> None:
    """Two nodes with five inputs together, each a score of its own."""
    require_prover()
    require_tool("iverilog")
    builder = NetlistBuilder("pair", InputFormat(5, 1))
    x = builder.add_comparators(range(5), [1] * 5)
    one = builder.add_layer([x], np.arange(32)[None] % 5 % 2 == 1)
    other = builder.add_layer([x[:3]], np.array([[0, 1, 1, 0, 1, 0, 1, 1]], bool))
    netlist = assign_stages(builder.finish([one, other]))
    right = emitted(netlist, "xcup")
    wrong = mutated(right, MUTANTS[kind])
    assert all(claim.verdict == "proved" for claim in prove(right, netlist).claims)
    assert function_changed(right, wrong, netlist, tmp_path)
    outcome = prove(wrong, netlist)
    assert any(claim.verdict == "refuted" for claim in outcome.claims)
    assert outcome.counterexample is not None


def test_an_empty_netlist() -> None:
    netlist = NetlistBuilder("empty", InputFormat(1, 1)).finish(Head([0, 1], [1]))
    assert pair_luts(netlist, XCUP).tolist() == []
