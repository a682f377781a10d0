"""LUT layers alone: what the passes leave against what Yosys makes of the same tables.

    python benchmarks/experiments/compare_mapping.py --cones     difflogic-like networks, six- and four-input LUTs
    python benchmarks/experiments/compare_mapping.py --wide      single nodes of 5 to 8 inputs in LUTs of four inputs

The netlist goes to Yosys as BLIF, comparators as inputs, what the head counts as outputs, so encoder and head are left
out. Figures of --wide are cells a node, of 100 nodes (20 of 7 and of 8 inputs) with random tables, or the first
100 of a trained layer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.simulate import simulate
from difflut.export.families.registry import find_family
from difflut.export.passes.collapse_cones import collapse_cones
from difflut.export.passes.pipelines import default, run

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench_passes import difflogic

NODES = 100
MAPPERS = {
    "abc -lut 4": "simplemap\nabc -lut 4",
    "synth_ice40": "synth_ice40 -top top -flatten",
    "synth_ecp5": "synth_ecp5 -top top -flatten",
}


def blif(netlist: Netlist) -> str:
    """The LUTs of a netlist as BLIF."""
    counted = sorted({net for net in netlist.head.nets.tolist() if net >= netlist.first_lut_net})
    lines = [
        ".model top",
        f".inputs {' '.join(f'n{2 + i}' for i in range(netlist.comparators))}",
        f".outputs {' '.join(f'n{net}' for net in counted)}",
    ]
    for lut in range(netlist.luts):
        fanin, table = netlist.fanin(lut).tolist(), netlist.table(lut)
        lines.append(f".names {' '.join(f'n{net}' for net in fanin)} n{netlist.first_lut_net + lut}")
        ones = (address for address in range(1 << len(fanin)) if table >> address & 1)
        lines += ["".join(str(a >> i & 1) for i in range(len(fanin))) + " 1" for a in ones]
    return "\n".join([*lines, ".end", ""])


def cells(netlist: Netlist, script: str) -> dict[str, int]:
    """The cells that a Yosys script leaves, by type."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "top.blif").write_text(blif(netlist))
        (folder / "script.ys").write_text(
            f"read_blif top.blif\nhierarchy -top top\n{script}\ntee -q -o stat.json stat -json\n"
        )
        program = "from pyosys import libyosys; libyosys.run_pass('script script.ys', libyosys.Design())"
        subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, int] = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    return found


def cones() -> None:
    print(
        "| network | LUT inputs | without `collapse_cones` | with it | Yosys, `abc -lut` |\n"
        "| --- | ---: | ---: | ---: | ---: |"
    )
    for widths in ((2000,) * 2, (2000,) * 4):
        raw = difflogic(widths)
        for fpga in ("generic", "ice40"):
            target = find_family(fpga)
            passes = default(target)
            before, _ = run(raw, [step for step in passes if getattr(step, "__name__", "") != collapse_cones.__name__])
            after, _ = run(raw, passes)
            theirs = cells(before, f"simplemap\nabc -lut {target.lut_inputs}")["$lut"]
            title = f"{len(widths)} layers of {widths[0]:,} two-input nodes"
            print(f"| {title} | {target.lut_inputs} | {before.luts:,} | {after.luts:,} | {theirs:,} |", flush=True)


def of_nodes(tables: np.ndarray) -> Netlist:
    """One node for each table, bool (nodes, 2**n), with inputs of its own."""
    nodes, n = len(tables), int(tables.shape[1]).bit_length() - 1
    builder = NetlistBuilder("nodes", InputFormat(nodes * n, 1))
    bits = builder.add_comparators(np.arange(nodes * n), np.ones(nodes * n, np.int64))
    return builder.finish([builder.add_layer(bits.reshape(nodes, n), tables)])


def in_six(tables: np.ndarray) -> Netlist:
    """Nodes of six inputs, each as six LUTs of four: the cofactors of inputs 4 and 5, and two that choose among
    them.
    """
    nodes = len(tables)
    builder = NetlistBuilder("nodes", InputFormat(nodes * 6, 1))
    x = builder.add_comparators(np.arange(nodes * 6), np.ones(nodes * 6, np.int64)).reshape(nodes, 6)
    part = [builder.add_layer(x[:, :4], tables[:, 16 * i : 16 * i + 16]) for i in range(4)]
    bits = np.arange(16)[:, None] >> np.arange(4) & 1
    # Where input 5 is 0, `upper` is input 4 and chooses for the second LUT.
    low, high, second, third = bits.T
    upper = np.where(high, np.where(low, third, second), low) == 1
    above = builder.add_layer(np.stack([x[:, 4], x[:, 5], part[2], part[3]], 1), np.repeat(upper[None], nodes, 0))
    high, chosen, first, second = bits.T
    choice = np.where(high, chosen, np.where(chosen, second, first)) == 1
    return builder.finish(
        [builder.add_layer(np.stack([x[:, 5], above, part[0], part[1]], 1), np.repeat(choice[None], nodes, 0))]
    )


def wide() -> None:
    from difflut.export.frontend.trace import trace
    from difflut.models import get_model

    rng = np.random.default_rng(0)
    sets = {f"random, {n} inputs": rng.random((NODES if n <= 6 else 20, 1 << n)) < 0.5 for n in (5, 6, 7, 8)}
    for name in ("mnist_fc_8k_dwn", "mnist_fc_8k_linear"):
        netlist = trace(get_model(name, pretrained=True))
        for layer in (1, 2):
            some = np.flatnonzero((netlist.lut_layer == layer) & (netlist.lut_inputs == 6))[:NODES]
            bits = [[netlist.table(lut) >> address & 1 for address in range(64)] for lut in some.tolist()]
            sets[f"`{name}`, layer {layer}, 6 inputs"] = np.array(bits, np.bool_)
    print(f"| nodes | {' | '.join(f'`{name}`' for name in MAPPERS)} |\n| --- |{' --- |' * len(MAPPERS)}")
    netlists = {title: of_nodes(tables) for title, tables in sets.items()}
    six = sets["random, 6 inputs"]
    codes = rng.integers(0, 2, (2000, 6 * NODES))
    netlists["random, 6 inputs, given as six LUTs each"] = split = in_six(six)
    assert np.array_equal(simulate(split, codes).scores, simulate(netlists["random, 6 inputs"], codes).scores)
    for title, netlist in netlists.items():
        texts = []
        for script in MAPPERS.values():
            found = cells(netlist, script)
            texts.append(
                ", ".join(f"{number / len(netlist.head.nets):.2f} {kind}" for kind, number in sorted(found.items()))
            )
        print(f"| {title} | {' | '.join(texts)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cones", action="store_true")
    parser.add_argument("--wide", action="store_true")
    options = parser.parse_args()
    if not (options.cones or options.wide):
        parser.error("give --cones or --wide")
    if options.cones:
        cones()
    if options.wide:
        wide()


if __name__ == "__main__":
    main()
