"""Images a second of the reference simulator on one core, next to two other ways of doing it.

    python benchmarks/bench_simulate.py

The netlist: 784 eight-bit features, about 830 comparators, 2 x 4,000 six-input LUTs, ten groups of 400; 10,000 images
a call. Times are CPU seconds of this process, the best of several runs. The alternatives compute one layer of 4,000
LUTs and are compared with the simulator on the same layer.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from netlists import layered_netlist

from difflut.export.circuit import simulate as sim
from difflut.export.circuit.bits import pack, unpack
from difflut.export.circuit.netlist import Netlist

IMAGES = 10_000
NODES = 4_000


def seconds(function: Callable[[], Any], repeat: int = 5) -> float:
    """The fewest CPU seconds of one call."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def mux_tree_of_constants(netlist: Netlist, values: sim.WordArray, block: int = 32) -> sim.WordArray:
    """The plain multiplexer tree: input 0 selects between two table bits, then input 5 down to 1 among the results."""
    fanin = netlist.lut_fanin.reshape(NODES, 6)
    table = np.unpackbits(netlist.lut_tables.view(np.uint8).reshape(NODES, 8), axis=1, bitorder="little").view(bool)
    zero = np.where(table[:, 0::2], sim.ALL_ONES, np.uint64(0))
    change = np.where(table[:, 0::2] ^ table[:, 1::2], sim.ALL_ONES, np.uint64(0))
    out = np.empty((NODES, values.shape[1]), np.uint64)
    for start in range(0, NODES, block):
        some = slice(start, start + block)
        inputs = values.take(fanin[some].T, axis=0, mode="clip")
        selected = inputs[0] & change[some].T[:, :, None]
        selected ^= zero[some].T[:, :, None]
        for select in inputs[:0:-1]:
            low, high = np.split(selected, 2)
            high ^= low
            high &= select
            low ^= high
            selected = low
        out[some] = selected[0]
    return out


def gather_bytes(netlist: Netlist, bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """One byte a bit: the address of every sample, then `bytes.translate` as the table."""
    tables = np.unpackbits(netlist.lut_tables.view(np.uint8).reshape(NODES, 8), axis=1, bitorder="little")
    out = np.empty((NODES, bits.shape[1]), np.uint8)
    for lut in range(NODES):
        fanin = netlist.fanin(lut)
        address = bits[fanin[5]]
        for net in fanin[4::-1]:
            address = (address << 1) | bits[net]
        out[lut] = np.frombuffer(address.tobytes().translate(tables[lut].tobytes() + bytes(192)), np.uint8)
    return out


def main() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (IMAGES, 784), dtype=np.uint8)
    netlist = layered_netlist((NODES, NODES))
    print(f"numpy {np.__version__}, {IMAGES} images, {netlist.comparators} comparators, 2 x {NODES} six-input LUTs")
    whole = seconds(lambda: sim.simulate(netlist, codes))
    print(f"simulate               {whole:.4f} s   {IMAGES / whole:>9,.0f} images/s")
    for images in (1, 64, 1000):
        some = seconds(lambda images=images: sim.simulate(netlist, codes[:images]))
        print(f"simulate, {images:>4} images  {some:.4f} s   {images / some:>9,.0f} images/s")

    layer = layered_netlist((NODES,))
    nets = np.ascontiguousarray(sim.simulate_nets(layer, codes).T)
    expected = nets[layer.first_lut_net :]
    words = pack(nets)
    octets = nets.view(np.uint8)
    (group,) = sim._groups(layer)
    assert np.array_equal(unpack(mux_tree_of_constants(layer, words), IMAGES), expected)
    assert np.array_equal(gather_bytes(layer, octets), expected)
    print("one layer of 4,000 LUTs:")
    ours = seconds(lambda: sim._evaluate(group, words))
    for name, taken in {
        "16 functions + mux tree (simulate)": ours,
        "mux tree of constants": seconds(lambda: mux_tree_of_constants(layer, words)),
        "bytes: address + translate": seconds(lambda: gather_bytes(layer, octets), 2),
    }.items():
        print(f"  {name:<36} {taken:.4f} s   x{taken / ours:.1f}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
