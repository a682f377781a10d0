"""The canonical text form of a convolutional netlist: its geometry, one line a part, and the text of each netlist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np

from difflut.export.circuit import text
from difflut.export.circuit.circuit import ConvolutionalNetlist, MapSize, WindowLayer
from difflut.export.circuit.netlist import InputFormat, Netlist
from difflut.export.errors import NetlistSyntaxError

HEADER = "difflut convolution 1"

_NAME = re.compile(r'name (".*")', re.ASCII)
_IMAGE = re.compile(r"image (\d+) colours, (\d+) rows, (\d+) columns, (\d+) bits (un)?signed", re.ASCII)
_COMPARE = re.compile(r"channel (\d+): colour (\d+) >= (-?\d+)", re.ASCII)
_LAYER = re.compile(
    r"layer (\d+): map (\d+), window (\d+) (\d+), stride (\d+) (\d+), padding (\d+) (\d+), kernel:", re.ASCII
)
_DENSE = re.compile(r"dense bits((?: \d+)+):", re.ASCII)


def to_text(netlist: ConvolutionalNetlist) -> str:
    """Print a netlist; equal netlists give equal text, and `from_text` gives the netlist back."""
    size, form = netlist.size, netlist.input
    sign = "signed" if form.signed else "unsigned"
    lines = [
        HEADER,
        f"name {json.dumps(netlist.name)}",
        f"image {size.channels} colours, {size.rows} rows, {size.columns} columns, {form.width_bits} bits {sign}",
    ]
    compared = zip(netlist.compare_channel.tolist(), netlist.compare_threshold.tolist(), strict=True)
    lines += [f"channel {place}: colour {colour} >= {level}" for place, (colour, level) in enumerate(compared)]
    for number, layer in enumerate(netlist.layers, 1):
        (rows, columns), (down, right), (below, beside) = layer.window, layer.stride, layer.padding
        lines.append(
            f"layer {number}: map {layer.source}, window {rows} {columns}, stride {down} {right}, padding {below} "
            f"{beside}, kernel:"
        )
        lines.append(text.to_text(layer.kernel).rstrip("\n"))
    lines.append(" ".join(["dense bits", *map(str, netlist.dense_bits.tolist())]) + ":")
    lines.append(text.to_text(netlist.dense))
    return "\n".join(lines)


def from_text(content: str) -> ConvolutionalNetlist:
    """Parse the text form.

    Raises:
        NetlistSyntaxError: a line is not understood, out of place or missing; names the line, counted from 1.
    """
    lines = enumerate(content.split("\n"), 1)
    _expect(lines, re.compile(re.escape(HEADER)), repr(HEADER))
    name = _expect(lines, _NAME, "'name' and a JSON string")[1]
    image = _expect(lines, _IMAGE, "'image C colours, R rows, C columns, W bits unsigned' or '... signed'")
    size = MapSize(int(image[1]), int(image[2]), int(image[3]))
    compared, layers = [], []
    while True:
        number, line = next(lines, (0, ""))
        if match := _COMPARE.fullmatch(line):
            compared.append((int(match[2]), int(match[3])))
        elif match := _LAYER.fullmatch(line):
            source, *pairs = map(int, match.groups()[1:])
            kernel = _netlist(lines)
            layers.append(WindowLayer(source, kernel, (pairs[0], pairs[1]), (pairs[2], pairs[3]), (pairs[4], pairs[5])))
        elif match := _DENSE.fullmatch(line):
            break
        else:
            raise NetlistSyntaxError(
                f"line {number}: expected 'channel ...', 'layer ...' or 'dense bits ...'; got {line!r}"
            )
    return ConvolutionalNetlist(
        name=json.loads(name),
        input=InputFormat(size.bits, int(image[4]), signed=image[5] is None),
        size=size,
        compare_channel=np.array([colour for colour, _ in compared], np.int32),
        compare_threshold=np.array([level for _, level in compared], np.int32),
        layers=tuple(layers),
        dense=_netlist(lines),
        dense_bits=np.array(match[1].split(), np.int64),
    )


def _expect(lines: Iterator[tuple[int, str]], pattern: re.Pattern[str], expected: str) -> re.Match[str]:
    number, line = next(lines, (0, ""))
    match = pattern.fullmatch(line)
    if match is None:
        raise NetlistSyntaxError(f"line {number}: expected {expected}; got {line!r}")
    return match


def _netlist(lines: Iterator[tuple[int, str]]) -> Netlist:
    """The netlist whose text comes next."""
    own = []
    first = 0
    for number, line in lines:
        first = first or number
        own.append(line)
        if line == text.END:
            break
    try:
        return text.from_text("\n".join([*own, ""]))
    except NetlistSyntaxError as error:
        raise NetlistSyntaxError(f"in the netlist from line {first} on: {error}") from error
