"""The windows of the positions that a layer makes in one step, side by side in one wide window.

Lane l makes position `lanes * k + l` of a row from the k-th word that gives positions. Column `place` of the wide
window is the pixel `place - padding` columns to the right of the first pixel of that word, the centre; the window of
lane l begins at the place `l * stride`. So all taps are fixed, and what a place holds beyond the border of the map is
masked by a table with a bit for each word of a row.
"""

from __future__ import annotations

from dataclasses import dataclass

from difflut.export.circuit.circuit import WindowLayer
from difflut.export.schedule.stream.words import Words


@dataclass(frozen=True)
class Lanes:
    """The lanes of a layer.

    Attributes:
        count: positions of a step, which are a word of the result.
        centres: the words of a row that give a word of positions.
        behind: words before the centre that the wide window holds.
        ahead: words after it.
        inside: for each place the words of a row with which it lies in the map.
        masked: the places that do not lie in the map with each of the centres that need them.
        outside: the places that lie in the map with none of them; the wide window need not hold them.
    """

    count: int
    centres: frozenset[int]
    behind: int
    ahead: int
    inside: tuple[frozenset[int], ...]
    masked: tuple[int, ...]
    outside: frozenset[int]

    @property
    def words(self) -> int:
        """Words of the wide window."""
        return self.behind + 1 + self.ahead


def plan_lanes(layer: WindowLayer, source: Words, result: Words) -> Lanes:
    """The lanes of a layer, from the words that it takes and makes."""
    stride, window, padding = layer.stride[1], layer.window[1], layer.padding[1]
    hop = max(1, stride * result.pixels // source.pixels)
    inside, masked, outside, held = [], [], set(), {0}
    for place in range((result.pixels - 1) * stride + window):
        column = place - padding
        inside.append(
            frozenset(word for word in range(source.row) if 0 <= word * source.pixels + column < source.columns)
        )
        needed = {
            hop * word
            for word in range(result.row)
            for lane in range(min(result.pixels, result.columns - word * result.pixels))
            if 0 <= place - lane * stride < window
        }
        if not needed & inside[-1]:
            outside.add(place)
        else:
            held.add(column // source.pixels)
            if not needed <= inside[-1]:
                masked.append(place)
    return Lanes(
        count=result.pixels,
        centres=frozenset(hop * word for word in range(result.row)),
        behind=-min(held),
        ahead=max(held),
        inside=tuple(inside),
        masked=tuple(masked),
        outside=frozenset(outside),
    )
