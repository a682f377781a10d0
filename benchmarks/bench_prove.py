"""How long `difflut prove` takes, and what plain equivalence checking makes of a counter.

    python benchmarks/bench_prove.py [--model NAME ...] [--fpga NAME ...]
    python benchmarks/bench_prove.py --counters [--limit SECONDS]

The first prints a table of builds: wall and CPU seconds (Yosys' included) of the whole proof. The second proves that
the emitted carry-chain counter of n bits counts them, against n bits added one after the other: in one question to a
SAT solver, with ABC's `cec`, and piece by piece as `prove` does.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Timer

import numpy as np

import difflut
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.circuit.netlist import Head, InputFormat, NetlistBuilder
from difflut.export.families.registry import find_family
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.proof import graph as g
from difflut.export.proof.build import prove
from difflut.export.proof.circuit import Expansion
from difflut.export.proof.counters import CounterProver
from difflut.export.proof.graph import FALSE, Graph
from difflut.export.proof.read_back import read_back
from difflut.export.proof.solver import Solver
from difflut.export.verilog.netlist import emit

SOLVERS = ("glucose4", "cadical195")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--model", action="append", help="a zoo model; mnist_fc_8k_dwn and mnist_fc_8k_linear by default"
    )
    parser.add_argument("--fpga", action="append", help="an FPGA family; generic, xcup and ice40 by default")
    parser.add_argument("--counters", action="store_true", help="compare methods on counters instead")
    parser.add_argument("--limit", type=float, default=60, help="seconds after which a method is given up")
    options = parser.parse_args()
    if options.counters:
        counters(options.limit)
        return
    print(
        "| model | FPGA family | claims | proved | wall s | of which Yosys | CPU s |\n"
        "|---|---|---:|---:|---:|---:|---:|"
    )
    for name in options.model or ("mnist_fc_8k_dwn", "mnist_fc_8k_linear"):
        model = difflut.get_model(name, pretrained=True)
        for fpga in options.fpga or ("generic", "xcup", "ice40"):
            with tempfile.TemporaryDirectory() as folder:
                store.write(make_build(model, fpga=fpga), Path(folder) / "net")
                started = cpu_seconds()
                report = prove(Path(folder) / "net")
                cpu = cpu_seconds() - started
            proved = sum(claim.verdict == "proved" for claim in report.claims)
            print(f"| `{name}` | {fpga} | {len(report.claims)} | {proved} | {report.seconds:.1f} | "
                  f"{report.read_seconds:.1f} | {cpu:.1f} |", flush=True)  # fmt: skip


def cpu_seconds() -> float:
    """CPU seconds of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def counters(limit: float) -> None:
    """One row a size, seconds a method."""
    print(f"| bits | {' | '.join(SOLVERS)} | ABC cec | in pieces |\n|---:|" + "---:|" * (len(SOLVERS) + 2))
    lost: set[str] = set()
    for size in (8, 12, 16, 20, 24, 32, 64, 400):
        graph, counted, word, vectors = counter(size)
        total = [FALSE] * len(word)
        for node in counted:
            carry = node
            for bit, value in enumerate(total):
                total[bit], carry = graph.add((value, carry), g.XOR), graph.add((value, carry), g.AND)
        differ = graph.any_of(graph.add(pair, g.XOR) for pair in zip(word, total, strict=True))
        cells = []
        for method in (*SOLVERS, "cec"):
            seconds = None
            if method not in lost:
                seconds = by_cec(graph, word, total, limit) if method == "cec" else by_sat(graph, differ, method, limit)
            if seconds is None:
                lost.add(method)
            cells.append("-" if seconds is None else f"{seconds:.2f}")
        started = time.process_time()
        outcome = CounterProver(graph, vectors).prove(dict.fromkeys(counted, 1), 0, word)
        assert outcome.proved, outcome.reason
        print(f"| {size} | {' | '.join(cells)} | {time.process_time() - started:.2f} |", flush=True)


def counter(size: int) -> tuple[Graph, list[int], list[int], list[frozenset[int]]]:
    """The emitted counter of `size` bits: graph, counted nodes, count, and the vectors of the RTL."""
    builder = NetlistBuilder("counter", InputFormat(size, 1))
    nets = builder.add_comparators(np.arange(size), np.ones(size, np.int64))
    design = emit(assign_stages(builder.finish(Head([0, size], nets))), find_family("xcup"))
    circuit = read_back(design.files, design.top)
    graph = Graph()
    counted = [graph.input(("in_codes", bit, design.latency_cycles)) for bit in range(size)]
    expansion = Expansion(circuit, graph, design.latency_cycles)
    word = expansion.nodes([(bit, 0) for bit in circuit.outputs["out_scores"]])
    vectors = []
    for bits in circuit.names.values():
        for cycle in range(design.latency_cycles + 1):
            nodes = (expansion.known(bit, cycle) for bit in bits)
            vectors.append(frozenset(node for node in nodes if node is not None and node > g.TRUE))
    return graph, counted, word, [vector for vector in vectors if len(vector) > 1]


def by_sat(graph: Graph, differ: int, name: str, limit: float) -> float | None:
    """CPU seconds of a solver; None if it was given up."""

    class Recorder:
        def __init__(self) -> None:
            self.clauses: list[list[int]] = []

        def add_clause(self, clause: list[int]) -> None:
            self.clauses.append(clause)

    encoder = Solver(graph)
    recorder = Recorder()
    encoder._backend, encoder._encoded = recorder, {0, 1}
    for node in graph.cone([differ]):
        encoder._encode(node)
    program = (
        "import sys, json; from pysat.solvers import Solver\n"
        "clauses = json.load(sys.stdin); s = Solver(name=sys.argv[1], bootstrap_with=clauses)\n"
        "assert s.solve() is False"
    )
    clauses = [*recorder.clauses, [-1], [2], [differ + 1]]
    return timed([sys.executable, "-c", program, name], limit, json.dumps(clauses))


def by_cec(graph: Graph, left: list[int], right: list[int], limit: float) -> float | None:
    """CPU seconds of ABC's combinational equivalence check; None if it was given up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, word in (("left.blif", left), ("right.blif", right)):
            (folder / file).write_text(blif(graph, word))
        command = [find_abc(), "-q", f"cec {folder}/left.blif {folder}/right.blif"]
        return timed(command, limit, "", "Networks are equivalent")


def find_abc() -> str:
    """ABC as it comes with Yosys, the Python package or the system's."""
    spec = importlib.util.find_spec("pyosys")
    places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    found = [str(place / "yosys-abc") for place in places if (place / "yosys-abc").is_file()]
    return found[0] if found else shutil.which("yosys-abc") or sys.exit("yosys-abc is missing; it comes with Yosys")


def blif(graph: Graph, word: list[int]) -> str:
    """A word's cone as BLIF."""
    inputs = list(graph.inputs.values())
    lines = [".model counter", ".inputs " + " ".join(f"n{node}" for node in inputs)]
    lines += [".outputs " + " ".join(f"y{bit}" for bit in range(len(word))), ".names n0", ".names n1", "1"]
    for node in graph.cone(word):
        feeds, table = graph.fanins[node], graph.tables[node]
        if feeds:
            lines.append(".names " + " ".join(f"n{feed}" for feed in feeds) + f" n{node}")
            for a in range(1 << len(feeds)):
                if table >> a & 1:
                    lines.append("".join(str(a >> i & 1) for i in range(len(feeds))) + " 1")
    for bit, node in enumerate(word):
        lines += [f".names n{node} y{bit}", "1 1"]
    return "\n".join([*lines, ".end", ""])


def timed(command: list[str], limit: float, given: str, expected: str = "") -> float | None:
    """CPU seconds of a command that must succeed; None if it runs longer than `limit` wall seconds."""
    before = os.times()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    timer = Timer(limit, process.kill)
    timer.start()
    output, _ = process.communicate(given)
    finished = timer.is_alive()
    timer.cancel()
    after = os.times()
    if not finished:
        return None
    assert process.returncode == 0 and expected in output, output
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
