"""The cone of a node as an SVG picture: sources on the left, the node on the right, every input by its number."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from difflut.export.circuit.cone import Cone
from difflut.export.circuit.netlist import FIRST_NET, Netlist
from difflut.inspect.circuits import OpenedCircuit

_BOX_WIDTH, _COLUMN_GAP, _ROW_GAP = 150, 110, 10
_MOST_LETTERS = 24  # in a box
_PIN_HEIGHT, _LEAST_HEIGHT, _MARGIN, _TITLE = 15, 24, 16, 34
_STYLE = """
svg { background: #fff; color: #1d2129; font: 12px system-ui, sans-serif; }
.box { fill: #eef4fa; stroke: #3b82c4; } .node { fill: #e8f5f2; stroke: #2a9d8f; } .cut { stroke-dasharray: 4 3; }
.goal { fill: #fdf1e2; stroke: #e9963e; stroke-width: 2; } .wire { fill: none; stroke: #8a929e; stroke-width: 1.1; }
text { fill: currentColor; } .pin, .table { font-size: 10px; fill: #5b6472; }
.table { font-family: ui-monospace, monospace; }
@media (prefers-color-scheme: dark) {
svg { background: #14171c; color: #e6e9ee; } .box { fill: #1b2a3a; } .node { fill: #17302d; } .goal { fill: #3a2b17; }
.pin, .table { fill: #a2abb8; }
}
"""


@dataclass(frozen=True)
class _Box:
    """Where a net's box stands."""

    x: float
    y: float
    height: float

    def pin(self, number: int, count: int) -> tuple[float, float]:
        """Where input `number` of `count` enters."""
        return self.x, self.y + (number + 0.5) * self.height / count

    @property
    def output(self) -> tuple[float, float]:
        """Where the output leaves."""
        return self.x + _BOX_WIDTH, self.y + self.height / 2


def draw_cone(circuit: OpenedCircuit, cone: Cone) -> str:
    """The picture as a self-contained SVG document, readable on light and dark ground.

    Args:
        circuit: the circuit.
        cone: of a node of its netlist.
    """
    netlist = circuit.netlist
    boxes, width, height = _layout(netlist, cone)
    parts = []
    for net in cone.inside:
        fanin = netlist.fanin(net - netlist.first_lut_net).tolist()
        for number, source in enumerate(fanin):
            x, y = boxes[net].pin(number, len(fanin))
            parts.append(_wire(boxes[source].output, (x, y)))
            parts.append(f'<text class="pin" x="{x + 4:g}" y="{y + 3.5:g}">{number}</text>')
    wires = len(parts)
    for net, box in boxes.items():
        parts.append(_box(netlist, net, box, circuit.net_name(net), cone))
    # Boxes first: wires end at their edges, the numbers of the inputs stand inside them.
    ordered = parts[wires:] + parts[:wires]
    title = escape(f"Cone of {circuit.net_name(cone.node)}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} '
        f'{height:g}" role="img" aria-label="{title}">\n<title>{title}</title>\n<style>{_STYLE}</style>\n'
        f'<text x="{_MARGIN}" y="{_MARGIN + 6}" font-weight="600">{title}; input numbers are bits of the table '
        "address</text>\n" + "\n".join(ordered) + "\n</svg>\n"
    )


def _layout(netlist: Netlist, cone: Cone) -> tuple[dict[int, _Box], float, float]:
    """A box for each net of the cone, and the size of the picture."""
    order: dict[int, list[int]] = {}
    place: dict[int, float] = {cone.node: 0.0}
    for distance, column in enumerate(cone.columns):
        for net in column:
            if distance:
                read = [
                    place[reader] + number / 16
                    for reader in cone.inside
                    if reader in place
                    for number, source in enumerate(netlist.fanin(reader - netlist.first_lut_net).tolist())
                    if source == net
                ]
                place[net] = sum(read) / len(read)
        order[distance] = sorted(column, key=lambda net: (place[net], net))
        for position, net in enumerate(order[distance]):
            place[net] = float(position)
    heights = {net: _height(netlist, cone, net) for net in place}
    totals = [sum(heights[net] + _ROW_GAP for net in column) for column in order.values()]
    tallest, last = max(totals), len(order) - 1
    boxes = {}
    for distance, nets in order.items():
        y = _TITLE + _MARGIN + (tallest - totals[distance]) / 2
        for net in nets:
            boxes[net] = _Box(_MARGIN + (last - distance) * (_BOX_WIDTH + _COLUMN_GAP), y, heights[net])
            y += heights[net] + _ROW_GAP
    width = 2 * _MARGIN + len(order) * _BOX_WIDTH + last * _COLUMN_GAP
    return boxes, max(width, 460), tallest + _TITLE + 2 * _MARGIN


def _height(netlist: Netlist, cone: Cone, net: int) -> float:
    if net not in cone.inside:
        return _LEAST_HEIGHT
    return max(2 * _PIN_HEIGHT, _PIN_HEIGHT * len(netlist.fanin(net - netlist.first_lut_net)))


def _wire(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x0, y0), (x1, y1) = start, end
    bend = (x1 - x0) / 2
    return f'<path class="wire" d="M{x0:g} {y0:g}C{x0 + bend:g} {y0:g} {x1 - bend:g} {y1:g} {x1:g} {y1:g}"/>'


def _box(netlist: Netlist, net: int, box: _Box, name: str, cone: Cone) -> str:
    kind = "box"
    if net >= netlist.first_lut_net:
        kind = "goal" if net == cone.node else "node" if net in cone.inside else "node cut"
    middle = box.x + _BOX_WIDTH / 2
    lines = [f'<rect class="{kind}" x="{box.x:g}" y="{box.y:g}" width="{_BOX_WIDTH}" height="{box.height:g}" rx="4"/>']
    table = table_text(netlist, net) if net in cone.inside else ""
    y = box.y + box.height / 2 + (-2 if table else 4)
    lines.append(f'<text x="{middle:g}" y="{y:g}" text-anchor="middle">{escape(_fitting(name))}</text>')
    if len(name) > _MOST_LETTERS:
        lines = ["<g>", f"<title>{escape(name)}</title>", *lines, "</g>"]
    if table:
        shown = table if len(table) <= 18 else f"{table[:15]}…"
        lines.append(f'<text class="table" x="{middle:g}" y="{y + 13:g}" text-anchor="middle">{shown}</text>')
    return "".join(lines)


def _fitting(name: str) -> str:
    """A name as a box has room for it: the middle is left out, since its end is the number that it is compared with."""
    if len(name) <= _MOST_LETTERS:
        return name
    tail = _MOST_LETTERS // 2
    return f"{name[: _MOST_LETTERS - tail - 1]}…{name[-tail:]}"


def table_text(netlist: Netlist, net: int) -> str:
    """A LUT's table as hexadecimal digits, as in the netlist's text form: the last digit holds addresses 3 to 0."""
    if net < FIRST_NET or net < netlist.first_lut_net:
        return ""
    lut = net - netlist.first_lut_net
    digits = max(1, (1 << int(netlist.lut_inputs[lut])) // 4)
    return f"{netlist.table(lut):0{digits}x}"
