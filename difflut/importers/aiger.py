"""AIGER, ASCII (aag) and binary (aig): and-inverter graphs as Boolean circuits.

Source: A. Biere, "The AIGER And-Inverter Graph (AIG) Format Version 20071012", JKU Linz. Literal 2v is variable v,
2v + 1 its complement, variable 0 constant 0. Where all inputs, or all outputs, have symbols, bits `y[0]`, `y[1]`, ...
of a port come in the order of their indices, whatever order the file lists them in.
"""

from __future__ import annotations

from difflut.importers.contents import Content
from difflut.importers.importer import Importer
from difflut.importers.logic import FALSE, TRUE, Logic, in_port_order, ordered, words_of
from difflut.importers.network import Network
from difflut.importers.said import Said
from difflut.models.given import MOST

_ANDS = [0b1000, 0b0100, 0b0010, 0b0001]  # tables: of neither, the first, the second, both inputs complemented
_LONGEST_NUMBER = 5  # bytes of a number in aig; larger ones are no variables


def recognises(content: Content) -> bool:
    """Whether bytes are AIGER."""
    return content.container == "aiger"


def read(content: Content, said: Said) -> Network:
    """The circuit of a file."""
    reader = _Reader(content)
    inputs, outputs, ands = reader.binary() if content.value.startswith(b"aig") else reader.ascii()
    symbols = reader.symbols(len(inputs), len(outputs))
    orders = [in_port_order(names) if None not in names else list(range(len(names))) for names in symbols]
    names = [
        [names[place] or f"{kind}{place}" for place in order]
        for names, order, kind in zip(symbols, orders, ("i", "o"), strict=True)
    ]
    logic = Logic(len(inputs))
    nets = {0: FALSE} | {inputs[place] >> 1: 2 + position for position, place in enumerate(orders[0])}
    wanted = [outputs[place] for place in orders[1]]
    reads = {variable: tuple(literal >> 1 for literal in pair) for variable, pair in ands.items()}
    for variable in ordered(reads, (literal >> 1 for literal in wanted)):
        feeds, table = [], 0
        for i, literal in enumerate(ands[variable]):
            if literal >> 1 not in nets:
                raise content.refuse(f"variable {literal >> 1}, which and {variable} reads, is not defined")
            feeds.append(nets[literal >> 1])
            table |= (literal & 1) << i
        nets[variable] = logic.add(feeds, _ANDS[table])
    results = []
    for literal in wanted:
        if literal >> 1 not in nets:
            raise content.refuse(f"variable {literal >> 1}, an output, is not defined")
        results.append(logic.not_(nets[literal >> 1]) if literal & 1 else nets[literal >> 1])
    return logic.network(results, words_of(names[1], said.numbers), *names)


class _Reader:
    """Reads a file from its beginning; errors name the line, or the byte of what is binary."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.data: bytes = content.value
        self.at = 0
        self.number = 0
        words = self._line().split()
        if not 6 <= len(words) <= 10 or not all(word.isdigit() and len(word) < 10 for word in words[1:]):
            raise self._refuse("the header; expected aag or aig and M I L O A")
        self.most, self.count, latches, self.outs, self.ands, *more = map(int, words[1:])
        if latches:
            raise self._refuse(f"{latches} latches, which a combinational circuit has not")
        if any(more):
            raise self._refuse("properties of a model checker (B, C, J, F); expected outputs only")
        exact = words[0] == b"aig"
        if self.most < self.count + self.ands or (exact and self.most != self.count + self.ands):
            raise self._refuse(f"M is {self.most} for {self.count} inputs and {self.ands} ands")
        least = 2 * (self.outs + self.ands) + (0 if exact else 2 * self.count)
        if least > len(self.data) or self.count > MOST["input_size"]:
            raise self._refuse(f"claims {self.count} inputs, {self.outs} outputs, {self.ands} ands: more than it has")

    def ascii(self) -> tuple[list[int], list[int], dict[int, tuple[int, int]]]:
        """Literals of inputs and outputs, and the two that each and reads, by variable."""
        inputs = [self._literals(1)[0] for _ in range(self.count)]
        outputs = [self._literals(1)[0] for _ in range(self.outs)]
        defined = set(inputs) | {0}
        if len(defined) != len(inputs) + 1 or any(literal & 1 for literal in inputs):
            raise self._refuse("inputs above are complemented, constant or listed twice")
        ands: dict[int, tuple[int, int]] = {}
        for _ in range(self.ands):
            own, first, second = self._literals(3)
            if own & 1 or own in defined:
                raise self._refuse(f"{own} is complemented, or defined twice")
            defined.add(own)
            ands[own >> 1] = (first, second)
        return inputs, outputs, ands

    def binary(self) -> tuple[list[int], list[int], dict[int, tuple[int, int]]]:
        """As `ascii`."""
        inputs = [2 * (1 + i) for i in range(self.count)]
        outputs = [self._literals(1)[0] for _ in range(self.outs)]
        ands: dict[int, tuple[int, int]] = {}
        for variable in range(self.count + 1, self.count + self.ands + 1):
            first = 2 * variable - self._difference()
            second = first - self._difference()
            if not 0 <= second <= first < 2 * variable:
                text = f"and {variable} reads {first} and {second}; expected smaller literals"
                raise self.content.refuse(f"byte {self.at}: {text}")
            ands[variable] = (first, second)
        return inputs, outputs, ands

    def symbols(self, inputs: int, outputs: int) -> tuple[list[str | None], list[str | None]]:
        """The names of inputs and outputs."""
        found: dict[bytes, list[str | None]] = {b"i": [None] * inputs, b"o": [None] * outputs}
        while self.at < len(self.data):
            line = self._line()
            if line in (b"c", b"c\r"):  # comments to the end
                break
            key, _, name = line.rstrip(b"\r").partition(b" ")
            names = found.get(key[:1])
            place = int(key[1:]) if key[1:].isdigit() and len(key) < 11 else -1
            if names is None or not 0 <= place < len(names) or names[place] is not None or not name:
                raise self._refuse(f"the symbol {line!a:.60}; expected one of each input or output")
            names[place] = name.decode("utf-8", "replace")
        for names in found.values():
            given = [name for name in names if name is not None]
            if len(set(given)) < len(given):
                raise self._refuse("a symbol of two inputs or two outputs")
        return found[b"i"], found[b"o"]

    def _refuse(self, text: str) -> Exception:
        return self.content.refuse(f"line {self.number}: {text}")

    def _line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        end = len(self.data) if end < 0 else end
        line = self.data[self.at : end]
        self.at, self.number = end + 1, self.number + 1
        return line

    def _literals(self, count: int) -> list[int]:
        words = self._line().split()
        if len(words) != count or not all(word.isdigit() and len(word) < 11 for word in words):
            raise self._refuse(f"expected {count} literals")
        literals = [int(word) for word in words]
        if max(literals) > 2 * self.most + TRUE:
            raise self._refuse(f"literal {max(literals)}; expected at most {2 * self.most + 1}, as M is {self.most}")
        return literals

    def _difference(self) -> int:
        value = shift = 0
        for byte in self.data[self.at : self.at + _LONGEST_NUMBER]:
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
        raise self.content.refuse(f"byte {self.at}: a number that is cut off or too long; expected a whole file")


IMPORTER = Importer("and-inverter graph in AIGER, aag or aig", recognises, read)
