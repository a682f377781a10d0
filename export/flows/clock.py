"""The longest register-to-register path of a synthesised netlist, by the delay model of its FPGA family.

The delays are the family's (`difflut.export.families.delays.Delays`), as in the estimate before synthesis; here they
meet the cells that synthesis made. Placement is not known: a wire takes what the model says for its number of readers
and the size of the design. No wire is counted inside a carry chain, from iCE40's chain into the LUT beside it, from a
LUT into Xilinx' chain or into a multiplexer of the slice, and into a register from the cell in front of it. The
figures compare designs that were synthesised alike; they are no promise of a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from difflut.export.errors import ToolError
from difflut.export.families.cells import Cells
from difflut.export.families.delays import Delays
from difflut.shown import Brief


@dataclass(frozen=True, repr=False)
class LongestPath(Brief):
    """The longest path: its estimated delay, and how many cells of each type it passes."""

    delay_ns: float
    cells: Mapping[str, int]

    @property
    def fmax_mhz(self) -> float:
        """The estimated clock."""
        return 1000 / self.delay_ns


class _Pin(NamedTuple):
    """Where a net starts: an output bit of a cell."""

    cell: str
    port: str
    place: int


def longest_path(module: Mapping[str, Any], delays: Delays, cells: Cells, luts: int) -> LongestPath:
    """Of a flattened module of Yosys' JSON with `luts` LUTs, whose cells are those of a family; ports count as
    registers.

    Raises:
        ToolError: the netlist has a combinational loop.
    """
    return _Netlist(module, delays, cells, luts).longest()


class _Netlist:
    """Arrival times at the nets of a module."""

    def __init__(self, module: Mapping[str, Any], delays: Delays, kinds: Cells, luts: int) -> None:
        self._cells: Mapping[str, Any] = module["cells"]
        self._delays = delays
        self._kinds = kinds
        # A family states what entering and leaving a chain take together.
        self._entering_ns = self._leaving_ns = delays.carry_entry_delay_ns / 2
        self._driver: dict[int, _Pin] = {}
        readers: Counter[int] = Counter()
        self._ends: list[int] = []
        for name, cell in self._cells.items():
            registered = kinds.is_register(cell["type"])
            for port, bits in cell["connections"].items():
                nets = [(index, bit) for index, bit in enumerate(bits) if isinstance(bit, int)]
                if cell["port_directions"].get(port) != "output":
                    readers.update(bit for _, bit in nets)
                    if registered and port not in kinds.clock_pins:
                        self._ends.extend(bit for _, bit in nets)
                elif not registered:
                    self._driver.update({bit: _Pin(name, port, index) for index, bit in nets})
        for port_data in module["ports"].values():
            if port_data["direction"] == "output":
                outputs = [bit for bit in port_data["bits"] if isinstance(bit, int)]
                readers.update(outputs)
                self._ends.extend(outputs)
        by_readers = {count: delays.net_ns(count, luts) for count in set(readers.values())}
        self._wire_ns = {bit: by_readers[count] for bit, count in readers.items()}

    def longest(self) -> LongestPath:
        """The latest of all ends."""
        arrival: dict[int, float] = {}
        before: dict[int, int | None] = {}
        worst, worst_end = 0.0, None
        for end in self._ends:
            self._evaluate(end, arrival, before)
            # A register stands behind the cell whose output it takes; only from another register there is a wire.
            last_hop = self._leaving_ns * self._leaves_chain(end) if end in self._driver else self._wire_ns[end]
            delay = arrival[end] + last_hop
            if worst_end is None or delay > worst:
                worst, worst_end = delay, end
        passed: Counter[str] = Counter()
        last, bit = "", worst_end
        while bit is not None and bit in self._driver:
            name = self._driver[bit].cell
            if name != last and self._cells[name]["type"] not in self._kinds.ignored:
                passed[self._cells[name]["type"]] += 1
            last, bit = name, before[bit]
        return LongestPath(worst + self._delays.register_delay_ns, dict(sorted(passed.items())))

    def _evaluate(self, start: int, arrival: dict[int, float], before: dict[int, int | None]) -> None:
        """Fill in the arrival time at a net, at the output of its driver, and the net that decides it."""
        stack = [start]
        begun: set[int] = set()  # nets on the way from `start` to the end of the stack, and finished ones
        while stack:
            bit = stack[-1]
            if bit in arrival:
                stack.pop()
                continue
            arcs = self._arcs(self._driver[bit]) if bit in self._driver else []
            waiting = [source for source, _ in arcs if source not in arrival]
            if waiting:
                if not begun.isdisjoint(waiting):
                    raise ToolError(f"the netlist has a combinational loop through the cell {self._driver[bit].cell!r}")
                begun.add(bit)
                stack.extend(waiting)
                continue
            latest = max(arcs, key=lambda arc: arrival[arc[0]] + arc[1], default=None)
            arrival[bit] = arrival[latest[0]] + latest[1] if latest else 0.0
            before[bit] = latest[0] if latest else None
            stack.pop()

    def _arcs(self, output: _Pin) -> list[tuple[int, float]]:
        """The nets that an output depends on, each with the delay from its driver through wire and cell."""
        cell = self._cells[output.cell]
        arcs = []
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) != "input":
                continue
            for position, bit in enumerate(bits):
                if isinstance(bit, int):
                    through = self._through(cell["type"], port, position, output)
                    if through is not None:
                        arcs.append((bit, self._wire(bit, cell["type"], port) + through))
        return arcs

    def _through(self, kind: str, port: str, position: int, output: _Pin) -> float | None:
        """From an input pin of a cell to an output of it; None if the output does not depend on the pin."""
        delays, kinds = self._delays, self._kinds
        if kind in kinds.ignored:
            return 0.0
        if (carry := kinds.carries.get(kind)) is not None:
            enters_chain = port in carry.inputs
            bits = output.place + 1 - carry.inputs.get(port, position) if carry.wide else 1
            if bits <= 0:
                return None
            before = 0.0 if enters_chain else self._entering_ns
            if not enters_chain and kind in kinds.luts:  # the LUTs in front of its chain
                before += delays.lut_delay_ns
            return before + bits * delays.carry_delay_ns_per_bit
        if kind in kinds.muxes:
            return delays.mux_delay_ns or 0.0
        return delays.lut_delay_ns

    def _wire(self, bit: int, kind: str, port: str) -> float:
        """From a net's driver to a pin of a cell of type `kind`."""
        chained, kinds = self._leaves_chain(bit), self._kinds
        carry = kinds.carries.get(kind)
        if chained and carry is not None and port in carry.inputs:
            return 0.0
        beside = (
            (carry is not None and port in carry.beside)
            or (kind in kinds.muxes and port != kinds.muxes[kind])
            or (chained and kinds.after_carry.get(kind) == port)
        )
        return self._leaving_ns * chained + (0.0 if beside else self._wire_ns[bit])

    def _leaves_chain(self, bit: int) -> bool:
        """Whether a carry cell drives the net."""
        return bit in self._driver and self._cells[self._driver[bit].cell]["type"] in self._kinds.carries
