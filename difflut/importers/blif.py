"""BLIF: models of `.names` and `.subckt`, flattened, as Boolean circuits.

Source: Berkeley Logic Interchange Format, University of California, 1992, and what ABC and Yosys write. Column i of a
row is input i. The first model is the circuit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from difflut.importers.contents import Content
from difflut.importers.importer import Importer
from difflut.importers.logic import Logic, ordered, words_of
from difflut.importers.network import Network
from difflut.importers.said import Said

MOST_GATES = 1 << 22
_DEEPEST = 100
# About timing, layout and sources: they change no function.
_IGNORED = re.compile(
    r"\.(attr|param|cname|area|delay|wire_load_slope|wire|(default_)?(input_(arrival|drive)|output_(required|load)"
    r"|max_input_load))"
)
_REFUSED = {
    ".latch": "a latch, which a combinational circuit has not",
    ".gate": "a gate of a cell library; write it with .names (ABC: unmap, Yosys: techmap)",
    ".mlatch": "a latch of a cell library",
    ".search": "another file; join them into one",
    ".exdc": "external don't-cares, which are no circuit",
    ".clock": "a clock, which a combinational circuit has not",
}


@dataclass
class _Gate:
    feeds: list[str]
    rows: list[str] = field(default_factory=list)
    value: str = ""  # what rows give, "0" or "1"


@dataclass
class _Model:
    name: str
    inputs: dict[str, None] = field(default_factory=dict)  # ordered sets
    outputs: dict[str, None] = field(default_factory=dict)
    gates: dict[str, _Gate] = field(default_factory=dict)
    parts: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # of each .subckt the model and its ports


def recognises(content: Content) -> bool:
    """Whether a text is BLIF."""
    return content.container == "blif"


def read(content: Content, said: Said) -> Network:
    """The circuit of a file."""
    reader = _Reader(content)
    for number, words in _lines(content.value):
        reader.line(number, words)
    models = reader.models
    if not models:
        raise content.refuse("has no .model")
    top = next(iter(models.values()))
    _check_size(content, models, top)
    gates: dict[str, _Gate] = {}
    for name, gate in _flat(content, models, top, {name: name for name in (*top.inputs, *top.outputs)}, ""):
        if name in gates or name in top.inputs:
            raise content.refuse(f"{name!a:.60} is driven twice, or an input that is driven")
        gates[name] = gate
    return _network(content, said, top, gates)


def _network(content: Content, said: Said, top: _Model, gates: dict[str, _Gate]) -> Network:
    logic = Logic(len(top.inputs))
    nets = {name: 2 + i for i, name in enumerate(top.inputs)}
    for signal in ordered({name: gate.feeds for name, gate in gates.items()}, top.outputs):
        gate = gates[signal]
        undriven = [feed for feed in gate.feeds if feed not in nets]
        if undriven:
            raise content.refuse(f"{undriven[0]!a:.60} is read by {signal!a:.60} and driven by nothing")
        net = logic.cubes([nets[feed] for feed in gate.feeds], gate.rows)
        nets[signal] = logic.not_(net) if gate.value == "0" else net
    for name in top.outputs:
        if name not in nets:
            raise content.refuse(f"the output {name!a:.60} is driven by nothing")
    outputs = [*top.outputs]
    return logic.network([nets[name] for name in outputs], words_of(outputs, said.numbers), [*top.inputs], outputs)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The words of each line and its number; continued lines are joined, comments gone."""
    held: list[str] = []
    begun = 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.split("#", 1)[0].rstrip()
        begun = begun or number
        if line.endswith("\\"):
            held += line[:-1].split()
            continue
        words = held + line.split()
        if words:
            yield begun, words
        held, begun = [], 0
    if held:
        yield begun, held


class _Reader:
    """Collects the models of a file, line by line."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.models: dict[str, _Model] = {}
        self._model: _Model | None = None
        self._gate: _Gate | None = None

    def line(self, number: int, words: list[str]) -> None:
        """Take a line.

        Raises:
            NetworkFileError: it is none that a combinational circuit has.
        """
        key, rest = words[0], words[1:]
        if not key.startswith("."):
            self._row(number, words)
            return
        self._gate = None
        if key == ".model":
            if len(rest) != 1 or rest[0] in self.models:
                raise self._refuse(number, f"a model named {' '.join(rest)!a:.60}; expected one name, a new one")
            self._model = self.models[rest[0]] = _Model(rest[0])
            return
        if _IGNORED.fullmatch(key):
            return
        if key in _REFUSED:
            raise self._refuse(number, f"has {key}, {_REFUSED[key]}")
        if self._model is None:
            raise self._refuse(number, f"{key!a:.40} outside of a .model")
        if key == ".end":
            self._model = None
        elif key in (".inputs", ".outputs"):
            self._ports(number, key, rest)
        elif key == ".names" and rest:
            self._gate = self._drive(number, rest[-1], _Gate(rest[:-1]))
        elif key in (".conn", ".barbuf") and len(rest) == 2:
            self._drive(number, rest[1], _Gate(rest[:1], ["1"], "1"))
        elif key == ".subckt" and rest:
            self._part(number, rest)
        else:
            raise self._refuse(number, f"{' '.join(words)!a:.60} is no line of BLIF that is read")

    def _refuse(self, number: int, text: str) -> Exception:
        return self.content.refuse(f"line {number}: {text}")

    def _ports(self, number: int, key: str, names: list[str]) -> None:
        assert self._model is not None
        known = self._model.inputs if key == ".inputs" else self._model.outputs
        for name in names:
            if name in known:
                raise self._refuse(number, f"{key} name {name!a:.60} twice")
            known[name] = None

    def _drive(self, number: int, name: str, gate: _Gate) -> _Gate:
        assert self._model is not None
        if name in self._model.gates:
            raise self._refuse(number, f"{name!a:.60} is driven twice")
        self._model.gates[name] = gate
        return gate

    def _part(self, number: int, words: list[str]) -> None:
        assert self._model is not None
        pairs = [word.split("=", 1) for word in words[1:]]
        ports = {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and all(pair)}
        if len(ports) != len(pairs):
            raise self._refuse(number, f".subckt {words[0]!a:.60} has ports that are no formal=actual, or one twice")
        self._model.parts.append((words[0], ports))

    def _row(self, number: int, words: list[str]) -> None:
        gate = self._gate
        if gate is None:
            raise self._refuse(number, f"{' '.join(words)!a:.60} belongs to no .names")
        row, value = ("", words[0]) if len(words) == 1 else (words[0], words[1])
        if len(words) > 2 or len(row) != len(gate.feeds) or set(row) - set("01-") or value not in ("0", "1"):
            raise self._refuse(
                number, f"the row {' '.join(words)!a:.60} of .names; expected {len(gate.feeds)} of 0, 1, - and one bit"
            )
        if gate.value and gate.value != value:
            raise self._refuse(number, "rows of one .names give 0 and 1; expected its on-set or its off-set")
        gate.value = value
        gate.rows.append(row)


def _check_size(content: Content, models: dict[str, _Model], top: _Model) -> None:
    """Refuse a file whose models, flattened, are too many or inside of themselves."""
    sizes: dict[str, int] = {}

    def size(name: str, way: tuple[str, ...]) -> int:
        if name in sizes:
            return sizes[name]
        if name not in models:
            raise content.refuse(f"has a .subckt of the model {name!a:.60}, which is not in the file")
        if name in way or len(way) > _DEEPEST:
            raise content.refuse(f"the model {name!a:.60} is inside of itself, or {_DEEPEST} others")
        model = models[name]
        sizes[name] = len(model.gates) + sum(size(part, (*way, name)) for part, _ in model.parts)
        return sizes[name]

    if size(top.name, ()) > MOST_GATES:
        raise content.refuse(f"flattened it has {sizes[top.name]} .names; at most {MOST_GATES} are read")


def _flat(
    content: Content, models: dict[str, _Model], model: _Model, ports: dict[str, str], prefix: str
) -> Iterator[tuple[str, _Gate]]:
    """The gates of a model and all in it, under names of the circuit.

    Args:
        ports: the model's ports -> nets of the circuit.
        prefix: of the names of other nets.
    """

    def net(name: str) -> str:
        return ports.get(name, prefix + name)

    for name, gate in model.gates.items():
        if prefix and name in model.inputs:
            raise content.refuse(f"model {model.name!a:.60} drives its input {name!a:.60}")
        yield net(name), _Gate([net(feed) for feed in gate.feeds], gate.rows, gate.value)
    for number, (part, given) in enumerate(model.parts):
        inner = models[part]
        known = {*inner.inputs, *inner.outputs}
        for formal in given:
            if formal not in known:
                raise content.refuse(f".subckt {part!a:.60} has no port {formal!a:.60}")
        for name in inner.outputs:
            if name in inner.inputs:
                raise content.refuse(f"model {part!a:.60} has a port {name!a:.60} that is input and output")
        passed = {formal: net(actual) for formal, actual in given.items()}
        yield from _flat(content, models, inner, passed, f"{prefix}{part}#{number}/")  # no name in a file has a #


IMPORTER = Importer("Boolean circuit in BLIF", recognises, read)
