"""A circuit run cycle by cycle on nodes of a graph: what is known stays constant, what is not stays a variable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from difflut.export.proof.cells import lower
from difflut.export.proof.circuit import Bit, Cell, Circuit, Memory
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import FALSE, TRUE, Graph


class Values(dict[Bit, int]):
    """The nodes of bits in a cycle; of a bit that was not computed nothing is known."""

    def __init__(self, machine: Machine, known: Mapping[Bit, int]) -> None:
        super().__init__({"0": FALSE, "1": TRUE, **known})
        self.machine = machine

    def __missing__(self, bit: Bit) -> int:
        node = self[bit] = self.machine.unknown(bit)
        return node


class Machine:
    """The registers and memories of a circuit as nodes of a graph, run cycle by cycle."""

    def __init__(self, circuit: Circuit, graph: Graph) -> None:
        self.circuit = circuit
        self.graph = graph
        self.cycle = 0
        self.memory_of = {bit: memory for memory in circuit.memories for bit in memory.read_data}
        self.state: dict[Bit, int] = {bit: self.unknown(bit) for bit in circuit.next_of}
        self.stored = {
            memory.name: [[graph.input((memory.name, bit, row)) for bit in range(len(memory.read_data))]
                          for row in range(memory.words)]
            for memory in circuit.memories
        }  # fmt: skip

    def unknown(self, bit: Bit) -> int:
        """The node of a bit that nothing is known about in this cycle."""
        return self.graph.input(("state", int(bit), self.cycle))

    def order(self, bits: Iterable[Bit]) -> list[Cell | Memory]:
        """The cells and memories that some bits depend on within a cycle, each behind what it reads.

        Raises:
            ProofError: a combinational loop.
        """
        result: list[Cell | Memory] = []
        state: dict[int, bool] = {}  # by identity: whether it is finished
        todo: list[Cell | Memory] = [part for bit in bits if (part := self._part(bit)) is not None]
        while todo:
            part = todo[-1]
            if state.get(id(part)):
                todo.pop()
                continue
            wires = part.read_address if isinstance(part, Memory) else [b for w in part.inputs.values() for b in w]
            feeds = {id(feed): feed for bit in wires if (feed := self._part(bit)) is not None}
            missing = [feed for key, feed in feeds.items() if not state.get(key)]
            if not missing:
                result.append(part)
                state[id(part)] = True
                todo.pop()
                continue
            if id(part) in state:
                raise ProofError(f"a signal of {self.circuit.top} depends on itself without a flip-flop in between")
            state[id(part)] = False
            todo.extend(missing)
        return result

    def _part(self, bit: Bit) -> Cell | Memory | None:
        return self.circuit.driver.get(bit) or self.memory_of.get(bit)

    def values(self, order: Sequence[Cell | Memory], given: Mapping[Bit, int]) -> Values:
        """The bits in a cycle; those in `given` are cut off from what drives them."""
        values = Values(self, {**self.state, **given})

        def word(bits: Sequence[Bit]) -> list[int]:
            return [values[bit] for bit in bits]

        for part in order:
            if isinstance(part, Memory):
                outputs, nodes = part.read_data, self._row(part, word(part.read_address))
            else:
                outputs, nodes = part.outputs, self._lowered(part, word)
            for bit, node in zip(outputs, nodes, strict=True):
                if bit not in given:
                    values[bit] = node
        return values

    def _lowered(self, cell: Cell, word: Callable[[Sequence[Bit]], list[int]]) -> list[int]:
        if cell.kind == "$mux":
            select = word(cell.inputs["S"])[0]
            if select <= TRUE:  # most of the circuit, most of the time
                return word(cell.inputs["B" if select else "A"])
        return lower(self.graph, cell.kind, {port: word(bits) for port, bits in cell.inputs.items()}, cell.parameters)

    def _row(self, memory: Memory, address: list[int]) -> list[int]:
        row = constant(address)
        if row is None or row >= memory.words:
            return [self.unknown(bit) for bit in memory.read_data]
        return self.stored[memory.name][row]

    def advance(self, values: Values) -> None:
        """The rising edge of the clock.

        Raises:
            ProofError: a memory is written at a place that is not known.
        """
        for memory in self.circuit.memories:
            enable = [values[bit] for bit in memory.enable]
            if all(node == FALSE for node in enable):
                continue
            row = constant([values[bit] for bit in memory.write_address])
            if row is None or row >= memory.words or any(node != TRUE for node in enable):
                raise ProofError(f"memory {memory.name} of {self.circuit.top} is written at a place that is not known")
            self.stored[memory.name][row] = [values[bit] for bit in memory.write_data]
        self.state = {bit: values[following] for bit, following in self.circuit.next_of.items()}
        self.cycle += 1


def constant(word: Sequence[int]) -> int | None:
    """The number that a word of nodes is, if it is constant."""
    return None if any(node > TRUE for node in word) else sum(node << place for place, node in enumerate(word))
