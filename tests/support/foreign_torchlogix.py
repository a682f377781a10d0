"""State dicts and circuits of torchlogix, written and evaluated from the definitions of their formats.

As `foreign_networks`: node by node in plain Python, with nothing of difflut.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import torch
from foreign_gates import GATES, State, first_largest
from torch import Tensor

Rows = Sequence[Sequence[int]]


def drawn(generator: torch.Generator, *shape: int) -> Tensor:
    """Few values, so that several are equal and sums are 0 at times."""
    return torch.randint(-3, 4, shape, generator=generator) / 4


def columns_of(nodes: str, rank: int) -> int:
    return 16 if nodes == "raw" else 1 << rank


def dense_state(
    seed: int,
    width: int,
    layers: Sequence[int],
    nodes: str,
    rank: int,
    *,
    learnable: Sequence[int] = (),
    first: int = 2,
) -> State:
    """A thermometer and an nn.Flatten are before the layers."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for number, count in enumerate(layers):
        key = f"{number + first}"
        state[f"{key}.weight"] = drawn(generator, count, columns_of(nodes, rank))
        shape = (3, rank, count) if number in learnable else (rank, count)
        state[f"{key}.connections.indices"] = torch.randint(0, width, shape, generator=generator)
        if number in learnable:
            state[f"{key}.connections.weights"] = drawn(generator, *shape)
        width = count
    return state


def node_value(nodes: str, weights: list[float], operands: list[int]) -> int:
    """What a node gives; operand 0 is the most significant one."""
    if nodes == "raw":
        return GATES[first_largest(weights)](*operands)
    if nodes == "light":
        address = 0
        for operand in operands:
            address = 2 * address + operand
        return int(weights[address] > 0)
    signs = [1 - 2 * operand for operand in operands]
    rank = len(signs)
    total = 0.0
    for term, weight in enumerate(weights):
        total += weight * math.prod(signs[j] for j in range(rank) if term >> (rank - 1 - j) & 1)
    return int(-total > 0)


def dense_wires(state: State, key: str) -> list[list[int]]:
    indices = state[f"{key}.connections.indices"].tolist()
    weights = state.get(f"{key}.connections.weights")
    if weights is None:
        return [list(column) for column in zip(*indices, strict=True)]
    values = weights.tolist()
    rank, count = len(indices[0]), len(indices[0][0])
    found = []
    for node in range(count):
        chosen = [first_largest([values[c][slot][node] for c in range(len(values))]) for slot in range(rank)]
        found.append([indices[chosen[slot]][slot][node] for slot in range(rank)])
    return found


def dense_bits(state: State, nodes: str, bits: list[int]) -> list[int]:
    """Through all layers that are no convolutions, in their order."""
    for number in sorted(int(key.split(".")[0]) for key in state if key.endswith(".weight")):
        weights = state[f"{number}.weight"].tolist()
        reads = dense_wires(state, f"{number}")
        bits = [node_value(nodes, w, [bits[i] for i in wires]) for w, wires in zip(weights, reads, strict=True)]
    return bits


def sums(bits: list[int], classes: int) -> list[int]:
    size = len(bits) // classes
    return [sum(bits[k * size : (k + 1) * size]) for k in range(classes)]


def dense_scores(state: State, nodes: str, rows: Rows, classes: int) -> list[list[int]]:
    return [sums(dense_bits(state, nodes, list(row)), classes) for row in rows]


def convolution_state(
    seed: int,
    key: str,
    nodes: str,
    rank: int,
    depth: int,
    kernels: int,
    size: tuple[int, int, int],
    window: Any,
    stride: int,
    padding: int,
) -> State:
    """A LogicConv2d for a map of channels, rows and columns."""
    generator = torch.Generator().manual_seed(seed)
    channels, rows, columns = (size[0], size[1] + 2 * padding, size[2] + 2 * padding)
    leaves = rank ** (depth - 1)
    limits = (*window, channels)
    base = [
        [
            [[int(torch.randint(0, limit, (), generator=generator)) for limit in limits] for _ in range(leaves)]
            for _ in range(kernels)
        ]
        for _ in range(rank)
    ]
    starts = [(y, x) for y in range(0, rows - window[0] + 1, stride) for x in range(0, columns - window[1] + 1, stride)]
    indices = [[[[[y + dy, x + dx, c] for dy, dx, c in node] for y, x in starts] for node in slot] for slot in base]
    state: State = {f"{key}.connections._indices_L0": torch.tensor(indices)}
    for level in range(depth):
        count = rank ** (depth - 1 - level)
        state[f"{key}.tree_weights.{level}"] = drawn(generator, count, kernels, columns_of(nodes, rank))
        if level:
            state[f"{key}.connections._indices_L{level}"] = (
                torch.arange(rank * count).reshape(-1, rank).t().contiguous()
            )
    return state


def convolved(
    state: State, key: str, nodes: str, image: list[list[list[int]]], padding: int, shape: tuple[int, int]
) -> list[list[list[int]]]:
    """The map of kernels, rows and columns."""
    leaves = state[f"{key}.connections._indices_L0"].tolist()
    trees = [value.tolist() for name, value in sorted(state.items()) if name.startswith(f"{key}.tree_weights.")]
    rows, columns = len(image[0]), len(image[0][0])

    def pixel(y: int, x: int, c: int) -> int:
        inside = padding <= y < rows + padding and padding <= x < columns + padding
        return image[c][y - padding][x - padding] if inside else 0

    result = []
    for kernel in range(len(leaves[0])):
        values = []
        for place in range(len(leaves[0][0])):
            bits = [
                node_value(nodes, trees[0][node][kernel], [pixel(*slot[kernel][place][node]) for slot in leaves])
                for node in range(len(trees[0]))
            ]
            for level in trees[1:]:
                rank = len(leaves)
                bits = [
                    node_value(nodes, weights[kernel], bits[rank * node : rank * node + rank])
                    for node, weights in enumerate(level)
                ]
            values.append(bits[0])
        result.append([values[row * shape[1] : (row + 1) * shape[1]] for row in range(shape[0])])
    return result


def pooled(image: list[list[list[int]]], window: int, stride: int, padding: int) -> list[list[list[int]]]:
    rows, columns = len(image[0]), len(image[0][0])

    def most(channel: list[list[int]], top: int, left: int) -> int:
        found = 0
        for y in range(top - padding, top - padding + window):
            for x in range(left - padding, left - padding + window):
                if 0 <= y < rows and 0 <= x < columns:
                    found = max(found, channel[y][x])
        return found

    down = range(0, rows + 2 * padding - window + 1, stride)
    right = range(0, columns + 2 * padding - window + 1, stride)
    return [[[most(channel, top, left) for left in right] for top in down] for channel in image]


# What the names of the operators say.
OPERATORS = {
    "CONST_FALSE": lambda a, b: 0,
    "CONST_TRUE": lambda a, b: 1,
    "WIRE": lambda a, b: a,
    "NOT": lambda a, b: 1 - a,
    "AND": lambda a, b: a & b,
    "OR": lambda a, b: a | b,
    "XOR": lambda a, b: a ^ b,
    "NAND": lambda a, b: 1 - (a & b),
    "NOR": lambda a, b: 1 - (a | b),
    "XNOR": lambda a, b: 1 - (a ^ b),
    "AND_NOT_B": lambda a, b: a & (1 - b),
    "AND_NOT_A": lambda a, b: (1 - a) & b,
    "OR_NOT_B": lambda a, b: a | (1 - b),
    "OR_NOT_A": lambda a, b: (1 - a) | b,
    "NOT_A": lambda a, b: 1 - a,
    "NOT_B": lambda a, b: 1 - b,
}


def drawn_circuit(seed: int, inputs: int = 9, gates: int = 40, classes: int = 3) -> dict[str, Any]:
    """Numbers of gates have gaps; sums read inputs, some none at all, and have constants of their own."""
    chance = random.Random(seed)
    known, listed = list(range(inputs)), []
    number = inputs
    for _ in range(gates):
        number += chance.randint(1, 5)
        op = chance.choice(list(OPERATORS))
        in0, in1 = (-1 if op in ("CONST_FALSE", "CONST_TRUE", "NOT_B") else chance.choice(known)), -1
        if op not in ("CONST_FALSE", "CONST_TRUE", "WIRE", "NOT", "NOT_A"):
            in1 = chance.choice(known)
        listed.append({"gate_id": number, "op": op, "in0": in0, "in1": in1, "node_idx": -1})
        known.append(number)
    beta = chance.choice((0.0, 0.5, -3.0))
    sums = [
        {
            "node_id": number + 10 + k,
            "input_ids": [chance.choice(known) for _ in range(chance.choice((0, 4, 9)))],
            "tau": 2.5,
            "beta": beta + chance.randrange(4),
        }
        for k in range(classes)
    ]
    outputs = [one["node_id"] for one in sums]
    chance.shuffle(outputs)
    return {
        "n_inputs": inputs,
        "input_shape": [1, inputs],
        "outputs": outputs,
        "output_shape": [1, classes],
        "gates": listed,
        "sum_nodes": sums,
    }


def circuit_values(circuit: dict[str, Any], row: Sequence[int]) -> list[float]:
    """The outputs, bits or (count + beta) / tau."""
    values = dict(enumerate(row))
    for gate in circuit["gates"]:
        read = [values.get(gate[which], 0) for which in ("in0", "in1")]
        values[gate["gate_id"]] = OPERATORS[gate["op"]](*read)
    for one in circuit.get("sum_nodes", []):
        values[one["node_id"]] = (sum(values[i] for i in one["input_ids"]) + one["beta"]) / one["tau"]
    return [values[number] for number in circuit["outputs"]]
