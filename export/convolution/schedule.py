"""When things happen in a streaming circuit: the clock edges at which each layer takes and gives its pixels.

A layer makes a *step* for each pixel that it takes and, after the last one, `flush` steps for the windows that reach
beyond the map. The window of a step is centred `lead` pixels behind the pixel of that step, in raster order. Nothing
waits for anything: after the last pixel of an image has been taken, everything happens at fixed clock edges, and gaps
between pixels only make what comes before the last pixel earlier, compared with it. So an image that comes without gaps
is the slowest case, and the only one that is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.export.convolution.ir import ConvolutionalNetlist, MapSize, WindowLayer

Edges = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LayerSchedule:
    """The steps of one layer.

    Attributes:
        lead: steps from the one that takes a pixel to the one whose window has it in the centre; the centre is the window
            element (padding[0], padding[1]).
        flush: steps without a pixel, after the last one.
        register_levels: registers between the window and the output.
    """

    lead: int
    flush: int
    register_levels: int


@dataclass(frozen=True, eq=False)
class Schedule:
    """The timing of a streaming circuit, in clock cycles.

    Attributes:
        layers: the steps of each layer.
        collect_cycles: from the edge that takes the last pixel to the one at which the dense part takes all its bits.
        pause_cycles: how long no pixel is taken after the last one of an image.
        pixels: of an image.
        buffer_bits: bits of the line buffers.
        window_bits: bits of the window registers, unread ones included.
        collected_bits: bits of the registers that keep what the dense part reads of the maps.
        taken: for each map, int64 (pixels,), the edge at which its readers take each of its pixels, where the edge that
            takes the image's first pixel is 0 and no gaps follow.
        hold_cycles: from the edge that takes the last pixel of an image to that of the next one, at least; 0 for any.
    """

    layers: tuple[LayerSchedule, ...]
    collect_cycles: int
    pause_cycles: int
    pixels: int
    buffer_bits: int
    window_bits: int
    collected_bits: int
    taken: tuple[Edges, ...]
    hold_cycles: int = 0

    @property
    def initiation_interval(self) -> int:
        """Cycles from one image to the next."""
        return max(self.pixels + self.pause_cycles, self.hold_cycles)

    @property
    def holds(self) -> bool:
        """Whether an image's last pixel may have to wait, beyond the pause."""
        return self.hold_cycles > self.pixels + self.pause_cycles


def plan_schedule(netlist: ConvolutionalNetlist) -> Schedule:
    """The schedule of a netlist whose kernels have their stages.

    Raises:
        ConfigError: a layer has more positions in a row or column than its source has pixels.
    """
    maps = netlist.maps
    last_pixel = netlist.size.pixels - 1
    # The edge at which the readers of a map take each of its pixels; pixel k enters at edge k, then comes a register.
    taken: list[Edges] = [np.arange(netlist.size.pixels) + 1]
    layers, pause, buffer_bits, window_bits = [], 0, 0, 0
    for number, layer in enumerate(netlist.layers, 1):
        source, size = maps[layer.source], maps[number]
        schedule, steps = _steps(number, layer, source, size)
        layers.append(schedule)
        fed = taken[layer.source]
        flushed = np.maximum(steps - (source.pixels - 1), 0)
        edges = fed[np.minimum(steps, source.pixels - 1)] + flushed
        taken.append(edges + schedule.register_levels + 1)
        if schedule.flush:  # its last step comes before the first pixel of the next image
            pause = max(pause, int(fed[-1]) + schedule.flush - last_pixel - int(fed[0]))
        buffer_bits += (layer.window[0] - 1) * source.columns * source.channels
        window_bits += layer.window[0] * layer.window[1] * source.channels
    # At the earliest the edge after the one that takes the last pixel, however early the maps are complete.
    collect = max(1, *(int(taken[place][-1]) + 1 - last_pixel for place in netlist.collected))
    for place in netlist.collected:  # the next image's first bit must not overwrite what has not been taken yet
        pause = max(pause, collect - 1 - int(taken[place][0]))
    return Schedule(
        layers=tuple(layers),
        collect_cycles=collect,
        pause_cycles=pause,
        pixels=netlist.size.pixels,
        buffer_bits=buffer_bits,
        window_bits=window_bits,
        collected_bits=len(netlist.dense_bits),
        taken=tuple(taken),
    )


def _steps(number: int, layer: WindowLayer, source: MapSize, size: MapSize) -> tuple[LayerSchedule, Edges]:
    """The schedule of a layer, and the step that gives each of its positions."""
    for axis, what in enumerate(("rows", "columns")):
        if 2 * layer.padding[axis] >= layer.window[axis]:
            raise ConfigError(
                f"layer {number} pads a window of {layer.window[axis]} {what} with {layer.padding[axis]} on each side; in "
                f"a stream twice the padding must be less than the window, as each pixel gives one position at most: "
                f"use --conv unrolled"
            )
    below, right = (layer.window[axis] - 1 - layer.padding[axis] for axis in (0, 1))
    lead = below * source.columns + right
    rows, columns = np.arange(size.rows) * layer.stride[0], np.arange(size.columns) * layer.stride[1]
    steps = (rows[:, None] * source.columns + columns).reshape(-1) + lead
    flush = max(0, int(steps[-1]) + 1 - source.pixels)
    return LayerSchedule(lead, flush, layer.kernel.last_stage), steps
