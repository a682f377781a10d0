"""The longest register-to-register path of a synthesised netlist, by one simple delay model for every design.

It knows nothing of placement: every connection takes the same time, carry connections none. Its figures compare
designs that were synthesised alike; they are no promise of a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CARRY_INPUTS = frozenset({"CI", "CYINIT", "CI_TOP", "CIN"})
_PADS = frozenset({"IBUF", "OBUF", "BUFG"})
_SEQUENTIAL = ("FD", "SB_DFF", "TRELLIS_FF", "DFF", "$_DFF", "$_SDFF", "$_ALDFF", "SRL")
_MUXES = ("MUXF", "PFUMX", "L6MUX", "MUX2_LUT")


@dataclass(frozen=True)
class CellDelays:
    """Delays in ns: a LUT, the connection to it, into and out of a carry chain, a bit of it, a slice multiplexer, a
    register (clock to output and setup together)."""

    lut_ns: float = 0.10
    net_ns: float = 0.40
    carry_ns: float = 0.15
    carry_bit_ns: float = 0.015
    mux_ns: float = 0.08
    register_ns: float = 0.12


@dataclass(frozen=True)
class LongestPath:
    """The longest path: its estimated delay, and how many cells of each type it passes."""

    delay_ns: float
    cells: Mapping[str, int]

    @property
    def fmax_mhz(self) -> float:
        """The estimated clock."""
        return 1000 / self.delay_ns


def longest_path(module: Mapping[str, Any], delays: CellDelays = CellDelays()) -> LongestPath:
    """Of a flattened module of Yosys' JSON; input and output ports count as registers."""
    cells: dict[str, Any] = module["cells"]
    driver: dict[int, tuple[str, str, int]] = {}
    ends: list[int] = []
    for name, cell in cells.items():
        registered = cell["type"].startswith(_SEQUENTIAL)
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "output":
                if not registered:
                    driver.update({bit: (name, port, index) for index, bit in enumerate(bits) if isinstance(bit, int)})
            elif registered and port not in ("C", "CLK"):
                ends.extend(bit for bit in bits if isinstance(bit, int))
    for port_data in module["ports"].values():
        if port_data["direction"] == "output":
            ends.extend(bit for bit in port_data["bits"] if isinstance(bit, int))

    arrival: dict[int, float] = {}
    before: dict[int, int | None] = {}

    def evaluate(start: int) -> None:
        stack = [start]
        while stack:
            bit = stack[-1]
            if bit in arrival:
                stack.pop()
                continue
            if bit not in driver:
                arrival[bit], before[bit] = 0.0, None
                stack.pop()
                continue
            arcs = _arcs(cells[driver[bit][0]], *driver[bit][1:], delays)
            waiting = [source for source, _ in arcs if source not in arrival]
            if waiting:
                if len(stack) > len(driver):
                    raise ValueError("the netlist has a combinational loop")
                stack.extend(waiting)
                continue
            latest = max(arcs, key=lambda arc: arrival[arc[0]] + arc[1], default=None)
            arrival[bit] = arrival[latest[0]] + latest[1] if latest else 0.0
            before[bit] = latest[0] if latest else None
            stack.pop()

    worst, worst_end = 0.0, None
    for end in ends:
        evaluate(end)
        if worst_end is None or arrival[end] > worst:
            worst, worst_end = arrival[end], end
    passed: Counter[str] = Counter()
    last, bit = "", worst_end
    while bit is not None and bit in driver:
        name = driver[bit][0]
        if name != last and cells[name]["type"] not in _PADS:
            passed[cells[name]["type"]] += 1
        last, bit = name, before[bit]
    return LongestPath(worst + delays.register_ns + delays.net_ns, dict(sorted(passed.items())))


def _arcs(cell: Mapping[str, Any], port: str, index: int, delays: CellDelays) -> list[tuple[int, float]]:
    """The bits that an output bit depends on, each with the delay of connection and cell."""
    kind, connections = cell["type"], cell["connections"]
    inputs = [name for name in connections if cell["port_directions"].get(name) == "input"]
    carry = kind in ("CARRY4", "CARRY8")
    arcs = []
    for name in inputs:
        for position, bit in enumerate(connections[name]):
            if not isinstance(bit, int):
                continue
            if kind in _PADS:
                arcs.append((bit, 0.0))
            elif carry and name in _CARRY_INPUTS:
                bits = index + 1 - (4 if name == "CI_TOP" else 0)
                if bits > 0:
                    arcs.append((bit, delays.carry_bit_ns * bits + _leaving(port, delays)))
            elif carry:
                if position <= index:  # S comes from the LUT of the same slice, DI over a connection
                    net = 0.0 if name == "S" else delays.net_ns
                    along = delays.carry_bit_ns * (index - position + 1)
                    arcs.append((bit, net + delays.carry_ns + along + _leaving(port, delays)))
            elif name in _CARRY_INPUTS:
                arcs.append((bit, delays.carry_bit_ns))
            elif kind.startswith(_MUXES):
                arcs.append((bit, delays.mux_ns))
            elif kind in ("SB_CARRY", "CCU2C", "ALU"):
                arcs.append((bit, delays.net_ns + delays.carry_ns))
            else:
                arcs.append((bit, delays.net_ns + delays.lut_ns))
    return arcs


def _leaving(port: str, delays: CellDelays) -> float:
    return delays.carry_ns if port == "O" else 0.0
