"""A synchronous circuit as Yosys read it: cells between ports, flip-flops of one clock, and instances of modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from difflut.export.proof.cells import lower
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import FALSE, TRUE, Graph, Words

Bit = int | str  # a number of Yosys' JSON, or one of "0", "1", "x", "z"
CLOCK = "clk"
MEMORY = "$mem_v2"
_IGNORED = ("$scopeinfo",)


@dataclass(frozen=True)
class Cell:
    """A combinational cell; its output is `outputs`, least significant first."""

    kind: str
    name: str
    inputs: dict[str, list[Bit]]
    outputs: list[Bit]
    parameters: dict[str, int]


@dataclass(frozen=True)
class Instance:
    """A module inside of a circuit: the module's name, and the bits at its inputs and outputs."""

    module: str
    inputs: dict[str, list[Bit]]
    outputs: dict[str, list[Bit]]


@dataclass(frozen=True)
class Memory:
    """A memory that is read at any time and written at the rising edge of the clock where a bit of `enable` is 1.

    Without `enable` it is never written, and its words are those of `contents`, one behind the other from word 0 on.
    """

    name: str
    words: int
    read_address: list[Bit]
    read_data: list[Bit]
    write_address: list[Bit]
    write_data: list[Bit]
    enable: list[Bit]
    contents: list[Bit] = field(repr=False)

    def constant_word(self, row: int) -> list[Bit] | None:
        """The bits of a word that is always the same and known; None if it is not."""
        width = len(self.read_data)
        word = self.contents[row * width : (row + 1) * width]
        known = not self.enable and row < self.words and len(word) == width and set(word) <= {"0", "1"}
        return word if known else None


@dataclass(frozen=True, eq=False)
class Circuit:
    """A flat design, or a module of which those inside are instances.

    What an instance puts out and what a memory reads has no driver, so that it may be anything.

    Attributes:
        top: the name of the top module.
        inputs, outputs: port name -> bits, least significant first.
        cells: the combinational cells.
        next_of: flip-flop output -> the bit that it takes over at a rising edge of the clock.
        names: hierarchical name of each signal of the text -> its bits.
        instances: name -> module inside of this one.
        memories: the memories.
    """

    top: str
    inputs: dict[str, list[Bit]]
    outputs: dict[str, list[Bit]]
    cells: list[Cell]
    next_of: dict[Bit, Bit]
    names: dict[str, list[Bit]] = field(repr=False)
    instances: dict[str, Instance] = field(default_factory=dict)
    memories: list[Memory] = field(default_factory=list)

    @classmethod
    def from_json(cls, design: Mapping[str, Any], top: str, keep_modules: bool = False) -> Circuit:
        """Take over what Yosys' `write_json` wrote.

        Args:
            design: the JSON object.
            top: the module.
            keep_modules: modules inside of it become instances, memories are known, and a bit without a defined value
                may be anything wherever it is read; otherwise all of these are errors.

        Raises:
            ProofError: a cell is unknown, a flip-flop has another clock than the port `clk`, a bit has two drivers, or
                a port has another form than `[n:0]`.
        """
        reader = _Reader(design["modules"], top, keep_modules)
        for name, cell in design["modules"][top]["cells"].items():
            if cell["type"] not in _IGNORED:
                reader.add(name, cell)
        return reader.circuit()

    @cached_property
    def driver(self) -> dict[Bit, Cell]:
        """The cell that drives each bit."""
        return {bit: cell for cell in self.cells for bit in cell.outputs}

    @cached_property
    def port_of(self) -> dict[Bit, tuple[str, int]]:
        """The input port and index of each bit that comes from outside."""
        return {bit: (port, index) for port, bits in self.inputs.items() for index, bit in enumerate(bits)}

    @cached_property
    def signal_of(self) -> dict[Bit, str]:
        """For each named bit the shortest name in the text, with its index."""
        result: dict[Bit, str] = {}
        for name, bits in sorted(self.names.items(), key=lambda item: (len(item[0]), item[0]), reverse=True):
            for index, bit in enumerate(bits):
                result[bit] = f"{name}[{index}]" if len(bits) > 1 else name
        return result


class _Reader:
    """Collects the cells of one module."""

    def __init__(self, modules: Mapping[str, Any], top: str, keep_modules: bool) -> None:
        module = modules[top]
        self.top, self.modules, self.keep_modules = top, modules, keep_modules
        self.ports: dict[str, dict[str, list[Bit]]] = {"input": {}, "output": {}}
        for name, port in module["ports"].items():
            if port["direction"] not in self.ports or port.get("upto") or port.get("offset"):
                raise ProofError(f"port {name} of module {top} is no input or output with a range [n:0]")
            self.ports[port["direction"]][name] = port["bits"]
        if CLOCK not in self.ports["input"]:
            raise ProofError(f"module {top} has no port {CLOCK}; expected the ports of a difflut build")
        self.clock: list[Bit] = self.ports["input"][CLOCK]
        self.names = {
            name: net["bits"] for name, net in module["netnames"].items() if not net["hide_name"] and net["bits"]
        }
        self.cells: list[Cell] = []
        self.next_of: dict[Bit, Bit] = {}
        self.instances: dict[str, Instance] = {}
        self.memories: list[Memory] = []
        self._driven: set[Bit] = set()
        self._undefined = 0
        for name, bits in self.ports["input"].items():
            self._drive(f"port {name}", bits)

    def circuit(self) -> Circuit:
        """What was collected."""
        inputs, outputs = self.ports["input"], self.ports["output"]
        return Circuit(self.top, inputs, outputs, self.cells, self.next_of, self.names, self.instances, self.memories)

    def add(self, name: str, cell: Mapping[str, Any]) -> None:
        """Take over one cell."""
        kind, bits = cell["type"], cell["connections"]
        values = {key: _number(value) for key, value in cell["parameters"].items()}
        if kind in ("$dff", "$_DFF_P_"):
            self._flip_flop(name, bits["CLK" if kind == "$dff" else "C"], values.get("CLK_POLARITY", 1))
            self.next_of.update(zip(self._drive(name, bits["Q"]), self._read(bits["D"]), strict=True))
        elif self.keep_modules and kind in self.modules:
            self._instance(name, cell)
        elif self.keep_modules and kind == MEMORY:
            self._memory(name, bits, values, cell["parameters"]["INIT"])
        else:
            if "Y" not in bits:
                lower(Graph(), kind, {}, values)  # names the unknown type
            if kind == "$lut" and set(cell["parameters"]["LUT"]) - {"0", "1"}:
                raise ProofError(f"the table of {name} has a bit without a defined value")
            inputs = {port: self._read(wires) for port, wires in bits.items() if port != "Y"}
            self.cells.append(Cell(kind, name, inputs, self._drive(name, bits["Y"]), values))

    def _flip_flop(self, name: str, clock: list[Bit], polarity: int) -> None:
        if clock != self.clock or not polarity:
            raise ProofError(f"flip-flop {name} is not clocked by the rising edge of {CLOCK}")

    def _instance(self, name: str, cell: Mapping[str, Any]) -> None:
        sides: dict[str, dict[str, list[Bit]]] = {"input": {}, "output": {}}
        for port, wires in cell["connections"].items():
            direction = self.modules[cell["type"]]["ports"][port]["direction"]
            if direction not in sides:
                raise ProofError(f"port {port} of {name} is no input or output")
            sides[direction][port] = wires if direction == "input" else self._drive(name, wires)
        self.instances[name] = Instance(cell["type"], sides["input"], sides["output"])

    def _memory(self, name: str, bits: Mapping[str, list[Bit]], values: Mapping[str, int], initial: str) -> None:
        written = values["WR_PORTS"]
        expected = {"RD_PORTS": 1, "RD_CLK_ENABLE": 0, "OFFSET": 0} | ({"WR_CLK_ENABLE": 1} if written else {})
        if written > 1 or any(values[key] != value for key, value in expected.items()):
            raise ProofError(f"memory {name} has other ports than one to read and at most one to write")
        if written:
            self._flip_flop(name, bits["WR_CLK"], values["WR_CLK_POLARITY"])
        address, data, enable = (self._read(bits[port]) if written else [] for port in ("WR_ADDR", "WR_DATA", "WR_EN"))
        self.memories.append(
            Memory(
                name=name,
                words=values["SIZE"],
                read_address=self._read(bits["RD_ADDR"]),
                read_data=self._drive(name, bits["RD_DATA"]),
                write_address=address,
                write_data=data,
                enable=enable,
                contents=list(initial[::-1]),
            )
        )

    def _drive(self, name: str, bits: list[Bit]) -> list[Bit]:
        """The bits, which this cell drives and no other one."""
        for bit in bits:
            if bit in self._driven or bit in ("0", "1"):
                raise ProofError(f"what {name} of module {self.top} drives has another driver too")
            if isinstance(bit, int):
                self._driven.add(bit)
        return bits

    def _read(self, bits: list[Bit]) -> list[Bit]:
        """The bits, of which those without a defined value are free, each for itself."""
        if not self.keep_modules or not any(bit in ("x", "z") for bit in bits):
            return bits
        result: list[Bit] = []
        for bit in bits:
            self._undefined += bit in ("x", "z")
            result.append(-self._undefined if bit in ("x", "z") else bit)
        return result


def _number(value: Any) -> int:
    """A parameter of a cell; unknown bits count as 0, texts are of no interest."""
    if isinstance(value, int):
        return value
    digits = value.replace("x", "0").replace("z", "0")
    return int(digits, 2) if digits and set(digits) <= {"0", "1"} else 0


class Expansion:
    """Builds nodes of a graph for bits of a circuit at times counted backwards.

    (bit, d) is the bit's value d clock cycles before the moment that is looked at. A flip-flop's (q, d) is (its D, d +
    1). An input port's bit i at d is the graph's input (port, i, d). Beyond `horizon` the past is unknown: a flip-flop
    that would need it is the input ("state", bit, d), and so is a signal that nothing drives.
    """

    def __init__(self, circuit: Circuit, graph: Graph, horizon: int) -> None:
        self.circuit = circuit
        self.graph = graph
        self.horizon = horizon
        self._nodes: dict[tuple[Bit, int], int] = {}

    def node(self, bit: Bit, time: int) -> int:
        """The node of one bit."""
        return self.nodes([(bit, time)])[0]

    def nodes(self, wanted: Sequence[tuple[Bit, int]]) -> list[int]:
        """The nodes of several bits at their times.

        Raises:
            ProofError: a combinational loop.
        """
        open_: set[tuple[Bit, int]] = set()
        todo = list(wanted)
        while todo:
            place = todo[-1]
            if place in self._nodes:
                todo.pop()
                continue
            needed = self._needed(place)
            missing = [other for other in needed if other not in self._nodes]
            if missing:
                if place in open_:
                    name = self.circuit.signal_of.get(place[0], str(place[0]))
                    raise ProofError(f"signal {name} depends on itself without a flip-flop in between")
                open_.add(place)
                todo.extend(missing)
                continue
            self._finish(place)
            open_.discard(place)
            todo.pop()
        return [self._nodes[place] for place in wanted]

    def known(self, bit: Bit, time: int) -> int | None:
        """The node of a bit if it was built."""
        return self._nodes.get((bit, time))

    def places(self) -> dict[int, tuple[Bit, int]]:
        """For each node one bit and time that it stands for; named bits first."""
        result: dict[int, tuple[Bit, int]] = {}
        named = self.circuit.signal_of
        for place, node in self._nodes.items():
            if node not in result or (result[node][0] not in named and place[0] in named):
                result[node] = place
        return result

    def _needed(self, place: tuple[Bit, int]) -> list[tuple[Bit, int]]:
        bit, time = place
        if bit in self.circuit.next_of:
            return [(self.circuit.next_of[bit], time + 1)] if time < self.horizon else []
        cell = self.circuit.driver.get(bit)
        return [] if cell is None else [(wire, time) for wires in cell.inputs.values() for wire in wires]

    def _finish(self, place: tuple[Bit, int]) -> None:
        bit, time = place
        circuit = self.circuit
        if isinstance(bit, str):
            if bit not in ("0", "1"):
                raise ProofError(f"a signal of {circuit.top} is {bit}: it is read but has no defined value")
            self._nodes[place] = TRUE if bit == "1" else FALSE
        elif bit in circuit.next_of and time < self.horizon:
            self._nodes[place] = self._nodes[circuit.next_of[bit], time + 1]
        elif bit in circuit.port_of:
            port, index = circuit.port_of[bit]
            self._nodes[place] = self.graph.input((port, index, time))
        elif bit in circuit.driver:
            cell = circuit.driver[bit]
            inputs = {port: [self._nodes[wire, time] for wire in wires] for port, wires in cell.inputs.items()}
            result = lower(self.graph, cell.kind, inputs, cell.parameters)
            for wire, node in zip(cell.outputs, result, strict=True):
                self._nodes[wire, time] = node
        else:
            self._nodes[place] = self.graph.input(("state", int(bit), time))


class Simulation:
    """Runs a circuit clock by clock, many independent runs at once (bit s of each word is run s).

    It keeps flip-flops as state, so it does not rely on how `Expansion` looks into the past.
    """

    def __init__(self, circuit: Circuit, words: int, seed: int = 0) -> None:
        self.circuit = circuit
        self.words = words
        self._graph = Graph()
        expansion = Expansion(circuit, self._graph, horizon=0)
        self._flops = list(circuit.next_of)
        self._states = expansion.nodes([(bit, 0) for bit in self._flops])
        self._nexts = expansion.nodes([(circuit.next_of[bit], 0) for bit in self._flops])
        self._outputs = {port: expansion.nodes([(bit, 0) for bit in bits]) for port, bits in circuit.outputs.items()}
        random = np.random.default_rng(seed)
        self._values = random.integers(0, 1 << 64, (len(self._flops), words), np.uint64)

    def step(self, ports: Mapping[str, Words]) -> dict[str, Words]:
        """One clock cycle: the outputs for these inputs, uint64 (bits, words); then the rising edge."""
        inputs = {state: row for state, row in zip(self._states, self._values, strict=True) if state > TRUE}
        for port, rows in ports.items():
            for index, row in enumerate(rows):
                node = self._graph.inputs.get((port, index, 0))
                if node is not None:
                    inputs[node] = row
        values = self._graph.evaluate(inputs, self.words)
        self._values = values[self._nexts]
        return {port: values[nodes] for port, nodes in self._outputs.items()}
