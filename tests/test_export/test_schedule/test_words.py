"""Which numbers of pixels a cycle a network can take, and that its windows are where their tables say."""

from __future__ import annotations

import numpy as np
import pytest
from convolutions import Plan, Step, made, plans
from hypothesis import given, settings

from difflut.errors import ConfigError
from difflut.export.circuit.circuit import Circuit
from difflut.export.frontend.trace import trace_circuit
from difflut.export.schedule.stream.lanes import plan_lanes
from difflut.export.schedule.stream.words import Words, pixels_per_cycle_for, plan_words

POOLED = Plan((1, 4, 12), (Step(2, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2)), Step(2, (3, 3), (1, 3), (1, 1))))


def netlist_of(plan: Plan) -> Circuit:
    return trace_circuit(made(plan))


def test_words_of_every_map() -> None:
    netlist = netlist_of(POOLED)
    assert plan_words(netlist) == (Words(4, 12, 1), Words(4, 12, 1), Words(2, 6, 1), Words(2, 2, 1))
    # A stride of 3 takes single pixels, words of 3, and whole rows.
    assert plan_words(netlist, 2) == (Words(4, 12, 2), Words(4, 12, 2), Words(2, 6, 1), Words(2, 2, 1))
    assert plan_words(netlist, 6) == (Words(4, 12, 6), Words(4, 12, 6), Words(2, 6, 3), Words(2, 2, 1))
    assert plan_words(netlist, 12) == (Words(4, 12, 12), Words(4, 12, 12), Words(2, 6, 6), Words(2, 2, 2))


def test_ragged_words() -> None:
    words = Words(3, 7, 2)
    assert (words.row, words.total) == (4, 12)


POSSIBLE = "possible pixels a cycle for this model (cycles an image): 1 (48), 2 (24), 6 (8), 12 (4)"


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (
            4,
            (
                "4 pixels a cycle do not fit: layer 3 takes 2 of the 6 pixels of a row at a time with a stride of 3 "
                f"columns, and neither divides the other; {POSSIBLE}"
            ),
        ),
        (13, f"13 pixels a cycle are more than a row of the image, 12 pixels; {POSSIBLE}"),
        (0, "pixels_per_cycle must be an integer >= 1, got 0"),
        (True, "pixels_per_cycle must be an integer >= 1, got True"),
    ],
)
def test_what_does_not_fit_is_refused(pixels: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_words(netlist_of(POOLED), pixels)
    assert str(caught.value) == message


def test_pixels_for_cycles() -> None:
    netlist = netlist_of(POOLED)
    assert [pixels_per_cycle_for(netlist, cycles) for cycles in (48, 47, 24, 9, 8, 7, 4)] == [1, 2, 2, 6, 6, 12, 12]
    with pytest.raises(ConfigError) as caught:
        pixels_per_cycle_for(netlist, 3)
    assert str(caught.value) == f"the pixels of an image cannot be taken in 3 cycles; {POSSIBLE}"


@settings(max_examples=25, deadline=None)
@given(plan=plans(streaming=True))
def test_taps_and_masks_are_those_of_the_windows(plan: Plan) -> None:
    """What a lane's tap holds, for each word of positions: the pixel of the window, or a masked place beyond the
    row.
    """
    netlist = netlist_of(plan)
    for pixels in range(1, netlist.size.columns + 1):
        try:
            words = plan_words(netlist, pixels)
        except ConfigError:
            continue
        for layer, result in zip(netlist.layers, words[1:], strict=True):
            source, stride, padding = words[layer.source], layer.stride[1], layer.padding[1]
            lanes = plan_lanes(layer, source, result)
            assert (lanes.count, len(lanes.centres)) == (result.pixels, result.row)
            position = 0
            for centre in sorted(lanes.centres):
                for lane in range(min(lanes.count, result.columns - position)):
                    for j in range(layer.window[1]):
                        wanted = position * stride + j - padding
                        place = lane * stride + j
                        word, pixel = np.divmod(place - padding, source.pixels)
                        beyond = not 0 <= wanted < source.columns
                        if place in lanes.outside:
                            assert beyond
                            continue
                        assert -lanes.behind <= word <= lanes.ahead
                        assert (centre + word) * source.pixels + pixel == wanted
                        assert (centre in lanes.inside[place]) != beyond
                        assert not beyond or place in lanes.masked
                    position += 1
            assert position == result.columns
