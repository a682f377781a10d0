"""Equal nodes of two circuits in one graph, found by simulation and proved one by one from the inputs on.

This is SAT sweeping (A. Kuehlmann and F. Krohm, "Equivalence checking using cuts and heaps", DAC 1997), with three
kinds of proof in the order of their cost: the same table of the same nodes; enumeration, of all codes for what depends
on one feature and of a window between proved nodes otherwise; SAT on the whole cone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import InputFormat
from difflut.export.proof.graph import FALSE, NOT, Graph, Words, patterns
from difflut.export.proof.solver import Answer, Solver

SEVERAL = -2  # more than one feature, or something else than a code
NONE = -1
ENUMERATED_BITS = 16
WINDOW = 16
_CANDIDATES = 4
_MAX_STEPS = 64

Row = npt.NDArray[Any]


@dataclass
class Swept:
    """The outcome.

    Attributes:
        graph: both circuits with what was proved equal merged.
        node_of: for each node of the given graph the node of `graph` that has the same function.
        proofs: how many nodes were merged, by kind of proof.
        exact: node of `graph` -> its values for all codes, for those that depend on one feature.
        feature: the feature that each node of `graph` depends on; NONE or SEVERAL.
    """

    graph: Graph
    node_of: list[int]
    proofs: Counter[str] = field(default_factory=Counter)
    exact: dict[int, Words] = field(default_factory=dict)
    feature: list[int] = field(default_factory=list)


class Sweeper:
    """Sweeps one graph.

    Args:
        raw: the graph; nodes that stand for the specification come before what is compared with them.
        form: the format of the codes; inputs of the graph are (port, bit, time).
        leaders: the nodes that others may be merged with.
        inputs, words: values of the inputs for the signatures, as `Graph.evaluate` takes them.
        solver_budget: conflicts that a SAT question may take.
    """

    def __init__(
        self,
        raw: Graph,
        form: InputFormat,
        leaders: Collection[int],
        inputs: dict[int, Words],
        words: int,
        *,
        solver_budget: int = 2000,
        progress: Callable[[int], None] = lambda count: None,
    ) -> None:
        self.raw = raw
        self.form = form
        self.leaders = set(leaders)
        self.budget = solver_budget
        self.progress = progress
        self.result = Swept(Graph(), [0, 1])
        self.result.feature = [NONE, NONE]
        self._signatures = _canonical(raw.evaluate(inputs, words))
        self._exact_raw, self._row_of = self._enumerate()
        self._solver: Solver | None = None
        self._alias: dict[int, int] = {}
        self._support: list[int] = [0, 0]
        self._tried: set[tuple[int, int]] = set()

    @property
    def solver(self) -> Solver:
        """The SAT solver on the merged graph."""
        if self._solver is None:
            self._solver = Solver(self.result.graph)
        return self._solver

    def run(self) -> Swept:
        """Sweep the whole graph."""
        result, graph = self.result, self.result.graph
        by_table: dict[tuple[int, bytes], tuple[int, bool]] = {}
        by_signature: dict[bytes, list[tuple[int, bool]]] = {self._signatures[0][0]: [(0, self._signatures[0][1])]}
        names = {node: key for key, node in self.raw.inputs.items()}
        for node in range(2, len(self.raw)):
            if node % 1024 == 0:
                self.progress(node)
            if self.raw.is_input(node):
                merged = graph.input(names[node])
                self._describe(merged, node)
                result.node_of.append(merged)
                by_table.setdefault(*self._table_entry(node, merged))
                continue
            before = len(graph)
            merged = graph.add([result.node_of[feed] for feed in self.raw.fanins[node]], self.raw.tables[node])
            new = merged >= before
            if new:
                self._describe(merged, node)
            elif merged in self._alias:
                merged = self._alias[merged]
            elif node not in self.leaders:
                result.proofs["structure"] += 1
            target = merged
            if new and node in self._row_of:
                key, entry = self._table_entry(node, merged)
                found = by_table.setdefault(key, entry) if any(key[1]) else (FALSE, False)
                target = self._aliased(merged, found, entry[1], "all codes")
            elif new:
                target = self._match(node, merged, by_signature)
            if node in self.leaders and target == merged and node not in self._row_of:
                signature, inverted = self._signatures[node]
                members = by_signature.setdefault(signature, [])
                if all(member != merged for member, _ in members):
                    members.append((merged, inverted))
            result.node_of.append(target)
        return result

    def _describe(self, merged: int, node: int) -> None:
        """Note what a new node of the merged graph depends on."""
        graph = self.result.graph
        while len(self.result.feature) < len(graph):
            self.result.feature.append(SEVERAL)
            self._support.append(0)
        if node in self._row_of:
            self.result.feature[merged] = self._feature[node]
            self.result.exact[merged] = self._exact_raw[self._row_of[node]]
            self._support[merged] = 1 << self._feature[node]
        else:
            support = 0
            for feed in graph.fanins[merged]:
                support |= self._support[feed]
            self._support[merged] = support
            features = {self.result.feature[feed] for feed in graph.fanins[merged]}
            self.result.feature[merged] = features.pop() if len(features) == 1 else SEVERAL

    def _table_entry(self, node: int, merged: int) -> tuple[tuple[int, bytes], tuple[int, bool]]:
        if node not in self._row_of:
            return (NONE, str(node).encode()), (merged, False)
        (table, inverted), feature = _canonical(self._exact_raw[self._row_of[node]][None])[0], self._feature[node]
        return (feature, table), (merged, inverted)

    def _aliased(self, merged: int, found: tuple[int, bool], inverted: bool, kind: str) -> int:
        """The node to use for `merged`, which was proved equal, or inverse, to `found`."""
        other, other_inverted = found
        if other == merged:
            return merged
        if other_inverted != inverted:
            other = self.result.graph.add((other,), NOT)
            if other >= len(self.result.feature):
                self.result.feature.append(self.result.feature[merged])
                self._support.append(self._support[merged])
                if merged in self.result.exact:
                    self.result.exact[other] = self.result.exact[merged]
        if other != merged:
            self._alias[merged] = other
            self.result.proofs[kind] += 1
        return other

    def _match(self, node: int, merged: int, by_signature: dict[bytes, list[tuple[int, bool]]]) -> int:
        signature, inverted = self._signatures[node]
        for other, other_inverted in by_signature.get(signature, [])[:_CANDIDATES]:
            mine, theirs = self._support[merged], self._support[other]
            if mine & ~theirs and theirs & ~mine:
                continue
            if other == FALSE and node not in self.leaders:
                continue  # the upper bits of a popcount hardly ever are 1, and no one asks whether they ever are
            kind = self.equal(merged, other, inverted != other_inverted)
            if kind is not None:
                return self._aliased(merged, (other, other_inverted), inverted, kind)
        return merged

    def equal(self, a: int, b: int, inverted: bool) -> str | None:
        """The kind of proof that shows merged nodes `a` and `b` equal (or inverse); None without a proof."""
        leaves = self._window([a, b])
        if leaves is not None:
            verdict = self._compare_in_window(a, b, inverted, leaves)
            if verdict is not None:
                return "cases" if verdict else None
        if max(len(self.result.graph.cone([a])), len(self.result.graph.cone([b]))) > 20_000:
            return None
        other = self.result.graph.add((b,), NOT) if inverted else b
        answer = self.solver.compare(a, other, self.budget)
        self._catch_up()
        return "SAT" if answer is Answer.EQUAL else None

    def _catch_up(self) -> None:
        """Nodes that a question added to the graph are of no interest; keep the lists in step."""
        while len(self.result.feature) < len(self.result.graph):
            self.result.feature.append(SEVERAL)
            self._support.append(-1)

    def _window(self, roots: Sequence[int]) -> list[int] | None:
        """Nodes between the roots and the inputs that all roots are functions of; None if they are too many."""
        graph = self.result.graph
        sides = {root: 1 << i for i, root in enumerate(roots)}
        everywhere = (1 << len(roots)) - 1
        leaves = dict(sides)
        for _ in range(_MAX_STEPS):
            open_ = [
                leaf
                for leaf, side in leaves.items()
                if graph.fanins[leaf] and (leaf in sides or (side != everywhere and self.result.feature[leaf] < 0))
            ]
            if not open_:
                return sorted(leaf for leaf in leaves if leaf > 1) if len(leaves) <= WINDOW else None
            node = max(open_)
            side = leaves.pop(node)
            for feed in graph.fanins[node]:
                leaves[feed] = leaves.get(feed, 0) | side
            if len(leaves) > 3 * WINDOW:
                return None
        return None

    def _compare_in_window(self, a: int, b: int, inverted: bool, leaves: list[int]) -> bool | None:
        """True: equal whatever the leaves are; False: different for some input; None: different for some values of the
        leaves, which perhaps no input gives."""
        graph = self.result.graph
        cone = self._between([a, b], leaves)
        rows = patterns(len(leaves), max(1, 1 << max(0, len(leaves) - 6)))

        def differ(values: list[Words]) -> bool:
            computed = evaluate_cone(graph, cone, dict(zip(leaves, values, strict=True)), len(values[0]))
            same = computed[a] ^ computed[b]
            return bool((~same if inverted else same).any())

        if not leaves:
            return graph.tables[a] == graph.tables[b] ^ inverted
        if not differ(rows):
            return True
        domain = self._domain(leaves)
        if domain is None:
            return None
        values, exact = domain
        if not differ(values):
            return True
        return False if exact else None

    def _domain(self, leaves: list[int]) -> tuple[list[Words], bool] | None:
        """Values of the leaves that leave out what no code gives; and whether an input gives every one of them."""
        exact, feature = self.result.exact, self.result.feature
        groups: dict[int, list[int]] = {}
        for leaf in leaves:
            groups.setdefault(feature[leaf] if leaf in exact else -2 - leaf, []).append(leaf)
        choices: list[npt.NDArray[np.bool_]] = []
        size = 1
        for members in groups.values():
            if members[0] in exact:
                bits = np.unpackbits(
                    np.stack([exact[leaf] for leaf in members]).astype("<u8").view(np.uint8), axis=1, bitorder="little"
                )
                choices.append(np.unique(bits.T, axis=0).astype(np.bool_))
            else:
                choices.append(np.array([[False], [True]]))
            size *= len(choices[-1])
            if size > 1 << WINDOW + 2:
                return None
        columns: dict[int, Row] = {}
        repeat = 1
        for members, options in zip(groups.values(), choices, strict=True):
            index = np.arange(size) // repeat % len(options)
            repeat *= len(options)
            for column, leaf in enumerate(members):
                columns[leaf] = options[index, column]
        padded = -(-size // 64) * 64
        index = np.arange(padded) % size
        values = [np.packbits(columns[leaf][index], bitorder="little").view("<u8").astype(np.uint64) for leaf in leaves]
        return values, all(members[0] in exact for members in groups.values())

    def _between(self, roots: Sequence[int], leaves: Collection[int]) -> list[int]:
        return between(self.result.graph, roots, leaves)

    def _enumerate(self) -> tuple[Words, dict[int, int]]:
        """The values for all codes of the nodes that depend on one feature, uint64 (rows, words), and their rows."""
        self._feature = features(self.raw, self.form)
        width = self.form.width_bits
        if width > ENUMERATED_BITS:
            return np.zeros((0, 1), np.uint64), {}
        single = [node for node, feature in enumerate(self._feature) if feature >= 0]
        words = max(1, (1 << width) // 64)
        columns = patterns(width, words)
        inputs = {node: columns[key[1] % width] for key, node in self.raw.inputs.items() if self._feature[node] >= 0}
        computed = evaluate_cone(self.raw, [node for node in single if self.raw.fanins[node]], inputs, words)
        return np.stack([computed[node] for node in single]) if single else np.zeros((0, words), np.uint64), {
            node: row for row, node in enumerate(single)
        }


def between(graph: Graph, roots: Sequence[int], leaves: Collection[int]) -> list[int]:
    """The nodes between the leaves and the roots, roots included, leaves not, ascending."""
    stop = set(leaves)
    seen = {root for root in roots if root not in stop and graph.fanins[root]}
    todo = list(seen)
    while todo:
        for feed in graph.fanins[todo.pop()]:
            if feed not in seen and feed not in stop and graph.fanins[feed]:
                seen.add(feed)
                todo.append(feed)
    return sorted(seen)


def evaluate_cone(graph: Graph, nodes: Sequence[int], inputs: dict[int, Words], words: int) -> dict[int, Words]:
    """Values of a few nodes, given ascending and closed under fan-in up to `inputs`; constants are known."""
    values: dict[int, Words] = {0: np.zeros(words, np.uint64), 1: np.full(words, ~np.uint64(0)), **inputs}
    for node in nodes:
        if node not in values:
            values[node] = _table_value([values[feed] for feed in graph.fanins[node]], graph.tables[node])
    return values


def _table_value(inputs: list[Words], table: int) -> Words:
    """A table read at addresses of words, by Shannon expansion; sub-tables that are constant cost nothing."""
    n = len(inputs)
    if table == 0:
        return np.zeros_like(inputs[0])
    if table == (1 << (1 << n)) - 1:
        return np.full_like(inputs[0], ~np.uint64(0))
    top, rest, half = inputs[-1], inputs[:-1], 1 << (n - 1)
    if n == 1:
        return top if table == 0b10 else ~top
    low, high = table & ((1 << half) - 1), table >> half
    if low == high:
        return _table_value(rest, low)
    full = (1 << half) - 1
    if low == high ^ full:
        return _table_value(rest, low) ^ top
    if low == 0:
        return top & _table_value(rest, high)
    if high == 0:
        return _table_value(rest, low) & ~top
    if low == full:
        return _table_value(rest, high) | ~top
    if high == full:
        return _table_value(rest, low) | top
    a, b = _table_value(rest, low), _table_value(rest, high)
    return a ^ (top & (a ^ b))


def features(graph: Graph, form: InputFormat) -> list[int]:
    """For each node the feature that it depends on: NONE, or SEVERAL if there is more to it."""
    result = [NONE, NONE]
    names = {node: key for key, node in graph.inputs.items()}
    times: dict[int, int] = {}
    for node in range(2, len(graph)):
        if graph.is_input(node):
            port, bit, time = names[node]
            feature = bit // form.width_bits if port == "in_codes" else SEVERAL
            if feature >= 0 and times.setdefault(feature, time) != time:
                feature = SEVERAL
            result.append(feature)
        else:
            found = {result[feed] for feed in graph.fanins[node]}
            result.append(found.pop() if len(found) == 1 else SEVERAL)
    return result


def _canonical(values: Words) -> list[tuple[bytes, bool]]:
    """For each row the bytes of the row or of its inverse, whichever begins with 0, and whether it was inverted."""
    inverted = (values[:, 0] & np.uint64(1)).astype(np.bool_)
    rows = np.where(inverted[:, None], ~values, values)
    return [(row.tobytes(), flag) for row, flag in zip(rows, inverted.tolist(), strict=True)]
