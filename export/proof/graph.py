"""Combinational circuits as graphs of truth tables: what both sides of a proof are turned into.

A node is an integer. Node 0 is constant 0, node 1 constant 1; every other node is an input or a table of at most eight
earlier nodes. Nodes are built normalised: constants, repeated and irrelevant fan-ins are folded into the table, and
equal nodes (same fan-ins in the same order, same table) are one node. So equal node numbers mean equal functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import MAX_INPUTS

Words = npt.NDArray[np.uint64]
Key = tuple[str, int, int]  # what an input is: port, bit, and how many clock cycles ago

FALSE = 0
TRUE = 1
ALL_ONES = ~np.uint64(0)

NOT, AND, OR, XOR = 0b01, 0b1000, 0b1110, 0b0110
MUX = 0b11001010  # inputs: low, high, select
SUM3 = 0b10010110
MAJORITY = 0b11101000

# Bits of a truth table of n inputs at which input i is 0.
_ZERO = [[sum(1 << a for a in range(1 << n) if not a >> i & 1) for i in range(n)] for n in range(MAX_INPUTS + 1)]
_FULL = [(1 << (1 << n)) - 1 for n in range(MAX_INPUTS + 1)]
_EVALUATED_WORDS = 1 << 17


class Graph:
    """A growing graph.

    Attributes:
        fanins: per node the nodes that it reads, input 0 of the table first; empty for inputs and constants.
        tables: per node the table, bit a = output at address a; -1 for an input.
        level: per node the longest way from an input.
        inputs: key -> node of the inputs, in the order of their making.
    """

    def __init__(self) -> None:
        self.fanins: list[tuple[int, ...]] = [(), ()]
        self.tables: list[int] = [0, 1]
        self.level: list[int] = [0, 0]
        self.inputs: dict[Key, int] = {}
        self._known: dict[tuple[tuple[int, ...], int], int] = {}

    def __len__(self) -> int:
        return len(self.fanins)

    def input(self, key: Key) -> int:
        """The input named `key`, made if it is new."""
        node = self.inputs.get(key)
        if node is None:
            node = self.inputs[key] = self._append((), -1, 0)
        return node

    def add(self, fanins: Sequence[int], table: int) -> int:
        """The node with the given function; one that exists already if it is the same after normalising."""
        feeds = tuple(fanins)
        key = (feeds, table)
        node = self._known.get(key)
        if node is None:
            node = self._known[key] = self._normalised(list(feeds), table)
        return node

    def is_input(self, node: int) -> bool:
        """Whether a node is an input."""
        return self.tables[node] < 0

    def not_(self, a: int) -> int:
        """The inverse."""
        return self.add((a,), NOT)

    def equals(self, a: int, b: int) -> int:
        """Whether two nodes are equal."""
        return self.add((a, b), 0b1001)

    def any_of(self, nodes: Iterable[int]) -> int:
        """The disjunction."""
        return self.reduce(list(nodes), OR, FALSE)

    def all_of(self, nodes: Iterable[int]) -> int:
        """The conjunction."""
        return self.reduce(list(nodes), AND, TRUE)

    def greater(self, a: Sequence[int], b: Sequence[int], or_equal: int = FALSE) -> int:
        """a > b for unsigned words, least significant bit first; a >= b with `or_equal` TRUE."""
        result = or_equal
        for x, y in zip(a, b, strict=True):
            result = self.add((x, y, result), 0b10110010)  # x and not y, or not (y and not x) and the lower bits say so
        return result

    def multiplexer(self, low: Sequence[int], high: Sequence[int], select: int) -> list[int]:
        """Bit by bit `select ? high : low`."""
        return [self.add((x, y, select), MUX) for x, y in zip(low, high, strict=True)]

    def cone(self, roots: Iterable[int]) -> list[int]:
        """The nodes that the roots depend on, themselves included, ascending (and so in topological order)."""
        seen = set(roots)
        todo = list(seen)
        while todo:
            for node in self.fanins[todo.pop()]:
                if node not in seen:
                    seen.add(node)
                    todo.append(node)
        return sorted(seen)

    def evaluate(self, inputs: dict[int, Words], words: int, nodes: Sequence[int] | None = None) -> Words:
        """Compute values, one bit a sample, 64 samples a word.

        Args:
            inputs: input node -> uint64 (words,); inputs that are not named are 0.
            words: the number of words.
            nodes: the nodes to compute, closed under fan-in and ascending; all by default.

        Returns:
            uint64 (len(self), words); rows of nodes that were not computed are 0.
        """
        values = np.zeros((len(self), words), np.uint64)
        values[TRUE] = ALL_ONES
        for node, row in inputs.items():
            values[node] = row
        chosen = range(2, len(self)) if nodes is None else nodes
        groups: dict[tuple[int, int], list[int]] = {}
        for node in chosen:
            if self.fanins[node]:
                groups.setdefault((self.level[node], len(self.fanins[node])), []).append(node)
        for (_, n), members in sorted(groups.items()):
            step = max(1, _EVALUATED_WORDS // (words << n))
            for start in range(0, len(members), step):
                some = members[start : start + step]
                fanin = np.array([self.fanins[node] for node in some])
                values[some] = lookup(values[fanin.T], [self.tables[node] for node in some], n)
        return values

    def _append(self, fanins: tuple[int, ...], table: int, level: int) -> int:
        self.fanins.append(fanins)
        self.tables.append(table)
        self.level.append(level)
        return len(self.fanins) - 1

    def reduce(self, nodes: list[int], table: int, empty: int) -> int:
        """All nodes joined by an associative function of two inputs; `empty` for none."""
        while len(nodes) > 1:
            pairs = [self.add((a, b), table) for a, b in zip(nodes[::2], nodes[1::2], strict=False)]
            nodes = pairs + (nodes[-1:] if len(nodes) % 2 else [])
        return nodes[0] if nodes else empty

    def _normalised(self, feeds: list[int], table: int) -> int:
        for i in reversed(range(len(feeds))):
            n = len(feeds)
            if feeds[i] <= TRUE:
                table = cofactor(table, n, i, feeds[i])
                del feeds[i]
            elif feeds[i] in feeds[:i]:
                table = diagonal(table, n, feeds.index(feeds[i]), i)
                del feeds[i]
        for i in reversed(range(len(feeds))):
            n = len(feeds)
            if not (table >> (1 << i) ^ table) & _ZERO[n][i]:
                table = cofactor(table, n, i, 0)
                del feeds[i]
        if not feeds:
            return table & 1
        if len(feeds) == 1 and table == 0b10:
            return feeds[0]
        key = (tuple(feeds), table)
        node = self._known.get(key)
        if node is None:
            node = self._known[key] = self._append(key[0], table, 1 + max(self.level[feed] for feed in feeds))
        return node


def cofactor(table: int, n: int, i: int, value: int) -> int:
    """The table of n - 1 inputs that is left when input `i` has a fixed value."""
    if value:
        table >>= 1 << i
    table &= _ZERO[n][i]
    width = 1 << i
    block, result, at = (1 << width) - 1, 0, 0
    while table:
        result |= (table & block) << at
        table >>= 2 * width
        at += width
    return result


def diagonal(table: int, n: int, first: int, second: int) -> int:
    """The table of n - 1 inputs that is left when inputs `first` < `second` are the same; `second` goes."""
    low, high = cofactor(table, n, second, 0), cofactor(table, n, second, 1)
    zero = _ZERO[n - 1][first]
    return low & zero | high & ~zero & _FULL[n - 1]


def lookup(inputs: Words, tables: list[int], n: int) -> Words:
    """uint64 (nodes, words): tables of n inputs read at addresses uint64 (n, nodes, words)."""
    octets = np.frombuffer(b"".join(table.to_bytes(32, "little") for table in tables), np.uint8).reshape(-1, 32)
    bits = np.unpackbits(octets, axis=1, bitorder="little")[:, : 1 << n].T
    rows: Any = np.where(bits[:, :, None] > 0, ALL_ONES, np.uint64(0))
    for i in reversed(range(n)):
        low, high = np.split(rows, 2)
        rows = low ^ (inputs[i] & (low ^ high))
    return np.asarray(rows[0])


def patterns(count: int, words: int) -> list[Words]:
    """The values of `count` variables that run through all 2**count assignments, uint64 (words,) each.

    Assignment a is bit a % 64 of word a // 64; with fewer than 64 assignments they repeat.
    """
    address = np.arange(words, dtype=np.uint64)
    result: list[Words] = []
    for i in range(count):
        if i < 6:
            mask = np.uint64(sum(1 << a for a in range(64) if a >> i & 1))
            result.append(np.full(words, mask))
        else:
            result.append(np.where(address >> np.uint64(i - 6) & np.uint64(1), ALL_ONES, np.uint64(0)))
    return result
