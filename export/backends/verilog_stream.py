"""Portable Verilog-2001 of a streaming circuit from a convolutional netlist.

Modules: the top (comparisons of a pixel's codes, registers that collect maps for the dense part, the pause between
images), one module a layer with its line buffer, window and masks, one module a kernel, and the modules of the dense
part, which `difflut.export.backends.verilog` emits. The structure, and why, is docs/adr/0009-convolution.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from difflut.export.backends import names, rows, verilog
from difflut.export.backends.wires import Scope, plan
from difflut.export.convolution.ir import ConvolutionalNetlist, MapSize, WindowLayer, check
from difflut.export.convolution.schedule import LayerSchedule, Schedule, plan_schedule
from difflut.export.heads.outputs import Outputs
from difflut.export.heads.plan import HeadPlan
from difflut.export.ir import InputFormat, Netlist
from difflut.export.targets import GENERIC, Target
from difflut.hdl_templates import render


@dataclass(frozen=True, eq=False)
class StreamDesign:
    """The emitted design.

    Attributes:
        top: the name of the top module.
        files: file name -> text, one module per file, named like the module.
        schedule: when it takes and gives what.
        latency_cycles: an image whose last pixel is taken at one rising edge is answered with `out_valid`, as sampled
            this many rising edges later.
        head: the plan of the head.
        models: as `VerilogDesign.models`.
    """

    top: str
    files: dict[str, str]
    schedule: Schedule
    latency_cycles: int
    head: HeadPlan
    models: dict[str, str]


def emit_stream(
    netlist: ConvolutionalNetlist,
    target: Target = GENERIC,
    *,
    outputs: Outputs | None = None,
    head_registers: Sequence[bool] | None = None,
    last_registered: bool = True,
    top: str | None = None,
) -> StreamDesign:
    """Emit `netlist`, whose parts have their stages, as Verilog; the arguments are those of `verilog.emit`.

    Raises:
        NetlistError: the netlist breaks its specification.
        ConfigError: a layer does not fit a stream, or `head_registers` does not fit the head.
    """
    check(netlist)
    schedule = plan_schedule(netlist)
    name = top or names.identifier(netlist.name)
    dense = verilog.emit(
        netlist.dense,
        target,
        outputs=outputs,
        head_registers=head_registers,
        last_registered=last_registered,
        top=f"{name}_dense",
    )
    files = dict(dense.files)
    source = names.comment(netlist.name)
    for number, (layer, steps) in enumerate(zip(netlist.layers, schedule.layers, strict=True), 1):
        contexts = {
            "kernel": ("stream_kernel", _kernel(layer.kernel)),
            "map": ("stream_map", _layer(number, layer, netlist.maps, steps, name)),
        }
        for kind, (template, context) in contexts.items():
            module = f"{name}_{kind}{number}"
            files[f"{module}.v"] = render(f"{template}.v.j2", {"source": source, "module": module, **context})
    latency_cycles = schedule.collect_cycles + dense.latency_cycles
    files[f"{name}.v"] = render(
        "stream_top.v.j2",
        {
            "source": source,
            "module": name,
            "latency_cycles": latency_cycles,
            **_top(netlist, schedule, dense, name),
        },
    )
    return StreamDesign(name, files, schedule, latency_cycles, dense.head, dense.models)


def _top(netlist: ConvolutionalNetlist, schedule: Schedule, dense: verilog.VerilogDesign, name: str) -> dict[str, Any]:
    maps, form, head = netlist.maps, netlist.input, netlist.dense.head
    collectors, bits = _collectors(netlist)
    pause, pixels = schedule.pause_cycles, netlist.size.pixels
    layers = [
        {"number": number, "source": layer.source, "range": names.vector(maps[number].channels)}
        for number, layer in enumerate(netlist.layers, 1)
    ]
    read = {layer.source for layer in netlist.layers} | set(netlist.collected)
    return {
        "colours": netlist.size.channels,
        "rows": netlist.size.rows,
        "columns": netlist.size.columns,
        "width_bits": form.width_bits,
        "signed": form.signed,
        "luts": netlist.luts,
        "schedule": schedule,
        "dense_latency": dense.latency_cycles,
        "dense": dense.top,
        "classes": head.classes,
        "outputs": dense.head.outputs,
        "codes_range": names.vector(netlist.size.channels * form.width_bits),
        "score_bits": head.score_width_bits,
        "scores_range": names.vector(head.classes * head.score_width_bits),
        "class_bits": head.class_width_bits,
        "class_range": names.vector(head.class_width_bits),
        "top_range": names.vector(dense.head.outputs.top * head.class_width_bits),
        "pixel_range": names.vector(maps[0].channels),
        "comparisons": rows.words(_comparisons(netlist)),
        "count": _counter(pixels),
        "last": names.literal(pixels - 1, _width(pixels)),
        "pause": _counter(pause + 1),
        "pause_start": names.literal(pause, _width(pause + 1)),
        "finished_range": names.vector(schedule.collect_cycles),
        "finished_next": "last_taken"
        if schedule.collect_cycles == 1
        else f"{{finished{names.part(0, schedule.collect_cycles - 1)}, last_taken}}",
        "layers": layers,
        "collectors": collectors,
        "dense_range": names.vector(len(bits)),
        "dense_words": rows.words(bits),
        "name": name,
        "unread": [number for number in range(len(maps)) if number not in read],
    }


def _collectors(netlist: ConvolutionalNetlist) -> tuple[list[dict[str, Any]], list[str]]:
    """The registers that keep the bits of maps which the dense part reads, and the name of each bit, by feature."""
    maps, offsets = netlist.maps, netlist.map_offsets
    owner = np.searchsorted(offsets, netlist.dense_bits, side="right") - 1
    bits = [""] * len(owner)
    collectors = []
    for place in netlist.collected:
        size = maps[place]
        features = np.flatnonzero(owner == place)
        channel, pixel = np.divmod(netlist.dense_bits[features] - offsets[place], size.pixels)
        order = np.lexsort((channel, pixel))
        for index, feature in enumerate(features[order].tolist()):
            bits[feature] = f"collected{place}[{index}]"
        first = 0
        pixels = []
        for number, count in zip(*(part.tolist() for part in np.unique(pixel, return_counts=True)), strict=True):
            channels = channel[order[first : first + count]].tolist()
            pixels.append(
                {
                    "number": names.literal(number, _width(size.pixels)),
                    "part": names.part(first, count),
                    "bits": names.concatenation([f"bits{place}[{one}]" for one in reversed(channels)]),
                }
            )
            first += count
        collectors.append(
            {
                "map": place,
                "range": names.vector(len(features)),
                "counter": _counter(size.pixels),
                "last": names.literal(size.pixels - 1, _width(size.pixels)),
                "pixels": pixels,
            }
        )
    return collectors, bits


def _comparisons(netlist: ConvolutionalNetlist) -> list[str]:
    """One expression a channel of the encoded image."""
    form = netlist.input
    pairs = zip(netlist.compare_channel.tolist(), netlist.compare_threshold.tolist(), strict=True)
    return [_comparison(form, colour, threshold) for colour, threshold in pairs]


def _comparison(form: InputFormat, colour: int, threshold: int) -> str:
    if not form.lowest < threshold <= form.highest:
        return f"1'b{int(threshold <= form.lowest)}"
    code = f"in_codes{names.part(form.width_bits * colour, form.width_bits)}"
    if not form.signed:
        return f"{code} >= {names.literal(threshold, form.width_bits)}"
    # A two's complement comparison is the unsigned one with both sign bits inverted.
    flip = names.literal(1 << (form.width_bits - 1), form.width_bits)
    return f"({code} ^ {flip}) >= {names.literal(threshold - form.lowest, form.width_bits)}"


def _layer(
    number: int, layer: WindowLayer, maps: tuple[MapSize, ...], steps: LayerSchedule, name: str
) -> dict[str, Any]:
    source, size = maps[layer.source], maps[number]
    channels, (height, width) = source.channels, layer.window
    column = height * channels
    masks = {
        "row": _masks(source.rows, height, layer.padding[0], _multiples(size.rows, layer.stride[0])),
        "column": _masks(source.columns, width, layer.padding[1], _multiples(size.columns, layer.stride[1])),
    }
    bits = []
    for feature in layer.kernel.compare_feature.tolist():
        c, (i, j) = feature // (height * width), divmod(feature % (height * width), width)
        terms = [f"window[{j * column + i * channels + c}]"]
        terms += [f"{axis}_in{k}" for axis, k in (("row", i), ("column", j)) if k in masks[axis]]
        bits.append(" & ".join(terms))
    total = source.pixels + steps.flush
    return {
        "number": number,
        "layer": layer,
        "input": source,
        "output": size,
        "lead": steps.lead,
        "flush": steps.flush,
        "levels": steps.register_levels,
        "kernel": f"{name}_kernel{number}",
        "in_range": names.vector(channels),
        "out_range": names.vector(size.channels),
        "count": _counter(total),
        "pixels": names.literal(source.pixels, _width(total)) if steps.flush else "",
        "last": names.literal(total - 1, _width(total)),
        "lead_literal": names.literal(steps.lead, _width(total)),
        "row": _counter(source.rows),
        "column": _counter(source.columns),
        "last_column": names.literal(source.columns - 1, _width(source.columns)),
        "row_out": _bits(_multiples(size.rows, layer.stride[0]), source.rows),
        "column_out": _bits(_multiples(size.columns, layer.stride[1]), source.columns),
        "masks": [
            {"axis": axis, "place": place, "table": _bits(inside, count), "range": names.vector(count)}
            for axis, count in (("row", source.rows), ("column", source.columns))
            for place, inside in masks[axis].items()
        ],
        "row_range": names.vector(source.rows),
        "column_range": names.vector(source.columns),
        "line_range": names.vector((height - 1) * channels) if height > 1 else "",
        "column_bits_range": names.vector(column),
        "stored": names.part(channels, column - channels) if height > 1 else "",
        "window_range": names.vector(width * column),
        "window_kept": f", window{names.part(column, (width - 1) * column)}" if width > 1 else "",
        "kernel_range": names.vector(max(1, len(bits))),
        "kernel_words": rows.words(bits or ["1'b0"]),
        "valid_range": names.vector(steps.register_levels),
        "valid_next": "valid"
        if steps.register_levels == 1
        else f"{{delayed{names.part(0, max(1, steps.register_levels - 1))}, valid}}",
    }


def _masks(length: int, window: int, padding: int, centres: set[int]) -> dict[int, set[int]]:
    """The pixels along an axis whose window has element k inside of the map, for each k that one of `centres` has not."""
    inside = {k: {c for c in range(length) if 0 <= c + k - padding < length} for k in range(window)}
    return {k: some for k, some in inside.items() if not centres <= some}


def _multiples(count: int, stride: int) -> set[int]:
    return {place * stride for place in range(count)}


def _bits(ones: set[int], width_bits: int) -> str:
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
