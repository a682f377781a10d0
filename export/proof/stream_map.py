"""Proof of the module of a layer: line buffer, window, masks, and when it gives what; the kernels inside apart.

Time is counted in *steps*: a step is made for each word that comes and, after the last one, for the windows that reach
beyond the map. Three things are shown of the module's text:

- without a step and without a reset no register changes (but for those that say that a result is valid), and nothing is
  written to the memory; so gaps between words change nothing;
- a reset sets every register that decides about anything to the same value, whatever came before;
- from there, with all other registers and the memory unknown and with words whose bits are unknown, all steps of an
  image are made one after the other on nodes of a graph: after each step whether it has a result is constant, and then
  each input of each kernel is the very bit of the very word that the layer's definition says, or 0; and after the last
  step the registers are again as after a reset. So the same holds for every image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from difflut.export.circuit.circuit import Circuit as WindowedCircuit
from difflut.export.proof.circuit import Bit, Circuit
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import FALSE, TRUE, Graph
from difflut.export.proof.machine import Machine, constant
from difflut.export.proof.report import OPEN, PROVED, Claim
from difflut.export.schedule.stream.words import Words

IN = "in_bits"


@dataclass(frozen=True)
class MapTiming:
    """What was found out about a layer's module: the steps of an image, and those that have a result, in order."""

    steps: int
    results: tuple[int, ...]


class _Refused(Exception):
    """The module does something else; the text says what."""


def prove_map(
    circuit: Circuit, netlist: WindowedCircuit, number: int, words: Sequence[Words]
) -> tuple[Claim, MapTiming | None]:
    """Prove the module of a layer, but for its kernels; its timing if it was proved.

    Args:
        circuit: the module `<top>_map<number>`, its kernels as instances; it has the ports that it must have.
        netlist: what the whole circuit computes.
        number: of the layer and of the map that it makes, from 1.
        words: how the pixels of every map are cut.
    """
    layer, source, size = netlist.layers[number - 1], words[netlist.layers[number - 1].source], words[number]
    statement = (
        f"for every image and every gap between the {source.total} words of map {layer.source}: each of the "
        f"{size.total} results has the window that the geometry says in front of its kernel, in order, and is marked "
        f"{layer.kernel.last_stage + 1} cycles after its step; after an image, and after rst, the module is as at the "
        "start"
    )
    try:
        timing = _MapProver(circuit, netlist, number, words).run()
    except (_Refused, ProofError) as error:
        return Claim(f"windows of map {number}", statement, OPEN, str(error)), None
    return Claim(f"windows of map {number}", statement, PROVED, f"step by step, {timing.steps} an image"), timing


class _MapProver:
    def __init__(self, circuit: Circuit, netlist: WindowedCircuit, number: int, words: Sequence[Words]) -> None:
        self.circuit = circuit
        self.layer = netlist.layers[number - 1]
        self.sizes = netlist.maps[self.layer.source], netlist.maps[number]
        self.words = words[self.layer.source], words[number]
        self.graph = Graph()
        self.machine = Machine(circuit, self.graph)
        self.rst, self.in_valid = circuit.inputs["rst"][0], circuit.inputs["in_valid"][0]
        self.step = self._signal("step", 1)[0]
        self.valid = self._signal("valid", 1)[0]
        levels = self.layer.kernel.last_stage
        self.delayed = self._signal("delayed", levels) if levels else []
        self.flags = {self.valid, *self.delayed}
        if not self.flags <= circuit.next_of.keys():
            raise _Refused("its signals valid and delayed are no registers")
        self.kernels = self._kernels()
        wanted = [self.step, *circuit.next_of.values()]
        for memory in circuit.memories:
            wanted += [*memory.write_address, *memory.write_data, *memory.enable]
        self.order = self.machine.order(wanted)
        self.step_order = self.machine.order([self.step])
        self.kernel_order = self.machine.order([bit for bits in self.kernels for bit in bits])

    def _signal(self, name: str, width: int) -> list[Bit]:
        bits = self.circuit.names.get(name, [])
        if len(bits) != width:
            raise _Refused(f"the RTL has no signal {name} of {width} bit{'s' if width != 1 else ''}")
        return bits

    def _kernels(self) -> list[list[Bit]]:
        """The inputs of the kernel of each lane."""
        circuit, lanes = self.circuit, self.words[1].pixels
        module = f"{circuit.top.rpartition('_map')[0]}_kernel{circuit.top.rpartition('_map')[2]}"
        names = ["kernel"] if lanes == 1 else [f"kernel{lane}" for lane in range(lanes)]
        if set(names) != circuit.instances.keys():
            raise _Refused(
                f"it contains {', '.join(sorted(circuit.instances)) or 'nothing'}; expected {', '.join(names)}"
            )
        kernels = [circuit.instances[name] for name in names]
        for name, kernel in zip(names, kernels, strict=True):
            if kernel.module != module:
                raise _Refused(f"{name} is a {kernel.module}; expected a {module}")
            if kernel.inputs.get("clk") != circuit.inputs["clk"]:
                raise _Refused(f"the clock of {name} is not clk")
        if [bit for kernel in kernels for bit in kernel.outputs.get("out_bits", [])] != circuit.outputs["out_bits"]:
            raise _Refused("out_bits is something else than the outputs of its kernels, low lane first")
        return [kernel.inputs.get(IN, []) for kernel in kernels]

    def run(self) -> MapTiming:
        """Show all of it.

        Raises:
            _Refused, ProofError: something is otherwise.
        """
        self._flags()
        self._held()
        control = self._reset()
        turning = self._turning(control)
        self.machine.state |= control
        source, size = self.words
        results: list[int] = []
        step = 0
        while len(results) < size.total or step < source.total:
            if step >= 2 * source.total + self.layer.window[0] * source.row:
                raise _Refused(f"an image has {len(results)} results in {step} steps; expected {size.total}")
            if self._step(step):
                self._window(len(results))
                results.append(step)
            step += 1
        if len(results) != size.total:
            raise _Refused(f"an image has {len(results)} results; expected {size.total}")
        while self._steps_alone():
            if step >= 4 * source.total + self.layer.window[0] * source.row:
                raise _Refused("it goes on making steps after an image")
            if self._step(step):
                raise _Refused(f"step {step} has a result too many")
            step += 1
        wrong = [bit for bit in control.keys() - self.flags - turning if self.machine.state[bit] != control[bit]]
        if wrong:
            raise _Refused(f"after an image {self.circuit.signal_of.get(wrong[0])} is not what it is after a reset")
        return MapTiming(step, tuple(results))

    def _flags(self) -> None:
        """`out_valid` is `valid`, so many cycles later unless there was a reset."""
        chain = [self.valid, *self.delayed]
        if self.circuit.outputs["out_valid"] != chain[-1:]:
            raise _Refused("out_valid is not the last of its flags")
        moved = self.machine.values(self.order, {self.rst: FALSE})
        for before, after in pairwise(chain):
            if moved[self.circuit.next_of[after]] != self.machine.state[before]:
                raise _Refused(
                    f"{self.circuit.signal_of.get(after)} does not follow {self.circuit.signal_of.get(before)}"
                )

    def _held(self) -> None:
        """Without a step nothing changes but the flags, of which the first is 0 then."""
        idle = self.machine.values(self.order, {self.rst: FALSE, self.step: FALSE})
        for bit, following in self.circuit.next_of.items():
            if bit not in self.flags and idle[following] != self.machine.state[bit]:
                raise _Refused(f"{self.circuit.signal_of.get(bit, 'a register')} changes without a step")
        if idle[self.circuit.next_of[self.valid]] != FALSE:
            raise _Refused("a result may be marked without a step")
        if any(idle[bit] != FALSE for memory in self.circuit.memories for bit in memory.enable):
            raise _Refused("its memory may be written without a step")

    def _reset(self) -> dict[Bit, int]:
        """The registers that a reset sets, and to what; the flags are among them, with 0."""
        after = self.machine.values(self.order, {self.rst: TRUE})
        control = {bit: after[following] for bit, following in self.circuit.next_of.items() if after[following] <= TRUE}
        if any(control.get(flag) != FALSE for flag in self.flags):
            raise _Refused("a reset leaves a result marked")
        return control

    def _turning(self, control: dict[Bit, int]) -> set[Bit]:
        """The registers that address memories: a ring of places which is the same wherever an image begins.

        After an image they need not be what they are after a reset. But nothing else reads them; from step to step they
        go through a ring of places; and if all rows of the memories are renumbered as from one place of the ring to the
        next, the ring is what it was. As nothing is known about the rows, an image may begin at any place of the ring.
        """
        circuit, machine = self.circuit, self.machine
        addresses = [word for memory in circuit.memories for word in (memory.write_address, memory.read_address)]
        if not addresses:
            return set()
        places = self._read_by([bit for word in addresses for bit in word], {self.step}) & circuit.next_of.keys()
        others = [circuit.next_of[bit] for bit in circuit.next_of if bit not in places]
        others += [self.step, *(bit for bits in self.kernels for bit in bits)]
        others += [bit for memory in circuit.memories for bit in (*memory.write_data, *memory.enable)]
        if not places <= control.keys() or self._read_by(others) & places:
            raise _Refused("the addresses of its memory are not registers of their own")
        order = machine.order([bit for word in addresses for bit in word] + [circuit.next_of[bit] for bit in places])
        start = now = {bit: control[bit] for bit in places}
        ring = []
        while True:
            values = machine.values(order, {self.rst: FALSE, self.step: TRUE, **now})
            ring.append([constant([values[bit] for bit in word]) for word in addresses])
            now = {bit: values[circuit.next_of[bit]] for bit in places}
            if now == start:
                break
            if any(node > TRUE for node in now.values()) or len(ring) > max(
                memory.words for memory in circuit.memories
            ):
                raise _Refused("the addresses of its memory do not come back to where they began")
        for number, memory in enumerate(circuit.memories):
            rows = [
                (ring[i][k], ring[i - len(ring) + 1][k]) for i in range(len(ring)) for k in (2 * number, 2 * number + 1)
            ]
            if any(row is None or row >= memory.words for pair in rows for row in pair):
                raise _Refused("an address of its memory is no row")
            if not len({a for a, _ in rows}) == len({b for _, b in rows}) == len(set(rows)):
                raise _Refused("the addresses of its memory do not run through a ring")
        return places

    def _read_by(self, bits: Iterable[Bit], cut: Collection[Bit] = ()) -> set[Bit]:
        """What some bits depend on within a cycle: registers, inputs, what memories and kernels give; not through
        `cut`.
        """
        found: set[Bit] = set()
        seen: set[Bit] = set(cut)
        todo = list(bits)
        while todo:
            bit = todo.pop()
            if bit in seen or isinstance(bit, str):
                continue
            seen.add(bit)
            cell = self.circuit.driver.get(bit)
            if cell is None:
                found.add(bit)
            else:
                todo += [wire for wires in cell.inputs.values() for wire in wires]
        return found

    def _word(self, step: int) -> dict[Bit, int]:
        """The bits of the word that comes with a step."""
        bits = self.circuit.inputs[IN]
        return {bit: self.graph.input((IN, place, step)) for place, bit in enumerate(bits)}

    def _steps_alone(self) -> bool:
        """Whether a step is made now without a word."""
        self._forget_flags()
        node = self.machine.values(self.step_order, {self.rst: FALSE, self.in_valid: FALSE})[self.step]
        if node > TRUE:
            raise _Refused("whether a step is made is not decided by the step's number")
        return node == TRUE

    def _step(self, step: int) -> bool:
        """Make a step; whether it has a result."""
        comes = step < self.words[0].total
        if self._steps_alone() == comes:
            raise _Refused(f"step {step} is {'made before its word comes' if comes else 'not made'}")
        values = self.machine.values(
            self.order, {self.rst: FALSE, self.in_valid: TRUE if comes else FALSE, **self._word(step)}
        )
        if values[self.step] != TRUE:
            raise _Refused(f"step {step} is not made when its word comes")
        result = values[self.circuit.next_of[self.valid]]
        if result > TRUE:
            raise _Refused(f"whether step {step} has a result is not decided by its number")
        self.machine.advance(values)
        return result == TRUE

    def _forget_flags(self) -> None:
        """Between two steps the flags go on."""
        self.machine.state |= {bit: self.machine.unknown(bit) for bit in self.flags}

    def _window(self, result: int) -> None:
        """Each kernel reads what the geometry says."""
        self._forget_flags()
        values = self.machine.values(self.kernel_order, {})
        size, map_size = self.words[1], self.sizes[1]
        row, word = divmod(result, size.row)
        for lane, bits in enumerate(self.kernels):
            column = word * size.pixels + lane
            if column >= map_size.columns:  # beyond the row: never read
                continue
            expected = list(self._expected(row, column)) or [FALSE]
            given = [values[bit] for bit in bits]
            if given != expected:
                place = next(i for i, (a, b) in enumerate(zip_longest(given, expected)) if a != b)
                raise _Refused(f"bit {place} of the window at row {row}, column {column} is something else")

    def _expected(self, row: int, column: int) -> Iterator[int]:
        """The node of each bit of a window that the kernel reads, from the definition of `WindowLayer`."""
        layer, source, words = self.layer, self.sizes[0], self.words[0]
        for feature in layer.kernel.compare_feature.tolist():
            channel, place = divmod(feature, layer.window[0] * layer.window[1])
            i, j = divmod(place, layer.window[1])
            y, x = row * layer.stride[0] + i - layer.padding[0], column * layer.stride[1] + j - layer.padding[1]
            if not (0 <= y < source.rows and 0 <= x < source.columns):
                yield FALSE
                continue
            word, pixel = divmod(x, words.pixels)
            yield self.graph.input((IN, pixel * source.channels + channel, y * words.row + word))
