"""Reading back: every kind of cell computes what Icarus says, and what is no synchronous circuit is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from icarus import call
from tools import require_tool, require_yosys

from difflut.export.circuit.bits import pack, unpack
from difflut.export.errors import ToolError
from difflut.export.proof import yosys
from difflut.export.proof.circuit import Expansion, Simulation
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import Graph
from difflut.export.proof.read_back import read_back, read_modules

OPERATIONS = [
    "a + b", "a - b", "a & b", "a | b", "a ^ b", "a ~^ b", "~a", "-a", "a > b", "a >= b", "a < b", "a <= b", "a == b",
    "a != b", "&a", "|a", "^a", "~^a", "!a", "a && b", "a || b", "a[0] ? a : b", "a * b", "a << b[1:0]", "a >> b[1:0]",
    "T[a]", "b[a[1:0]]", "{a, b} + c", "$signed(a) > $signed(b)", "$signed(a) <= $signed(c)", "$signed(a) + $signed(c)",
    "$signed(a) - $signed(c)", "$signed(a) >>> 1", "c > a", "c + a", "c == a", "c - a", "{2{c}} & a",
]  # fmt: skip


def operations() -> str:
    lines = [f"  assign y{i} = {text};" for i, text in enumerate(OPERATIONS)]
    ports = "".join(f", output [8:0] y{i}" for i in range(len(OPERATIONS)))
    return (
        f"module operations(input clk, input [3:0] a, input [3:0] b, input [1:0] c{ports});\n"
        "  localparam [15:0] T = 16'h8d1e;\n" + "\n".join(lines) + "\nendmodule\n"
    )


def test_every_operator_computes_what_icarus_says(tmp_path: Path) -> None:
    require_yosys()
    iverilog, vvp = require_tool("iverilog"), require_tool("vvp")
    text = operations()
    bench = "module bench; reg [9:0] i; integer n; reg clk = 0;\n"
    bench += "".join(f"wire [8:0] y{i};\n" for i in range(len(OPERATIONS)))
    bench += "operations dut(.clk(clk), .a(i[3:0]), .b(i[7:4]), .c(i[9:8])"
    bench += "".join(f", .y{i}(y{i})" for i in range(len(OPERATIONS))) + ");\n"
    shown = ", ".join(f"y{i}" for i in range(len(OPERATIONS)))
    bench += (
        f'initial for (n = 0; n < 1024; n = n + 1) begin i = n; #1 $display("{" %b" * len(OPERATIONS)}", '
        f"{shown}); end\nendmodule\n"
    )
    (tmp_path / "dut.v").write_text(text)
    (tmp_path / "bench.v").write_text(bench)
    call(iverilog, "-g2001", "-o", "run", "dut.v", "bench.v", folder=tmp_path)
    rows = [line.split() for line in call(vvp, "-n", "run", folder=tmp_path).splitlines()]
    circuit = read_back({"operations.v": text}, "operations")
    graph = Graph()
    expansion = Expansion(circuit, graph, 0)
    number = np.arange(1024)
    bits = {("a", i, 0): number >> i & 1 for i in range(4)}
    bits |= {("b", i, 0): number >> (4 + i) & 1 for i in range(4)} | {
        ("c", i, 0): number >> (8 + i) & 1 for i in range(2)
    }
    nodes = {i: expansion.nodes([(bit, 0) for bit in circuit.outputs[f"y{i}"]]) for i in range(len(OPERATIONS))}
    values = graph.evaluate({node: pack(bits[key][None])[0] for key, node in graph.inputs.items()}, 16)
    for i, operation in enumerate(OPERATIONS):
        got = ["".join("01"[bit] for bit in row[::-1]) for row in unpack(values[nodes[i]], 1024).T.astype(int)]
        assert got == [row[i] for row in rows], operation


def test_registers_are_times_in_an_expansion_and_state_in_a_simulation() -> None:
    require_yosys()
    text = """module two(input clk, input a, input b, output y);
      reg p, q; always @(posedge clk) begin p <= a; q <= p ^ b; end
      assign y = q; endmodule"""
    circuit = read_back({"two.v": text}, "two")
    graph = Graph()
    node = Expansion(circuit, graph, 3).node(circuit.outputs["y"][0], 0)
    names = {node: key for key, node in graph.inputs.items()}
    assert {names[n] for n in graph.cone([node]) if n in names} == {("a", 0, 2), ("b", 0, 1)}
    simulation = Simulation(circuit, 1)
    zero, one = np.zeros((1, 1), np.uint64), np.full((1, 1), ~np.uint64(0))
    seen = [
        simulation.step({"a": a, "b": b})["y"][0, 0]
        for a, b in [(one, zero), (zero, zero), (zero, zero), (zero, one), (zero, zero)]
    ]
    assert [int(word) for word in seen[2:]] == [int(one[0, 0]), 0, int(one[0, 0])]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("reg q; always @(negedge clk) q <= a; assign y = q;", "not clocked by the rising edge of clk"),
        ("reg q; always @(posedge a) q <= b; assign y = q;", "not clocked by the rising edge of clk"),
        ("reg q; always @(*) if (a) q = b; assign y = q;", "cell of type"),
        ("wire w; assign w = w ^ a; assign y = w;", "depends on itself without a flip-flop"),
        ("assign y = a ? b : 1'bx;", "has no defined value"),
    ],
    ids=["falling edge", "other clock", "latch", "loop", "x"],
)
def test_what_is_not_a_synchronous_circuit_is_refused(body: str, message: str) -> None:
    require_yosys()
    text = f"module odd(input clk, input a, input b, output y); {body} endmodule"
    with pytest.raises(ProofError, match=message):
        circuit = read_back({"odd.v": text}, "odd")
        Expansion(circuit, Graph(), 2).node(circuit.outputs["y"][0], 0)


def test_broken_verilog_is_an_error_that_shows_what_yosys_says() -> None:
    require_yosys()
    with pytest.raises(ToolError, match=r"Yosys cannot read the emitted Verilog(.|\n)*syntax error"):
        read_back({"broken.v": "module broken(input clk; endmodule"}, "broken")


def test_a_loop_without_end_is_refused_before_it_takes_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    require_yosys()
    monkeypatch.setattr(yosys, "LEAST_MEMORY", 700_000_000)
    loop = "genvar i; generate for (i = 0; i < 9; i = i - 1 + 1) begin : g wire [99:0] x; end endgenerate"
    with pytest.raises(ToolError, match=r"^Yosys wanted more than 0\.\d GB of memory for \d+ kB of text"):
        read_back({"net.v": f"module net(input clk);\n{loop}\nendmodule\n"}, "net")


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from difflut.export.flows import yosys as flow
    from difflut.export.proof import solver, yosys

    monkeypatch.setattr(flow.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(flow.shutil, "which", lambda name: None)
    monkeypatch.delenv(flow.VARIABLE, raising=False)
    with pytest.raises(ToolError, match=r"proofs read the RTL back with Yosys: Yosys is missing; install it: pip"):
        yosys.require_yosys()
    with pytest.raises(ToolError, match=r"python-sat is missing; .* pip install 'difflut\[prove\]'"):
        solver.require_sat()


def test_a_system_yosys_reads_the_text_and_its_own_primitives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_yosys()
    from difflut.export.flows import yosys as flow

    program, log = tmp_path / "yosys", tmp_path / "calls"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "if sys.argv[1] == '-V':\n    print('Yosys 0.70')\n    sys.exit()\n"
        "from pyosys import libyosys\nlibyosys.run_pass('script ' + sys.argv[2], libyosys.Design())\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv(flow.VARIABLE, str(program))
    text = "module one(input clk, input a, output y); LUT1 #(.INIT(2'h1)) inverter (.I0(a), .O(y)); endmodule"
    circuit = read_back({"one.v": text}, "one")
    assert len(circuit.cells) >= 1 and "-s script.ys" in log.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wire w; assign w = 1'b0; assign w = a & b; assign y = w;", "several drivers"),
        ("wire w; assign w = a | b; assign w = a & b; assign y = w;", "several drivers"),
        ("assign a = b; assign y = a;", "driver"),
        ("`ifdef SYNTHESIS\nassign y = a;\n`else\nassign y = b;\n`endif", "another circuit than other tools"),
        ("/* synthesis translate_off */ assign y = a; // synthesis translate_on", "another circuit than other tools"),
        ("localparam [1:0] T = 2'b1x; assign y = T[a];", "without a defined value"),
    ],
    ids=["driven by a constant too", "driven twice", "driven input", "conditional", "switched off", "x in a table"],
)
def test_what_tools_may_read_in_two_ways_is_refused(text: str, message: str) -> None:
    require_yosys()
    with pytest.raises(ProofError, match=message):
        read_back({"odd.v": f"module odd(input clk, input a, input b, output y); {text} endmodule"}, "odd")


def test_comments_do_not_cut_a_module() -> None:
    require_yosys()
    text = """module inner(input clk, input a, output y); assign y = a; /* endmodule */ // endmodule
      endmodule /* module top(input clk); endmodule */
      module top(input clk, input a, output y, output z);
      inner part(.clk(clk), .a(a), .y(y)); assign z = ~y; endmodule"""
    circuit = read_modules({"all.v": text}, "top", ["inner"])["top"]
    assert circuit.instances["part"].module == "inner"
    assert circuit.instances["part"].inputs["a"] == circuit.inputs["a"]
    assert circuit.instances["part"].outputs == {"y": circuit.outputs["y"]}


def test_modules_that_are_not_kept_are_part_of_what_they_are_in() -> None:
    require_yosys()
    texts = {
        "top.v": "module top(input clk, input a, output y, output z); wire b; inner one(.clk(clk), .a(a), .y(b)); "
        "other two(.clk(clk), .a(b), .y(y)); assign z = ~b; endmodule",
        "inner.v": "module inner(input clk, input a, output reg y); always @(posedge clk) y <= ~a; endmodule",
        "other.v": "module other(input clk, input a, output y); inner deep(.clk(clk), .a(a), .y(y)); endmodule",
    }
    modules = read_modules(texts, "top", ["other"])
    assert set(modules) == {"top", "other"} and not modules["other"].instances
    top = modules["top"]
    assert set(top.instances) == {"two"} and top.instances["two"].inputs["a"] == top.names["b"]
    (taken,) = (top.next_of[bit] for bit in top.names["b"])
    graph = Graph()
    assert Expansion(top, graph, 0).node(taken, 0) == graph.not_(graph.input(("a", 0, 0)))
    wrong = texts | {"inner.v": texts["inner.v"].replace("posedge", "negedge")}
    with pytest.raises(ProofError, match="is not clocked by the rising edge of clk"):
        read_modules(wrong, "top", ["other"])
