"""Portable Verilog-2001 of a streaming circuit from a convolutional netlist.

Modules: the top (comparisons of the codes of a word of pixels, registers that collect maps for the dense part, the pause
between images), one module a layer with its line buffer, window and masks, one module a kernel, of which the layer has
one for each lane, and the modules of the dense part, which `difflut.export.verilog.netlist` emits, or `verilog_folded`
where it is folded. The structure, and why, is docs/adr/0009-convolution.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from difflut.export.circuit.circuit import Circuit, MapSize, WindowLayer
from difflut.export.circuit.netlist import InputFormat, Netlist
from difflut.export.circuit.rules import check
from difflut.export.families.family import GENERIC, Target
from difflut.export.schedule.folded.plan import FoldedDense
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import HeadPlan
from difflut.export.schedule.stream.lanes import Lanes
from difflut.export.schedule.stream.plan import Schedule, plan_schedule
from difflut.export.schedule.stream.words import Words
from difflut.export.verilog import folded as verilog_folded
from difflut.export.verilog import names, rows
from difflut.export.verilog import netlist as verilog
from difflut.export.verilog.wires import Scope, plan
from difflut.hdl_templates import render


@dataclass(frozen=True, eq=False)
class StreamDesign:
    """The emitted design.

    Attributes:
        top: the name of the top module.
        files: file name -> text, one module per file, named like the module.
        schedule: when it takes and gives what.
        luts: LUTs of all kernels, as often as they are built, and of the dense part.
        latency_cycles: an image whose last word of pixels is taken at one rising edge is answered with `out_valid`, as sampled
            this many rising edges later.
        head: the plan of the head.
        models: as `VerilogDesign.models`.
    """

    top: str
    files: dict[str, str]
    schedule: Schedule
    luts: int
    latency_cycles: int
    head: HeadPlan
    models: dict[str, str]


def emit_stream(
    netlist: Circuit,
    target: Target = GENERIC,
    *,
    pixels_per_cycle: int = 1,
    outputs: Outputs | None = None,
    head_registers: Sequence[bool] | None = None,
    last_registered: bool = True,
    folded: FoldedDense | None = None,
    top: str | None = None,
) -> StreamDesign:
    """Emit `netlist`, whose parts have their stages, as Verilog.

    Args:
        netlist: the netlist.
        target, outputs, head_registers, last_registered: as for `verilog.emit`.
        pixels_per_cycle: adjacent pixels of a row that are taken at a time; see `difflut.export.schedule.stream.words`.

    With `folded`, the plan of a folded dense part, that part has registers of its own: its stages, `head_registers` and
    `last_registered` do not matter.

    Raises:
        NetlistError: the netlist breaks its specification.
        ConfigError: a layer does not fit a stream of so many pixels a cycle, or `head_registers` does not fit the head.
    """
    check(netlist)
    schedule = plan_schedule(netlist, pixels_per_cycle) if folded is None else folded.schedule
    name = top or names.identifier(netlist.name)
    if folded is None:
        dense = verilog.emit(
            netlist.body,
            target,
            outputs=outputs,
            head_registers=head_registers,
            last_registered=last_registered,
            top=f"{name}_dense",
        )
    else:
        dense = verilog_folded.emit_folded(folded, netlist.body, target, outputs, top=f"{name}_dense")
    files = dict(dense.files)
    source = names.comment(netlist.name)
    for number, layer in enumerate(netlist.layers, 1):
        contexts = {
            "kernel": ("stream_kernel", _kernel(layer.kernel)),
            "map": ("stream_map", _layer(number, layer, netlist.maps, schedule, name)),
        }
        for kind, (template, context) in contexts.items():
            module = f"{name}_{kind}{number}"
            files[f"{module}.v"] = render(f"{template}.v.j2", {"source": source, "module": module, **context})
    built = sum(
        layer.kernel.luts * steps.lanes.count for layer, steps in zip(netlist.layers, schedule.layers, strict=True)
    )
    luts = built + netlist.body.luts
    latency_cycles = schedule.collect_cycles + dense.latency_cycles
    files[f"{name}.v"] = render(
        "stream_top.v.j2",
        {
            "source": source,
            "module": name,
            "luts": luts,
            "latency_cycles": latency_cycles,
            **_top(netlist, schedule, dense, name, folded),
        },
    )
    return StreamDesign(name, files, schedule, luts, latency_cycles, dense.head, dense.models)


def _top(
    netlist: Circuit,
    schedule: Schedule,
    dense: verilog.VerilogDesign,
    name: str,
    folded: FoldedDense | None,
) -> dict[str, Any]:
    maps, form, head = netlist.maps, netlist.input, netlist.body.head
    collectors, bits = _collectors(netlist, schedule.words) if folded is None else ([], [])
    keepers = [] if folded is None else verilog_folded.keepers(folded, dense.top)
    pause, words = schedule.pause_cycles, schedule.words[0]
    layers = [
        {
            "number": number,
            "source": layer.source,
            "range": names.vector(schedule.words[number].pixels * maps[number].channels),
        }
        for number, layer in enumerate(netlist.layers, 1)
    ]
    collected = netlist.collected if folded is None else [keeper.map for keeper in folded.keepers]
    read = {layer.source for layer in netlist.layers} | set(collected)
    return {
        "colours": netlist.size.channels,
        "rows": netlist.size.rows,
        "columns": netlist.size.columns,
        "word": words.pixels,
        "last_word": words.columns - (words.row - 1) * words.pixels,
        "unit": _unit(words),
        "width_bits": form.width_bits,
        "signed": form.signed,
        "schedule": schedule,
        "dense_latency": dense.latency_cycles,
        "dense": dense.top,
        "classes": head.classes,
        "outputs": dense.head.outputs,
        "codes_range": names.vector(words.pixels * netlist.size.channels * form.width_bits),
        "score_bits": head.score_width_bits,
        "scores_range": names.vector(head.classes * head.score_width_bits),
        "class_bits": head.class_width_bits,
        "class_range": names.vector(head.class_width_bits),
        "top_range": names.vector(dense.head.outputs.top * head.class_width_bits),
        "pixel_range": names.vector(words.pixels * maps[0].channels),
        "comparisons": rows.words(_comparisons(netlist, words.pixels)),
        "count": _counter(words.total),
        "last": names.literal(words.total - 1, _width(words.total)),
        "pause": _counter(pause + 1),
        "pause_start": names.literal(pause, _width(pause + 1)),
        "hold": _counter(schedule.hold_cycles),
        "hold_start": names.literal(schedule.hold_cycles - 1, _width(schedule.hold_cycles)) if schedule.holds else "",
        "finished_range": names.vector(schedule.collect_cycles),
        "finished_next": "last_taken"
        if schedule.collect_cycles == 1
        else f"{{finished{names.part(0, schedule.collect_cycles - 1)}, last_taken}}",
        "layers": layers,
        "collectors": collectors,
        "folded": folded is not None,
        "keepers": keepers,
        "dense_range": names.vector(len(bits)),
        "dense_words": rows.words(bits),
        "name": name,
        "unread": [number for number in range(len(maps)) if number not in read],
    }


def _collectors(netlist: Circuit, words: tuple[Words, ...]) -> tuple[list[dict[str, Any]], list[str]]:
    """The registers that keep the bits of maps which the dense part reads, and the name of each bit, by feature."""
    maps, offsets = netlist.maps, netlist.map_offsets
    owner = np.searchsorted(offsets, netlist.body_bits, side="right") - 1
    bits = [""] * len(owner)
    collectors = []
    for place in netlist.collected:
        size, cut = maps[place], words[place]
        features = np.flatnonzero(owner == place)
        channel, pixel = np.divmod(netlist.body_bits[features] - offsets[place], size.pixels)
        row, column = np.divmod(pixel, size.columns)
        word = row * cut.row + column // cut.pixels
        bit = column % cut.pixels * size.channels + channel  # of the word
        order = np.lexsort((bit, word))
        for index, feature in enumerate(features[order].tolist()):
            bits[feature] = f"collected{place}[{index}]"
        first = 0
        parts = []
        for number, count in zip(*(part.tolist() for part in np.unique(word, return_counts=True)), strict=True):
            kept = bit[order[first : first + count]].tolist()
            parts.append(
                {
                    "number": names.literal(number, _width(cut.total)),
                    "part": names.part(first, count),
                    "bits": names.concatenation([f"bits{place}[{one}]" for one in reversed(kept)]),
                }
            )
            first += count
        collectors.append(
            {
                "map": place,
                "unit": _unit(cut),
                "range": names.vector(len(features)),
                "counter": _counter(cut.total),
                "last": names.literal(cut.total - 1, _width(cut.total)),
                "words": parts,
            }
        )
    return collectors, bits


def _unit(words: Words) -> str:
    """What a word is called in names and comments."""
    return "pixel" if words.pixels == 1 else "word"


def _comparisons(netlist: Circuit, pixels: int) -> list[str]:
    """One expression for each pixel of a word and channel of the encoded image."""
    form, colours = netlist.input, netlist.size.channels
    pairs = list(zip(netlist.compare_channel.tolist(), netlist.compare_threshold.tolist(), strict=True))
    return [
        _comparison(form, pixel * colours + colour, threshold) for pixel in range(pixels) for colour, threshold in pairs
    ]


def _comparison(form: InputFormat, place: int, threshold: int) -> str:
    """Whether the code at a place of the port `in_codes` is at least the threshold."""
    if not form.lowest < threshold <= form.highest:
        return f"1'b{int(threshold <= form.lowest)}"
    code = f"in_codes{names.part(form.width_bits * place, form.width_bits)}"
    if not form.signed:
        return f"{code} >= {names.literal(threshold, form.width_bits)}"
    # A two's complement comparison is the unsigned one with both sign bits inverted.
    flip = names.literal(1 << (form.width_bits - 1), form.width_bits)
    return f"({code} ^ {flip}) >= {names.literal(threshold - form.lowest, form.width_bits)}"


def _layer(number: int, layer: WindowLayer, maps: tuple[MapSize, ...], schedule: Schedule, name: str) -> dict[str, Any]:
    source, size, steps = maps[layer.source], maps[number], schedule.layers[number - 1]
    words, lanes = schedule.words[layer.source], steps.lanes
    height, channels = layer.window[0], words.pixels * source.channels
    column = height * channels  # bits of a word and of those above it
    row_masks = _masks(source.rows, height, layer.padding[0], _multiples(size.rows, layer.stride[0]))
    masks: list[tuple[str, int, Collection[int], int]] = []
    masks += [("row", place, inside, source.rows) for place, inside in row_masks.items()]
    masks += [("column", place, lanes.inside[place], words.row) for place in lanes.masked]
    total = words.total + steps.flush
    return {
        "number": number,
        "layer": layer,
        "input": source,
        "output": size,
        "word": words.pixels,
        "row_words": words.row,
        "unit": _unit(words),
        "lead": steps.lead,
        "flush": steps.flush,
        "levels": steps.register_levels,
        "kernel": f"{name}_kernel{number}",
        "in_range": names.vector(channels),
        "out_range": names.vector(lanes.count * size.channels),
        "count": _counter(total),
        "words": names.literal(words.total, _width(total)) if steps.flush else "",
        "last": names.literal(total - 1, _width(total)),
        "lead_literal": names.literal(steps.lead, _width(total)),
        "row": _counter(source.rows),
        "column": _counter(words.row),
        "last_column": names.literal(words.row - 1, _width(words.row)),
        "row_out": _bits(_multiples(size.rows, layer.stride[0]), source.rows),
        "column_out": _bits(lanes.centres, words.row),
        "masks": [
            {"axis": axis, "place": place, "table": _bits(inside, count), "range": names.vector(count)}
            for axis, place, inside, count in masks
        ],
        "row_range": names.vector(source.rows),
        "column_range": names.vector(words.row),
        "line_range": names.vector((height - 1) * channels) if height > 1 else "",
        "column_bits": column,
        "column_bits_range": names.vector(column),
        "stored": names.part(channels, column - channels) if height > 1 else "",
        "window_range": names.vector(lanes.words * column),
        "window_kept": f", window{names.part(column, (lanes.words - 1) * column)}" if lanes.words > 1 else "",
        "lanes": [
            {
                "suffix": lane if lanes.count > 1 else "",
                "words": rows.words(_window_bits(layer, source, words, lanes, lane, set(row_masks)) or ["1'b0"]),
                "out": names.part(lane * size.channels, size.channels) if lanes.count > 1 else "",
            }
            for lane in range(lanes.count)
        ],
        "kernel_range": names.vector(max(1, layer.kernel.comparators)),
        "valid_range": names.vector(steps.register_levels),
        "valid_next": "valid"
        if steps.register_levels == 1
        else f"{{delayed{names.part(0, max(1, steps.register_levels - 1))}, valid}}",
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
    """The pixels along an axis whose window has element k inside of the map, for each k that one of `centres` has not."""
    inside = {k: {c for c in range(length) if 0 <= c + k - padding < length} for k in range(window)}
    return {k: some for k, some in inside.items() if not centres <= some}


def _multiples(count: int, stride: int) -> set[int]:
    return {place * stride for place in range(count)}


def _bits(ones: Collection[int], width_bits: int) -> str:
    """The literal whose bits `ones` are 1."""
    return names.literal(sum(1 << place for place in ones), width_bits)


def _width(count: int) -> int:
    """Bits of a counter from 0 to count - 1."""
    return max(1, (count - 1).bit_length())


def _counter(count: int) -> dict[str, str]:
    """The range, zero and one of a counter from 0 to count - 1."""
    width = _width(count)
    return {"range": names.vector(width), "zero": f"{width}'d0", "one": f"{width}'d1"}


def _kernel(kernel: Netlist) -> dict[str, Any]:
    """A kernel as one module: its LUTs level by level, a register behind each level."""
    wires = plan(kernel)
    inputs = [
        {"name": vector.name, "registered": vector.rank > 0}
        for vector in (wires.encoder_now, wires.encoder)
        if vector is not None
    ]
    stages = []
    first = 0
    for stage, vector in wires.stages.items():
        luts = rows.luts_of(kernel, vector.nets)
        scope = Scope(kernel, wires.inputs_of_stage(stage))
        stages.append(
            {
                "name": vector.name,
                "range": names.vector(vector.width_bits),
                "tables": [names.literal(kernel.table(lut), 1 << int(kernel.lut_inputs[lut])) for lut in luts.tolist()],
                "first": first,
                "words": rows.words(rows.lookups(kernel, luts, first, scope)),
            }
        )
        first += len(luts)
    delays = []
    for rank, vector in wires.delays.items():
        terms = Scope(kernel, wires.at(rank - 1)).terms(vector.nets)
        delays.append(
            {"name": vector.name, "range": names.vector(vector.width_bits), "source": names.concatenation(terms)}
        )
    outputs = Scope(kernel, wires.at(wires.last_rank)).terms(kernel.head.nets)
    return {
        "luts": kernel.luts,
        "levels": wires.last_rank,
        "in_range": names.vector(max(1, kernel.comparators)),
        "out_range": names.vector(kernel.head.classes),
        "inputs": inputs,
        "stages": stages,
        "delays": delays,
        "outputs": names.concatenation(outputs),
    }
