"""Coordinate descent on the tables and connections of a last LUT layer, whose outputs are counted by class.

Given all other nodes, the cross-entropy is a sum over samples of what one vote of a node changes. So the best entry of
its table at each address is known exactly: 1 where the changes of the samples that meet it sum to less than 0. The best
bit for one of its inputs is found likewise, by summing the changes for all bits at once. A sweep does this for one node
after the other; there is no gradient, relaxation or learning rate. Block coordinate descent on an additive model:
Hastie and Tibshirani, "Generalized Additive Models", Statistical Science 1986 (backfitting).

What a sweep computes is compiled C; without a compiler NumPy does the same, about thirty times slower.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.training.bit_matrix import BitMatrix
from difflut.training.descent_library import library

RARE = 0.002  # bits that differ from their usual value in fewer samples are not chosen
_AT_ONCE = 32  # nodes between two looks at an interrupt
# Inputs are chosen on samples drawn by how much a vote changes their loss: one of so many, and at most so many.
THINNING, DRAWN = 8.0, 20_000

Bits = npt.NDArray[np.uint8]


@dataclass
class Nodes:
    """Nodes that vote for classes: the first nodes/classes for class 0, and so on.

    Attributes:
        inputs: int64 (nodes, n): the bits that they read.
        tables: uint8 (nodes, 2**n).
        classes: how many.
    """

    inputs: npt.NDArray[np.int64]
    tables: Bits
    classes: int

    @property
    def class_of(self) -> npt.NDArray[np.int64]:
        """int64 (nodes,)."""
        return np.arange(len(self.inputs)) // (len(self.inputs) // self.classes)

    def votes(self, bits: BitMatrix) -> npt.NDArray[np.int32]:
        """int32 (classes, samples)."""
        compiled = library()
        if compiled is not None:
            votes = np.zeros((self.classes, bits.slots), np.int32)
            problem = _problem(self, bits, None, bits.columns.ctypes.data)
            if compiled.count_votes(ctypes.byref(problem), *[_address(a) for a in (self.inputs, self.tables, votes)]):
                raise MemoryError(f"the votes of {bits.samples:,} samples")
            return votes[:, : bits.samples]
        counts, columns = np.zeros((self.classes, bits.samples), np.int32), bits.unpacked()
        for inputs, table, of in zip(self.inputs, self.tables, self.class_of, strict=True):
            counts[of] += table[_addresses(columns, inputs)]
        return counts

    def uses(self, width: int) -> npt.NDArray[np.int64]:
        """int64 (width,): how many inputs of nodes that are not constant read each of so many bits."""
        reading = self.inputs[(self.tables != self.tables[:, :1]).any(axis=1)]
        return np.bincount(reading.ravel(), minlength=width).astype(np.int64)


@dataclass(frozen=True)
class Options:
    """How a sweep chooses.

    Attributes:
        tau: votes count 1 / tau in a logit.
        moves: how many inputs of each node may be moved to another bit, from 0 to n.
        prices: float32 (width,): what an input must be worth to read a bit that no node reads yet, in parts of the loss
            divided by the number of nodes.
    """

    tau: float
    moves: int
    prices: npt.NDArray[np.float32]


def sweep(
    nodes: Nodes,
    bits: BitMatrix,
    labels: npt.NDArray[np.int64],
    options: Options,
    chance: np.random.Generator,
    advance: Callable[[int], None] = lambda nodes: None,
) -> None:
    """Choose each node's table anew, in random order, and the bits that some of its inputs read.

    Args:
        nodes: they are changed.
        bits: of the samples to be right on.
        labels: (samples,), classes.
        options: how.
        chance: draws the order, which inputs are tried, and on which samples they are chosen.
        advance: is told how many more nodes have been chosen.
    """
    if not bits.samples:
        return
    rare = np.abs(bits.ones / bits.samples - 0.5) > 0.5 - RARE
    rare[nodes.inputs] = False
    useful = np.flatnonzero(~rare)
    part = Nodes(np.searchsorted(useful, nodes.inputs), nodes.tables, nodes.classes)
    _sweep(part, bits.take(useful), labels, replace(options, prices=options.prices[useful]), chance, advance)
    nodes.inputs[:] = useful[part.inputs]


def _sweep(
    nodes: Nodes,
    bits: BitMatrix,
    labels: npt.NDArray[np.int64],
    options: Options,
    chance: np.random.Generator,
    advance: Callable[[int], None],
) -> None:
    count, n = nodes.inputs.shape
    order = chance.permutation(count)
    places = np.argsort(chance.random((count, n)), axis=1)[:, : options.moves]
    starts = np.asarray(chance.random(count), dtype=np.float32)
    logits = np.float32(1 / options.tau) * nodes.votes(bits)
    odds = np.zeros((nodes.classes, bits.slots), np.float32)
    odds[:, : bits.samples] = np.exp(logits - logits.max(axis=0))
    compiled = library()
    own: _Compiled | _Reference
    if compiled is not None:
        own = _Compiled(compiled, nodes, bits, labels, options, odds)
    else:
        own = _Reference(nodes, bits, labels, options, odds)
    for first in range(0, count, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        likely = odds[labels, np.arange(bits.samples)] / odds[:, : bits.samples].sum(axis=0)
        prices = options.prices * np.float32(-np.log(likely).sum() / count)
        own.choose(order[part], places[part], starts[part], prices)
        advance(len(order[part]))


def _addresses(columns: Bits, inputs: npt.NDArray[np.int64]) -> Bits:
    found = np.zeros(columns.shape[1], np.uint8)  # a node has at most 8 inputs
    for place, bit in enumerate(inputs):
        found |= columns[bit] << np.uint8(place)
    return found


class _Reference:
    """A sweep in NumPy.

    Args:
        nodes: they are changed.
        bits: of the samples.
        labels: (samples,).
        options: of the sweep; the prices are given later.
        odds: float32 (classes, slots): exp(logit) up to a factor of each sample; they follow.
    """

    def __init__(
        self,
        nodes: Nodes,
        bits: BitMatrix,
        labels: npt.NDArray[np.int64],
        options: Options,
        odds: npt.NDArray[np.float32],
    ) -> None:
        self.nodes, self.columns, self.labels, self.options = nodes, bits.unpacked(), labels, options
        self.odds, self.uses = odds[:, : bits.samples], nodes.uses(bits.width)

    def choose(
        self,
        order: npt.NDArray[np.int64],
        places: npt.NDArray[np.int64],
        starts: npt.NDArray[np.float32],
        prices: npt.NDArray[np.float32],
    ) -> None:
        """The nodes in `order`: the inputs that each tries, where sampling starts, and what unread bits cost."""
        for node, at, start in zip(order, places, starts, strict=True):
            self._choose(node, at, start, prices)

    def _choose(
        self, node: int, places: npt.NDArray[np.int64], start: np.float32, prices: npt.NDArray[np.float32]
    ) -> None:
        nodes, odds, step = self.nodes, self.odds, 1 / self.options.tau
        inputs, table, own = nodes.inputs[node], nodes.tables[node], nodes.class_of[node]
        odds[own] *= np.exp(-step * table[_addresses(self.columns, inputs)])
        chance = odds[own] / odds.sum(axis=0)
        change = np.log(1 + (np.exp(step) - 1) * chance) - step * (self.labels == own)
        self.uses[inputs] -= table.min() < table.max()
        if len(places) and change.any():
            kept, sign, unit = _drawn(change, start)
            extra = np.where(self.uses, 0, prices / unit)
            for at in places:
                _move(inputs, at, self.columns[:, kept], sign, extra)
        met = _addresses(self.columns, inputs)
        gain = np.bincount(met, change, table.size)
        table[:] = np.where(gain == 0, table, gain < 0)
        self.uses[inputs] += table.min() < table.max()
        odds[own] *= np.exp(step * table[met])


def _thinning(samples: int) -> float:
    return max(THINNING, samples / DRAWN)


def _drawn(change: npt.NDArray[Any], start: np.float32) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], float]:
    """Systematic sampling in proportion to the size of the change: each sample as often as it has whole units of it,
    its sign, and the unit.
    """
    size = np.abs(change)
    unit = _thinning(len(change)) * float(size.mean())
    place = np.floor(np.cumsum(size / unit) + start).astype(np.int64)
    kept = np.repeat(np.arange(len(change)), np.diff(place, prepend=0))
    return kept, np.sign(change[kept]).astype(np.int64), unit


def _move(
    inputs: npt.NDArray[np.int64],
    at: int,
    columns: Bits,
    sign: npt.NDArray[np.int64],
    extra: npt.NDArray[Any],
) -> None:
    """The best bit for one input, the others staying; `extra` is what each costs besides."""
    address = _addresses(columns, np.delete(inputs, at))
    cost = extra.astype(np.float64)
    for met in range(1 << (len(inputs) - 1)):
        of_address = sign[address == met]
        ones = columns[:, address == met] @ of_address
        cost += np.minimum(ones, 0) + np.minimum(of_address.sum() - ones, 0)
    cost[np.delete(inputs, at)] = np.inf
    best = int(cost.argmin())
    if cost[best] < cost[inputs[at]]:
        inputs[at] = best


class _Problem(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("samples", "width", "bits", "nodes", "inputs", "classes")],
        *[(name, ctypes.c_void_p) for name in ("rows", "columns", "labels", "prices")],
        *[(name, ctypes.c_float) for name in ("step", "thinning")],
    ]


class _Compiled:
    """A sweep in C.

    Args:
        compiled: descent.c.
        nodes, bits, labels, options, odds: as of `_Reference`.
    """

    def __init__(
        self,
        compiled: ctypes.CDLL,
        nodes: Nodes,
        bits: BitMatrix,
        labels: npt.NDArray[np.int64],
        options: Options,
        odds: npt.NDArray[np.float32],
    ) -> None:
        self.compiled, self.nodes, self.bits, self.options, self.odds = compiled, nodes, bits, options, odds
        of_class = (labels[:, None] == np.arange(nodes.classes)).astype(np.uint8)
        self.labels = BitMatrix.of([of_class], len(labels), nodes.classes).columns
        self.rows = bits.rows() if options.moves else np.zeros(0, np.uint64)
        self.uses = nodes.uses(bits.width)

    def choose(
        self,
        order: npt.NDArray[np.int64],
        places: npt.NDArray[np.int64],
        starts: npt.NDArray[np.float32],
        prices: npt.NDArray[np.float32],
    ) -> None:
        """As `_Reference.choose`."""
        nodes, bits = self.nodes, self.bits
        read = (self.rows, bits.columns, self.labels, prices)
        numbers = 1 / self.options.tau, _thinning(bits.samples) * bits.slots / bits.samples
        problem = _problem(nodes, bits, *(array.ctypes.data for array in read), *numbers)
        changed = [_address(array) for array in (nodes.inputs, nodes.tables, self.odds, self.uses)]
        drawn = [np.ascontiguousarray(array) for array in (order, places, starts)]
        first, second, third = map(_address, drawn)
        sizes = ctypes.c_int64(len(order)), ctypes.c_int64(places.shape[1])
        if self.compiled.descend(ctypes.byref(problem), *changed, sizes[0], first, second, sizes[1], third):
            raise MemoryError(f"a sweep over {bits.samples:,} samples of {bits.width:,} bits")


def _problem(nodes: Nodes, bits: BitMatrix, *rest: Any) -> _Problem:
    return _Problem(bits.slots, len(bits.columns), bits.width, *nodes.inputs.shape, nodes.classes, *rest)


def _address(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
