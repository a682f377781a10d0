"""Gates as an and-inverter graph in binary AIGER, with the names of inputs and outputs as symbols.

Source: A. Biere, "The AIGER And-Inverter Graph (AIG) Format Version 20071012".
"""

from __future__ import annotations

from difflut.export.exchange.gates import Gates


def aiger(gates: Gates, name: str) -> bytes:
    """The bytes of the file."""
    graph = _Ands(len(gates.inputs))
    literals = [0, 1, *(2 * (1 + i) for i in range(len(gates.inputs)))]
    for feeds, table in gates.nodes:
        literals.append(graph.table([literals[feed] for feed in feeds], table))
    count = len(graph.pairs)
    head = f"aig {len(gates.inputs) + count} {len(gates.inputs)} 0 {len(gates.outputs)} {count}\n"
    head += "".join(f"{literals[net]}\n" for _, net in gates.outputs)
    symbols = "".join(f"i{place} {one}\n" for place, one in enumerate(gates.inputs))
    symbols += "".join(f"o{place} {one}\n" for place, (one, _) in enumerate(gates.outputs))
    return head.encode() + graph.encoded() + symbols.encode() + f"c\n{name}\n".encode()


class _Ands:
    """Ands of literals, each behind those that it reads, equal ones once."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.pairs: list[tuple[int, int]] = []  # the larger literal first
        self._known: dict[tuple[int, int], int] = {}

    def both(self, a: int, b: int) -> int:
        """The literal of a conjunction."""
        if a < b:
            a, b = b, a
        if b == 0 or a == b ^ 1:
            return 0
        if b == 1 or a == b:
            return a
        literal = self._known.get((a, b))
        if literal is None:
            self.pairs.append((a, b))
            literal = self._known[a, b] = 2 * (self.inputs + len(self.pairs))
        return literal

    def table(self, feeds: list[int], table: int) -> int:
        """The literal of a table, by Shannon's expansion on the last input."""
        n = len(feeds)
        if table == 0 or table == (1 << (1 << n)) - 1:
            return int(table != 0)
        half = 1 << (n - 1)
        low, high = (self.table(feeds[:-1], part) for part in (table & (1 << half) - 1, table >> half))
        if low == high:
            return low
        return self.both(self.both(feeds[-1], high) ^ 1, self.both(feeds[-1] ^ 1, low) ^ 1) ^ 1

    def encoded(self) -> bytes:
        """The differences of literals, seven bits a byte, the lowest first."""
        result = bytearray()
        for place, (first, second) in enumerate(self.pairs):
            for number in (2 * (self.inputs + 1 + place) - first, first - second):
                while number > 127:
                    result.append(number & 127 | 128)
                    number >>= 7
                result.append(number)
        return bytes(result)
