"""docs/instantiate.md: a build in designs and benches of users, without difflut's own bench."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from convolutions import Plan, Step, made
from small_models import Chain, fitted
from tools import require_icarus, require_package, require_tool, require_verilator

from difflut.export.builds import pack_samples, store
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate
from difflut.sim.toolchain import find_verilator

PAGE = (Path(__file__).parents[1] / "docs" / "instantiate.md").read_text(encoding="utf-8")

FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "top-3": {"fpga": "xc7", "outputs": "top-3"},
    "enabled": {"clock_enable": True},
    "axi": {"interface": "axi-stream"},
    "image": {"form": "streaming"},
    "axi image": {"form": "streaming", "interface": "axi-stream"},
}


@cache
def build(form: str = "plain", name: str = "net_a", seed: int = 0) -> Build:
    """A build of a form."""
    model = made(Plan((1, 4, 4), (Step(2, (3, 3)),))) if "image" in form else fitted(Chain(), seed)
    return make_build(model, name=name, **FORMS[form])


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def block(text: str, language: str, mark: str) -> str:
    """The one block of code with a mark."""
    (found,) = [code for code in blocks(text, language) if mark in code]
    return found


def call(*command: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    """What a tool that must succeed prints."""
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


# cocotb

AXI_BENCH = """
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource


@cocotb.test()
async def one_frame(dut):
    Clock(dut.aclk, 10, unit="ns").start()
    reset = {"reset": dut.aresetn, "reset_active_level": False}
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, **reset)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **reset)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    dut.aresetn.value = 1
    await source.send(bytes.fromhex("FRAME"))
    answer = await with_timeout(sink.recv(), 10, "us")
    dut._log.info(f"scores {list(answer.tdata)}")
"""


def run_page_s_bench(bench: str, place: Path) -> str:
    """Start a bench as the page says; everything that was printed."""
    (place / "bench.py").write_text(bench)
    (place / "start.py").write_text(block(PAGE, "python", "get_runner"))
    printed = call(sys.executable, "start.py", folder=place)
    assert "TESTS=1 PASS=1 FAIL=0 SKIP=0" in printed
    return printed


def test_the_bench_of_the_page_runs_in_icarus(tmp_path: Path) -> None:
    require_icarus()
    store.write(build(), tmp_path / "build" / "net_a")
    printed = run_page_s_bench(block(PAGE, "python", "@cocotb.test"), tmp_path)
    right = simulate(build().circuit, np.array([[17, 250, 3, 99, 128, 64]]))
    assert re.findall(r"\bclass (\d+)", printed) == [str(right.classes[0])]


def test_a_bench_with_axi_models_runs_in_icarus(tmp_path: Path) -> None:
    require_icarus()
    require_package("cocotbext.axi", "dev")
    place = tmp_path / "build" / "net_a"
    store.write(build("axi"), place)
    codes = np.array([[17, 250, 3, 99, 128, 64]])
    printed = run_page_s_bench(AXI_BENCH.replace("FRAME", pack_samples(place, codes).tobytes().hex()), tmp_path)
    right = simulate(build("axi").circuit, codes)
    assert f"scores {right.scores[0].tolist()}" in printed


# VHDL


def entity(made: Build) -> str:
    """An entity in the place of the Verilog module, with the ports that the text of the module has."""
    name, ports, drivers = made.info.name, [], []
    text = made.text(f"rtl/{name}.v")
    for direction, last, port in re.findall(
        r"^ *(input|output) (?:wire|reg) (?:\[(\d+):0\] )?(\w+)", text, re.MULTILINE
    ):
        kind = f"std_logic_vector({last} downto 0)" if last else "std_logic"
        ports.append(f"{port} : {direction.removesuffix('put')} {kind}")
        if direction == "output":
            drivers.append(
                f"  {port} <= {'(others => ' + chr(39) + '1' + chr(39) + ')' if last else chr(39) + '1' + chr(39)};"
            )
    return (
        "library ieee;\nuse ieee.std_logic_1164.all;\n"
        f"entity {name} is port (\n  {'; '.join(ports)});\nend entity;\n"
        f"architecture stub of {name} is begin\n" + "\n".join(drivers) + "\nend architecture;\n"
    )


def top_of(readme: str) -> str:
    """A top with the component and the instance of a build's README."""
    component, instance = blocks(readme, "vhdl")
    signals = re.findall(r"^ +(\w+) : (?:in|out) (.*?);?$", component, re.MULTILINE)
    declared = "".join(f"  signal {name} : {kind};\n" for name, kind in signals)
    return (
        "library ieee;\nuse ieee.std_logic_1164.all;\nentity top is end entity;\n"
        f"architecture rtl of top is\n{component}{declared}begin\n{instance}end architecture;\n"
    )


def elaborate(made: Build, top: str, folder: Path) -> None:
    """Analyse and elaborate a top whose component is bound to a stub with the ports of the Verilog module."""
    ghdl = require_tool("ghdl")
    (folder / "net.vhd").write_text(entity(made))
    (folder / "top.vhd").write_text(top)
    call(ghdl, "-a", "--std=08", "net.vhd", "top.vhd", folder=folder)
    call(ghdl, "-e", "--std=08", "-Werror=binding", "top", folder=folder)
    call(ghdl, "-r", "--std=08", "top", "--stop-time=1ns", folder=folder)


@pytest.mark.parametrize("form", FORMS)
def test_the_readme_s_component_has_the_ports_of_the_module(form: str, tmp_path: Path) -> None:
    elaborate(build(form), top_of(build(form).text("README.md")), tmp_path)


def test_the_page_s_design_elaborates(tmp_path: Path) -> None:
    (design,) = blocks(PAGE, "vhdl")
    elaborate(build(), design, tmp_path)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"in_codes : in std_logic_vector(47": "in_codes : in std_logic_vector(46"}, "bound check failure"),
        ({"out_class : out std_logic_vector(1": "out_class : out std_logic_vector(2"}, "bound check failure"),
        ({"out_valid : out std_logic": "out_valid : in std_logic"}, "with actual port of mode in"),
        ({"in_valid : in std_logic;\n": "in_valid : in std_logic;\n    more : in std_logic;\n",
          "in_valid => in_valid,\n": "in_valid => in_valid,\n    more => in_valid,\n"}, '"more" has no association'),
        ({"    in_valid : in std_logic;\n": "", "    in_valid => in_valid,\n": ""}, '"in_valid" must be connected'),
        ({"    out_scores : out std_logic_vector(7 downto 0);\n": "", "    out_scores => out_scores,\n": ""},
         'port "out_scores" of entity "net_a" is not bound'),
        ({"component net_a is": "component net_b is", "classifier : net_a": "classifier : net_b"}, "is not bound"),
    ],
)  # fmt: skip
def test_another_component_is_refused(edits: dict[str, str], message: str, tmp_path: Path) -> None:
    """What elaboration says is worth something: another width, direction, port or name is an error."""
    require_tool("ghdl")
    readme = build().text("README.md")
    for right, wrong in edits.items():
        assert readme.count(right) == 1
        readme = readme.replace(right, wrong)
    with pytest.raises(AssertionError, match=message):
        elaborate(build(), top_of(readme), tmp_path)


# FuseSoC

CORE = """\
CAPI=2:
name: "user:test:pair:1.0"
filesets:
  rtl:
    files: [pair.v]
    file_type: verilogSource
    depend: [DEPENDENCIES]
  bench:
    files: [bench.v]
    file_type: verilogSource
targets:
  lint:
    flow: lint
    flow_options: {tool: verilator}
    filesets: [rtl]
    toplevel: pair
  sim:
    flow: sim
    flow_options: {tool: icarus}
    filesets: [rtl, bench]
    toplevel: bench
  synth:
    default_tool: vivado
    filesets: [rtl]
    toplevel: pair
    tools: {vivado: {part: xc7a35tcpg236-1}}
"""
PAIR = """\
module pair (
    input wire clk,
    input wire rst,
    input wire in_valid,
    input wire [47:0] in_codes,
    output wire [1:0] valids,
    output wire [1:0] class_a,
    output wire [5:0] top_b
);
  net_a a (
      .clk(clk), .rst(rst), .in_valid(in_valid), .in_codes(in_codes),
      .out_valid(valids[0]), .out_class(class_a), .out_scores()
  );
  net_b b (.clk(clk), .rst(rst), .in_valid(in_valid), .in_codes(in_codes), .out_valid(valids[1]), .out_top(top_b));
endmodule
"""
BENCH = """\
module bench;
  reg clk = 0;
  reg rst = 1;
  wire [1:0] valids, class_a;
  wire [5:0] top_b;
  always #5 clk = ~clk;
  pair dut (
      .clk(clk), .rst(rst), .in_valid(1'b1), .in_codes(48'h40_80_63_03_fa_11),
      .valids(valids), .class_a(class_a), .top_b(top_b)
  );
  initial begin
    #12 rst = 0;
    #300 $display("found %b %0d %0d", valids, class_a, top_b);
    $finish;
  end
endmodule
"""


def version(made: Build) -> str:
    """How FuseSoC names the core of a build."""
    return str(yaml.safe_load(made.text(f"{made.info.name}.core"))["name"])


def fusesoc(folder: Path, target: str, *options: str) -> str:
    """Run a target of the design `pair`."""
    require_verilator()
    require_icarus()
    places = [str(Path(find_verilator().executable).parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {"PATH": os.pathsep.join(places), "XDG_CONFIG_HOME": str(folder / "config")}
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", ".", "run", "--target", target, *options]
    return call(*command, "user:test:pair", folder=folder, environment=environment)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A user's design with two builds, of which one has primitives, and a third one in their way: another training that
    is called like the first.
    """
    require_package("fusesoc", "dev")
    first, second = build(), build("top-3", "net_b", seed=1)
    store.write(first, tmp_path / "first")
    store.write(build(seed=2), tmp_path / "in the way")
    store.write(second, tmp_path / "second")
    dependencies = ", ".join(f'"{version(made)}"' for made in (first, second))
    for name, text in {
        "pair.core": CORE.replace("DEPENDENCIES", dependencies),
        "pair.v": PAIR,
        "bench.v": BENCH,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_design_that_depends_on_cores_lints_and_simulates(pair: Path) -> None:
    fusesoc(pair, "lint")  # where a warning is an error
    codes = np.array([[0x11, 0xFA, 0x03, 0x63, 0x80, 0x40]])
    first, second = (simulate(made.circuit, codes) for made in (build(), build("top-3", "net_b", seed=1)))
    other = simulate(build(seed=2).circuit, codes)
    ranking = np.argsort(-second.scores[0], kind="stable")[:3].tolist()
    top = sum(best << 2 * rank for rank, best in enumerate(ranking))
    assert first.classes[0] != other.classes[0]  # so the version decides what is found
    assert f"found 11 {first.classes[0]} {top}\n" in fusesoc(pair, "sim")


def test_models_of_primitives_are_no_part_of_a_synthesis(pair: Path) -> None:
    fusesoc(pair, "synth", "--setup")
    (found,) = pair.glob("build/*/synth-vivado/*.eda.yml")
    files = {Path(file["name"]).name for file in yaml.safe_load(found.read_text())["files"]}
    assert {"net_a.v", "net_b.v", "pair.v"} < files and not {name for name in files if "models" in name}


def test_models_of_primitives_are_empty_for_synthesis_tools(tmp_path: Path) -> None:
    """Where the macro of synthesis tools is defined."""
    iverilog = require_tool("iverilog")
    (tmp_path / "models.v").write_text(build("top-3", "net_b", seed=1).text("sim/net_b_xilinx_models.v"))
    (tmp_path / "top.v").write_text("module top (output wire o);\n  LUT6 lut (.O(o));\nendmodule\n")
    call(iverilog, "-o", "x", "models.v", "top.v", folder=tmp_path)
    with pytest.raises(AssertionError, match="Unknown module type: LUT6"):
        call(iverilog, "-DSYNTHESIS", "-o", "x", "models.v", "top.v", folder=tmp_path)
