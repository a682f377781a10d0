"""Several pixels a cycle: the words in which the pixels of each map pass through a streaming circuit.

A *word* is `pixels` adjacent pixels of a row, and a layer takes a word a cycle. Every word of its result needs the same
taps of the words that came, if the positions of a word lie as far apart as the pixels of a whole number of words. So
the stride along a row must divide the word, which makes the words of the result that much smaller, or be a multiple of
it, which makes them single pixels. Where a word is a whole row there is one word only, and any stride will do.
"""

from __future__ import annotations

from dataclasses import dataclass

from difflut.errors import ConfigError
from difflut.export.circuit.circuit import Circuit, MapSize


@dataclass(frozen=True)
class Words:
    """The words of a map.

    Attributes:
        rows: rows of the map.
        columns: pixels of a row.
        pixels: pixels of a word, at most those of a row. If they do not divide the row, its last word ends beyond it,
            with pixels that mean nothing.
    """

    rows: int
    columns: int
    pixels: int

    @property
    def row(self) -> int:
        """Words of a row."""
        return -(-self.columns // self.pixels)

    @property
    def total(self) -> int:
        """Words of the map."""
        return self.rows * self.row


def plan_words(netlist: Circuit, pixels_per_cycle: int = 1) -> tuple[Words, ...]:
    """The words of every map when so many pixels of the image are taken in a cycle.

    Raises:
        ConfigError: the image has no such words, or a layer cannot take them; lists the numbers that are possible.
    """
    columns = netlist.size.columns
    if isinstance(pixels_per_cycle, bool) or not isinstance(pixels_per_cycle, int) or pixels_per_cycle < 1:
        raise ConfigError(f"pixels_per_cycle must be an integer >= 1, got {pixels_per_cycle!r}")
    if pixels_per_cycle > columns:
        raise ConfigError(
            f"{pixels_per_cycle} pixels a cycle are more than a row of the image, {columns} pixels; "
            f"{_possible(netlist)}"
        )
    words = _words(netlist, pixels_per_cycle)
    if len(words) == len(netlist.maps):
        return tuple(words)
    layer, number = netlist.layers[len(words) - 1], len(words)
    source = words[layer.source]
    raise ConfigError(
        f"{pixels_per_cycle} pixels a cycle do not fit: layer {number} takes {source.pixels} of the {source.columns} "
        f"pixels of a row at a time with a stride of {layer.stride[1]} columns, and neither divides the other; "
        f"{_possible(netlist)}"
    )


def pixels_per_cycle_for(netlist: Circuit, cycles: int) -> int:
    """The fewest pixels a cycle with which the pixels of an image take at most so many cycles, without the pause.

    Raises:
        ConfigError: no number of pixels gives that; lists the numbers of cycles that are possible.
    """
    choices = _choices(netlist)
    pixels = min((pixels for total, pixels in choices.items() if total <= cycles), default=None)
    if pixels is None:
        raise ConfigError(f"the pixels of an image cannot be taken in {cycles} cycles; {_possible(netlist)}")
    return pixels


def _words(netlist: Circuit, pixels_per_cycle: int) -> list[Words]:
    """The words of the maps, up to the first layer that cannot take its words."""
    sizes = netlist.maps
    words = [Words(sizes[0].rows, sizes[0].columns, pixels_per_cycle)]
    for layer, size in zip(netlist.layers, sizes[1:], strict=True):
        pixels = _result(words[layer.source], layer.stride[1], size)
        if not pixels:
            break
        words.append(Words(size.rows, size.columns, pixels))
    return words


def _result(source: Words, stride: int, size: MapSize) -> int:
    """Pixels of a word of what a layer makes; 0 if it cannot take the words of its source."""
    if source.row == 1:
        return size.columns
    if source.pixels % stride == 0:
        return min(source.pixels // stride, size.columns)
    return int(stride % source.pixels == 0)


def _choices(netlist: Circuit) -> dict[int, int]:
    """The numbers of cycles in which the pixels of an image can be taken, and the fewest pixels a cycle for each."""
    choices: dict[int, int] = {}
    for pixels in range(1, netlist.size.columns + 1):
        words = _words(netlist, pixels)
        if len(words) == len(netlist.maps):
            choices.setdefault(words[0].total, pixels)
    return choices


def _possible(netlist: Circuit) -> str:
    some = ", ".join(f"{pixels} ({cycles})" for cycles, pixels in _choices(netlist).items())
    return f"possible pixels a cycle for this model (cycles an image): {some}"
