"""The canonical text form of a circuit, and its parser.

A circuit of whole samples is the text of its netlist (`difflut.export.circuit.netlist_text`). One of images has its
geometry, one line a part, and the text of each netlist:

    difflut circuit 2
    name "toy"
    image 1 colours, 4 rows, 4 columns, 8 bits unsigned
    channel 0: colour 0 >= 128
    layer 1: map 0, window 2 2, stride 1 1, padding 0 0, kernel:
    ...
    body bits 16 17 20:
    ...

A channel that is a bit of a colour is written `colour 0[7] >= 1`.

The parser also takes empty lines and lines that start with `#`. It checks syntax only;
`difflut.export.circuit.rules.check` checks the circuit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import numpy as np

from difflut.export.circuit.circuit import Circuit, EncodedImage, MapSize, WindowLayer, as_circuit
from difflut.export.circuit.netlist import InputFormat, Netlist, OffsetArray
from difflut.export.circuit.netlist_text import (
    END,
    NetlistReader,
    Problem,
    compared_number,
    compared_words,
    netlist_lines,
    parse_name,
)
from difflut.export.circuit.netlist_text import HEADER as NETLIST_HEADER
from difflut.export.errors import NetlistSyntaxError

HEADER = "difflut circuit 2"

_IMAGE = re.compile(r"image (\d+) colours, (\d+) rows, (\d+) columns, (\d+) bits (un)?signed", re.ASCII)
_COMPARE = re.compile(r"channel (\d+): colour (\d+)(?:\[(\d+)\])? >= (-?\d+)", re.ASCII)
_LAYER = re.compile(
    r"layer (\d+): map (\d+), window (\d+) (\d+), stride (\d+) (\d+), padding (\d+) (\d+), kernel:", re.ASCII
)
_BODY = re.compile(r"body bits((?: \d+)+):", re.ASCII)


def to_text(circuit: Circuit | Netlist) -> str:
    """Print a circuit; equal circuits give equal text, and `from_text` gives the circuit back."""
    whole = as_circuit(circuit)
    lines = netlist_lines(whole.body) if whole.image is None else _circuit_lines(whole, whole.image)
    return "\n".join([*lines, ""])


def _circuit_lines(circuit: Circuit, image: EncodedImage) -> Iterator[str]:
    size, form = image.size, circuit.input
    yield HEADER
    yield f"name {json.dumps(circuit.name)}"
    sign = "signed" if form.signed else "unsigned"
    yield f"image {size.channels} colours, {size.rows} rows, {size.columns} columns, {form.width_bits} bits {sign}"
    words = compared_words(circuit.pixel_format, image.compare_channel)
    compared = zip(words, image.compare_threshold.tolist(), strict=True)
    for place, (colour, level) in enumerate(compared):
        yield f"channel {place}: colour {colour} >= {level}"
    for number, layer in enumerate(circuit.layers, 1):
        (rows, columns), (down, right), (below, beside) = layer.window, layer.stride, layer.padding
        yield (
            f"layer {number}: map {layer.source}, window {rows} {columns}, stride {down} {right}, padding {below} "
            f"{beside}, kernel:"
        )
        yield from netlist_lines(layer.kernel)
    yield " ".join(["body bits", *map(str, circuit.body_bits.tolist())]) + ":"
    yield from netlist_lines(circuit.body)


def from_text(text: str) -> Circuit:
    """Parse the text form of a circuit; the netlist of a text without layers is its `body`.

    Raises:
        NetlistSyntaxError: a line is not understood, out of place or missing; names the line, counted from 1.
    """
    reader = _Reader()
    number = 0
    for number, line in enumerate(text.split("\n"), 1):
        content = line.strip()
        if content and content[0] != "#":
            try:
                reader.read(content)
            except (Problem, OverflowError, ValueError) as problem:  # or a number that does not fit
                raise NetlistSyntaxError(f"line {number}: {problem}; got {_shortened(content)!r}") from None
    if reader.finish is None:
        raise NetlistSyntaxError(f"line {number}: the text ends here; expected it to end with a line {END!r}")
    return reader.finish()


def _shortened(line: str) -> str:
    return line if len(line) <= 120 else line[:117] + "..."


class _Reader:
    """Collects the parts of a circuit; `read` is what the next line is expected to be, `finish` gives a complete
    circuit.
    """

    def __init__(self) -> None:
        self.read: Callable[[str], None] = self._header
        self.finish: Callable[[], Circuit] | None = None
        self._name = ""
        self._size, self._form = MapSize(0, 0, 0), InputFormat(0, 0)
        self._compared: list[tuple[np.int32, np.int32]] = []
        self._layers: list[WindowLayer] = []
        self._body_bits: OffsetArray = np.zeros(0, np.int64)

    def _header(self, line: str) -> None:
        if line == NETLIST_HEADER:
            self._netlist(lambda netlist: self._complete(lambda: Circuit.of(netlist)))
            self.read(line)
        elif line == HEADER:
            self.read = self._name_line
        else:
            raise Problem(f"expected {NETLIST_HEADER!r} or {HEADER!r}")

    def _name_line(self, line: str) -> None:
        self._name = parse_name(line)
        self.read = self._image_line

    def _image_line(self, line: str) -> None:
        match = _IMAGE.fullmatch(line)
        if match is None:
            raise Problem("expected 'image C colours, R rows, C columns, W bits unsigned' or '... signed'")
        self._size = MapSize(int(match[1]), int(match[2]), int(match[3]))
        self._form = InputFormat(self._size.bits, int(match[4]), signed=match[5] is None)
        self.read = self._part

    def _part(self, line: str) -> None:
        if match := _COMPARE.fullmatch(line):
            self._check_number("channel", int(match[1]), len(self._compared))
            form = InputFormat(self._size.channels, self._form.width_bits, self._form.signed)
            channel = compared_number(form, match[2], match[3])
            self._compared.append((np.int32(channel), np.int32(int(match[4]))))
        elif match := _LAYER.fullmatch(line):
            number, source, *pairs = map(int, match.groups())
            self._check_number("layer", number, len(self._layers) + 1)
            window, stride, padding = zip(pairs[::2], pairs[1::2], strict=True)
            self._netlist(lambda kernel: self._layers.append(WindowLayer(source, kernel, window, stride, padding)))
        elif match := _BODY.fullmatch(line):
            self._body_bits = np.array(list(map(int, match[1].split())), np.int64)
            self._netlist(lambda body: self._complete(lambda: self._circuit(body)))
        else:
            raise Problem("expected 'channel ...', 'layer ...' or 'body bits ...'")

    def _check_number(self, what: str, number: int, expected: int) -> None:
        if number != expected:
            raise Problem(f"expected {what} {expected}, as they are numbered in the order of the lines")

    def _netlist(self, take: Callable[[Netlist], None]) -> None:
        """The next lines are a netlist; `take` gets it."""
        reader = NetlistReader()

        def read(line: str) -> None:
            reader.read(line)
            if reader.complete:
                self.read = self._part
                take(reader.finish())

        self.read = read

    def _complete(self, circuit: Callable[[], Circuit]) -> None:
        self.finish = circuit
        self.read = self._nothing

    def _nothing(self, line: str) -> None:
        raise Problem(f"expected nothing after {END!r}")

    def _circuit(self, body: Netlist) -> Circuit:
        colours, levels = zip(*self._compared, strict=True) if self._compared else ((), ())
        image = EncodedImage(self._size, np.array(colours, np.int32), np.array(levels, np.int32))
        return Circuit(self._name, self._form, image, tuple(self._layers), body, self._body_bits)
