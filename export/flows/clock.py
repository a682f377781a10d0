"""The longest register-to-register path of a synthesised netlist, by the delay model of its FPGA family.

The delays are the target's (`difflut.export.families.family.Delays`), as in the estimate before synthesis; here they
meet the cells that synthesis made. Placement is not known: a wire takes what the model says for its number of readers
and the size of the design. No wire is counted inside a carry chain, from iCE40's chain into the LUT beside it, from a
LUT into Xilinx' chain or into a multiplexer of the slice, and into a register from the cell in front of it. The figures
compare designs that were synthesised alike; they are no promise of a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from difflut.export.families.family import Delays

_CARRY_INPUTS = frozenset({"CI", "CYINIT", "CI_TOP", "CIN"})
_PADS = frozenset({"IBUF", "OBUF", "BUFG"})
_SEQUENTIAL = ("FD", "SB_DFF", "TRELLIS_FF", "DFF", "$_DFF", "$_SDFF", "$_ALDFF", "SRL")
_CLOCKS = frozenset({"C", "CLK"})
_SELECTS = frozenset({"S", "S0", "C0", "SD"})  # of multiplexers; their data comes from the slice
_MUXES = ("MUXF", "PFUMX", "L6MUX", "MUX2_LUT")
_WIDE_CARRIES = frozenset({"CARRY4", "CARRY8"})  # their LUTs are cells of their own, in the same slice
_CARRIES = _WIDE_CARRIES | {"SB_CARRY", "CCU2C", "ALU"}
_WITH_LUTS = frozenset({"CCU2C", "ALU"})  # carry cells with the LUTs in front of the chain


@dataclass(frozen=True)
class LongestPath:
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


def longest_path(module: Mapping[str, Any], delays: Delays, luts: int) -> LongestPath:
    """Of a flattened module of Yosys' JSON with `luts` LUTs; input and output ports count as registers.

    Raises:
        ValueError: the netlist has a combinational loop.
    """
    return _Netlist(module, delays, luts).longest()


class _Netlist:
    """Arrival times at the nets of a module."""

    def __init__(self, module: Mapping[str, Any], delays: Delays, luts: int) -> None:
        self._cells: Mapping[str, Any] = module["cells"]
        self._delays = delays
        # A target states what entering and leaving a chain take together.
        self._entering_ns = self._leaving_ns = delays.carry_entry_delay_ns / 2
        self._driver: dict[int, _Pin] = {}
        readers: Counter[int] = Counter()
        self._ends: list[int] = []
        for name, cell in self._cells.items():
            registered = cell["type"].startswith(_SEQUENTIAL)
            for port, bits in cell["connections"].items():
                nets = [(index, bit) for index, bit in enumerate(bits) if isinstance(bit, int)]
                if cell["port_directions"].get(port) != "output":
                    readers.update(bit for _, bit in nets)
                    if registered and port not in _CLOCKS:
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
            if name != last and self._cells[name]["type"] not in _PADS:
                passed[self._cells[name]["type"]] += 1
            last, bit = name, before[bit]
        return LongestPath(worst + self._delays.register_delay_ns, dict(sorted(passed.items())))

    def _evaluate(self, start: int, arrival: dict[int, float], before: dict[int, int | None]) -> None:
        """Fill in the arrival time at a net, at the output of its driver, and the net that decides it."""
        stack = [start]
        while stack:
            bit = stack[-1]
            if bit in arrival:
                stack.pop()
                continue
            arcs = self._arcs(self._driver[bit]) if bit in self._driver else []
            waiting = [source for source, _ in arcs if source not in arrival]
            if waiting:
                if len(stack) > len(self._driver):
                    raise ValueError("the netlist has a combinational loop")
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
        delays = self._delays
        if kind in _PADS:
            return 0.0
        along = delays.carry_delay_ns_per_bit
        if kind in _WIDE_CARRIES:
            first = (4 if port == "CI_TOP" else 0) if port in _CARRY_INPUTS else position
            bits = output.place + 1 - first
            if bits <= 0:
                return None
            return bits * along + (0.0 if port in _CARRY_INPUTS else self._entering_ns)
        if kind in _CARRIES:
            if port in _CARRY_INPUTS:
                return along
            return along + self._entering_ns + (delays.lut_delay_ns if kind in _WITH_LUTS else 0.0)
        if kind.startswith(_MUXES):
            return delays.mux_delay_ns or 0.0
        return delays.lut_delay_ns

    def _wire(self, bit: int, kind: str, port: str) -> float:
        """From a net's driver to a pin of a cell of type `kind`."""
        chained = self._leaves_chain(bit)
        if chained and port in _CARRY_INPUTS:
            return 0.0
        beside = (
            (kind in _WIDE_CARRIES and port == "S")
            or (kind.startswith(_MUXES) and port not in _SELECTS)
            or (chained and kind == "SB_LUT4" and port == "I3")
        )
        return self._leaving_ns * chained + (0.0 if beside else self._wire_ns[bit])

    def _leaves_chain(self, bit: int) -> bool:
        """Whether a carry cell drives the net."""
        return bit in self._driver and self._cells[self._driver[bit].cell]["type"] in _CARRIES
