"""torchlogix (0.2): a Circuit as `Circuit.write_json` writes it.

Source: torchlogix 0.2.2, its module circuit. Inputs have the numbers 0 to n_inputs - 1, gates those that they are
given, of which `simplify()` leaves gaps; a sum counts inputs and gates, and its score is (count + beta) / tau.
`simplify()` moves constants into beta.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from difflut.importers.contents import Content
from difflut.importers.graph import GraphNetwork
from difflut.importers.importer import Importer
from difflut.importers.network import Ints, Network
from difflut.importers.said import Said, front
from difflut.importers.thermometers import planes_of, thermometer

_MOST_INPUTS = 1 << 24
_MOST_BETA = 1 << 16

# What each operator gives at a = 0, b = 0; a = 1, b = 0; a = 0, b = 1; a = 1, b = 1.
_OF_TWO = {
    "AND": (0, 0, 0, 1),
    "OR": (0, 1, 1, 1),
    "XOR": (0, 1, 1, 0),
    "NAND": (1, 1, 1, 0),
    "NOR": (1, 0, 0, 0),
    "XNOR": (1, 0, 0, 1),
    "AND_NOT_B": (0, 1, 0, 0),
    "AND_NOT_A": (0, 0, 1, 0),
    "OR_NOT_B": (1, 1, 0, 1),
    "OR_NOT_A": (1, 0, 1, 1),
}
_OF_ONE = {"WIRE": ("in0", (0, 1)), "NOT": ("in0", (1, 0)), "NOT_A": ("in0", (1, 0)), "NOT_B": ("in1", (1, 0))}
_CONSTANTS = {"CONST_FALSE": (0,), "CONST_TRUE": (1,)}


class _Gate(msgspec.Struct):
    gate_id: int
    op: str
    in0: int = -1
    in1: int = -1


class _Sum(msgspec.Struct):
    node_id: int
    input_ids: list[int]
    tau: float = 1.0
    beta: float = 0.0


class _Circuit(msgspec.Struct):
    n_inputs: int
    outputs: list[int]
    gates: list[_Gate]
    sum_nodes: list[_Sum] = []


def recognises(content: Content) -> bool:
    """Whether a file is a JSON object with gates and inputs."""
    return content.container == "json" and {"n_inputs", "gates"} <= set(content.value)


def read(content: Content, said: Said) -> Network:
    """The network of a circuit."""
    try:
        circuit = msgspec.convert(content.value, _Circuit)
    except (msgspec.ValidationError, ValueError) as error:
        raise content.refuse(f"is no circuit of torchlogix ({error!s:.200})") from error
    if not 1 <= circuit.n_inputs <= _MOST_INPUTS:
        raise content.refuse(f"n_inputs is {circuit.n_inputs}; expected 1 to {_MOST_INPUTS}")
    for what, value in (("classes", said.classes), ("beta", said.beta)):
        if value is not None:
            raise content.refuse(f"says {what} itself; leave --{what} out")
    said = _inputs(content, said, circuit.n_inputs)
    nets = {-1: -1, **{number: 2 + number for number in range(circuit.n_inputs)}}
    offsets, connections, tables = _nodes(content, circuit, nets)
    outputs, options = _head(content, circuit, nets, said)
    thresholds = thermometer(content, said, None)
    return GraphNetwork(
        offsets=offsets,
        connections=connections,
        tables=tables,
        outputs=tuple(np.array(one, np.int64) for one in outputs),
        head="classes" if options else "bits",
        options=options,
        **front(content, replace(said, thresholds=thresholds), planes=planes_of(content, said, thresholds)),
    )


def _inputs(content: Content, said: Said, count: int) -> Said:
    """With the inputs, which are bits unless a thermometer is given that has so many."""
    if said.binary is not None and said.binary != count:
        raise content.refuse(f"has {count} inputs, and {said.binary} are given; leave --binary-inputs out")
    if said.thresholds is None:
        return replace(said, binary=count)
    thresholds = thermometer(content, said, None)
    if thresholds is None or thresholds.size != count:
        size = 0 if thresholds is None else thresholds.size
        raise content.refuse(f"has {count} inputs, and the thresholds that are given make {size} bits")
    return said


def _nodes(content: Content, circuit: _Circuit, nets: dict[int, int]) -> tuple[Ints, Ints, Any]:
    """Offsets, connections and tables; `nets` gets those of the gates."""
    offsets, connections, tables = [0], list[int](), list[int]()
    read: tuple[int, ...]
    table: tuple[int, ...]
    for place, gate in enumerate(circuit.gates):
        if gate.op in _OF_TWO:
            read, table = (gate.in0, gate.in1), _OF_TWO[gate.op]
        elif gate.op in _OF_ONE:
            which, table = _OF_ONE[gate.op]
            read = (gate.in0 if which == "in0" else gate.in1,)
        elif gate.op in _CONSTANTS:
            read, table = (), _CONSTANTS[gate.op]
        else:
            raise content.refuse(f"gate {gate.gate_id} has the operator {gate.op!a:.40}; expected one of torchlogix's")
        for source in read:
            if nets.get(source, -1) < 0:
                raise content.refuse(f"gate {gate.gate_id} reads {source}, which is no input and no gate before it")
            connections.append(nets[source])
        if gate.gate_id in nets:
            raise content.refuse(f"has two nodes of the number {gate.gate_id}")
        nets[gate.gate_id] = 2 + circuit.n_inputs + place
        tables.extend(table)
        offsets.append(len(connections))
    return np.array(offsets, np.int64), np.array(connections, np.int64), np.array(tables, np.bool_)


def _head(
    content: Content, circuit: _Circuit, nets: dict[int, int], said: Said
) -> tuple[list[list[int]], dict[str, float]]:
    """What each result counts, and tau and offset of the group sum; without options where the outputs are bits."""
    sums = {one.node_id: one for one in circuit.sum_nodes}
    if len(sums) != len(circuit.sum_nodes) or any(number in nets for number in sums):
        raise content.refuse("has sums and other nodes of the same number")
    if not circuit.outputs:
        raise content.refuse("has no outputs; expected at least one")
    scores = [sums[number] for number in circuit.outputs if number in sums]
    counted = [one.input_ids for one in scores] if scores else [[number] for number in circuit.outputs]
    if scores and len(scores) != len(circuit.outputs):
        raise content.refuse("has outputs that are sums and outputs that are bits; expected one kind")
    for number in (number for one in counted for number in one):
        if nets.get(number, -1) < 0:
            raise content.refuse(f"an output counts {number}, which is no input and no gate")
    result = [[nets[number] for number in one] for one in counted]
    if not scores:
        if said.tau is not None:
            raise content.refuse("has bits as outputs, which no tau divides; leave --tau out")
        return result, {}
    tau, offset, extra = _constants(content, scores)
    if said.tau is not None and said.tau != tau:
        raise content.refuse(f"says tau {tau}, and {said.tau} is given; leave --tau out")
    return [[*one, *[1] * more] for one, more in zip(result, extra, strict=True)], {"tau": tau, "offset": offset}


def _constants(content: Content, scores: list[_Sum]) -> tuple[float, float, list[int]]:
    """Tau, what all sums have in common of beta, and how many constant ones each has besides."""
    taus, betas = {one.tau for one in scores}, np.array([one.beta for one in scores])
    if len(taus) != 1 or not 0 < min(taus) < np.inf:
        raise content.refuse(f"its sums have tau {sorted(taus)!s:.60}; expected one above 0 for all")
    common = 0.0 if (betas >= 0).all() and (betas == np.round(betas)).all() else float(betas.min())
    extra = betas - common
    if not (np.abs(extra - np.round(extra)) < 1e-9).all() or not (np.abs(betas) <= _MOST_BETA).all():
        raise content.refuse(
            f"its sums have beta {sorted(set(betas.tolist()))!s:.80}; expected differences that are whole numbers, and "
            f"at most {_MOST_BETA}"
        )
    return min(taus), common, [int(more) for more in np.round(extra)]


IMPORTER = Importer("Circuit of torchlogix, as JSON", recognises, read)
