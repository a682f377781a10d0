"""Time the import of a network of another library: from its file to a checkpoint.

    python benchmarks/bench_import.py [--nodes 100000] [--format difflogic ...]

Random networks of layers of a tenth of the nodes, as each format has them, on 1,000 inputs that are bits; circuits of
two-input gates.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import difflut

WIDTH, CLASSES, DEPTH, TARGET_S = 1000, 10, 10, 5.0
SAID: dict[str, Any] = {"classes": CLASSES, "tau": 1.0, "binary_inputs": WIDTH}


def wires(nodes: int, n: int, layer: int) -> Tensor:
    """int64 (nodes, n)."""
    return torch.randint(0, nodes if layer else WIDTH, (nodes, n))


def state(nodes: int, make: Callable[[int, int], dict[str, Tensor]]) -> dict[str, Tensor]:
    """A state dict, of what `make` gives for nodes and number of a layer."""
    return {f"{layer}.{key}": value for layer in range(DEPTH) for key, value in make(nodes // DEPTH, layer).items()}


def circuit(nodes: int) -> dict[str, Any]:
    """A Circuit of torchlogix, gate behind gate."""
    ops = ("AND", "OR", "XOR", "NAND", "AND_NOT_A", "OR_NOT_B", "NOR", "XNOR")
    generator = np.random.default_rng(1)
    gates = [
        {"gate_id": WIDTH + i, "op": ops[op], "in0": int(a * (WIDTH + i)), "in1": int(b * (WIDTH + i)), "node_idx": 0}
        for i, (op, a, b) in enumerate(
            zip(generator.integers(0, len(ops), nodes), generator.random(nodes), generator.random(nodes), strict=True)
        )
    ]
    each = nodes // (10 * CLASSES)
    sums = [
        {"node_id": WIDTH + nodes + k, "input_ids": [WIDTH + nodes - 1 - k * each - i for i in range(each)], "tau": 1.0}
        for k in range(CLASSES)
    ]
    return {"n_inputs": WIDTH, "outputs": [one["node_id"] for one in sums], "gates": gates, "sum_nodes": sums}


def sources(nodes: int) -> Iterator[tuple[int, int, int]]:
    """For each gate its number, inputs being the first ones, and those of the two that it reads: each is read."""
    for gate, back in enumerate(np.random.default_rng(1).integers(1, WIDTH, nodes).tolist(), WIDTH):
        yield gate, gate - back, gate - WIDTH


def blif(nodes: int) -> bytes:
    """Gates of BLIF; the last ones are the outputs."""
    names = [" ".join(f"n{first + i}" for i in range(WIDTH)) for first in (0, nodes)]
    gates = (f".names n{a} n{b} n{gate}\n{('11', '01', '10')[gate % 3]} 1" for gate, a, b in sources(nodes))
    return "\n".join([".model top", f".inputs {names[0]}", f".outputs {names[1]}", *gates, ".end", ""]).encode()


def aiger(nodes: int) -> bytes:
    """Ands of AIGER's text form; the last ones are the outputs."""
    lines = [f"aag {WIDTH + nodes} {WIDTH} 0 {WIDTH} {nodes}"]
    lines += [str(2 * (first + i + 1)) for first in (0, nodes) for i in range(WIDTH)]
    lines += [f"{2 * (gate + 1)} {2 * (a + 1) + gate % 2} {2 * (b + 1)}" for gate, a, b in sources(nodes)]
    return "\n".join([*lines, ""]).encode()


MAKERS: dict[str, Callable[[int], Any]] = {
    "torch_dwn": lambda nodes: state(
        nodes, lambda n, layer: {"luts": torch.randn(n, 64), "mapping": wires(n, 6, layer).int()}
    ),
    "difflogic": lambda nodes: state(
        nodes, lambda n, layer: {"weights": torch.randn(n, 16), "indices": wires(n, 2, layer).t().contiguous()}
    ),
    "llnn": lambda nodes: state(
        nodes,
        lambda n, layer: {
            "w": torch.randn(n, 64),
            "w_comp": torch.randn(n, 64),
            "indices": wires(n, 6, layer).t().contiguous(),
        },
    ),
    "difflut_net": lambda nodes: state(
        nodes, lambda n, layer: {"weights": torch.rand(n, 64), "indices": wires(n, 6, layer).t().contiguous()}
    ),
    "silogic": lambda nodes: state(
        nodes, lambda n, layer: {"_conn.idx": wires(n, 6, layer), "node.theta": torch.randn(n, 64)}
    ),
    "torchlogix": lambda nodes: state(
        nodes,
        lambda n, layer: {"weight": torch.randn(n, 64), "connections.indices": wires(n, 6, layer).t().contiguous()},
    ),
    "torchlogix_circuit": lambda nodes: json.dumps(circuit(nodes)).encode(),
    "blif": blif,
    "aiger": aiger,
}


def main() -> None:
    """Write, import, save, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--format", action="append", choices=list(MAKERS), dest="formats")
    options = parser.parse_args()
    torch.manual_seed(1)
    print(f"{options.nodes:,} nodes, target {TARGET_S:g} s\n\n| format | file MB | import s | checkpoint s |")
    print("| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        for name in options.formats or MAKERS:
            content = MAKERS[name](options.nodes)
            if isinstance(content, bytes):
                path.write_bytes(content)
                said: dict[str, Any] = {}
            else:
                torch.save(content, path)
                said = {**SAID, **({"nodes": "warp"} if name == "torchlogix" else {})}
            start = time.perf_counter()
            model = difflut.load_network(path, **said)
            read = time.perf_counter() - start
            model.save_checkpoint(Path(folder) / "network.safetensors", frozen=True)
            saved = time.perf_counter() - start - read
            assert model.node_count == options.nodes, name
            print(f"| {name} | {path.stat().st_size / 1e6:.1f} | {read:.2f} | {saved:.2f} |", flush=True)


if __name__ == "__main__":
    main()
