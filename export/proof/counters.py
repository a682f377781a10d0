"""Proof that a word is the number of ones among some nodes.

A popcount of hundreds of bits is out of reach for SAT and for enumeration, but it is built of small pieces that keep a
weighted sum. A *cut* is a set of nodes through which every path from the counted nodes to the word goes. It *carries*
the sum if integer weights are known with sum(weight * node) + constant = number of ones, for all inputs. The counted
nodes carry it, all with weight 1. From one cut to the next the nodes fall apart into pieces that share no node of the
earlier cut; if each piece keeps its part of the sum, the later cut carries it too. A piece is enumerated: all
assignments of its inputs, less those that were shown impossible (a part of a sum is never larger than the largest value
found when it was proved, and all together never larger than the number of counted nodes). The weights are found by
solving equations for random assignments; then they are claims to be proved like everything else.

Where cuts may lie is suggested by the vectors of the RTL; a wrong suggestion costs time, never soundness.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.bits import pack, unpack
from difflut.export.proof.graph import ALL_ONES, FALSE, TRUE, Graph, Words, patterns
from difflut.export.proof.sweep import between, evaluate_cone

MAX_PIECE_INPUTS = 27
_CHUNK_BITS = 18
_TRIALS = 4096
_PATHS = 4
_ATTEMPTS = 6


@dataclass(frozen=True)
class Fact:
    """Something true for all inputs: sum(weight * node) <= `most`, with weights that are not negative."""

    weights: dict[int, int]
    most: int


@dataclass
class Counted:
    """The outcome for one word.

    Attributes:
        proved: whether the word is the count.
        cuts: how many cuts were passed on the way.
        pieces: how many pieces were proved, and how many of those by being like an earlier one.
        repeated: how many of the pieces have the form of one that was proved before.
        reason: why not, in words.
    """

    proved: bool = False
    cuts: int = 0
    pieces: int = 0
    repeated: int = 0
    reason: str = ""


@dataclass(frozen=True)
class _Piece:
    """What an enumeration found: the outputs' weights, sum(outputs) = sum(inputs) + constant, at most `most`, and the
    positions of outputs that are never 1."""

    weights: tuple[int, ...]
    constant: int
    most: int
    never: tuple[int, ...] = ()


class CounterProver:
    """Proves words of one graph; forms of pieces that were enumerated are remembered.

    Args:
        graph: the graph.
        vectors: sets of nodes where a cut may lie.
    """

    def __init__(self, graph: Graph, vectors: Iterable[frozenset[int]]) -> None:
        self.graph = graph
        self.vectors = list(vectors)
        self._seen: dict[object, _Piece | str] = {}

    def prove(self, counted: dict[int, int], constant: int, word: Sequence[int]) -> Counted:
        """Whether `word`, least significant bit first, is sum(times * node) + constant for all inputs.

        Args:
            counted: node -> how many times it counts.
            constant: how many constant ones count.
            word: nodes.
        """
        outcome = Counted()
        target: dict[int, int] = {}
        offset = 0
        for bit, node in enumerate(word):
            if node == TRUE:
                offset += 1 << bit
            elif node != FALSE:
                target[node] = target.get(node, 0) + (1 << bit)
        cone = self._cone(target, counted, outcome)
        if cone is None:
            return outcome
        missing = [node for node in counted if node not in cone]
        if missing:
            outcome.reason = f"{len(missing)} of the {len(counted)} nets that it counts do not reach it"
            return outcome
        state = _State(dict(counted), constant, sum(counted.values()) + constant)
        for cut in self._cuts(cone, target, counted):
            following = self._pass(state, dict.fromkeys(sorted(cut)), outcome)
            if isinstance(following, _State):
                state = following
                outcome.cuts += 1
        following = self._pass(state, target, outcome)
        if isinstance(following, str):
            outcome.reason = following
        elif following.constant != offset:
            outcome.reason = f"it is off by {offset - following.constant}"
        else:
            outcome.proved = True
            outcome.cuts += 1
        return outcome

    def _cone(self, target: dict[int, int], counted: dict[int, int], outcome: Counted) -> set[int] | None:
        """The nodes between the counted ones and the word, both included."""
        nodes = set(between(self.graph, list(target), counted))
        for node in nodes:
            for feed in self.graph.fanins[node]:
                if feed not in nodes and feed not in counted:
                    outcome.reason = "it depends on something else than the nets that it counts"
                    return None
        if any(node not in nodes and node not in counted for node in target):
            outcome.reason = "it depends on something else than the nets that it counts"
            return None
        return (
            nodes
            | {feed for node in nodes for feed in self.graph.fanins[node] if feed in counted}
            | {node for node in target if node in counted}
        )

    def _cuts(self, cone: set[int], target: dict[int, int], counted: dict[int, int]) -> list[frozenset[int]]:
        """Suggested cuts, those near the counted nodes first."""
        found: dict[frozenset[int], int] = {}
        paths = self._paths(target, counted)
        for vector in self.vectors:
            nodes = vector & cone
            if len(nodes) < 2 or nodes in found or nodes == counted.keys() or nodes == target.keys():
                continue
            if any(nodes.isdisjoint(path) for path in paths):
                continue
            above = between(self.graph, list(target), nodes)
            if any(feed in counted and feed not in nodes for node in above for feed in self.graph.fanins[node]):
                continue
            if any(node in counted and node not in nodes for node in target):
                continue
            found[nodes] = len(above)
        return sorted(found, key=lambda nodes: -found[nodes])

    def _paths(self, target: dict[int, int], counted: dict[int, int]) -> list[list[int]]:
        """A few paths from the word down to counted nodes; a set that one of them avoids is no cut."""
        random = np.random.default_rng(0)
        paths = []
        for root in target:
            for _ in range(_PATHS):
                path = [root]
                while path[-1] not in counted and self.graph.fanins[path[-1]]:
                    path.append(int(random.choice(self.graph.fanins[path[-1]])))
                paths.append(path)
        return paths

    def _pass(self, state: _State, to: dict[int, int] | dict[int, None], outcome: Counted) -> _State | str:
        """Carry the sum from one cut to the nodes `to`; their weights are given, or None where they are to be found."""
        graph, weights = self.graph, state.weights
        pieces = _Pieces()
        for node in to:
            inner = between(graph, [node], weights)
            inputs = {feed for other in inner for feed in graph.fanins[other]} - set(inner)
            if node in weights:
                inputs = {node}
            if not inputs or not inputs <= weights.keys():
                return "a cut does not lie behind the one before"
            pieces.add(node, inputs)
        unread = weights.keys() - pieces.inputs()
        if unread:
            return f"{len(unread)} bits of a partial sum are lost"
        after: dict[int, int] = {}
        facts: list[Fact] = []
        constant = state.constant
        for outputs, members in pieces.all():
            given = {node: to[node] for node in outputs}
            result = self._piece(state, members, outputs, given, outcome)
            if isinstance(result, str):
                return result
            after.update(zip(outputs, result.weights, strict=True))
            constant -= result.constant
            facts += [Fact({outputs[i]: 1}, 0) for i in result.never]
            if min(result.weights) >= 0:
                facts.append(Fact(dict(zip(outputs, result.weights, strict=True)), result.most))
        kept = [fact for fact in state.facts if fact.weights.keys() & after.keys()]
        return _State(after, constant, state.most, kept + facts)

    def _piece(
        self,
        state: _State,
        inputs: list[int],
        outputs: list[int],
        given: dict[int, int | None],
        outcome: Counted,
    ) -> _Piece | str:
        """Find or recall what a piece does."""
        outcome.pieces += 1
        if inputs == outputs and all(value in (None, state.weights[node]) for node, value in given.items()):
            total = sum(max(0, state.weights[node]) for node in inputs)
            return _Piece(tuple(state.weights[node] for node in outputs), 0, total)
        if len(inputs) > MAX_PIECE_INPUTS:
            return f"a piece has {len(inputs)} inputs, too many to enumerate"
        local = _Local(self.graph, inputs, outputs)
        bounds = state.bounds(local.inputs)
        wanted = tuple(given[node] for node in outputs)
        key = (
            local.form,
            tuple(state.weights[node] for node in local.inputs),
            tuple(sorted((tuple(sorted(bound.items())), most) for bound, most in bounds)),
            wanted,
        )
        known = self._seen.get(key)
        if known is not None:
            outcome.repeated += 1
            return known
        weights = [state.weights[node] for node in local.inputs]
        self._seen[key] = result = _enumerate(local, weights, bounds, wanted)
        return result


@dataclass
class _State:
    """A cut that carries the sum: sum(weight * node) + constant = count <= most; and facts about its nodes."""

    weights: dict[int, int]
    constant: int
    most: int
    facts: list[Fact] = field(default_factory=list)

    def bounds(self, inputs: list[int]) -> Bounds:
        """Upper bounds on sums of some of the inputs, by position; only those that exclude something."""
        position = {node: i for i, node in enumerate(inputs)}
        found = []
        for fact in self.facts:
            part = {position[node]: weight for node, weight in fact.weights.items() if node in position}
            if sum(part.values()) > fact.most:
                found.append((part, fact.most))
        if min(self.weights.values()) >= 0:
            whole = {position[node]: self.weights[node] for node in inputs}
            if sum(whole.values()) > self.most - self.constant:
                found.append((whole, self.most - self.constant))
        return found


class _Pieces:
    """Groups nodes whose inputs overlap."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._outputs: list[tuple[int, set[int]]] = []

    def add(self, output: int, inputs: set[int]) -> None:
        self._outputs.append((output, inputs))
        first = None
        for node in inputs:
            self._parent.setdefault(node, node)
            if first is None:
                first = self._root(node)
            else:
                self._parent[self._root(node)] = first

    def inputs(self) -> set[int]:
        """All inputs of all pieces."""
        return set(self._parent)

    def all(self) -> list[tuple[list[int], list[int]]]:
        """(outputs, inputs) of each piece, ascending."""
        outputs: dict[int, list[int]] = {}
        for output, inputs in self._outputs:
            outputs.setdefault(self._root(next(iter(inputs))), []).append(output)
        members: dict[int, list[int]] = {}
        for node in sorted(self._parent):
            members.setdefault(self._root(node), []).append(node)
        return [(sorted(outputs[root]), members[root]) for root in outputs]

    def _root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node


class _Local:
    """A piece with nodes numbered by its form alone, so that equal pieces have equal forms.

    Attributes:
        inputs: nodes of the graph in the order in which the form reads them.
        form: one entry a node between inputs and outputs, then the outputs.
    """

    def __init__(self, graph: Graph, inputs: list[int], outputs: list[int]) -> None:
        self.inputs: list[int] = []
        number: dict[int, int] = {}
        known = set(inputs)
        rows: list[tuple[Any, ...]] = []
        todo = list(reversed(outputs))
        while todo:
            node = todo[-1]
            if node in number:
                todo.pop()
            elif node in known:
                number[node] = -1 - len(self.inputs)
                self.inputs.append(node)
                todo.pop()
            else:
                missing = [feed for feed in graph.fanins[node] if feed not in number]
                if missing:
                    todo.extend(reversed(missing))
                    continue
                number[node] = len(rows)
                rows.append((tuple(number[feed] for feed in graph.fanins[node]), graph.tables[node]))
                todo.pop()
        self.form = (tuple(rows), tuple(number[node] for node in outputs))
        self._graph = graph
        self._outputs = outputs
        self._nodes = between(graph, outputs, inputs)

    def evaluate(self, values: list[Words]) -> list[Words]:
        """The outputs for values of `inputs`."""
        given = dict(zip(self.inputs, values, strict=True))
        computed = evaluate_cone(self._graph, self._nodes, given, len(values[0]))
        return [computed[node] for node in self._outputs]


def _sums(values: Sequence[Words], weights: Sequence[int], samples: int) -> npt.NDArray[np.int64]:
    total = np.zeros(samples, np.int64)
    for row, weight in zip(values, weights, strict=True):
        total += unpack(row[None], samples)[0] * np.int64(weight)
    return total


Bounds = list[tuple[dict[int, int], int]]  # position -> weight, and what the sum of these inputs can at most be


def _enumerate(local: _Local, weights: list[int], bounds: Bounds, wanted: tuple[int | None, ...]) -> _Piece | str:
    """Find the outputs' weights on random assignments, then check all; an assignment that does not fit joins the
    others.
    """
    random = np.random.default_rng(0)
    density = random.choice([0.1, 0.3, 0.5, 0.7, 0.9], _TRIALS)
    trials = random.random((len(weights), _TRIALS)) < density
    trials[:, 0] = False
    _respect(trials, bounds, random)
    for _ in range(_ATTEMPTS):
        found = _solve(local, weights, bounds, wanted, trials)
        if found is None:
            break
        result = _check(local, weights, bounds, *found)
        if isinstance(result, _Piece):
            return result
        trials[:, 1 : 1 + result.shape[1]] = result
        trials = np.roll(trials, result.shape[1], axis=1)
    return "a piece does not keep its part of the sum"


def _respect(trials: npt.NDArray[np.bool_], bounds: Bounds, random: np.random.Generator) -> None:
    """Clear bits, in an order that differs from part to part, until no assignment exceeds a bound."""
    for part in np.array_split(np.arange(trials.shape[1]), 16):
        for bound, limit in bounds:
            total = sum(trials[i, part].astype(np.int64) * weight for i, weight in bound.items())
            for i in random.permutation(list(bound)).tolist():
                cleared = (total > limit) & trials[i, part]
                total -= cleared * bound[i]
                trials[i, part] &= ~cleared


def _check(
    local: _Local, weights: list[int], bounds: Bounds, out_weights: list[int], constant: int
) -> _Piece | npt.NDArray[np.bool_]:
    """Check all assignments; some that do not fit, bool (inputs, n), if there are any."""
    count = len(weights)
    low = min(count, _CHUNK_BITS)
    words = max(1, (1 << low) // 64)
    samples = 1 << low
    rows = patterns(low, words)
    low_sum = _sums(rows, weights[:low], samples)
    low_bounds = [_sums(rows, [bound.get(i, 0) for i in range(low)], samples) for bound, _ in bounds]
    most, ever = 0, np.zeros(len(out_weights), np.bool_)
    for high in range(1 << count - low):
        values = rows + [np.full(words, ALL_ONES if high >> i & 1 else 0, np.uint64) for i in range(count - low)]
        over = sum(weights[low + i] for i in range(count - low) if high >> i & 1)
        possible = np.ones(samples, np.bool_)
        for (bound, limit), part in zip(bounds, low_bounds, strict=True):
            extra = sum(bound.get(low + i, 0) for i in range(count - low) if high >> i & 1)
            possible &= part + extra <= limit
        if not possible.any():
            continue
        outputs = local.evaluate(values)
        mask = pack(possible[None])[0]
        ever |= [bool((row & mask).any()) for row in outputs]
        result = _sums(outputs, out_weights, samples)
        wrong = (result != low_sum + (over + constant)) & possible
        if wrong.any():
            address = np.flatnonzero(wrong)[:: max(1, int(wrong.sum()) // 64)] + (high << low)
            return (address >> np.arange(count)[:, None] & 1).astype(np.bool_)
        most = max(most, int(result[possible].max()))
    return _Piece(tuple(out_weights), constant, most, tuple(np.flatnonzero(~ever).tolist()))


def _solve(
    local: _Local,
    weights: list[int],
    bounds: Bounds,
    wanted: tuple[int | None, ...],
    trials: npt.NDArray[np.bool_],
) -> tuple[list[int], int] | None:
    """Weights of the outputs and a constant that fit the trials, bool (inputs, n), as far as these are possible."""
    possible = np.ones(trials.shape[1], np.bool_)
    for bound, limit in bounds:
        possible &= sum(trials[i].astype(np.int64) * weight for i, weight in bound.items()) <= limit
    outputs = [unpack(row[None], trials.shape[1])[0] for row in local.evaluate(list(pack(trials)))]
    expected = (np.array(weights, np.int64) @ trials.astype(np.int64))[possible]
    free = [i for i, weight in enumerate(wanted) if weight is None]
    known = np.zeros(len(expected), np.int64)
    for output, weight in zip(outputs, wanted, strict=True):
        if weight is not None:
            known += output[possible] * np.int64(weight)
    columns = [outputs[i][possible].astype(np.float64) for i in free] + [np.full(len(expected), -1.0)]
    matrix = np.stack(columns, axis=1)
    solution = np.linalg.lstsq(matrix, (expected - known).astype(np.float64), rcond=None)[0]
    rounded = np.rint(solution).astype(np.int64)
    if not np.array_equal(matrix.astype(np.int64) @ rounded, expected - known):
        return None
    result = [0 if weight is None else weight for weight in wanted]
    for i, weight in zip(free, rounded.tolist(), strict=False):
        result[i] = weight
    return result, int(rounded[-1])
