"""The Verilog back-end: structure, cycle-exact agreement with `simulate`, and that tools accept what it emits."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from edited_designs import edited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icarus import call, check_cycles, write
from netlists import codes_for, emit_options, layered_netlist, levels_of, netlists, staged_netlists
from tools import require_tool, require_verilator
from yosys import run_yosys

from difflut.export.circuit.netlist import CONST0, CONST1, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.errors import NetlistError
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.levels import Plan
from difflut.export.schedule.pipelining import Pipeline, parse_plan, plan_pipeline
from difflut.export.verilog.netlist import emit
from difflut.hdl_templates import render


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(netlist=staged_netlists(), seed=st.integers(0, 2**32 - 1))
def test_any_staged_netlist_agrees_in_every_cycle(netlist: Netlist, seed: int) -> None:
    require_tool("iverilog")
    with tempfile.TemporaryDirectory() as folder:
        check_cycles(netlist, codes_for(netlist, 40, seed), Path(folder), seed)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(netlist=netlists().map(assign_stages))
def test_assigned_stages_agree_in_every_cycle(netlist: Netlist) -> None:
    require_tool("iverilog")
    with tempfile.TemporaryDirectory() as folder:
        check_cycles(netlist, codes_for(netlist, 40), Path(folder))


@st.composite
def planned_netlists(draw: st.DrawFn) -> tuple[Netlist, Plan]:
    """Netlists with registers after any levels of cells and head, the last one or not."""
    netlist = draw(netlists())
    levels = levels_of(netlist)
    places = draw(st.sets(st.integers(0, len(levels) - 1), min_size=1))
    plan = Plan(levels, tuple(sorted(places)))
    return assign_stages(netlist, plan.cells), plan


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=planned_netlists(), seed=st.integers(0, 2**32 - 1))
def test_any_pipeline_agrees_in_every_cycle(case: tuple[Netlist, Plan], seed: int) -> None:
    require_tool("iverilog")
    netlist, plan = case
    with tempfile.TemporaryDirectory() as folder:
        design = check_cycles(netlist, codes_for(netlist, 40, seed), Path(folder), seed, **emit_options(plan))
    assert design.latency_cycles == plan.latency_cycles


def test_a_register_that_is_missing_is_noticed(tmp_path: Path) -> None:
    netlist = tiny()
    levels = levels_of(netlist)
    wrong = Plan(levels, tuple(range(len(levels) - 1)))
    every = np.stack(np.meshgrid(np.arange(16), np.arange(16)), axis=-1).reshape(-1, 2)
    with pytest.MonkeyPatch.context() as patch:
        text = emit(netlist, **emit_options(wrong)).files["tiny_argmax.v"]
        wrong_text = text.replace("(\n", "(\n    input wire clk,\n", 1)
        design = edited(emit(netlist), {"tiny_argmax.v": wrong_text})
        patch.setattr("icarus.emit", lambda *_, **__: design)
        with pytest.raises(AssertionError, match="at edge"):
            check_cycles(netlist, every, tmp_path)


def test_the_head_of_many_classes_without_registers_inside(tmp_path: Path) -> None:
    netlist = counting([19, 18, 17, 1, 7])
    levels = levels_of(netlist)
    rng = np.random.default_rng(1)
    codes = (rng.random((60, 62)) < rng.choice([0.0, 0.5, 0.9, 1.0], (60, 1))).astype(np.int64)
    plan = parse_plan("argmax3", levels)
    design = check_cycles(assign_stages(netlist, plan.cells), codes, tmp_path, **emit_options(plan))
    assert design.latency_cycles == 1


def counting(sizes: list[int], *, signed: bool = False, width_bits: int = 1) -> Netlist:
    """One comparator per feature, straight into groups of the given sizes."""
    total = sum(sizes)
    form = InputFormat(total, width_bits, signed)
    builder = NetlistBuilder("counting", form)
    nets = builder.add_comparators(np.arange(total), np.full(total, form.lowest + (1 << width_bits) // 2))
    return assign_stages(builder.finish(Head(np.cumsum([0, *sizes]), nets)))


@pytest.mark.parametrize(
    "sizes",
    [[1], [7], [1, 1], [6, 6, 6], [19, 18, 17, 1], [55, 54, 163], [1000, 3], [2] * 5, [3] * 101],
    ids=lambda sizes: f"{len(sizes)}x{max(sizes)}",
)
def test_heads_of_many_shapes(sizes: list[int], tmp_path: Path) -> None:
    netlist = counting(sizes)
    rng = np.random.default_rng(1)
    density = rng.choice([0.0, 0.5, 0.9, 1.0], (60, 1))
    check_cycles(netlist, (rng.random((60, sum(sizes))) < density).astype(np.int64), tmp_path)


def test_of_equal_scores_the_lowest_index_wins(tmp_path: Path) -> None:
    netlist = counting([1] * 5)
    every = np.arange(32)[:, None] >> np.arange(5) & 1
    check_cycles(netlist, np.concatenate([every, every]), tmp_path)


@pytest.mark.parametrize("width_bits", [1, 2, 8, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_comparisons_at_every_kind_of_threshold(width_bits: int, signed: bool, tmp_path: Path) -> None:
    form = InputFormat(1, width_bits, signed)
    thresholds = np.unique(np.clip([form.lowest + 1, -1, 0, 1, form.highest], form.lowest + 1, form.highest))
    builder = NetlistBuilder("compare", form)
    nets = builder.add_comparators(np.zeros(len(thresholds), np.int32), thresholds)
    netlist = assign_stages(builder.finish(nets[:, None]))
    near = np.concatenate([thresholds - 1, thresholds, thresholds + 1, [form.lowest, form.highest]])
    codes = np.clip(near, form.lowest, form.highest)[:, None]
    check_cycles(netlist, np.concatenate([codes, codes, codes]), tmp_path)


def tiny() -> Netlist:
    """Two features, three comparators, a layer of two nodes, a layer of one with a skip, a constant in the head."""
    builder = NetlistBuilder("tiny", InputFormat(2, 4))
    compare = builder.add_comparators([0, 0, 1], [3, 9, 5])
    first = builder.add_layer(np.stack([compare[:2], compare[1:]]), np.array([[0, 1, 1, 0], [0, 0, 0, 1]], np.bool_))
    second = builder.add_layer([[first[0], first[1], compare[2]]], np.array([[1, 0, 0, 1, 0, 1, 1, 1]], np.bool_))
    return assign_stages(builder.finish(Head([0, 2, 5], [second[0], CONST1, CONST0, first[0], first[1]])))


def test_the_stage_module_of_a_tiny_netlist() -> None:
    design = emit(tiny())
    assert design.top == "tiny"
    assert design.latency_cycles == 3 + 1 + 1
    assert sorted(design.files) == [
        "tiny.v", "tiny_argmax.v", "tiny_count2.v", "tiny_count3.v", "tiny_encoder.v", "tiny_group_sum.v",
        "tiny_stage2.v", "tiny_stage3.v",
    ]  # fmt: skip
    assert [(probe.signal, probe.nets.tolist(), probe.stage_cycles) for probe in design.probes] == [
        ("encoder.out_bits", [2, 3, 4], 1),
        ("stage2.out_bits", [5, 6], 2),
        ("stage3.out_bits", [7], 3),
    ]
    text = design.files["tiny_stage3.v"]
    assert (
        text[text.index("module") :]
        == """\
module tiny_stage3 (
    input wire clk,
    input wire [1:0] stage2_bits,
    input wire [0:0] delay2_bits,
    output reg [0:0] out_bits
);
  // Nets that only other modules read leave bits of the input vectors unconnected.
  wire unused_inputs = &{1'b0, stage2_bits, delay2_bits};

  localparam [7:0] T0 = 8'he9; // layer 2, node 0

  always @(posedge clk) begin
    out_bits[0] <= {
      T0[{delay2_bits[0], stage2_bits[1], stage2_bits[0]}]
    };
  end
endmodule
"""
    )


def test_the_top_module_of_a_tiny_netlist() -> None:
    text = emit(tiny()).files["tiny.v"]
    assert "// Latency: 5 clock cycles, one new input per cycle" in text
    assert "always @(posedge clk) delay2_bits <= encoder_bits[2];" in text
    assert "always @(posedge clk) delay3_bits <= stage2_bits;" in text
    assert ".in_bits({delay3_bits, 1'b0, 1'b1, stage3_bits})" in text


def test_a_tiny_netlist_agrees_for_every_input(tmp_path: Path) -> None:
    every = np.stack(np.meshgrid(np.arange(16), np.arange(16)), axis=-1).reshape(-1, 2)
    check_cycles(tiny(), np.concatenate([every[:5], every, every[:5]]), tmp_path)


def test_a_wrong_bit_is_noticed(tmp_path: Path) -> None:
    """The comparison itself: a netlist whose table was changed after emission must not agree."""
    netlist = tiny()
    tables = netlist.lut_tables.copy()
    tables[-1] ^= np.uint64(1)
    every = np.stack(np.meshgrid(np.arange(16), np.arange(16)), axis=-1).reshape(-1, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icarus.emit", lambda *_: emit(netlist.with_(lut_tables=tables)))
        with pytest.raises(AssertionError, match="at edge"):
            check_cycles(netlist, every, tmp_path)


def test_the_same_netlist_gives_the_same_bytes() -> None:
    assert emit(tiny()).files == emit(tiny()).files


def test_names_of_models_become_identifiers() -> None:
    design = emit(tiny().with_(name="7 segments/\nmodule evil\\"))
    assert design.top == "m_7_segments_module_evil"
    timescale, header = design.files["m_7_segments_module_evil.v"].splitlines()[:2]
    assert timescale == "`timescale 1ns / 1ps"
    assert header == "// Generated by difflut from the netlist 7 segments/ module evil. Do not edit."
    assert all(text.isascii() for text in design.files.values())


def test_an_ill_formed_netlist_is_refused() -> None:
    netlist = tiny()
    with pytest.raises(NetlistError, match="breaks the rule"):
        emit(netlist.with_(lut_fanin=netlist.lut_fanin + 90))


def assert_lint_clean(netlist: Netlist, folder: Path, plan: Plan | None = None) -> None:
    from difflut.sim.toolchain import find_verilator

    tool = find_verilator()
    design = emit(netlist, **(emit_options(plan) if plan else {}))
    sources = [str(path) for path in write(design, folder)]
    call(tool.executable, "--lint-only", "-Wall", "--language", "1364-2001", "--top-module", design.top, *sources,
         folder=folder)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(netlist=staged_netlists())
def test_verilator_has_no_remark_on_any_netlist(netlist: Netlist) -> None:
    require_verilator()
    with tempfile.TemporaryDirectory() as folder:
        assert_lint_clean(netlist, Path(folder))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=planned_netlists())
def test_verilator_has_no_remark_on_any_pipeline(case: tuple[Netlist, Plan]) -> None:
    require_verilator()
    with tempfile.TemporaryDirectory() as folder:
        assert_lint_clean(case[0], Path(folder), case[1])


@pytest.mark.parametrize("sizes", [[1], [7], [19, 18, 17, 1], [1000, 3], [3] * 101], ids=str)
def test_verilator_has_no_remark_on_any_head(sizes: list[int], tmp_path: Path) -> None:
    require_verilator()
    assert_lint_clean(counting(sizes), tmp_path)


@pytest.mark.parametrize("netlist", [tiny(), counting([19, 1, 7]), counting([4, 4], signed=True, width_bits=8)])
def test_yosys_reads_and_synthesises_it(netlist: Netlist, tmp_path: Path) -> None:
    design = emit(netlist)
    read = [f"read_verilog {path.name}" for path in write(design, tmp_path)]
    run_yosys([*read, f"synth -top {design.top} -flatten", "check -assert"], tmp_path)


SYNTHESIS = {
    "generic": "synth",
    "xc7": "synth_xilinx -family xc7",
    "xcup": "synth_xilinx -family xcup",
    "ice40": "synth_ice40",
    "ecp5": "synth_ecp5",
    "gowin": "synth_gowin",
}


@pytest.mark.parametrize("target", FAMILIES)
def test_yosys_synthesises_what_is_planned_for_each_target(target: str, tmp_path: Path) -> None:
    netlist = layered_netlist((20, 10), n=4, features=4, width_bits=4, comparators=12, classes=2)
    family = find_family(target)
    plan = plan_pipeline(netlist, family, Pipeline("auto", latency_cycles=2))
    design = emit(assign_stages(netlist, plan.cells), family, **emit_options(plan))
    assert design.latency_cycles == 2
    write(design, tmp_path)
    read = [f"read_verilog {name}" for name in sorted(design.files)]
    run_yosys([*read, f"{SYNTHESIS[target]} -top {design.top}", "check -assert"], tmp_path)


def map_tables(netlist: Netlist, template: str, folder: Path) -> None:
    """Map the module of stage 2, which holds ten LUTs, and prove that it kept its function."""
    design = emit(netlist)
    write(design, folder)
    (folder / "map.v").write_text(template)
    gold = ["read_verilog mapped_stage2.v", "rename mapped_stage2 gate", "proc", "copy gate gold"]
    mapped = [
        "cd gate",
        "techmap -map map.v",
        "select -assert-count 10 t:$lut",
        "select -assert-none t:$shiftx",
        "cd ..",
    ]
    proof = ["equiv_make gold gate both", "equiv_simple both", "equiv_status -assert both"]
    run_yosys([*gold, *mapped, *proof], folder)


@pytest.mark.parametrize("n", range(1, 9))
def test_the_yosys_map_makes_one_lut_cell_of_each_node_and_keeps_the_function(n: int, tmp_path: Path) -> None:
    netlist = assign_stages(layered_netlist((10,), n=n, comparators=40, name="mapped"))
    map_tables(netlist, render("yosys_lut_map.v.j2", {}), tmp_path)


def test_a_wrong_yosys_map_is_noticed(tmp_path: Path) -> None:
    netlist = assign_stages(layered_netlist((10,), comparators=40, name="mapped"))
    wrong = render("yosys_lut_map.v.j2", {}).replace(".LUT(_TECHMAP_CONSTVAL_A_)", ".LUT(_TECHMAP_CONSTVAL_A_ ^ 1)")
    with pytest.raises(AssertionError, match="unproven"):
        map_tables(netlist, wrong, tmp_path)


def test_large_layers_have_one_line_per_node_and_short_literals() -> None:
    netlist = assign_stages(layered_netlist((3000, 3000)))
    text = emit(netlist).files["synthetic_stage3.v"]
    assert len(re.findall(r"^      T\d+\[", text, re.MULTILINE)) == 3000
    assert max(int(width) for width in re.findall(r"(\d+)'h", text)) == 64
