"""The lookups that turn a thermometer code into another code."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor, nn

from difflut.functional import lut_lookup

# A parity of m signals needs at least (m - 1) / (n - 1) lookups of n inputs. Six inputs are one LUT of an FPGA, and the
# cheapest: seven take two LUTs, eight take four.
INPUTS = 6


class CodeCircuit(nn.Module):
    """Turns sorted comparisons into the code word of their level, by parities looked up in tables.

    The level is the number of comparisons that hold, and comparison t separates level t from level t + 1. Hence a
    bit of the word is its value in level 0, changed once by each comparison at which it toggles: a parity. A parity of
    m signals is a tree of the fewest lookups of six inputs that it can have, ceil((m - 1) / 5), and among those trees
    the shallowest. Comparisons at which the same bits toggle may be folded by a tree that these bits share; they are
    where that saves lookups.

    Args:
        words: bool (levels, bits), the code word of every level, at least two levels; no bit is the same in all.

    Attributes:
        luts: the number of lookups.
        depth: the largest number of lookups between a comparison and a bit.
    """

    def __init__(self, words: Tensor) -> None:
        super().__init__()
        plan = _cheapest_plan(words)
        self.luts = len(plan.gates)
        self.depth = max(output.depth for output in plan.outputs)
        # One lookup step per depth and number of inputs, each of which passes on only what is still needed. The buffers
        # follow from `words`, so no checkpoint holds them.
        plan.gates.sort(key=lambda gate: (gate.output.depth, -len(gate.inputs)))
        steps = [list(gates) for _, gates in groupby(plan.gates, lambda gate: (gate.output.depth, len(gate.inputs)))]
        self.steps = len(steps)
        present = list(range(len(words) - 1))
        for step, gates in enumerate(steps):
            position = {number: i for i, number in enumerate(present)}
            connections = [[position[number] for number in gate.inputs] for gate in gates]
            tables = parity_table(len(gates[0].inputs)) ^ torch.tensor([[gate.inverted] for gate in gates])
            self.register_buffer(f"connections{step}", torch.tensor(connections), persistent=False)
            self.register_buffer(f"tables{step}", tables, persistent=False)
            present += [gate.output.number for gate in gates]
            needed = {number for later in steps[step + 1 :] for gate in later for number in gate.inputs}
            needed.update(output.number for output in plan.outputs)
            kept = [i for i, number in enumerate(present) if number in needed]
            present = [present[i] for i in kept]
            self.register_buffer(f"kept{step}", torch.tensor(kept), persistent=False)
        outputs = [present.index(output.number) for output in plan.outputs]
        self.register_buffer("outputs", torch.tensor(outputs), persistent=False)

    def forward(self, comparisons: Tensor) -> Tensor:
        """Code words, bool (N, bits), from sorted comparisons, bool (N, levels - 1)."""
        signals = comparisons
        for step in range(self.steps):
            connections, tables, kept = (self.get_buffer(f"{name}{step}") for name in ("connections", "tables", "kept"))
            signals = torch.cat([signals, lut_lookup(signals, connections, tables)], dim=1).index_select(1, kept)
        return signals.index_select(1, self.get_buffer("outputs"))


def parity_table(n: int) -> Tensor:
    """bool (2**n,): whether the address has an odd number of ones."""
    return torch.tensor([address.bit_count() % 2 == 1 for address in range(1 << n)])


@dataclass(frozen=True, order=True)
class _Signal:
    """A comparison or a lookup's output: the number of lookups on the longest way to it, and its number."""

    depth: int
    number: int


@dataclass(frozen=True)
class _Gate:
    """A lookup: the parity of the signals with the numbers `inputs`, or its complement."""

    inputs: tuple[int, ...]
    inverted: bool
    output: _Signal


@dataclass
class _Plan:
    """The lookups of a circuit; signal numbers below `comparisons` are the comparisons, the others the gates'
    outputs.
    """

    comparisons: int
    gates: list[_Gate] = field(default_factory=list)
    outputs: list[_Signal] = field(default_factory=list)

    def add_parity(self, signals: Sequence[_Signal], inverted: bool = False) -> _Signal:
        """Add the parity of at least one signal, or its complement; one signal as it is needs no lookup.

        The shallowest signals are merged first, which gives the shallowest tree (Golumbic, "Combinatorial Merging",
        IEEE Transactions on Computers, 1976). Only the first lookup may have fewer than six inputs.
        """
        heap = sorted(signals)
        size = (len(heap) - 2) % (INPUTS - 1) + 2 if len(heap) > 1 else 1
        while len(heap) > 1 or inverted:
            merged = [heapq.heappop(heap) for _ in range(size)]
            output = _Signal(merged[-1].depth + 1, self.comparisons + len(self.gates))
            self.gates.append(_Gate(tuple(signal.number for signal in merged), inverted and not heap, output))
            inverted = inverted and bool(heap)
            heapq.heappush(heap, output)
            size = INPUTS
        return heap[0]


def _cheapest_plan(words: Tensor) -> _Plan:
    """The plan with the fewest lookups, of those the shallowest, among all choices of what size of classes to fold.

    A class is a set of comparisons at which the same bits toggle.
    """
    classes: dict[tuple[bool, ...], list[_Signal]] = {}
    for number, bits in enumerate((words[1:] != words[:-1]).tolist()):
        classes.setdefault(tuple(bits), []).append(_Signal(0, number))
    plans = []
    sizes = {len(signals) for signals in classes.values()}
    for least in sorted(sizes | {max(sizes) + 1}):  # the last folds none
        plan = _Plan(len(words) - 1)
        parts = {
            bits: [plan.add_parity(signals)] if len(signals) >= least else signals for bits, signals in classes.items()
        }
        for bit, inverted in enumerate(words[0].tolist()):
            signals = [signal for bits, part in parts.items() if bits[bit] for signal in part]
            plan.outputs.append(plan.add_parity(signals, inverted))
        plans.append(plan)
    return min(plans, key=lambda plan: (len(plan.gates), max(output.depth for output in plan.outputs)))
