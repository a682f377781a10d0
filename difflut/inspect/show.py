"""What `difflut show` says about a node: its inputs, its function, what it votes for, how often it is 1."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from difflut.export.circuit.cone import reached_classes, readers, votes
from difflut.export.circuit.names import find_node
from difflut.export.circuit.simulate import simulate_nets
from difflut.export.circuit.sum_of_products import minimise
from difflut.inspect.circuits import OpenedCircuit
from difflut.inspect.cone_drawing import table_text
from difflut.shown import Brief

if TYPE_CHECKING:
    from difflut.data import Split

IMAGES = 1000
_LETTERS = "abcdefgh"


@dataclass(frozen=True)
class Activity:
    """How often a node is 1.

    Attributes:
        data: on what samples.
        samples: how many.
        share: the fraction of them.
        by_class: the fraction of those of each label, None for a label without samples.
    """

    data: str
    samples: int
    share: float
    by_class: list[float | None]


@dataclass(frozen=True, repr=False)
class NodeFacts(Brief):
    """One node.

    Attributes:
        node: its name.
        net, stage: in the netlist that is emitted; of an image circuit in the unrolled one, whose stages are all 0.
        inputs: what feeds input 0, 1, ..., in words.
        table: hexadecimal, the last digit holds addresses 3 to 0; address bit i is input i.
        ones: how many of the table's `entries` are 1.
        function: a sum of products over a, b, ... = input 0, 1, ...; a' is the complement.
        minimal: whether no shorter sum exists; else it is the shortest that was found.
        classes: each in words.
        votes: classes whose score counts the node, with how often.
        readers: the nodes that read it.
        reaches: per class, how many counted bits depend on the node.
        activity: how often it is 1, None if no samples are at hand.
    """

    node: str
    net: int
    stage: int
    inputs: list[str]
    table: str
    ones: int
    entries: int
    function: str
    minimal: bool
    classes: list[str]
    votes: dict[int, int]
    readers: list[str]
    reaches: list[int]
    activity: Activity | None

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def describe(circuit: OpenedCircuit, name: str) -> NodeFacts:
    """Everything about the node called `name`.

    Raises:
        UnknownNameError: there is no such node in the circuit.
    """
    netlist = circuit.netlist
    lut = find_node(netlist, name)
    net, table, n = netlist.first_lut_net + lut, netlist.table(lut), int(netlist.lut_inputs[lut])
    function = minimise(table, n)
    return NodeFacts(
        node=name,
        net=net,
        stage=int(netlist.stage[netlist.comparators + lut]),
        inputs=[circuit.net_name(source) for source in netlist.fanin(lut).tolist()],
        table=table_text(netlist, net),
        ones=table.bit_count(),
        entries=1 << n,
        function=function.text(list(_LETTERS[:n])),
        minimal=function.minimal,
        classes=[circuit.wording.of_class(k) for k in range(netlist.head.classes)],
        votes={int(k): int(count) for k, count in enumerate(votes(netlist, net)) if count},
        readers=[circuit.net_name(reader) for reader in readers(netlist, net)],
        reaches=reached_classes(netlist, net).tolist(),
        activity=_activity(circuit, net),
    )


def _activity(circuit: OpenedCircuit, net: int) -> Activity | None:
    shipped = shipped_samples(circuit.model_name)
    if shipped is None:
        return None
    split, name = shipped
    codes = split.x[:IMAGES].reshape(-1, circuit.netlist.input.features).numpy()
    labels = split.y[: len(codes)].numpy()
    ones = simulate_nets(circuit.netlist, codes)[:, net]
    by_class = [
        float(ones[labels == k].mean()) if np.any(labels == k) else None for k in range(circuit.netlist.head.classes)
    ]
    return Activity(name, len(codes), float(ones.mean()), by_class)


def shipped_samples(model_name: str) -> tuple[Split, str] | None:
    """The test samples in the package that belong to a zoo model, and their name; None if there are none."""
    from difflut.models import zoo

    entry = zoo().get(model_name)
    if entry is None or entry.dataset != "mnist":
        return None
    from difflut.data import mnist_test

    return mnist_test(), "MNIST test images"
