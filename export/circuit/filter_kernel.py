"""Comparisons of integer sums of codes with constants, as LUTs: what an integer filter is in a circuit.

A sum of codes with weights is a heap of bits, each with a power of two; a weight takes as few of them as its canonical
signed digits, and a negative digit the complement of a bit, as -b is (1 - b) - 1. So all that is left of signs is a
constant, which goes into the thresholds. Counters of six, five and three bits make two bits of each power of two, a
carry that ripples over two of them a LUT makes one, and the thresholds compare that number. Nothing overflows, as the
number has as many bits as its largest value. Sources: Reitwiesner, "Binary Arithmetic", Advances in Computers 1, 1960
(signed digits); Dadda, "Some Schemes for Parallel Multipliers", Alta Frequenza 34, 1965 (counters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import CONST1, Head, InputFormat, Netlist, NetlistBuilder

LUT_INPUTS = 6
# A literal is twice the number of a node, and one more for its complement; node 0 is constant 0.
FALSE, TRUE = 0, 1

Function = Callable[[Sequence[int], int], bool]


def filter_kernel(
    name: str, form: InputFormat, weights: npt.NDArray[np.integer], compared: Sequence[tuple[int, int]]
) -> Netlist:
    """The kernel of a window layer that compares sums of the codes in its window.

    Args:
        name: of the netlist.
        form: of the codes; its features are the C channels.
        weights: integer (sums, C, rows, columns), what each code of the window is multiplied by.
        compared: for each output the sum and the threshold: it is 1 where the sum is >= the threshold.

    Returns:
        a netlist on features of one bit: feature ((c * width_bits + k) * rows + i) * columns + j is bit k of the code
        of channel c at element (i, j) of the window. Score m counts one net, which is output m.
    """
    _, channels, rows, columns = weights.shape
    gates = _Gates(channels * form.width_bits * rows * columns)
    built: dict[int, tuple[list[int], int]] = {}
    outputs = []
    for number, threshold in compared:
        if number not in built:
            heap, constant = _heap(form, weights[number])
            built[number] = _added(gates, heap), constant
        bits, constant = built[number]
        outputs.append(_at_least(gates, bits, threshold - constant))
    return gates.netlist(name, outputs)


def _heap(form: InputFormat, weights: npt.NDArray[np.integer]) -> tuple[list[list[int]], int]:
    """For each power of two the literals whose sum, with a constant, is that of the weighted codes."""
    heap: list[list[int]] = []
    constant = 0
    area = weights.shape[1] * weights.shape[2]
    for place in np.flatnonzero(weights).tolist():
        channel, element = divmod(place, area)
        for bit in range(form.width_bits):
            literal = 2 * (1 + (channel * form.width_bits + bit) * area + element)
            top = form.signed and bit == form.width_bits - 1
            for sign, shift in _signed_digits(int(weights.flat[place])):
                power = bit + shift
                heap += [[] for _ in range(power + 1 - len(heap))]
                negative = (sign < 0) != top
                heap[power].append(literal ^ negative)
                constant -= negative << power
    return heap, constant


def _signed_digits(weight: int) -> Iterator[tuple[int, int]]:
    """Sign and place of each digit that is not 0 of the canonical signed-digit form: no two are neighbours."""
    place = 0
    while weight:
        if weight & 1:
            sign = 2 - (weight & 3)
            yield sign, place
            weight -= sign
        weight >>= 1
        place += 1


class _Gate(NamedTuple):
    level: int
    inputs: tuple[int, ...]
    table: int


class _Gates:
    """LUTs on some bits; equal ones are built once. Nodes 1 to `bits` are the bits."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.gates: list[_Gate] = []
        self._known: dict[tuple[tuple[int, ...], int], int] = {}

    def level(self, literal: int) -> int:
        """How many LUTs lie between the bits and a literal."""
        gate = literal // 2 - self.bits - 1
        return self.gates[gate].level if gate >= 0 else 0

    def add(self, function: Function, literals: Sequence[int], parameter: int = 0) -> int:
        """The literal of a function of at most six others."""
        nodes = sorted({literal // 2 for literal in literals} - {0})
        places = tuple(nodes.index(literal // 2) if literal > TRUE else -1 for literal in literals)
        table, read = _reduced(function, parameter, places, tuple(literal & 1 for literal in literals), len(nodes))
        inverted, inputs = table & 1, tuple(nodes[place] for place in read)
        if inverted:
            table ^= (1 << (1 << len(read))) - 1
        if not inputs:
            return inverted
        if len(inputs) == 1:
            return 2 * inputs[0] + inverted
        known = self._known.get((inputs, table))
        if known is None:
            level = 1 + max(self.level(2 * node) for node in inputs)
            self.gates.append(_Gate(level, inputs, table))
            known = self._known[inputs, table] = self.bits + len(self.gates)
        return 2 * known + inverted

    def netlist(self, name: str, outputs: Sequence[int]) -> Netlist:
        """The netlist whose scores are these literals."""
        builder = NetlistBuilder(name, InputFormat(self.bits, 1))
        nets = np.zeros(1 + self.bits + len(self.gates), np.int32)
        nets[1 : 1 + self.bits] = builder.add_comparators(np.arange(self.bits), 1)
        order = sorted(range(len(self.gates)), key=lambda gate: (self.gates[gate].level, len(self.gates[gate].inputs)))
        for (_, n), some in groupby(order, lambda gate: (self.gates[gate].level, len(self.gates[gate].inputs))):
            luts = list(some)
            fanin = nets[np.array([self.gates[gate].inputs for gate in luts])]
            nets[1 + self.bits + np.array(luts)] = builder.add_layer(fanin, self._tables(luts, n), of_model=False)
        inverted = sorted({literal for literal in outputs if literal & 1 and literal > TRUE})
        added = np.zeros(0, np.int32)
        if inverted:
            fanin = nets[np.array(inverted) // 2][:, None]
            added = builder.add_layer(fanin, np.tile([True, False], (len(inverted), 1)), of_model=False)
        of_inverted = {TRUE: CONST1, **dict(zip(inverted, added.tolist(), strict=True))}
        found = [of_inverted[literal] if literal & 1 else int(nets[literal // 2]) for literal in outputs]
        return builder.finish(Head(np.arange(len(found) + 1), np.array(found, np.int32)))

    def _tables(self, luts: Sequence[int], n: int) -> npt.NDArray[np.bool_]:
        tables = np.array([self.gates[gate].table for gate in luts], np.uint64)
        return (tables[:, None] >> np.arange(1 << n, dtype=np.uint64) & np.uint64(1)).astype(np.bool_)


@lru_cache(maxsize=1 << 12)
def _reduced(
    function: Function, parameter: int, places: tuple[int, ...], inverted: tuple[int, ...], count: int
) -> tuple[int, tuple[int, ...]]:
    """The table of a function of `count` signals, and those of them that it depends on.

    Args:
        function: of some bits and the parameter.
        parameter: a number.
        places: for each bit which signal it is; -1 for constant 0.
        inverted: whether it is the complement.
        count: signals.
    """

    def value(address: int) -> bool:
        given = [
            (address >> place & 1 if place >= 0 else 0) ^ flip for place, flip in zip(places, inverted, strict=True)
        ]
        return function(given, parameter)

    values = [value(address) for address in range(1 << count)]
    read = [place for place in range(count) if any(values[a] != values[a ^ 1 << place] for a in range(1 << count))]
    spread = [sum((a >> i & 1) << place for i, place in enumerate(read)) for a in range(1 << len(read))]
    return sum(values[address] << a for a, address in enumerate(spread)), tuple(read)


def _digit(bits: Sequence[int], place: int) -> bool:
    """A binary digit of the number of ones."""
    return bool(sum(bits) >> place & 1)


def _sum_digit(bits: Sequence[int], place: int) -> bool:
    """A binary digit of carry + a + b + 2 c + 2 d."""
    carry, a, b, c, d = bits
    return bool((carry + a + b + 2 * (c + d)) >> place & 1)


def _reaches(bits: Sequence[int], bound: int) -> bool:
    """Whether a number is at least a bound; least significant bit first."""
    return sum(bit << place for place, bit in enumerate(bits)) >= bound


def _added(gates: _Gates, heap: list[list[int]]) -> list[int]:
    """The bits, least significant first, of the sum of a heap."""
    while any(len(column) > 2 for column in heap):
        heap = _counted(gates, heap)
    while heap and not heap[-1]:
        heap.pop()
    bits: list[int] = []
    carry = FALSE
    columns = [[*column, FALSE, FALSE][:2] for column in [*heap, []]]
    for power in range(0, len(heap), 2):
        operands = [carry, *columns[power], *columns[power + 1]]
        bits.append(gates.add(_sum_digit, operands, 0))
        bits.append(gates.add(_sum_digit, operands, 1))
        carry = gates.add(_sum_digit, operands, 2)
    bits.append(carry)
    while bits and bits[-1] == FALSE:
        bits.pop()
    return bits


def _counted(gates: _Gates, heap: list[list[int]]) -> list[list[int]]:
    """The heap after one level of counters: of six bits where there are five or more, else of three."""
    after: list[list[int]] = [[] for _ in range(len(heap) + 2)]
    for power, column in enumerate(heap):
        left = sorted(column, key=gates.level)
        while len(left) > 2:
            size = min(len(left), LUT_INPUTS) if len(left) > 4 else 3
            counted, left = left[:size], left[size:]
            for place in range(size.bit_length()):
                literal = gates.add(_digit, counted, place)
                if literal != FALSE:
                    after[power + place].append(literal)
        after[power] += left
    return after


def _at_least(gates: _Gates, bits: Sequence[int], bound: int) -> int:
    """The literal of `number >= bound`."""
    if bound <= 0:
        return TRUE
    if bound >> len(bits):
        return FALSE
    first = (bound & -bound).bit_length() - 1  # the bits below are of no consequence
    size = min(LUT_INPUTS, len(bits) - first)
    reached = gates.add(_reaches, bits[first : first + size], bound >> first & ((1 << size) - 1))
    first += size
    while first < len(bits):
        some = bits[first : first + LUT_INPUTS - 1]
        part = bound >> first & ((1 << len(some)) - 1)
        reached = gates.add(_reaches, [reached, *some], 2 * part + 1)
        first += len(some)
    return reached
