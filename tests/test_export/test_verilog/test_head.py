"""The emitted head: cycle-exact for every target, output choice and placement of registers; tools accept it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from edited_designs import edited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icarus import call, check_cycles, write
from netlists import decisions
from tools import require_tool, require_verilator
from yosys import run_yosys

from difflut.errors import ConfigError
from difflut.export.circuit.netlist import CONST0, CONST1, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.head.outputs import Outputs, parse_outputs
from difflut.export.schedule.head.plan import plan_head
from difflut.export.verilog.netlist import emit
from difflut.hdl_templates import render


def counting(sizes: list[int], staged: bool = True, decisions: Sequence[int] | None = None) -> Netlist:
    """One bit per feature, straight into groups of the given sizes."""
    total = sum(sizes)
    builder = NetlistBuilder("counting", InputFormat(total, 1))
    nets = builder.add_comparators(np.arange(total), np.full(total, 1))
    netlist = builder.finish(Head(np.cumsum([0, *sizes]), nets, decisions))  # type: ignore[arg-type]
    return assign_stages(netlist) if staged else netlist


def bits(count: int, samples: int, seed: int = 1) -> np.ndarray:
    """int64 (samples, count): all zeros, all ones and everything between."""
    rng = np.random.default_rng(seed)
    density = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0], (samples, 1))
    return (rng.random((samples, count)) < density).astype(np.int64)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "sizes", [[1], [2], [9], [1, 1], [6, 7, 8, 3], [19, 18, 17, 1], [64, 63, 130], [2] * 5], ids=str
)
def test_heads_of_many_shapes_on_every_target(name: str, sizes: list[int], tmp_path: Path) -> None:
    require_tool("iverilog")
    check_cycles(counting(sizes), bits(sum(sizes), 60), tmp_path, family=find_family(name))


@pytest.mark.parametrize("name", ["xc7", "xcup"])
@pytest.mark.parametrize("size", [400, 1000])
def test_large_counters_on_carry_chains(name: str, size: int, tmp_path: Path) -> None:
    require_tool("iverilog")
    check_cycles(counting([size, 5]), bits(size + 5, 80), tmp_path, family=find_family(name))


@st.composite
def heads(draw: st.DrawFn) -> tuple[Netlist, str, Outputs, list[bool], int]:
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=9))
    netlist = counting(sizes, draw(st.booleans()), draw(decisions(len(sizes))))
    name = draw(st.sampled_from(["generic", "xc7", "xcup", "ice40"]))
    top = Outputs(scores=False, best=False, top=draw(st.integers(1, len(sizes))))
    one = [top] if len(netlist.head.decisions) == 1 else []
    outputs = draw(st.sampled_from([Outputs(), Outputs(best=False), Outputs(scores=False), *one]))
    plan = plan_head(netlist.head, find_family(name), outputs)
    registers = draw(st.lists(st.booleans(), min_size=len(plan.registers), max_size=len(plan.registers)))
    return netlist, name, outputs, registers, draw(st.integers(0, 999))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=heads())
def test_any_registers_and_outputs_agree_in_every_cycle(
    drawn: tuple[Netlist, str, Outputs, list[bool], int],
) -> None:
    require_tool("iverilog")
    netlist, name, outputs, registers, seed = drawn
    with tempfile.TemporaryDirectory() as folder:
        design = check_cycles(
            netlist,
            bits(netlist.comparators, 40, seed),
            Path(folder),
            family=find_family(name),
            outputs=outputs,
            head_registers=registers,
        )
    assert design.latency_cycles == sum(registers) + netlist.last_stage


@pytest.mark.parametrize("name", ["generic", "xc7"])
@pytest.mark.parametrize("top", [0, 1, 3, 5])
def test_of_equal_scores_the_lowest_index_comes_first(name: str, top: int, tmp_path: Path) -> None:
    require_tool("iverilog")
    every = np.arange(32)[:, None] >> np.arange(5) & 1
    outputs = Outputs(not top, not top, top)
    check_cycles(counting([1] * 5), np.concatenate([every, every]), tmp_path, family=find_family(name), outputs=outputs)


@pytest.mark.parametrize("outputs", [Outputs(), Outputs(scores=False), Outputs(best=False), Outputs(False, False, 2)])
@pytest.mark.parametrize("name", ["generic", "xc7", "xcup"])
def test_verilator_has_no_remark(name: str, outputs: Outputs, tmp_path: Path) -> None:
    require_verilator()
    from difflut.sim.toolchain import find_verilator

    design = emit(counting([19, 18, 17, 1]), find_family(name), outputs=outputs, head_registers=None)
    sources = [str(path) for path in write(design, tmp_path)]
    call(find_verilator().executable, "--lint-only", "-Wall", "-Wno-MULTITOP", "-Wno-DECLFILENAME", "--language",
         "1364-2001", "--top-module", design.top, *sources, folder=tmp_path)  # fmt: skip


def test_outputs_are_parsed() -> None:
    assert [parse_outputs(text, 10) for text in ("both", "scores", "class", "top-3")] == [
        Outputs(), Outputs(best=False), Outputs(scores=False), Outputs(False, False, 3)
    ]  # fmt: skip
    assert [parse_outputs(text, 10).name for text in ("both", "scores", "class", "top-3")] == [
        "both", "scores", "class", "top-3"
    ]  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"^unknown outputs 'all'; expected both, scores, class, or top-K such as top-3$"
    ):
        parse_outputs("all", 10)
    with pytest.raises(ConfigError, match=r"^outputs 'top-11': the model has 10 classes; give a K from 1 to 10$"):
        parse_outputs("top-11", 10)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("outputs", [Outputs(), Outputs(scores=False)])
def test_a_score_that_counts_constants_has_no_counter(name: str, outputs: Outputs, tmp_path: Path) -> None:
    """`score >= 12` of 30 bits, `score >= 1` of 3, and a number."""
    require_tool("iverilog")
    builder = NetlistBuilder("detect", InputFormat(40, 1))
    nets = builder.add_comparators(np.arange(40), np.ones(40))
    groups = [[CONST1] * 11, nets[:30], [CONST0], nets[30:33], nets[33:]]
    head = Head(np.cumsum([0, *map(len, groups)]), np.concatenate(groups), [2, 2, 1])  # type: ignore[arg-type]
    netlist = assign_stages(builder.finish(head))
    design = check_cycles(netlist, bits(40, 80), tmp_path, family=find_family(name), outputs=outputs)
    assert not any(f"count{size}" in module for size in (1, 11) for module in design.files)


def test_a_ranking_of_several_decisions_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^outputs .top-2.: the head takes 2 decisions; a ranking is of one; choose"):
        emit(counting([3, 3, 3], decisions=[2, 1]), outputs=Outputs(False, False, 2))


def test_registers_of_another_length_are_refused() -> None:
    with pytest.raises(ConfigError, match="registers has 1 entries; the head has 3 levels"):
        emit(counting([7, 7]), head_registers=[True])


def test_models_of_the_primitives_agree_with_those_of_yosys(tmp_path: Path) -> None:
    models = render("xilinx_models.v.j2", {})
    (tmp_path / "ours.v").write_text(models)
    commands = []
    for cell in ("LUT6", "LUT6_2", "CARRY4", "CARRY8"):
        commands += ["design -reset", "read_verilog -lib +/xilinx/cells_sim.v"]
        init = {"LUT6": 64, "LUT6_2": 64}.get(cell)
        # A table with no symmetry, so that swapped inputs show.
        parameters = f"chparam -set INIT {init}'h0123456789abcdef {cell}" if init else ""
        commands += ["design -reset", "read_verilog +/xilinx/cells_sim.v", parameters, f"hierarchy -top {cell}",
                     "proc", "flatten", "opt_clean", f"rename {cell} theirs", "design -stash theirs",
                     "read_verilog -nosynthesis ours.v", parameters, f"hierarchy -top {cell}",
                     "proc", "flatten", "opt_clean", f"rename {cell} ours",
                     "design -copy-from theirs -as theirs theirs",
                     "miter -equiv -flatten -make_assert ours theirs miter", "hierarchy -top miter",
                     "sat -verify -prove-asserts miter"]  # fmt: skip
    run_yosys([command for command in commands if command], tmp_path)


def test_a_wrong_table_in_a_chain_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("iverilog")
    netlist = counting([7])
    design = emit(netlist, find_family("xc7"))
    name = "counting_chain0_6c.v"
    wrong = re.sub(r"INIT\(64'h6996", "INIT(64'h6997", design.files[name])
    assert wrong != design.files[name]
    design = edited(design, {name: wrong})
    monkeypatch.setattr("icarus.emit", lambda *_, **__: design)
    every = np.arange(128)[:, None] >> np.arange(7) & 1
    with pytest.raises(AssertionError, match="out_scores at edge"):
        check_cycles(netlist, every, tmp_path)
