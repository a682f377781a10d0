"""When things happen in a streaming circuit: the clock edges at which each layer takes and gives its words of pixels.

A layer makes a *step* for each word that it takes and, after the last one, `flush` steps for the windows that reach
beyond the map. The windows of a step are centred `lead` words behind the word of that step, in raster order. Nothing
waits for anything: after the last word of an image has been taken, everything happens at fixed clock edges, and gaps
between words only make what comes before the last word earlier, compared with it. So an image that comes without gaps
is the slowest case, and the only one that is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.export.circuit.analysis import levels
from difflut.export.circuit.circuit import BODY, Circuit, WindowLayer
from difflut.export.circuit.netlist import Netlist
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.stream.lanes import Lanes, plan_lanes
from difflut.export.schedule.stream.words import Words, plan_words

Edges = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LayerSchedule:
    """The steps of one layer.

    Attributes:
        lanes: the positions that a step makes, and their windows.
        lead: steps from the one that takes a word to the one whose windows have it in the centre; the centre of lane 0
            is the window element (padding[0], padding[1]).
        flush: steps without a word, after the last one.
        register_levels: registers between the window and the output.
    """

    lanes: Lanes
    lead: int
    flush: int
    register_levels: int


@dataclass(frozen=True, eq=False)
class Schedule:
    """The timing of a streaming circuit, in clock cycles.

    Attributes:
        words: how the pixels of each map are cut into words.
        layers: the steps of each layer.
        collect_cycles: from the edge that takes the last word to the one at which the dense part takes all its bits.
        pause_cycles: how long no word is taken after the last one of an image.
        buffer_bits: bits of the line buffers.
        window_bits: bits of the window registers, unread ones included.
        collected_bits: bits of the registers that keep what the dense part reads of the maps.
        taken: for each map, int64 (words,), the edge at which its readers take each of its words, where the edge that
            takes the image's first word is 0 and no gaps follow.
        hold_cycles: from the edge that takes the last pixel of an image to that of the next one, at least; 0 for any.
    """

    words: tuple[Words, ...]
    layers: tuple[LayerSchedule, ...]
    collect_cycles: int
    pause_cycles: int
    buffer_bits: int
    window_bits: int
    collected_bits: int
    taken: tuple[Edges, ...]
    hold_cycles: int = 0

    @property
    def pixels(self) -> int:
        """Pixels of an image."""
        return self.words[0].rows * self.words[0].columns

    @property
    def initiation_interval(self) -> int:
        """Cycles from one image to the next."""
        return max(self.words[0].total + self.pause_cycles, self.hold_cycles)

    @property
    def holds(self) -> bool:
        """Whether an image's last pixel may have to wait, beyond the pause."""
        return self.hold_cycles > self.words[0].total + self.pause_cycles


def stage_kernels(circuit: Circuit) -> Circuit:
    """A register behind each level of a kernel's LUTs; none behind the bits of the window, which are registers."""

    def staged(name: str, part: Netlist) -> Netlist:
        if name == BODY:
            return part
        return assign_stages(part, frozenset(range(2, int(levels(part).max(initial=0)) + 1)))

    return circuit.map_parts(staged)


def plan_schedule(netlist: Circuit, pixels_per_cycle: int = 1) -> Schedule:
    """The schedule of a netlist whose kernels have their stages, for so many pixels of the image a cycle.

    Raises:
        ConfigError: a layer has more positions in a row or column than its source has pixels, or the layers cannot take
            so many pixels a cycle.
    """
    for number, layer in enumerate(netlist.layers, 1):
        _check_padding(number, layer)
    words = plan_words(netlist, pixels_per_cycle)
    last = words[0].total - 1
    # The edge at which the readers of a map take each of its words; word k enters at edge k, then comes a register.
    taken: list[Edges] = [np.arange(words[0].total) + 1]
    layers, pause, buffer_bits, window_bits = [], 0, 0, 0
    for layer, result in zip(netlist.layers, words[1:], strict=True):
        source = words[layer.source]
        schedule, steps = _steps(layer, source, result)
        layers.append(schedule)
        fed = taken[layer.source]
        flushed = np.maximum(steps - (source.total - 1), 0)
        edges = fed[np.minimum(steps, source.total - 1)] + flushed
        taken.append(edges + schedule.register_levels + 1)
        if schedule.flush:  # its last step comes before the first word of the next image
            pause = max(pause, int(fed[-1]) + schedule.flush - last - int(fed[0]))
        word_bits = source.pixels * netlist.maps[layer.source].channels
        buffer_bits += (layer.window[0] - 1) * source.row * word_bits
        window_bits += layer.window[0] * schedule.lanes.words * word_bits
    # At the earliest the edge after the one that takes the last word, however early the maps are complete.
    collect = max(1, *(int(taken[place][-1]) + 1 - last for place in netlist.collected))
    for place in netlist.collected:  # the next image's first bit must not overwrite what has not been taken yet
        pause = max(pause, collect - 1 - int(taken[place][0]))
    return Schedule(
        words=words,
        layers=tuple(layers),
        collect_cycles=collect,
        pause_cycles=pause,
        buffer_bits=buffer_bits,
        window_bits=window_bits,
        collected_bits=len(netlist.body_bits),
        taken=tuple(taken),
    )


def kernel_luts(netlist: Circuit, schedule: Schedule) -> int:
    """LUTs of all kernels, each as often as it is built."""
    return sum(
        layer.kernel.luts * steps.lanes.count for layer, steps in zip(netlist.layers, schedule.layers, strict=True)
    )


def _check_padding(number: int, layer: WindowLayer) -> None:
    for axis, what in enumerate(("rows", "columns")):
        if 2 * layer.padding[axis] >= layer.window[axis]:
            raise ConfigError(
                f"layer {number} pads a window of {layer.window[axis]} {what} with {layer.padding[axis]} on each "
                "side; in a stream twice the padding must be less than the window, as each pixel gives one position "
                "at most: use --conv unrolled"
            )


def _steps(layer: WindowLayer, source: Words, result: Words) -> tuple[LayerSchedule, Edges]:
    """The schedule of a layer, and the step that gives each word of its positions."""
    lanes = plan_lanes(layer, source, result)
    below = layer.window[0] - 1 - layer.padding[0]
    lead = below * source.row + lanes.ahead
    rows, columns = np.arange(result.rows) * layer.stride[0], np.array(sorted(lanes.centres))
    steps = (rows[:, None] * source.row + columns).reshape(-1) + lead
    flush = max(0, int(steps[-1]) + 1 - source.total)
    return LayerSchedule(lanes, lead, flush, layer.kernel.last_stage), steps
