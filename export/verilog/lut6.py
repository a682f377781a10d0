"""Instances of the Xilinx primitives LUT6 and LUT6_2, as text."""

from __future__ import annotations

from collections.abc import Sequence

from difflut.export.verilog import names

INPUTS = 6


def single(name: str, output: str, table: int, wires: Sequence[str]) -> str:
    """A LUT6 whose table is over its inputs `wires`, at most six."""
    places = range(len(wires))
    return _instance("LUT6", name, _spread(table, places, INPUTS), {"O": output}, wires, "1'b0")


def dual(
    name: str, outputs: tuple[str, str], tables: tuple[int, int], wires: tuple[Sequence[str], Sequence[str]]
) -> str:
    """A LUT6_2 with two functions, O6 and O5, whose inputs are at most five different wires."""
    inputs = list(dict.fromkeys([*wires[0], *wires[1]]))
    upper, lower = (
        _spread(table, [inputs.index(wire) for wire in own], INPUTS - 1)
        for table, own in zip(tables, wires, strict=True)
    )
    # O6 is the upper half of the table, as I5 is 1.
    ports = {"O6": outputs[0], "O5": outputs[1]}
    return _instance("LUT6_2", name, upper << 32 | lower, ports, inputs, "1'b1")


def _spread(table: int, places: Sequence[int], n: int) -> int:
    """The table over n inputs of a function whose input i is input `places[i]` of them."""
    return sum(
        (table >> sum((address >> at & 1) << i for i, at in enumerate(places)) & 1) << address
        for address in range(1 << n)
    )


def _instance(kind: str, name: str, table: int, outputs: dict[str, str], inputs: Sequence[str], last: str) -> str:
    """Unused pins are 0; the last, if unused, is `last`."""
    pins = [*inputs, *["1'b0"] * (INPUTS - 1 - len(inputs))]
    pins += [last] * (INPUTS - len(pins))
    ports = [*outputs.items(), *((f"I{i}", wire) for i, wire in enumerate(pins))]
    connections = ", ".join(f".{port}({wire})" for port, wire in ports)
    return f"  {kind} #(.INIT({names.literal(table, 64)})) {name} ({connections});"
