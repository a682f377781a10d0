"""A network that is any graph of nodes, and the model that it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut.data_names import DataNames
from difflut.errors import NetworkFileError
from difflut.importers.network import Ints, Network, array, front_of, model_of
from difflut.input_format import InputFormat
from difflut.models.given import MOST, GivenNetwork
from difflut.models.netlist import NetlistNetwork


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphNetwork(Network):
    """Nodes in any order behind a thermometer, and sums of any bits; see `from_netlist`.

    Attributes:
        offsets, connections, tables: int64 (nodes + 1,), int64, bool.
        outputs: for each result int64, the nets that it counts.
        head, options: a name of `difflut.models.netlist.HEADS`, and further arguments of it.
        names: of the inputs and the results, if they have any.
    """

    offsets: Ints
    connections: Ints
    tables: npt.NDArray[np.bool_]
    outputs: tuple[Ints, ...]
    head: str = "classes"
    options: Mapping[str, Any] = field(default_factory=dict)
    names: DataNames | None = None

    @cached_property
    def inputs(self) -> Ints:
        """int64 (nodes,): inputs of each node."""
        return np.diff(self.offsets)

    @cached_property
    def levels(self) -> Ints:
        """int64 (nodes,): of each node how many others are before it on the longest way; -1 in loops and behind."""
        return levels(self.offsets, self.connections, self._first)

    @property
    def _first(self) -> int:
        """The net of the first node."""
        return 2 + self.features * (1 if self.thresholds is None else self.thresholds.shape[1])

    @cached_property
    def _order(self) -> Ints:
        """The nodes that have inputs, level by level, in each those of as many inputs side by side."""
        real = np.flatnonzero(self.inputs)
        found: Ints = real[np.lexsort((self.inputs[real], self.levels[real]))]
        return found

    def model(self, places: Ints, **front: Any) -> NetlistNetwork:
        """As of `Network`."""
        self._check()
        order = self._order
        both = self.levels[order] * (MOST["n"] + 1) + self.inputs[order]
        starts = np.flatnonzero(np.diff(both, prepend=-1))
        counts = np.diff(np.append(starts, len(order)))
        return NetlistNetwork(
            results=len(self.outputs),
            steps=list(zip(counts.tolist(), self.inputs[order][starts].tolist(), strict=True)),
            outputs=len(self.outputs) * max(1, *(len(one) for one in self.outputs)),
            head=self.head,
            options=dict(self.options),
            **front,
        )

    def fill(self, model: GivenNetwork, places: Ints) -> None:
        """As of `Network`."""
        assert isinstance(model, NetlistNetwork)
        order, entries = self._order, np.cumsum(np.append(0, 1 << self.inputs))
        there = np.empty(self._first + len(self.inputs), np.int64)  # of each net here the model's
        there[:2], there[2 : self._first] = (0, 1), 2 + places
        there[self._first + order] = self._first + np.arange(len(order))
        constant = np.flatnonzero(self.inputs == 0)
        there[self._first + constant] = self.tables[entries[constant]]
        counted = np.zeros((len(self.outputs), model.outputs // len(self.outputs)), np.int64)  # net 0 counts nothing
        for row, nets in zip(counted, self.outputs, strict=True):
            row[: len(nets)] = there[nets]
        inputs = self.inputs[order]
        for buffer, values in (
            (model.graph.connections, there[self.connections[ranges(self.offsets[order], inputs)]]),
            (model.graph.tables, self.tables[ranges(entries[order], 1 << inputs)]),
            (model.graph.outputs, counted.reshape(-1)),
        ):
            buffer.copy_(torch.from_numpy(values))
        model.graph.check()
        model.names = self.names

    def _check(self) -> None:
        nodes, wires = len(self.offsets) - 1, len(self.connections)
        if nodes < 0 or self.offsets[0] != 0 or self.offsets[-1] != wires or (self.inputs < 0).any():
            raise NetworkFileError(f"offsets do not ascend from 0 to the {wires} connections")
        if (self.inputs > MOST["n"]).any():
            raise NetworkFileError(f"nodes have up to {self.inputs.max()} inputs; at most {MOST['n']} are supported")
        if len(self.tables) != (expected := int((1 << self.inputs).sum())):
            raise NetworkFileError(f"tables have {len(self.tables)} entries; expected {expected}")
        if not self.outputs:
            raise NetworkFileError("there are no outputs; expected at least one")
        for what, nets in (("connections", self.connections), *(("outputs", one) for one in self.outputs)):
            if len(nets) and not 0 <= nets.min() <= nets.max() < self._first + nodes:
                raise NetworkFileError(
                    f"{what} from {nets.min()} to {nets.max()}; the nets are 0 to {self._first + nodes - 1}"
                )
        looping = np.flatnonzero(self.levels < 0)
        if len(looping):
            shown = ", ".join(map(str, looping[:5].tolist())) + (", ..." if len(looping) > 5 else "")
            raise NetworkFileError(f"nodes in a loop, or behind one: {shown}; expected a graph without loops")


def from_netlist(
    offsets: Any,
    connections: Any,
    tables: Any,
    outputs: Sequence[Any],
    *,
    head: str = "classes",
    options: Mapping[str, Any] | None = None,
    thresholds: Any = None,
    features: int | None = None,
    scaler: tuple[Any, Any] | None = None,
    input_format: InputFormat | None = None,
    name: str = "network",
) -> NetlistNetwork:
    """A model of any graph of nodes, in eval mode.

    Nets are numbered: 0 and 1 are the constants, 2 + i is bit i of the inputs or of the thermometer, and with W such
    bits 2 + W + j is node j.

    Args:
        offsets: integers (nodes + 1,): node j has the inputs `connections[offsets[j]:offsets[j+1]]`, at most 8. Nodes
            stand in any order, without loops.
        connections: integers, nets.
        tables: 0 or 1, for each node, one behind the other, its 2**n entries; index bit i = input i.
        outputs: for each result integers, the nets that it counts; a net that is there twice counts twice, the net 1
            adds a constant, and there may be none.
        head: what the results are, a name of `difflut.models.netlist.HEADS`: "classes", "numbers" or "bits".
        options: arguments of the head: `tau`, or `scale` and `offset`.
        thresholds, features, scaler, input_format, name: as of `from_tables`.

    Raises:
        NetworkFileError: the arrays are no network, or the input format is missing.
    """
    entries = array("tables", tables, "biu")
    if not np.isin(entries, (0, 1)).all():
        raise NetworkFileError("tables have other values than 0 and 1")
    network = GraphNetwork(
        offsets=array("offsets", offsets, "iu").astype(np.int64),
        connections=array("connections", connections, "iu").astype(np.int64),
        tables=entries.astype(np.bool_),
        outputs=tuple(array("outputs", np.asarray(one, np.int64), "iu") for one in outputs),
        head=head,
        options=options or {},
        **front_of(thresholds, features, scaler),
    )
    model = model_of(network, input_format, name)
    assert isinstance(model, NetlistNetwork)
    return model


def levels(offsets: Ints, connections: Ints, first: int) -> Ints:
    """int64 (nodes,): of each node how many others are before it on the longest way; -1 in loops and behind them.

    Args:
        offsets, connections: as of `from_netlist`.
        first: the net of node 0.
    """
    inputs = np.diff(offsets)
    result = np.full(len(inputs), -1, np.int64)
    of_nodes = connections >= first
    readers = np.repeat(np.arange(len(inputs)), inputs)[of_nodes]
    sources = connections[of_nodes] - first
    readers = readers[np.argsort(sources, kind="stable")]
    fanout = np.bincount(sources, minlength=len(inputs))
    begin = np.cumsum(fanout) - fanout
    waiting = np.bincount(readers, minlength=len(inputs))
    ready, level = np.flatnonzero(waiting == 0), 0
    while len(ready):
        result[ready] = level
        met, times = np.unique(readers[ranges(begin[ready], fanout[ready])], return_counts=True)
        waiting[met] -= times
        ready, level = met[waiting[met] == 0], level + 1
    return result


def ranges(starts: Ints, counts: Ints) -> Ints:
    """int64: starts[0], starts[0] + 1, ... (counts[0] numbers), then starts[1], ..."""
    ends = np.cumsum(counts)
    return np.repeat(starts - ends + counts, counts) + np.arange(ends[-1] if len(ends) else 0)
