"""LogicNets, PolyLUT, NeuraLUT: the Verilog of neurons as case tables, `logicnet.v` with the layers beside it.

Source: the Verilog that these tools write, T. Umuroglu et al., "LogicNets", FPL 2020. A neuron `layerI_Nj` maps M0 to
M1 by `case (M0)`; a layer lists for each neuron the bits of its M0, the most significant one first. Registers `myreg`
are wires here. A neuron of b bits is b tables; those of more than 8 inputs are split. The results are the bits of the
last layer; quantisers before the first one and the choice of the class are outside of the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from difflut.errors import NetworkFileError
from difflut.importers.contents import Content
from difflut.importers.importer import Importer
from difflut.importers.logic import Logic, words_of
from difflut.importers.network import Network
from difflut.importers.said import Said

_TOP, _REGISTER, _CLOCKS = "logicnet", "myreg", ("clk", "rst")
MOST_PARTS, _DEEPEST = 1 << 20, 16
MOST_NEURON_INPUTS, MOST_NEURON_OUTPUTS = 20, 32
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\(\*(?!\s*\)).*?\*\)", re.DOTALL)
_MODULE = re.compile(r"\bmodule\s+(\w+)\s*\(([^()]*)\)\s*;(.*)", re.DOTALL)
_PORT = re.compile(r"(input|output)\s*(?:wire|reg)?\s*(?:\[\s*(\d{1,8})\s*:\s*0\s*\])?\s*(\w+)")
_NUMBER = r"\d{1,3}\s*'\s*(?:b[01_]{1,64}|h[0-9a-fA-F_]{1,64}|d[0-9_]{1,20})"
_ENTRY = re.compile(rf"({_NUMBER}|default)\s*:\s*\w+\s*<?=\s*({_NUMBER})\s*;")
_AROUND_CASE = re.compile(
    r"reg\s*(\[\s*\d+\s*:\s*0\s*\])?\s*(\w+)\s*;|assign\s+M1\s*=\s*\w+\s*;|always\s*@\s*(\*|\([^()]*\))|always_comb"
    r"|\b(begin|end|endcase)\b|case\s*\(\s*M0\s*\)"
)
_WIRE = re.compile(r"wire\s*(?:\[\s*(\d{1,8})\s*:\s*0\s*\])?\s*(\w+)\s*(?:=(.*))?", re.DOTALL)
_ASSIGN = re.compile(r"assign\s+(\w+)\s*=(.*)", re.DOTALL)
_PART = re.compile(r"(\w+)\s*(?:#\s*\(.*?\)\s*\)\s*|#\s*\([^()]*\)\s*)?(\w+)\s*\((.*)\)", re.DOTALL)
_CONNECTION = re.compile(r"\.(\w+)\s*\(([^()]*)\)")
_BITS = re.compile(r"(\w+)(?:\s*\[\s*(\d{1,8})\s*(?::\s*(\d{1,8})\s*)?\])?")

Module = tuple[str, str]  # ports, body


def recognises(content: Content) -> bool:
    """Whether a text is Verilog of these tools."""
    return content.container == "logicnets"


def read(content: Content, said: Said) -> Network:
    """The circuit of a file and of what stands beside it."""
    modules: dict[str, Module] = {}
    for text in _COMMENT.sub(" ", content.value).split("endmodule")[:-1]:
        match = _MODULE.search(text)  # none in modules of another kind, of which no part may be
        if match and match[1] in modules:
            raise content.refuse(f"has the module {match[1]!a:.60} twice")
        if match:
            modules[match[1]] = (match[2], match[3])
    if _TOP not in modules:
        raise content.refuse(f"has no module {_TOP}")
    reader = _Reader(content, modules)
    inputs, outputs = reader.ports(_TOP)
    [(port, width)] = inputs.items() if len(inputs) == 1 else [("", 0)]
    if not width or len(outputs) != 1:
        raise content.refuse(f"module {_TOP} has inputs {list(inputs)!a:.60}; expected one, and one output")
    reader.logic = Logic(width)
    found = reader.evaluated(_TOP, {port: [2 + bit for bit in range(width)]}, ())
    [(result, bits)] = found.items()
    names = [[f"{name}[{bit}]" for bit in range(count)] for name, count in ((port, width), (result, len(bits)))]
    return reader.logic.network(bits, words_of(names[1], said.numbers or "none"), *names)


class _Reader:
    """Evaluates modules on nets."""

    def __init__(self, content: Content, modules: dict[str, Module]) -> None:
        self.content = content
        self.modules = modules
        self.logic = Logic(0)
        self.parts = 0

    def ports(self, name: str) -> tuple[dict[str, int], dict[str, int]]:
        """The widths of a module's inputs and outputs, clock and reset left out."""
        found: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for text in self.modules[name][0].split(","):
            match = _PORT.fullmatch(text.strip())
            if match is None or match[3] in found[0] or match[3] in found[1]:
                raise self.content.refuse(
                    f"module {name}: the port {text.strip()!a:.60}; expected input or output [n:0]"
                )
            if match[3] not in _CLOCKS:
                found[match[1] == "output"][match[3]] = int(match[2] or 0) + 1
        return found

    def evaluated(self, name: str, given: dict[str, list[int]], way: tuple[str, ...]) -> dict[str, list[int]]:
        """The nets of a module's outputs, the lowest bit first, of those of its inputs."""
        if name not in self.modules or name in way:
            raise self.content.refuse(
                f"has no module {name!a:.60}" if name not in way else f"{name} is inside of itself"
            )
        inputs, outputs = self.ports(name)
        if {port: len(bits) for port, bits in given.items()} != inputs:
            raise self.content.refuse(f"module {name} gets other inputs than {inputs!a:.100}")
        body = self.modules[name][1]
        if "case" in body:
            return {"M1": self._neuron(name, inputs, outputs, given, body)}
        nets: dict[str, list[int | None]] = {port: list(bits) for port, bits in given.items()}
        nets |= {port: [None] * width for port, width in outputs.items()}
        for text in filter(None, map(str.strip, body.split(";"))):
            self._statement(name, text, nets, (*way, name))
        return {port: self._driven(name, port, nets[port]) for port in outputs}

    def _driven(self, name: str, what: str, bits: list[int | None]) -> list[int]:
        known = [bit for bit in bits if bit is not None]
        if len(known) < len(bits):
            raise self.content.refuse(f"module {name}: {what!a:.60} is read and not all of it driven before")
        return known

    def _statement(self, name: str, text: str, nets: dict[str, list[int | None]], way: tuple[str, ...]) -> None:
        if (match := _WIRE.fullmatch(text)) and match[2] not in nets:
            width = int(match[1] or 0) + 1
            if width > len(self.content.value):
                raise self.content.refuse(f"module {name}: a wire of {width} bits")
            nets[match[2]] = [None] * width
            if match[3] is not None:
                self._drive(name, match[2], self._read(name, match[3], nets), nets)
        elif match := _ASSIGN.fullmatch(text):
            self._drive(name, match[1], self._read(name, match[2], nets), nets)
        elif match := _PART.fullmatch(text):
            self._part(name, match[1], match[3], nets, way)
        else:
            raise self.content.refuse(f"module {name}: {text!a:.60} is no statement that is read")

    def _part(self, name: str, part: str, text: str, nets: dict[str, list[int | None]], way: tuple[str, ...]) -> None:
        ports = {port: value for port, value in _CONNECTION.findall(text) if port not in _CLOCKS}
        if re.sub(r"[\s,]", "", _CONNECTION.sub("", text)):
            raise self.content.refuse(f"module {name}: ports of {part} {text!a:.60}; expected .port(net)")
        if part == _REGISTER:
            source, target = ports.get("data_in", ""), ports.get("data_out", "")
            self._drive(name, target, self._read(name, source, nets), nets)
            return
        if part not in self.modules:
            raise self.content.refuse(f"has no module {part!a:.60}, which {name} has inside; give it beside {_TOP}.v")
        inputs, outputs = self.ports(part)
        if set(ports) != {*inputs, *outputs}:
            raise self.content.refuse(f"module {name}: {part} gets the ports {sorted(ports)!a:.60}")
        found = self.evaluated(part, {port: self._read(name, ports[port], nets) for port in inputs}, way)
        for port, bits in found.items():
            self._drive(name, ports[port], bits, nets)

    def _read(self, name: str, text: str, nets: dict[str, list[int | None]]) -> list[int]:
        """The nets of an expression, the lowest bit first: of a concatenation the last part is the lowest."""
        text = text.strip()
        parts = text[1:-1].split(",") if text.startswith("{") and text.endswith("}") else [text]
        bits: list[int] = []
        for part in reversed(parts):
            low, high, of = self._place(name, part, nets)
            bits += self._driven(name, part.strip(), nets[of][low : high + 1])
        return bits

    def _drive(self, name: str, text: str, bits: list[int], nets: dict[str, list[int | None]]) -> None:
        low, high, of = self._place(name, text, nets)
        if high + 1 - low != len(bits) or any(bit is not None for bit in nets[of][low : high + 1]):
            raise self.content.refuse(f"module {name}: {text.strip()!a:.60} gets {len(bits)} bits, or is driven twice")
        nets[of][low : high + 1] = bits

    def _place(self, name: str, text: str, nets: dict[str, list[int | None]]) -> tuple[int, int, str]:
        match = _BITS.fullmatch(text.strip())
        width = len(nets.get(match[1], [])) if match else 0
        if match and width:
            high = width - 1 if match[2] is None else int(match[2])
            low = (0 if match[2] is None else high) if match[3] is None else int(match[3])
            if low <= high < width:
                return low, high, match[1]
        raise self.content.refuse(f"module {name}: {text.strip()!a:.60} are no bits of a net")

    def _neuron(
        self, name: str, inputs: dict[str, int], outputs: dict[str, int], given: dict[str, list[int]], body: str
    ) -> list[int]:
        """The nets of a neuron's bits."""
        if list(inputs) != ["M0"] or list(outputs) != ["M1"]:
            raise self.content.refuse(f"module {name}: a case of other ports than M0 and M1")
        n, width = inputs["M0"], outputs["M1"]
        if n > MOST_NEURON_INPUTS or width > MOST_NEURON_OUTPUTS:
            raise self.content.refuse(
                f"module {name}: {n} bits to {width}; at most {MOST_NEURON_INPUTS} to {MOST_NEURON_OUTPUTS} are read"
            )
        rest = _AROUND_CASE.sub("", _ENTRY.sub("", body)).strip()
        if rest:
            raise self.content.refuse(f"module {name}: {rest!a:.60} is no part of a case table")
        values = np.full(1 << n, -1, np.int64)
        default = -1
        for address, value in self._entries(name, body, width):
            if address is None:
                default = value
            elif address >= 1 << n or values[address] >= 0:
                raise self.content.refuse(f"module {name}: the address {address} is beyond {n} bits, or there twice")
            else:
                values[address] = value
        values[values < 0] = default
        if default < 0 and (values < 0).any():
            raise self.content.refuse(f"module {name}: has no entry for {int((values < 0).sum())} addresses")
        return [self.logic.table(given["M0"], values >> bit & 1 == 1) for bit in range(width)]

    def _entries(self, name: str, body: str, width: int) -> Iterator[tuple[int | None, int]]:
        for address, value in _ENTRY.findall(body):
            number = _number(value)
            if number >> width:
                raise self.content.refuse(f"module {name}: the value {value!a:.40} has more than {width} bits")
            yield (None if address == "default" else _number(address)), number


def _number(text: str) -> int:
    base, digits = re.findall(r"'\s*([bhd])([0-9a-fA-F_]+)", text)[0]
    digits = digits.replace("_", "")
    if not digits:
        raise NetworkFileError(f"the number {text!a:.40} has no digit")
    return int(digits, {"b": 2, "h": 16, "d": 10}[base])


IMPORTER = Importer(
    "case tables of LogicNets, PolyLUT or NeuraLUT: logicnet.v and the layers beside it",
    recognises,
    read,
    "inputs and outputs are the codes' bits (quantisers, scales and the choice of a class are outside)",
)
