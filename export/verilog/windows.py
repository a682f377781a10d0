"""A window layer of a streaming circuit as one module: line buffer, window, masks, and a kernel for each lane."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from difflut.export.circuit.circuit import MapSize, WindowLayer
from difflut.export.schedule.stream.lanes import Lanes
from difflut.export.schedule.stream.plan import LayerSchedule
from difflut.export.schedule.stream.words import Words
from difflut.export.verilog import names, ports, rows
from difflut.export.verilog.counters import Counter
from difflut.export.verilog.design import Instance
from difflut.export.verilog.writer import ModuleWriter


def write_windows(
    writer: ModuleWriter,
    number: int,
    layer: WindowLayer,
    maps: tuple[MapSize, ...],
    words: Words,
    steps: LayerSchedule,
    kernel: str,
) -> tuple[str, tuple[str, ...]]:
    """Write the module of layer `number`, and return its name and those of the kernels' instances in it.

    Args:
        writer: takes the module.
        number: the number of the map that the layer makes.
        layer: the layer.
        maps: the sizes of all maps.
        words: the words of its source.
        steps: its steps.
        kernel: the module of its kernel.
    """
    source, size, lanes = maps[layer.source], maps[number], steps.lanes
    count = Counter(words.total + steps.flush)
    kernels = [_kernel(lane, lanes, size, kernel) for lane in range(lanes.count)]
    module = writer.write(
        "stream_map",
        f"map{number}",
        [
            ports.CLOCK,
            ports.reset(),
            ports.flag_in("in_valid"),
            ports.vector_in("in_bits", words.pixels * source.channels),
            ports.flag_out("out_valid"),
            ports.vector_out("out_bits", lanes.count * size.channels),
        ],
        kernels,
        number=number,
        layer=layer,
        input=source,
        output=size,
        word=words.pixels,
        row_words=words.row,
        steps=steps,
        count=count,
        row=Counter(source.rows),
        column=Counter(words.row),
        words=count.literal(words.total) if steps.flush else "",
        lead_literal=count.literal(steps.lead),
        **_vectors(layer.window[0], words.pixels * source.channels, lanes.words),
        **_positions(layer, source, size, words, lanes),
        kernel_range=names.vector(max(1, layer.kernel.comparators)),
    )
    return module, tuple(instance.name for instance in kernels)


def _positions(layer: WindowLayer, source: MapSize, size: MapSize, words: Words, lanes: Lanes) -> dict[str, Any]:
    """Which words are the centre of positions, and what their windows hold beyond the border of the map."""
    centres = _multiples(size.rows, layer.stride[0])
    row_masks = _masks(source.rows, layer.window[0], layer.padding[0], centres)
    masks: list[tuple[str, int, Collection[int], int]] = []
    masks += [("row", place, inside, source.rows) for place, inside in row_masks.items()]
    masks += [("column", place, lanes.inside[place], words.row) for place in lanes.masked]
    windows = [_window_bits(layer, source, words, lanes, lane, set(row_masks)) for lane in range(lanes.count)]
    return {
        "row_range": names.vector(source.rows),
        "column_range": names.vector(words.row),
        "row_out": _bits(centres, source.rows),
        "column_out": _bits(lanes.centres, words.row),
        "masks": [
            {"axis": axis, "place": place, "table": _bits(inside, length), "range": names.vector(length)}
            for axis, place, inside, length in masks
        ],
        "lanes": [
            {"suffix": _suffix(lane, lanes), "words": rows.words(bits or ["1'b0"])} for lane, bits in enumerate(windows)
        ],
    }


def _suffix(lane: int, lanes: Lanes) -> str:
    return str(lane) if lanes.count > 1 else ""


def _kernel(lane: int, lanes: Lanes, size: MapSize, module: str) -> Instance:
    """The kernel of a lane."""
    suffix = _suffix(lane, lanes)
    out = names.part(lane * size.channels, size.channels) if lanes.count > 1 else ""
    bits = {"in_bits": f"kernel_bits{suffix}", "out_bits": f"out_bits{out}"}
    return Instance(f"kernel{suffix}", module, {"clk": "clk"} | bits)


def _vectors(height: int, channels: int, words: int) -> dict[str, Any]:
    """The vectors of a word and of those above it, and of the window of so many of them."""
    column = height * channels
    return {
        "line_range": names.vector((height - 1) * channels) if height > 1 else "",
        "column_bits": column,
        "column_bits_range": names.vector(column),
        "stored": names.part(channels, column - channels) if height > 1 else "",
        "window_range": names.vector(words * column),
        "window_kept": f", window{names.part(column, (words - 1) * column)}" if words > 1 else "",
    }


def _window_bits(
    layer: WindowLayer, source: MapSize, words: Words, lanes: Lanes, lane: int, masked_rows: set[int]
) -> list[str]:
    """The bits of a lane's window that the kernel reads, one expression each."""
    (height, width), stride, padding = layer.window, layer.stride[1], layer.padding[1]
    bits = []
    for feature in layer.kernel.compare_feature.tolist():
        channel, (i, j) = feature // (height * width), divmod(feature % (height * width), width)
        place = lane * stride + j
        if place in lanes.outside:
            bits.append("1'b0")
            continue
        word, pixel = divmod(place - padding, words.pixels)
        row = (word + lanes.behind) * height + i
        terms = [f"window[{(row * words.pixels + pixel) * source.channels + channel}]"]
        terms += [f"row_in{i}"] if i in masked_rows else []
        terms += [f"column_in{place}"] if place in lanes.masked else []
        bits.append(" & ".join(terms))
    return bits


def _masks(length: int, window: int, padding: int, centres: set[int]) -> dict[int, set[int]]:
    """The pixels along an axis whose window has element k inside of the map, for each k that one of `centres` has
    not.
    """
    inside = {k: {c for c in range(length) if 0 <= c + k - padding < length} for k in range(window)}
    return {k: some for k, some in inside.items() if not centres <= some}


def _multiples(count: int, stride: int) -> set[int]:
    return {place * stride for place in range(count)}


def _bits(ones: Collection[int], width_bits: int) -> str:
    """The literal whose bits `ones` are 1."""
    return names.literal(sum(1 << place for place in ones), width_bits)
