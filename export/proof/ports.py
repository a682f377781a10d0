"""The ports that a module must have: these and no others, each of its width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Port(NamedTuple):
    """A port of a module.

    Attributes:
        direction: "input", "output" or "inout".
        width: in bits.
    """

    direction: str
    width: int

    def __str__(self) -> str:
        return f"{self.direction} of {self.width} bit{'s' if self.width != 1 else ''}"


def check_ports(ports_of_circuit: Mapping[str, tuple[str, int]], expected: Mapping[str, tuple[str, int]]) -> list[str]:
    """What is wrong with the ports of a circuit, a sentence each, in the order of the names; nothing if they are right.

    Args:
        ports_of_circuit: by name, its direction ("input", "output", "inout") and width in bits.
        expected: the same of the ports that it must have.
    """
    found = []
    for name in sorted({*ports_of_circuit, *expected}):
        if name not in ports_of_circuit:
            found.append(f"port {name} is missing; expected an {Port(*expected[name])}")
        elif name not in expected:
            found.append(f"port {name}, an {Port(*ports_of_circuit[name])}, is not expected")
        elif tuple(ports_of_circuit[name]) != tuple(expected[name]):
            found.append(f"port {name} is an {Port(*ports_of_circuit[name])}; expected an {Port(*expected[name])}")
    return found
