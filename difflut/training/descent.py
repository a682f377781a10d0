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
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from difflut import native
from difflut.errors import ConfigError
from difflut.export.errors import ToolError
from difflut.files import WriteError
from difflut.heads import GroupSum
from difflut.kernels import VARIABLE
from difflut.layers import LUTLayer
from difflut.models.base_model import BaseModel
from difflut.nodes import FixedNodes
from difflut.progress import LOGGER

RARE = 0.002  # bits that differ from their usual value in fewer samples are not chosen
_AT_ONCE = 32  # nodes between two looks at an interrupt
THINNING = 8.0  # inputs are chosen on about this fraction of the samples, drawn by how much a vote changes their loss

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

    def votes(self, columns: Bits) -> npt.NDArray[np.int32]:
        """int32 (classes, N) from bits (width, N)."""
        counts = np.zeros((self.classes, columns.shape[1]), np.int32)
        for inputs, table, of in zip(self.inputs, self.tables, self.class_of, strict=True):
            counts[of] += table[_addresses(columns, inputs)]
        return counts


def sweep(
    nodes: Nodes,
    columns: Bits,
    labels: npt.NDArray[np.int64],
    tau: float,
    moves: int,
    chance: np.random.Generator,
    advance: Callable[[int], None] = lambda nodes: None,
) -> None:
    """Choose each node's table anew, in random order, and with `moves` the bits that so many of its inputs read.

    Args:
        nodes: they are changed.
        columns: the bits (width, N) of the samples to be right on.
        labels: (N,), classes.
        tau: votes count 1 / tau in a logit.
        moves: from 0 to n.
        chance: draws the order, which inputs are tried, and on which samples they are chosen.
        advance: is told how many more nodes have been chosen.
    """
    samples = columns.shape[1]
    if not samples:
        return
    often = columns.sum(axis=1, dtype=np.int64) / samples
    rare = np.abs(often - 0.5) > 0.5 - RARE
    rare[nodes.inputs] = False
    useful = np.flatnonzero(~rare)
    part = Nodes(np.searchsorted(useful, nodes.inputs), nodes.tables, nodes.classes)
    _sweep(part, columns if len(useful) == len(columns) else columns[useful], labels, tau, moves, chance, advance)
    nodes.inputs[:] = useful[part.inputs]


def _sweep(
    nodes: Nodes,
    columns: Bits,
    labels: npt.NDArray[np.int64],
    tau: float,
    moves: int,
    chance: np.random.Generator,
    advance: Callable[[int], None],
) -> None:
    count, n = nodes.inputs.shape
    order = chance.permutation(count)
    places = np.argsort(chance.random((count, n)), axis=1)
    starts = np.asarray(chance.random(count), dtype=np.float32)
    logits = np.float32(1 / tau) * nodes.votes(columns)
    odds = np.ascontiguousarray(np.exp(logits - logits.max(axis=0)), dtype=np.float32)
    choose = _compiled(nodes, columns, labels, tau, moves, odds)
    for first in range(0, count, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        if choose is not None:
            choose(order[part], places[part], starts[part])
        else:
            for node, at, start in zip(order[part], places[part], starts[part], strict=True):
                _choose(nodes, node, columns, labels, 1 / tau, at[:moves], start, odds)
        advance(len(order[part]))


def _addresses(columns: Bits, inputs: npt.NDArray[np.int64]) -> Bits:
    found = np.zeros(columns.shape[1], np.uint8)  # a node has at most 8 inputs
    for place, bit in enumerate(inputs):
        found |= columns[bit] << np.uint8(place)
    return found


def _choose(
    nodes: Nodes,
    node: int,
    columns: Bits,
    labels: npt.NDArray[np.int64],
    step: float,
    places: npt.NDArray[np.int64],
    start: np.float32,
    odds: npt.NDArray[np.float32],
) -> None:
    """One node of a sweep."""
    inputs, table, own = nodes.inputs[node], nodes.tables[node], nodes.class_of[node]
    odds[own] *= np.exp(-step * table[_addresses(columns, inputs)])
    others = odds.sum(axis=0) - odds[own] if nodes.classes == 1 else np.delete(odds, own, axis=0).sum(axis=0)
    change = np.log((others + np.exp(step) * odds[own]) / (others + odds[own])) - step * (labels == own)
    if len(places) and change.any():
        kept, weight = _thinned(change, start)
        for at in places:
            _move(inputs, at, columns[:, kept], weight)
    met = _addresses(columns, inputs)
    gain = np.bincount(met, change, table.size)
    table[:] = np.where(gain == 0, table, gain < 0)
    odds[own] *= np.exp(step * table[met])


def _thinned(change: npt.NDArray[Any], start: np.float32) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Systematic sampling in proportion to the size of the change: which samples, and what each stands for."""
    size = np.abs(change)
    probability = np.minimum(size / (THINNING * size.mean()), 1)
    place = np.floor(np.cumsum(probability) + start)
    kept = np.flatnonzero(np.diff(place, prepend=0))
    return kept, change[kept] / probability[kept]


def _move(inputs: npt.NDArray[np.int64], at: int, columns: Bits, weight: npt.NDArray[Any]) -> None:
    """The best bit for one input, the others staying."""
    address = _addresses(columns, np.delete(inputs, at))
    cost = np.zeros(len(columns))
    for met in range(1 << (len(inputs) - 1)):
        w = weight[address == met]
        ones = columns[:, address == met] @ w
        cost += np.minimum(ones, 0) + np.minimum(w.sum() - ones, 0)
    cost[np.delete(inputs, at)] = np.inf
    best = int(cost.argmin())
    if cost[best] < cost[inputs[at]]:
        inputs[at] = best


@dataclass(frozen=True)
class End:
    """The end of a model that votes: its last LUT layer, whose outputs a `GroupSum` counts."""

    layer: LUTLayer
    head: GroupSum

    @classmethod
    @torch.no_grad()
    def of(cls, model: BaseModel, x: Tensor) -> End:
        """That of a fitted model, tried on some samples.

        Raises:
            ConfigError: the model's logits are not those of one `GroupSum` behind its last LUT layer.
        """
        layers = [layer for _, layer in model.lut_layers()]
        heads = [module for module in model.modules() if isinstance(module, GroupSum)]
        if layers and len(heads) == 1:
            end = cls(layers[-1], heads[0])
            outputs: list[Tensor] = []
            with _watched(end.layer, lambda _, __, output: outputs.append(output)), _in_eval_mode(model):
                logits = model(x)
                if len(outputs) == 1 and torch.equal(logits, end.head(outputs[0])):
                    return end
        raise ConfigError(
            f"model {model.name!r}: sweeps need a model that ends in a LUTLayer and a GroupSum of its outputs; use a "
            "recipe with sweeps=0"
        )

    @property
    def frozen(self) -> bool:
        """Whether the layer has fixed tables and connections."""
        return isinstance(self.layer.nodes, FixedNodes) and self.layer.learnable is None

    def freeze(self, blank: bool) -> None:
        """Give the layer fixed tables and connections; with `blank` all tables are 0: no node votes."""
        self.layer.freeze()
        if blank:
            self._nodes().tables.zero_()

    def improve(
        self, columns: Bits, labels: Tensor, moves: int, chance: np.random.Generator, advance: Callable[[int], None]
    ) -> float:
        """A sweep over the frozen layer; the mean loss on the samples after it."""
        tables, connections = self._nodes().tables, self.layer.connections
        nodes = Nodes(connections.cpu().numpy().copy(), tables.cpu().numpy().astype(np.uint8), self.head.classes)
        sweep(nodes, columns, labels.numpy(), self.head.tau, min(moves, self.layer.n), chance, advance)
        tables.copy_(torch.from_numpy(nodes.tables))
        connections.copy_(torch.from_numpy(nodes.inputs))
        logits = torch.from_numpy(nodes.votes(columns).T / self.head.tau)
        return float(torch.nn.functional.cross_entropy(logits, labels))

    @torch.no_grad()
    def bits(self, model: BaseModel, x: Tensor) -> Bits:
        """uint8 (N, in_width): what the layer reads in a batch of samples."""
        read: list[Tensor] = []
        with _watched(self.layer, lambda _, inputs, __: read.append(inputs[0])), _in_eval_mode(model):
            model(x)
        return read[0].to("cpu", torch.uint8).numpy()

    def _nodes(self) -> FixedNodes:
        assert isinstance(self.layer.nodes, FixedNodes)
        return self.layer.nodes


@contextmanager
def _watched(layer: LUTLayer, watch: Callable[[Any, tuple[Any, ...], Any], None]) -> Iterator[None]:
    handle = layer.register_forward_hook(watch)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _in_eval_mode(model: BaseModel) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


class _Problem(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("samples", "width", "nodes", "inputs", "classes")],
        *[(name, ctypes.c_void_p) for name in ("rows", "columns", "labels")],
        *[(name, ctypes.c_float) for name in ("step", "thinning")],
    ]


def _library() -> ctypes.CDLL | None:
    return None if os.environ.get(VARIABLE) == "0" else _loaded()


@cache
def _loaded() -> ctypes.CDLL | None:
    try:
        return native.load("descent", Path(__file__).with_suffix(".c").read_text(encoding="utf-8"))
    except (ToolError, WriteError) as error:
        LOGGER.info("sweeps go on without compiled code, which takes about thirty times as long: %s", error)
        return None


def _compiled(
    nodes: Nodes,
    columns: Bits,
    labels: npt.NDArray[np.int64],
    tau: float,
    moves: int,
    odds: npt.NDArray[np.float32],
) -> Callable[[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]], None] | None:
    """What chooses nodes, given their numbers, places and starts; None without a compiler."""
    library = _library()
    if library is None:
        return None
    rows, labels = np.ascontiguousarray(columns.T), np.ascontiguousarray(labels, dtype=np.int64)
    count, n = nodes.inputs.shape
    read = (rows, columns, labels)  # `choose` holds them: the problem has their addresses alone
    problem = _Problem(*rows.shape, count, n, nodes.classes, *(array.ctypes.data for array in read), 1 / tau, THINNING)

    def choose(*drawn: npt.NDArray[Any]) -> None:
        order, places, starts = (np.ascontiguousarray(array) for array in drawn)
        arrays = [ctypes.c_void_p(array.ctypes.data) for array in (nodes.inputs, nodes.tables, odds, order, places)]
        numbers, start_at = ctypes.c_int64(len(order)), ctypes.c_void_p(starts.ctypes.data)
        if library.descend(ctypes.byref(problem), *arrays[:3], numbers, *arrays[3:], ctypes.c_int64(moves), start_at):
            raise MemoryError("a sweep over {:,} samples of {:,} bits".format(*read[0].shape))

    assert all(array.flags.c_contiguous for array in (nodes.inputs, nodes.tables, odds, columns))
    return choose
