"""The lines of a netlist's text form, one a cell, and their parser; `difflut.export.circuit.text` reads and prints
whole texts.

    difflut netlist 1
    name "toy"
    input 4 features, 8 bits unsigned
    2: compare x0 >= 128 stage 1
    3: compare x3 >= 17 stage 1
    4: lut 2 3 1 table 6a stage 2 from 1.0
    score 0: 4 2
    score 1: 3
    end

A comparator that is a bit of a code, bit 7 of feature 3, is written `compare x3[7] >= 1`.

Behind the scores there may be a line `decisions 2 1`, among how many scores each decision is taken; without it there is
one, among all scores.

A cell's line starts with its net. A LUT lists its fan-in nets, input 0 first, its table as 2**n / 4 hexadecimal digits
(the last digit holds addresses 3 to 0), its stage, and the layer and node that it came from. Names are JSON strings.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Iterator
from itertools import chain, pairwise

import numpy as np

from difflut.export.circuit.netlist import FIRST_NET, MAX_INPUTS, Head, InputFormat, IntArray, Netlist

HEADER = "difflut netlist 1"
END = "end"

_NAME = re.compile(r'name (".*")', re.ASCII)
_INPUT = re.compile(r"input (\d+) features, (\d+) bits (un)?signed", re.ASCII)
_COMPARE = re.compile(r"(\d+): compare x(-?\d+)(?:\[(\d+)\])? >= (-?\d+) stage (-?\d+)", re.ASCII)
_LUT = re.compile(r"(\d+): lut (-?\d+(?: -?\d+)*) table ([0-9a-f]+) stage (-?\d+) from (-?\d+)\.(-?\d+)", re.ASCII)
_SCORE = re.compile(r"score (\d+):((?: -?\d+)*)", re.ASCII)
_DECISIONS = re.compile(r"decisions((?: -?\d+)*)", re.ASCII)


def netlist_lines(netlist: Netlist) -> Iterator[str]:
    """The lines of a netlist; equal netlists give equal lines."""
    parts = (_head_lines, _compare_lines, _lut_lines, _score_lines)
    return chain(chain.from_iterable(part(netlist) for part in parts), [END])


def _head_lines(netlist: Netlist) -> Iterator[str]:
    sign = "signed" if netlist.input.signed else "unsigned"
    yield HEADER
    yield f"name {json.dumps(netlist.name)}"
    yield f"input {netlist.input.features} features, {netlist.input.width_bits} bits {sign}"


def _compare_lines(netlist: Netlist) -> Iterator[str]:
    compared = compared_words(netlist.input, netlist.compare_feature)
    cells = zip(compared, netlist.compare_threshold.tolist(), netlist.stage.tolist(), strict=False)
    for net, (feature, threshold, stage) in enumerate(cells, FIRST_NET):
        yield f"{net}: compare x{feature} >= {threshold} stage {stage}"


def compared_words(form: InputFormat, numbers: IntArray) -> Iterator[str]:
    """What comparators of some numbers compare: `3`, a feature, or `3[7]`, a bit of its code."""
    for feature, bit in zip(*(part.tolist() for part in form.features_and_bits(numbers)), strict=True):
        yield str(feature) if bit < 0 else f"{feature}[{bit}]"


def compared_number(form: InputFormat, feature: str, bit: str | None) -> int:
    """The number that stands for what `compared_words` gives in words."""
    if bit is None:
        return int(feature)
    if not 0 <= int(bit) < form.width_bits:
        raise Problem(f"bit {bit} of a code of {form.width_bits} bits; expected 0 to {form.width_bits - 1}")
    return int(form.number(int(feature), int(bit)))


def _lut_lines(netlist: Netlist) -> Iterator[str]:
    cells = zip(
        netlist.lut_inputs.tolist(),
        netlist.stage[netlist.comparators :].tolist(),
        netlist.lut_layer.tolist(),
        netlist.lut_node.tolist(),
        strict=True,
    )
    fanin = iter(netlist.lut_fanin.tolist())
    words = iter(netlist.lut_tables.tolist())
    for net, (n, stage, layer, node) in enumerate(cells, netlist.first_lut_net):
        nets = " ".join([str(next(fanin)) for _ in range(n)])
        table = next(words)
        for shift in range(64, 1 << n, 64):
            table |= next(words) << shift
        yield f"{net}: lut {nets} table {table:0{_digits(n)}x} stage {stage} from {layer}.{node}"


def _score_lines(netlist: Netlist) -> Iterator[str]:
    offsets, nets = netlist.head.offsets.tolist(), netlist.head.nets.tolist()
    for score, (first, last) in enumerate(pairwise(offsets)):
        yield " ".join([f"score {score}:", *map(str, nets[first:last])])
    if len(netlist.head.decisions) != 1:
        yield " ".join(["decisions", *map(str, netlist.head.decisions.tolist())])


def _digits(n: int) -> int:
    """Hexadecimal digits of the table of a LUT with n inputs."""
    return max(1, (1 << n) // 4)


class Problem(Exception):
    """What is wrong with the line being read."""


def parse_name(line: str) -> str:
    """The name in a line `name "..."`."""
    match = _NAME.fullmatch(line)
    try:
        name: str = json.loads(match[1] if match else "")
    except json.JSONDecodeError:
        raise Problem("expected 'name' and a JSON string") from None
    return name


class NetlistReader:
    """Collects the cells of one netlist; `read` is what the next line is expected to be."""

    def __init__(self) -> None:
        self.read: Callable[[str], None] = self._header
        self._name = ""
        self._input = InputFormat(0, 0)
        # C int is 32 bits wide everywhere that numpy runs; a value that does not fit raises OverflowError at its line.
        self._feature, self._threshold, self._stage = array("i"), array("i"), array("i")
        self._offsets, self._fanin, self._tables = array("q", [0]), array("i"), array("Q")
        self._layer, self._node = array("i"), array("i")
        self._group_offsets, self._group_nets = array("q", [0]), array("i")
        self._decisions: array[int] | None = None

    def _header(self, line: str) -> None:
        if line != HEADER:
            raise Problem(f"expected {HEADER!r}")
        self.read = self._name_line

    def _name_line(self, line: str) -> None:
        self._name = parse_name(line)
        self.read = self._input_line

    def _input_line(self, line: str) -> None:
        match = _INPUT.fullmatch(line)
        if match is None:
            raise Problem("expected 'input F features, W bits unsigned' or '... signed'")
        self._input = InputFormat(int(match[1]), int(match[2]), signed=match[3] is None)
        self.read = self._cell

    def _cell(self, line: str) -> None:
        if match := _LUT.fullmatch(line):
            self._lut(*match.groups())
        elif match := _COMPARE.fullmatch(line):
            self._comparator(*match.groups())
        elif match := _SCORE.fullmatch(line):
            self.read = self._score
            self._score(line)
        else:
            raise Problem("expected a line 'NET: compare ...', 'NET: lut ...' or 'score 0: ...'")

    def _check_net(self, net: str) -> None:
        expected = FIRST_NET + len(self._stage)
        if int(net) != expected:
            raise Problem(f"expected net {expected}, as nets are numbered in the order of the lines")

    def _comparator(self, net: str, feature: str, bit: str | None, threshold: str, stage: str) -> None:
        if self._layer:
            raise Problem("a comparator follows a LUT; expected all comparators first")
        self._check_net(net)
        self._feature.append(compared_number(self._input, feature, bit))
        self._threshold.append(int(threshold))
        self._stage.append(int(stage))

    def _lut(self, net: str, fanin: str, table: str, stage: str, layer: str, node: str) -> None:
        self._check_net(net)
        nets = fanin.split(" ")
        n = len(nets)
        if n > MAX_INPUTS:
            raise Problem(f"a LUT of {n} inputs; expected 1 to {MAX_INPUTS}")
        bits = int(table, 16)
        if len(table) != _digits(n) or bits >> (1 << n):
            raise Problem(f"expected a table of {1 << n} bits as {_digits(n)} hexadecimal digits for {n} inputs")
        self._fanin.extend(map(int, nets))
        self._offsets.append(len(self._fanin))
        for shift in range(0, 1 << n, 64):
            self._tables.append(bits >> shift & 0xFFFF_FFFF_FFFF_FFFF)
        self._stage.append(int(stage))
        self._layer.append(int(layer))
        self._node.append(int(node))

    def _score(self, line: str) -> None:
        if line == END:
            self.read = self._nothing
            return
        if decisions := _DECISIONS.fullmatch(line):
            self._decisions = array("i", map(int, decisions[1].split()))
            self.read = self._end
            return
        match = _SCORE.fullmatch(line)
        expected = len(self._group_offsets) - 1
        if match is None or int(match[1]) != expected:
            raise Problem(f"expected 'score {expected}: NET ...', 'decisions ...' or {END!r}")
        self._group_nets.extend(map(int, match[2].split()))
        self._group_offsets.append(len(self._group_nets))

    def _end(self, line: str) -> None:
        if line != END:
            raise Problem(f"expected {END!r}")
        self.read = self._nothing

    def _nothing(self, line: str) -> None:
        raise Problem(f"expected nothing after {END!r}")

    @property
    def complete(self) -> bool:
        """Whether the last line has been read."""
        return self.read == self._nothing

    def finish(self) -> Netlist:
        """The netlist, once it is complete."""
        return Netlist(
            name=self._name,
            input=self._input,
            compare_feature=np.array(self._feature, np.int32),
            compare_threshold=np.array(self._threshold, np.int32),
            lut_offsets=np.array(self._offsets, np.int64),
            lut_fanin=np.array(self._fanin, np.int32),
            lut_tables=np.array(self._tables, np.uint64),
            stage=np.array(self._stage, np.int32),
            lut_layer=np.array(self._layer, np.int32),
            lut_node=np.array(self._node, np.int32),
            head=Head(
                np.array(self._group_offsets, np.int64),
                np.array(self._group_nets, np.int32),
                None if self._decisions is None else np.array(self._decisions, np.int32),  # type: ignore[arg-type]
            ),
        )
