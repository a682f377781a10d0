"""State dicts of difflogic, LLNN, DiffLUT-Net and silogic, written and evaluated from the definitions of their formats.

As `foreign_networks`: node by node in plain Python, with nothing of difflut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor

State = dict[str, Tensor]
Wires = list[list[list[int]]]  # layer, node, input in the library's order
Rows = Sequence[Sequence[int]]

# From the table of the operators in difflogic's source, by the number of the gate.
GATES: list[Callable[[int, int], int]] = [
    lambda a, b: 0,
    lambda a, b: a & b,
    lambda a, b: a & ~b & 1,
    lambda a, b: a,
    lambda a, b: b & ~a & 1,
    lambda a, b: b,
    lambda a, b: a ^ b,
    lambda a, b: a | b,
    lambda a, b: 1 - (a | b),
    lambda a, b: 1 - (a ^ b),
    lambda a, b: 1 - b,
    lambda a, b: 1 if b == 0 or a == 1 else 0,
    lambda a, b: 1 - a,
    lambda a, b: 1 if a == 0 or b == 1 else 0,
    lambda a, b: 1 - (a & b),
    lambda a, b: 1,
]


def drawn_wires(seed: int, width: int, layers: Sequence[int], n: int) -> Wires:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for nodes in layers:
        found.append(torch.randint(0, width, (nodes, n), generator=generator).tolist())
        width = nodes
    return found


def group_sums(rows: Rows, layers: Sequence[Callable[[list[int]], list[int]]], classes: int) -> list[list[int]]:
    results = []
    for row in rows:
        bits = list(row)
        for layer in layers:
            bits = layer(bits)
        size = len(bits) // classes
        results.append([sum(bits[k * size : (k + 1) * size]) for k in range(classes)])
    return results


def with_indices(state: State, wires: Wires, numbers: Sequence[int], prefix: str = "") -> State:
    """As the lines of our message save it: two or more rows of connections a layer."""
    indices = {
        f"{prefix}{number}.indices": torch.tensor(layer).t().contiguous()
        for number, layer in zip(numbers, wires, strict=True)
    }
    return {**state, **indices}


def first_largest(values: Sequence[float]) -> int:
    return list(values).index(max(values))


def difflogic_state(seed: int, layers: Sequence[int], first: int = 1) -> State:
    """Weights of few values, so that several are the largest; an nn.Flatten is before the layers."""
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{number}.weights": torch.randint(0, 4, (nodes, 16), generator=generator).float()
        for number, nodes in enumerate(layers, first)
    }


def difflogic_scores(state: State, wires: Wires, rows: Rows, classes: int) -> list[list[int]]:
    def layer(weights: list[list[float]], reads: list[list[int]]) -> Callable[[list[int]], list[int]]:
        gates = [GATES[first_largest(row)] for row in weights]
        return lambda bits: [gate(bits[a], bits[b]) for gate, (a, b) in zip(gates, reads, strict=True)]

    numbers = sorted(int(key.split(".")[0]) for key in state if key.endswith(".weights"))
    layers = [layer(state[f"{n}.weights"].tolist(), reads) for n, reads in zip(numbers, wires, strict=True)]
    return group_sums(rows, layers, classes)


def most_significant_first(entries: list[list[int]], reads: list[list[int]]) -> Callable[[list[int]], list[int]]:
    """A layer whose input 0 is the most significant one."""

    def outputs(bits: list[int]) -> list[int]:
        found = []
        for table, sources in zip(entries, reads, strict=True):
            address = 0
            for source in sources:
                address = 2 * address + bits[source]
            found.append(table[address])
        return found

    return outputs


def llnn_state(seed: int, layers: Sequence[int], n: int, prefix: str = "model.") -> State:
    """Some entries are equal in both, some so nearly that float32's softmax is 1/2."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for number, nodes in enumerate(layers, 1):
        for part in ("w", "w_comp"):
            state[f"{prefix}{number}.{part}"] = torch.randint(-2, 3, (nodes, 1 << n), generator=generator) / 2
        state[f"{prefix}{number}.w"][::3, 0] = state[f"{prefix}{number}.w_comp"][::3, 0] + 1e-9
        state[f"{prefix}{number}.w_comp"][::4, 1] = 1e-9
        state[f"{prefix}{number}.w"][::4, 1] = 2e-9
    return state


def llnn_scores(state: State, wires: Wires, rows: Rows, classes: int, prefix: str = "model.") -> list[list[int]]:
    def entry(one: float, zero: float) -> int:
        return 1 if one - zero > 2.0**-23 else 0  # nearer ones have the same float32 exponentials

    layers = []
    for number, reads in enumerate(wires, 1):
        pairs = zip(state[f"{prefix}{number}.w"].tolist(), state[f"{prefix}{number}.w_comp"].tolist(), strict=True)
        entries = [[entry(*both) for both in zip(w, comp, strict=True)] for w, comp in pairs]
        layers.append(most_significant_first(entries, reads))
    return group_sums(rows, layers, classes)


def difflut_net_state(seed: int, width: int, layers: Sequence[int], learned: Sequence[int]) -> State:
    """Tables beyond 0 and 1 and at 1/2; mappings with several largest weights."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for number, nodes in enumerate(layers):
        state[f"{number}.weights"] = torch.randint(-2, 5, (nodes, 64), generator=generator) / 4
        if number in learned:
            weights = torch.randint(0, 4, (width, 6 * nodes), generator=generator).float()
            state[f"{number}.mapping.weights"] = weights
        width = nodes
    return state


def difflut_net_scores(state: State, wires: Wires, rows: Rows, classes: int) -> list[list[int]]:
    """Wires of learned layers are read off the state."""
    layers = []
    for number, reads in enumerate(wires):
        entries = [[int(value > 0.5) for value in row] for row in state[f"{number}.weights"].tolist()]
        weights = state.get(f"{number}.mapping.weights")
        if weights is not None:
            columns = list(zip(*weights.tolist(), strict=True))
            nodes = len(entries)
            reads = [[first_largest(columns[slot * nodes + node]) for slot in range(6)] for node in range(nodes)]
        layers.append(most_significant_first(entries, reads))
    return group_sums(rows, layers, classes)


def silogic_state(seed: int, width: int, layers: Sequence[tuple[int, int, str, str]]) -> State:
    """Layers are nodes, inputs, family and connectome."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randint(-3, 4, shape, generator=generator) / 4

    state: State = {}
    for number, (nodes, n, family, connectome) in enumerate(layers):
        key = f"layers.{number}"
        if connectome == "fixed":
            state[f"{key}._conn.idx"] = torch.randint(0, width, (nodes, n), generator=generator)
            state[f"{key}._conn.cand_i32"] = state[f"{key}._conn.idx"].unsqueeze(-1).int()
        elif connectome == "dense":
            state[f"{key}._conn.conn"] = drawn(nodes, n, width)
        else:
            state[f"{key}._conn.conn"] = drawn(nodes, n, 3)
            state[f"{key}._conn.cand"] = torch.randint(0, width, (nodes, n, 3), generator=generator)
            state[f"{key}._conn.cand_i32"] = state[f"{key}._conn.cand"].int()
        if family == "gate16":
            state[f"{key}.node.gate_logits"] = drawn(nodes, 16)
            state[f"{key}.node.basis"], state[f"{key}.node.truth"] = torch.zeros(16, 4), torch.zeros(16, 4)
        elif family == "multilinear":
            state[f"{key}.node.logits"] = drawn(nodes, 1 << n)
            state[f"{key}.node.corners"] = torch.zeros(1 << n, n)
        elif family == "polynomial":
            subsets = [one for size in range(3) for one in combinations(range(n), size)]
            state[f"{key}.node.theta"] = drawn(nodes, len(subsets))
            state[f"{key}.node.mono_mask"] = torch.tensor([[float(j in one) for j in range(n)] for one in subsets])
        else:
            state[f"{key}.node.theta"] = drawn(nodes, n + 1 if family == "linear" else 1 << n)
        width = nodes
    return state


def silogic_scores(
    state: State, layers: Sequence[tuple[int, int, str, str]], rows: Rows, classes: int
) -> list[list[int]]:
    def reads(key: str, node: int, slot: int) -> int:
        if f"{key}._conn.idx" in state:
            return int(state[f"{key}._conn.idx"][node, slot])
        chosen = first_largest(state[f"{key}._conn.conn"][node, slot].tolist())
        return int(state[f"{key}._conn.cand"][node, slot, chosen]) if f"{key}._conn.cand" in state else chosen

    def value(key: str, node: int, n: int, family: str, bits: list[int]) -> int:
        if family == "gate16":
            return GATES[first_largest(state[f"{key}.node.gate_logits"][node].tolist())](*bits)
        if family == "multilinear":
            address = sum(bit << j for j, bit in enumerate(bits))
            return int(state[f"{key}.node.logits"][node].tolist()[address] > 0)
        theta = state[f"{key}.node.theta"][node].tolist()
        if family == "walsh":
            signs = [2 * bit - 1 for bit in bits]
            terms = [math.prod(signs[j] for j in range(n) if i >> j & 1) for i in range(1 << n)]
            return int(sum(t * term for t, term in zip(theta, terms, strict=True)) > 0)
        subsets = [one for size in range(3) for one in combinations(range(n), size)]
        terms = [1, *bits] if family == "linear" else [math.prod(bits[j] for j in one) for one in subsets]
        return int(sum(t * term for t, term in zip(theta, terms, strict=True)) >= 0)

    def layer(number: int, nodes: int, n: int, family: str) -> Callable[[list[int]], list[int]]:
        key = f"layers.{number}"
        wires = [[reads(key, node, slot) for slot in range(n)] for node in range(nodes)]
        return lambda bits: [value(key, j, n, family, [bits[source] for source in wires[j]]) for j in range(nodes)]

    found = [layer(number, nodes, n, family) for number, (nodes, n, family, _) in enumerate(layers)]
    return group_sums(rows, found, classes)
