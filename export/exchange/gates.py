"""A whole circuit, encoder and head included, as nodes of tables: what every file for other tools is written from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from difflut.export.circuit.netlist import CONST0, CONST1, Head, Netlist
from difflut.export.schedule.head.outputs import Outputs

NOT = 0b01
_SUM2, _BOTH, _SUM3, _MOST = 0b0110, 0b1000, 0b10010110, 0b11101000
_MUX = 0b11001010  # low, high, select
_GREATER = 0b10110010  # of two bits and what the bits below say


class Gates:
    """Nodes behind each other: net 0 and 1 are constant, then come the inputs, then the nodes.

    Attributes:
        inputs: the names of the input bits, `in_codes[i]` as of the port in Verilog.
        nodes: of each the nets that it reads, at most 8, and its table, bit a = output at address a, input 0 lowest.
        outputs: name and net of each output bit, `out_scores[i]` and `out_class[i]` as of the ports.
    """

    def __init__(self, netlist: Netlist, outputs: Outputs) -> None:
        form = netlist.input
        self.inputs = [f"in_codes[{bit}]" for bit in range(form.features * form.width_bits)]
        self.nodes: list[tuple[tuple[int, ...], int]] = []
        self._known: dict[tuple[tuple[int, ...], int], int] = {}
        nets = self._nets(netlist)
        head = netlist.head
        scores = [
            self._count([nets[net] for net in head.nets[low:high].tolist()], head.score_width_bits)
            for low, high in pairwise(head.offsets.tolist())
        ]
        self.outputs: list[tuple[str, int]] = []
        if outputs.scores:
            self._name("out_scores", [bit for score in scores for bit in score])
        if outputs.best:
            self._name("out_class", self._class_word(head, scores))

    def _name(self, port: str, bits: Sequence[int]) -> None:
        self.outputs += [(f"{port}[{i}]", bit) for i, bit in enumerate(bits)]

    def add(self, feeds: Sequence[int], table: int) -> int:
        """The net of a node; one that is there already if it reads the same in the same order."""
        key = (tuple(feeds), table)
        net = self._known.get(key)
        if net is None:
            net = self._known[key] = 2 + len(self.inputs) + len(self.nodes)
            self.nodes.append(key)
        return net

    def _nets(self, netlist: Netlist) -> list[int]:
        """The net here of each net of a netlist."""
        form, width = netlist.input, netlist.input.width_bits
        nets = [CONST0, CONST1]
        features, bits = (part.tolist() for part in form.features_and_bits(netlist.compare_feature))
        for feature, single, threshold in zip(features, bits, netlist.compare_threshold.tolist(), strict=True):
            if single >= 0:
                nets.append(2 + feature * width + single)
                continue
            code = [2 + feature * width + bit for bit in range(width)]
            bound = threshold - form.lowest  # of codes that begin with 0, as flipping the sign makes them
            if form.signed:
                code[-1] = self.add([code[-1]], NOT)
            reached = CONST1
            for place, bit in enumerate(code):
                reached = self._at_least(bit, bound >> place & 1, reached)
            nets.append(reached)
        for lut in range(netlist.luts):
            nets.append(self.add([nets[net] for net in netlist.fanin(lut).tolist()], netlist.table(lut)))
        return nets

    def _at_least(self, bit: int, bound: int, below: int) -> int:
        """Whether a bit and those below reach a bound, of which this bit is known."""
        if bound:
            return CONST0 if below == CONST0 else bit if below == CONST1 else self.add([bit, below], 0b1000)
        return CONST1 if below == CONST1 else bit if below == CONST0 else self.add([bit, below], 0b1110)

    def _count(self, bits: list[int], width: int) -> list[int]:
        """The number of ones as a word, by full adders."""
        word, column = [], bits
        for _ in range(width):
            carries: list[int] = []
            while len(column) > 1:
                some, column = column[:3], column[3:]
                three = len(some) == 3
                column.append(self.add(some, _SUM3 if three else _SUM2))
                carries.append(self.add(some, _MOST if three else _BOTH))
            word.append(column[0] if column else CONST0)
            column = carries
        return word

    def _class_word(self, head: Head, scores: list[list[int]]) -> list[int]:
        """The fields of all decisions; the lowest of equal scores is chosen."""
        word: list[int] = []
        first = 0
        for count in head.decisions.tolist():
            if count > 1:
                best, index = scores[first], [CONST0] * head.class_width_bits
                for number in range(1, count):
                    score, larger = scores[first + number], CONST0
                    for mine, theirs in zip(score, best, strict=True):
                        larger = self.add([mine, theirs, larger], _GREATER)
                    best = [self.add([old, new, larger], _MUX) for old, new in zip(best, score, strict=True)]
                    index = [self.add([old, number >> i & 1, larger], _MUX) for i, old in enumerate(index)]
                word += index
            first += count
        return word or [CONST0]
