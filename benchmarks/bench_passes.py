"""What the default pipeline saves, how long it takes, and how much memory.

    python benchmarks/bench_passes.py                     the shipped 8,000-node models, difflogic-like ones, by pass
    python benchmarks/bench_passes.py --luts 1000000      a large random netlist with duplicates, constants, repeats
    python benchmarks/bench_passes.py --model NAME        one model of the zoo; --fpga NAME for its FPGA family

The difflogic-like networks have random tables and connections, not trained ones: nodes of two inputs, each bit of a
layer read about equally often. CPU seconds; the memory is the peak of the process, netlist and Python included.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from netlists import layered_netlist

from difflut.export.circuit.netlist import CONST0, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes.collapse_cones import collapse_cones
from difflut.export.passes.pipelines import Pass, default, result_of, run
from difflut.export.schedule.packing import pair_luts
from difflut.export.verilog.wires import plan

DIFFLOGIC = ((4000, 4000), (8000,) * 5)


def difflogic(widths: tuple[int, ...], n: int = 2, seed: int = 0) -> Netlist:
    """Random tables of `n` inputs; each layer reads the bits of the one before about equally often."""
    rng = np.random.default_rng(seed)
    builder = NetlistBuilder("difflogic", InputFormat(784, 8))
    nets = builder.add_comparators(rng.integers(0, 784, 1500), rng.integers(1, 256, 1500))
    for width in widths:
        reads = np.concatenate([rng.permutation(nets) for _ in range(-(-n * width // len(nets)))])
        nets = builder.add_layer(reads[: n * width].reshape(width, n), rng.random((width, 1 << n)) < 0.5)
    return builder.finish(nets.reshape(10, -1))


def large(luts: int, seed: int = 0) -> Netlist:
    """Four layers of six-input LUTs: a tenth each are duplicates, read a constant, read a net twice, use three
    inputs.
    """
    rng = np.random.default_rng(seed)
    netlist = layered_netlist((luts // 40 * 10,) * 4, comparators=20_000, seed=seed)
    fanin = netlist.lut_fanin.reshape(-1, 6).copy()
    tables = netlist.lut_tables.copy()
    kind = rng.integers(0, 10, len(fanin))
    kind[:2] = 9
    twin = np.flatnonzero(kind == 0)
    fanin[twin], tables[twin] = fanin[twin - 1], tables[twin - 1]
    fanin[kind == 1, 2] = CONST0
    fanin[kind == 2, 4] = fanin[kind == 2, 1]
    tables[kind == 3] = (tables[kind == 3] & np.uint64(0xFF)) * np.uint64(0x0101_0101_0101_0101)
    return netlist.with_(lut_fanin=fanin.reshape(-1), lut_tables=tables)


def peak_mb() -> float:
    """The peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_pass(netlist: Netlist, passes: Iterable[Pass]) -> Netlist:
    """Run and print each pass."""
    print("| pass | comparators | LUTs | LUT inputs | CPU s | peak MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    print(
        f"| (traced) | {netlist.comparators:,} | {netlist.luts:,} | {len(netlist.lut_fanin):,} | | {peak_mb():,.0f} |"
    )
    total = 0.0
    for step in passes:
        before = time.process_time()
        netlist = result_of(step, netlist).netlist
        check(netlist)
        seconds = time.process_time() - before
        total += seconds
        name = getattr(step, "__name__", repr(step))
        counts = f"{netlist.comparators:,} | {netlist.luts:,} | {len(netlist.lut_fanin):,}"
        print(f"| `{name}` | {counts} | {seconds:.2f} | {peak_mb():,.0f} |", flush=True)
    print(f"| all, checks of the results included | | | | {total:.2f} | {peak_mb():,.0f} |\n")
    return netlist


def describe(title: str, netlist: Netlist, fpga: str) -> None:
    """The passes of one netlist, its LUTs by size, and what pairing saves on a target with dual-output LUTs."""
    target = find_family(fpga)
    print(f"**{title}**, passes for {fpga}\n")
    result = by_pass(netlist, default(target))
    sizes = np.bincount(result.lut_inputs, minlength=9)
    print("LUTs by inputs: " + ", ".join(f"{n}: {count:,}" for n, count in enumerate(sizes) if count) + ".", end=" ")
    dual = target if target.dual_output else find_family("xcup")
    result = result if target.dual_output else run(netlist, default(dual))[0]
    before = time.process_time()
    pairs = int(np.count_nonzero(pair_luts(result, dual) >= 0)) // 2
    seconds = time.process_time() - before
    print(f"On {dual.name} {pairs:,} pairs share a LUT6_2: {result.luts - pairs:,} LUTs ({seconds:.2f} s).", end=" ")
    apart = [step for step in default(dual) if getattr(step, "__name__", "") != collapse_cones.__name__]
    print(f"Register bits in and beside the LUT stages: {register_bits(result):,}", end="; ")
    print(f"without `collapse_cones` {register_bits(run(netlist, apart)[0]):,}.\n")


def register_bits(netlist: Netlist) -> int:
    """The registers of the LUT stages and of what is delayed beside them, one after every level."""
    wires = plan(netlist)
    return sum(vector.width_bits for vector in (*wires.stages.values(), *wires.delays.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--luts", type=int, help="a random netlist of so many LUTs instead of models")
    parser.add_argument("--model", action="append", help="a model of the zoo, with its weights")
    parser.add_argument("--fpga", default="generic", choices=sorted(FAMILIES))
    options = parser.parse_args()
    if options.luts:
        describe(f"random netlist of {options.luts:,} LUTs", large(options.luts), options.fpga)
        return
    import difflut  # brings torch, which the figures of the large netlist should not contain
    from difflut.export.frontend.trace import trace

    for name in options.model or ["mnist_fc_8k_dwn", "mnist_fc_8k_linear"]:
        describe(f"`{name}`", trace(difflut.get_model(name, pretrained=True)), options.fpga)
    if not options.model:
        for widths in DIFFLOGIC:
            title = f"difflogic-like, {len(widths)} layers of {widths[0]:,} two-input nodes, random tables"
            describe(title, difflogic(widths), options.fpga)


if __name__ == "__main__":
    main()
