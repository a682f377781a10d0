"""LUT6 of circuits of two-input gates: the default passes against ABC and Yosys, on the same circuit.

    python benchmarks/bench_mapping.py                    20,000 gates, ABC `if -K 6` and Yosys `synth -lut 6`
    python benchmarks/bench_mapping.py --gates 100000 --no-synth

Comparators are inputs and what the head counts outputs, so encoder and head are left out. CPU seconds of the passes,
with the checks of their results; the memory is the peak of a process of its own, NumPy and Python included. "layers"
are eight layers with random wires, "near" ones whose gates read neighbours, as a trained network with learned wires
may; "multiplier" and "sorter" are arithmetic.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.passes.pipelines import run

sys.path.insert(0, str(Path(__file__).parent / "experiments"))
from compare_mapping import blif

GATES = np.array([[gate >> address & 1 for address in range(4)] for gate in (1, 2, 4, 6, 7, 8, 9, 11, 13, 14)], bool)
AND, OR, XOR = (np.array([table], bool) for table in ([0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 0]))


def _layers(gates: int, inputs: int, near: bool) -> Netlist:
    rng = np.random.default_rng(0)
    builder = NetlistBuilder("layers", InputFormat(inputs, 1))
    nets = builder.add_comparators(np.arange(inputs), np.ones(inputs, int))
    width = gates // 80 * 10
    for _ in range(8):
        count = len(nets)
        if near:
            first = np.arange(width) * count // width
            second = (first + rng.integers(1, 12, width)) % count
        else:
            first, second = (np.resize(rng.permutation(count), width) for _ in range(2))
            second = np.where(first == second, (second + 1) % count, second)
        nets = builder.add_layer(nets[np.stack([first, second], 1)], GATES[rng.integers(0, len(GATES), width)])
    return builder.finish(nets.reshape(10, -1))


def multiplier(gates: int) -> Netlist:
    """Two numbers of n bits, by rows of full adders: about 6 n^2 gates."""
    n = max(2, round((gates / 6) ** 0.5))
    builder = NetlistBuilder("multiplier", InputFormat(2 * n, 1))
    bits = builder.add_comparators(np.arange(2 * n), np.ones(2 * n, int))

    def gate(table: np.ndarray, *feeds: int) -> int:
        return int(builder.add_layer([feeds], table)[0])

    rows = [[gate(AND, x, y) for x in bits[:n]] for y in bits[n:]]
    result, held = [], rows[0]
    for row in rows[1:]:
        result.append(held[0])
        above, carry, held_next = [*held[1:], 0][:n], 0, []
        for x, y in zip(above, row, strict=True):
            half = gate(XOR, x, y)
            held_next.append(gate(XOR, half, carry))
            carry = gate(OR, gate(AND, x, y), gate(AND, half, carry))
        held = [*held_next, carry]
    return builder.finish(np.array([*result, *held])[:, None])


def sorter(gates: int) -> Netlist:
    """Batcher's bitonic sorter of as many bits as gates allow, a power of two."""
    n = 4
    while (2 * n) * (n.bit_length()) * (n.bit_length() + 1) // 2 <= gates:
        n *= 2
    builder = NetlistBuilder("sorter", InputFormat(n, 1))
    wires = builder.add_comparators(np.arange(n), np.ones(n, int))
    span = 2
    while span <= n:
        step = span // 2
        while step:
            low = np.flatnonzero(np.arange(n) & step == 0)
            high = low ^ step
            down = low & span != 0
            pairs = wires[np.stack([low, high], 1)]
            small, large = (builder.add_layer(pairs, np.repeat(table, len(low), 0)) for table in (AND, OR))
            wires = wires.copy()
            wires[low], wires[high] = np.where(down, large, small), np.where(down, small, large)
            step //= 2
        span *= 2
    return builder.finish(wires[:, None])


CIRCUITS = {
    "layers": lambda gates: _layers(gates, 1000, near=False),
    "near": lambda gates: _layers(gates, 1000, near=True),
    "multiplier": multiplier,
    "sorter": sorter,
}


def difflut(netlist: Netlist) -> str:
    """LUTs, levels, seconds and memory of the default passes."""
    before = time.process_time()
    result, _ = run(netlist)
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{result.luts:,} ({int(levels(result).max()) - 1}) | {seconds:.1f} | {peak:,.0f}"


def abc(path: Path) -> str:
    """LUTs and levels of ABC's mapper on the circuit as it is."""
    spec = find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    program = Path(spec.origin).parent / "yosys-abc"
    done = subprocess.run(
        [program, "-c", f"read_blif {path}; strash; if -K 6; print_stats"], check=True, capture_output=True, text=True
    )
    found = re.findall(r"nd = *(\d+).*lev = *(\d+)", re.sub(r"\x1b\[[\d;]*m", "", done.stdout))[-1]
    return f"{int(found[0]):,} ({found[1]})"


def yosys(path: Path) -> str:
    """LUTs of Yosys' generic synthesis, which restructures with ABC first."""
    script = path.with_suffix(".ys")
    script.write_text(f"read_blif {path}\nhierarchy -top top\nsynth -top top -lut 6\nstat\n")
    program = f"from pyosys import libyosys; libyosys.run_pass('script {script}', libyosys.Design())"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return f"{int(re.findall(r'^ *(?:[$]lut +)?([0-9]+)(?: +[$]lut)?$', done.stdout, re.MULTILINE)[-1]):,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=int, default=20_000)
    parser.add_argument("--no-synth", action="store_true", help="leave out `synth -lut 6`, which takes minutes")
    parser.add_argument("--circuit", choices=CIRCUITS, help="one circuit, in this process")
    options = parser.parse_args()
    if options.circuit:
        netlist = CIRCUITS[options.circuit](options.gates)
        cells = [f"{netlist.luts:,}", difflut(netlist)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "top.blif"
            path.write_text(blif(netlist))
            cells += [abc(path), *([] if options.no_synth else [yosys(path)])]
        print(f"| {options.circuit} | {' | '.join(cells)} |", flush=True)
        return
    more = "" if options.no_synth else " Yosys `synth -lut 6` |"
    print(f"| circuit | gates | difflut, LUT6 (levels) | CPU s | peak MB | ABC `if -K 6` |{more}")
    print("| --- |" + " ---: |" * (5 + (not options.no_synth)), flush=True)
    for name in CIRCUITS:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--circuit", name], check=True)


if __name__ == "__main__":
    main()
