"""What Yosys' cells compute, as nodes of a `Graph`.

These are the cells that are left after `proc`, `flatten` and the techmap of difflut.export.proof.read_back, which turns
all others into gates. Widths and signs follow the Yosys manual, "Internal cell library".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from difflut.export.proof import graph as g
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import FALSE, TRUE, Graph

Word = list[int]


@dataclass(frozen=True)
class Operands:
    """One cell's inputs as nodes, least significant first, and its parameters."""

    graph: Graph
    inputs: Mapping[str, Word]
    parameters: Mapping[str, int]

    def word(self, port: str, width: int, signed: bool) -> Word:
        """An input extended, or cut, to `width` bits."""
        bits = list(self.inputs[port])
        fill = bits[-1] if signed and bits else FALSE
        return (bits + [fill] * width)[:width]

    @property
    def width(self) -> int:
        """The width of the output."""
        return self.parameters["Y_WIDTH"]

    @property
    def signed(self) -> bool:
        """Whether the operands are signed; a cell with two operands is signed only if both are."""
        return bool(self.parameters["A_SIGNED"] and self.parameters.get("B_SIGNED", 1))

    def extended(self, *ports: str) -> list[Word]:
        """The operands at the output's width."""
        return [self.word(port, self.width, self.signed) for port in ports]

    def compared(self) -> list[Word]:
        """The operands at their common width, as unsigned words in the same order."""
        width = max(len(self.inputs["A"]), len(self.inputs["B"]))
        words = [self.word(port, width, self.signed) for port in "AB"]
        if self.signed:
            for word in words:
                word[-1] = self.graph.not_(word[-1])
        return words

    def flag(self, node: int) -> Word:
        """A one-bit result at the output's width."""
        return [node] + [FALSE] * (self.width - 1)


def _bitwise(table: int) -> Callable[[Operands], Word]:
    return lambda o: [o.graph.add(bits, table) for bits in zip(*o.extended("A", "B"), strict=True)]


def _unary(o: Operands) -> Word:
    return o.extended("A")[0]


def _inverted(o: Operands) -> Word:
    return [o.graph.not_(bit) for bit in _unary(o)]


def _added(graph: Graph, a: Sequence[int], b: Sequence[int], carry: int) -> Word:
    result = []
    for x, y in zip(a, b, strict=True):
        result.append(graph.add((x, y, carry), g.SUM3))
        carry = graph.add((x, y, carry), g.MAJORITY)
    return result


def _sum(o: Operands) -> Word:
    a, b = o.extended("A", "B")
    return _added(o.graph, a, b, FALSE)


def _difference(o: Operands) -> Word:
    a, b = o.extended("A", "B")
    return _added(o.graph, a, [o.graph.not_(bit) for bit in b], TRUE)


def _greater(swapped: bool, or_equal: bool) -> Callable[[Operands], Word]:
    def lower(o: Operands) -> Word:
        a, b = o.compared()
        return o.flag(o.graph.greater(*((b, a) if swapped else (a, b)), TRUE if or_equal else FALSE))

    return lower


def _equal(o: Operands) -> int:
    return o.graph.all_of(o.graph.equals(a, b) for a, b in zip(*o.compared(), strict=True))


def _parity(o: Operands) -> int:
    return o.graph.reduce(list(o.inputs["A"]), g.XOR, FALSE)


def _any(o: Operands, port: str = "A") -> int:
    return o.graph.any_of(o.inputs[port])


def _flagged(compute: Callable[[Operands], int], inverted: bool = False) -> Callable[[Operands], Word]:
    return lambda o: o.flag(o.graph.not_(compute(o)) if inverted else compute(o))


def _lut(o: Operands) -> Word:
    width = o.parameters["WIDTH"]
    if width > 8:
        raise ProofError(f"a $lut cell has {width} inputs; expected at most 8")
    return [o.graph.add(o.inputs["A"], o.parameters["LUT"])]


def _multiplexer(o: Operands) -> Word:
    return o.graph.multiplexer(o.inputs["A"], o.inputs["B"], o.inputs["S"][0])


# Word cells, by type; their output is Y.
WORD_CELLS: dict[str, Callable[[Operands], Word]] = {
    "$and": _bitwise(g.AND),
    "$or": _bitwise(g.OR),
    "$xor": _bitwise(g.XOR),
    "$xnor": _bitwise(0b1001),
    "$not": _inverted,
    "$pos": _unary,
    "$add": _sum,
    "$sub": _difference,
    "$gt": _greater(swapped=False, or_equal=False),
    "$ge": _greater(swapped=False, or_equal=True),
    "$lt": _greater(swapped=True, or_equal=False),
    "$le": _greater(swapped=True, or_equal=True),
    "$eq": _flagged(_equal),
    "$ne": _flagged(_equal, inverted=True),
    "$reduce_and": _flagged(lambda o: o.graph.all_of(o.inputs["A"])),
    "$reduce_or": _flagged(_any),
    "$reduce_bool": _flagged(_any),
    "$reduce_xor": _flagged(_parity),
    "$logic_not": _flagged(_any, inverted=True),
    "$logic_and": _flagged(lambda o: o.graph.all_of((_any(o), _any(o, "B")))),
    "$logic_or": _flagged(lambda o: o.graph.any_of((_any(o), _any(o, "B")))),
    "$mux": _multiplexer,
    "$lut": _lut,
}

# One-bit gates, by type: inputs in the order of the table's address bits.
GATES: dict[str, tuple[str, int]] = {
    "$_BUF_": ("A", 0b10),
    "$_NOT_": ("A", g.NOT),
    "$_AND_": ("AB", g.AND),
    "$_NAND_": ("AB", 0b0111),
    "$_OR_": ("AB", g.OR),
    "$_NOR_": ("AB", 0b0001),
    "$_XOR_": ("AB", g.XOR),
    "$_XNOR_": ("AB", 0b1001),
    "$_ANDNOT_": ("AB", 0b0010),
    "$_ORNOT_": ("AB", 0b1011),
    "$_MUX_": ("ABS", g.MUX),
}


def lower(graph: Graph, kind: str, inputs: Mapping[str, Word], parameters: Mapping[str, int]) -> Word:
    """The nodes of output Y of a cell.

    Raises:
        ProofError: the cell's type is not known.
    """
    if kind in GATES:
        ports, table = GATES[kind]
        return [graph.add([inputs[port][0] for port in ports], table)]
    if kind not in WORD_CELLS:
        raise ProofError(
            f"Yosys left a cell of type {kind}, which the proof does not know; expected combinational cells and D "
            "flip-flops of one clock"
        )
    return WORD_CELLS[kind](Operands(graph, inputs, parameters))
