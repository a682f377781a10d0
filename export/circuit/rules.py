"""The well-formedness rules of a `Netlist` and of a `Circuit` of them, each with a name.

`check` runs on entry to and exit from every pass and before a back-end prints. A rule takes a netlist that obeys the
rules before it in `RULES`, or a circuit whose parts do and which obeys those before it in `CIRCUIT_RULES`, and returns
the first violation in words, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import FIRST_NET, MAX_INPUTS, InputFormat, Netlist
from difflut.export.errors import NetlistError

MAX_WIDTH_BITS = 31
# More than any circuit has, less than would not fit into memory.
MAX_FEATURES = MAX_MAP_BITS = 1 << 24

# A class word is one number everywhere.
MAX_CLASS_BITS = 63

Rule = Callable[[Netlist], "str | None"]
CircuitRule = Callable[[Circuit], "str | None"]


def check(circuit: Circuit | Netlist) -> None:
    """Raise `NetlistError` naming the first broken rule, the place, what is there and what is expected."""
    if isinstance(circuit, Netlist):
        for name, rule in RULES.items():
            problem = rule(circuit)
            if problem is not None:
                raise NetlistError(f"netlist {circuit.name!r} breaks the rule {name}: {problem}")
        return
    for _, part in circuit.parts():
        check(part)
    check_assembly(circuit)


def check_assembly(circuit: Circuit) -> None:
    """As `check` of a circuit whose parts obey their rules."""
    for name, of_circuit in CIRCUIT_RULES.items():
        problem = of_circuit(circuit)
        if problem is not None:
            raise NetlistError(f"circuit {circuit.name!r} breaks the rule {name}: {problem}")


def _first(bad: npt.NDArray[np.bool_]) -> int | None:
    """The first position at which `bad` holds."""
    return int(bad.argmax()) if bad.any() else None


def _more(bad: npt.NDArray[np.bool_]) -> str:
    count = int(np.count_nonzero(bad)) - 1
    return f" ({count} more like it)" if count else ""


def _cell(netlist: Netlist, cell: int) -> str:
    if cell < netlist.comparators:
        return f"comparator {cell} (net {FIRST_NET + cell})"
    return _lut(netlist, cell - netlist.comparators)


def _lut(netlist: Netlist, lut: int) -> str:
    return f"LUT {lut} (net {netlist.first_lut_net + lut})"


def _lut_of_fanin(netlist: Netlist) -> npt.NDArray[np.int64]:
    """int64 (len(lut_fanin),): which LUT each fan-in belongs to."""
    return np.repeat(np.arange(netlist.luts), netlist.lut_inputs)


def _input_format(netlist: Netlist) -> str | None:
    if not 1 <= netlist.input.features <= MAX_FEATURES:
        return f"the input has {netlist.input.features} features; expected 1 to {MAX_FEATURES}"
    if not 1 <= netlist.input.width_bits <= MAX_WIDTH_BITS:
        return f"the input codes have {netlist.input.width_bits} bits; expected 1 to {MAX_WIDTH_BITS}"
    return None


def _lut_offsets(netlist: Netlist) -> str | None:
    offsets = netlist.lut_offsets
    if offsets.ndim != 1 or len(offsets) == 0 or offsets[0] != 0:
        return f"lut_offsets has shape {offsets.shape} and starts with {offsets.reshape(-1)[:1]}; expected (L + 1,), 0"
    inputs = np.diff(offsets)
    bad = (inputs < 1) | (inputs > MAX_INPUTS)
    lut = _first(bad)
    if lut is None:
        return None
    return f"{_lut(netlist, lut)} has {inputs[lut]} inputs; expected 1 to {MAX_INPUTS}{_more(bad)}"


def _array_lengths(netlist: Netlist) -> str | None:
    expected: dict[str, tuple[npt.NDArray[Any], int]] = {
        "compare_threshold": (netlist.compare_threshold, netlist.comparators),
        "lut_fanin": (netlist.lut_fanin, int(netlist.lut_offsets[-1])),
        "lut_tables": (netlist.lut_tables, int(netlist.table_offsets[-1])),
        "stage": (netlist.stage, netlist.comparators + netlist.luts),
        "lut_layer": (netlist.lut_layer, netlist.luts),
        "lut_node": (netlist.lut_node, netlist.luts),
    }
    for field, (array, length) in expected.items():
        if array.shape != (length,):
            return (
                f"{field} has shape {array.shape}; expected {(length,)} for {netlist.comparators} comparators and "
                f"{netlist.luts} LUTs"
            )
    return None


def _compare_feature(netlist: Netlist) -> str | None:
    bad = (netlist.compare_feature < 0) | (netlist.compare_feature >= netlist.input.numbers)
    cell = _first(bad)
    if cell is None:
        return None
    return (
        f"{_cell(netlist, cell)} reads feature {netlist.compare_feature[cell]}; "
        f"expected 0 to {netlist.input.features - 1}, or up to {netlist.input.numbers - 1} a bit{_more(bad)}"
    )


def _compare_threshold(netlist: Netlist) -> str | None:
    lowest, highest = netlist.input.lowest, netlist.input.highest
    of_bit = netlist.compare_feature >= netlist.input.features
    bad = of_bit & (netlist.compare_threshold != 1)
    cell = _first(bad)
    if cell is not None:
        given = netlist.compare_threshold[cell]
        return f"{_cell(netlist, cell)} compares a bit with {given}; expected 1{_more(bad)}"
    bad = ~of_bit & ((netlist.compare_threshold <= lowest) | (netlist.compare_threshold > highest))
    cell = _first(bad)
    if cell is None:
        return None
    return (
        f"{_cell(netlist, cell)} has the threshold {netlist.compare_threshold[cell]}; expected {lowest + 1} to "
        f"{highest}, as any other comparison is a constant{_more(bad)}"
    )


def _fanin_order(netlist: Netlist) -> str | None:
    owner = _lut_of_fanin(netlist)
    bad = (netlist.lut_fanin < 0) | (netlist.lut_fanin >= netlist.first_lut_net + owner)
    position = _first(bad)
    if position is None:
        return None
    lut = int(owner[position])
    return (
        f"{_lut(netlist, lut)} reads net {netlist.lut_fanin[position]} at input "
        f"{position - netlist.lut_offsets[lut]}; expected a net from 0 to {netlist.first_lut_net + lut - 1}, "
        f"as cells are in topological order{_more(bad)}"
    )


def _table_padding(netlist: Netlist) -> str | None:
    small = netlist.lut_inputs < 6
    bits = np.left_shift(1, netlist.lut_inputs[small]).astype(np.uint64)
    bad = np.zeros(netlist.luts, np.bool_)
    bad[small] = np.right_shift(netlist.lut_tables[netlist.table_offsets[:-1][small]], bits) != 0
    lut = _first(bad)
    if lut is None:
        return None
    size = 1 << int(netlist.lut_inputs[lut])
    return f"{_lut(netlist, lut)} has the table {netlist.table(lut):#x}; expected {size} bits{_more(bad)}"


def _stage_order(netlist: Netlist) -> str | None:
    stage = netlist.stage
    negative = stage < 0
    cell = _first(negative)
    if cell is not None:
        return f"{_cell(netlist, cell)} has the stage {stage[cell]}; expected 0 or more{_more(negative)}"
    of_net = np.concatenate([np.zeros(FIRST_NET, np.int32), stage])
    owner = _lut_of_fanin(netlist)
    bad = of_net[netlist.lut_fanin] > stage[netlist.comparators + owner]
    position = _first(bad)
    if position is None:
        return None
    lut, net = int(owner[position]), int(netlist.lut_fanin[position])
    return (
        f"{_lut(netlist, lut)} of stage {stage[netlist.comparators + lut]} reads net {net} of stage {of_net[net]}; "
        f"expected a net of the same or an earlier stage{_more(bad)}"
    )


def _origin(netlist: Netlist) -> str | None:
    layer, node = netlist.lut_layer, netlist.lut_node
    bad = ~(((layer >= 1) & (node >= 0)) | ((layer == -1) & (node == -1)))
    lut = _first(bad)
    if lut is None:
        return None
    return (
        f"{_lut(netlist, lut)} comes from layer {layer[lut]}, node {node[lut]}; expected a layer from 1 and a node "
        f"from 0, or -1 for both{_more(bad)}"
    )


def _head_groups(netlist: Netlist) -> str | None:
    offsets, nets = netlist.head.offsets, netlist.head.nets
    if offsets.ndim != 1 or len(offsets) < 2 or offsets[0] != 0:
        return f"head.offsets is {offsets}; expected 0 first, then one entry a class, at least one class"
    sizes = np.diff(offsets)
    bad = sizes < 1
    score = _first(bad)
    if score is not None:
        return f"score {score} counts {sizes[score]} nets; expected at least 1{_more(bad)}"
    if nets.shape != (offsets[-1],):
        return f"head.nets has shape {nets.shape}; expected {(int(offsets[-1]),)}, where the last group ends"
    return None


def _head_nets(netlist: Netlist) -> str | None:
    nets = netlist.head.nets
    bad = (nets < 0) | (nets >= netlist.nets)
    position = _first(bad)
    if position is None:
        return None
    score = int(np.searchsorted(netlist.head.offsets, position, side="right")) - 1
    return f"score {score} counts net {nets[position]}; expected 0 to {netlist.nets - 1}{_more(bad)}"


def _head_decisions(netlist: Netlist) -> str | None:
    head = netlist.head
    decisions = head.decisions
    if decisions.ndim != 1 or not len(decisions) or int(decisions.min()) < 1:
        return f"head.decisions is {decisions}; expected one or more, each among at least 1 score"
    if int(decisions.sum(dtype=np.int64)) != head.classes:
        return f"decisions are taken among {decisions.sum(dtype=np.int64)} scores; expected all {head.classes}"
    if head.class_word_bits > MAX_CLASS_BITS:
        given = f"{len(decisions)} decisions give a class word of {head.class_word_bits} bits"
        return f"{given}; expected at most {MAX_CLASS_BITS}"
    return None


RULES: MappingProxyType[str, Rule] = MappingProxyType(
    {
        "input-format": _input_format,
        "lut-offsets": _lut_offsets,
        "array-lengths": _array_lengths,
        "compare-feature": _compare_feature,
        "compare-threshold": _compare_threshold,
        "fanin-order": _fanin_order,
        "table-padding": _table_padding,
        "stage-order": _stage_order,
        "origin": _origin,
        "head-groups": _head_groups,
        "head-nets": _head_nets,
        "head-decisions": _head_decisions,
    }
)


def _whole_samples(circuit: Circuit) -> str | None:
    if (circuit.image is None) != (not circuit.layers):
        what = "no image" if circuit.image is None else "an image"
        return f"it has {what} and {len(circuit.layers)} layers; expected an image and layers, or neither"
    if circuit.image is None and circuit != Circuit.of(circuit.body):
        return (
            f"it has no layers, {len(circuit.body_bits)} body bits and the input {circuit.input}; expected no body "
            f"bits, and the name and the input of its body, {circuit.body.name!r} and {circuit.body.input}"
        )
    return None


def _image(circuit: Circuit) -> str | None:
    if circuit.image is None:
        return None
    size, channel, threshold = circuit.image.size, circuit.image.compare_channel, circuit.image.compare_threshold
    if min(size) < 1 or circuit.input.features != size.bits:
        return f"the input has {circuit.input.features} features; expected {tuple(size)}, colours, rows, columns"
    if circuit.input.features > MAX_FEATURES:
        return f"the input has {circuit.input.features} features; expected at most {MAX_FEATURES}"
    if circuit.image.map_size.bits > MAX_MAP_BITS:
        return f"the encoded image has {circuit.image.map_size.bits} bits; expected at most {MAX_MAP_BITS}"
    if channel.shape != threshold.shape or not channel.size:
        return f"{channel.shape} channels and {threshold.shape} thresholds; expected one each, at least 1"
    form = circuit.pixel_format
    if int(channel.min()) < 0 or int(channel.max()) >= form.numbers:
        return (
            f"comparisons read colours {channel.min()} to {channel.max()}; expected 0 to {size.channels - 1}, or up to "
            f"{form.numbers - 1} a bit"
        )
    if bool((threshold[channel >= size.channels] != 1).any()):
        return "bits of colours are compared with other numbers than 1; expected 1"
    return None


def _layers(circuit: Circuit) -> str | None:
    sizes = [] if circuit.image is None else [circuit.image.map_size]
    for number, layer in enumerate(circuit.layers, 1):
        if not 0 <= layer.source < number:
            return f"layer {number} reads map {layer.source}; expected 0 to {number - 1}"
        if min(*layer.window, *layer.stride) < 1 or min(layer.padding) < 0:
            return (
                f"layer {number} has the window {layer.window}, stride {layer.stride} and padding {layer.padding}; "
                f"expected at least 1, 1 and 0"
            )
        source = sizes[layer.source]
        wanted = InputFormat(source.channels * layer.window[0] * layer.window[1], 1)
        if layer.kernel.input != wanted:
            return f"the kernel of layer {number} has the input {layer.kernel.input}; expected {wanted}"
        if bool((np.diff(layer.kernel.head.offsets) != 1).any()):
            return f"the kernel of layer {number} has a score of several nets; expected one net each"
        sizes.append(layer.output_size(source))
        if min(sizes[-1]) < 1:
            return f"layer {number} has no position on a map of {source.rows} x {source.columns} pixels"
        if sizes[-1].bits > MAX_MAP_BITS:
            return f"layer {number} has {sizes[-1].bits} bits; expected at most {MAX_MAP_BITS}"
    return None


def _body(circuit: Circuit) -> str | None:
    if not circuit.layers:
        return None
    bits, count = circuit.body_bits, int(circuit.map_offsets[-1])
    if circuit.body.input != InputFormat(len(bits), 1):
        return f"the body has the input {circuit.body.input}; expected {InputFormat(len(bits), 1)}"
    if bool((np.diff(bits) <= 0).any()) or int(bits[0]) < 0 or int(bits[-1]) >= count:
        return f"body_bits runs from {bits[0]} to {bits[-1]}; expected numbers from 0 to {count - 1}, ascending"
    return None


CIRCUIT_RULES: MappingProxyType[str, CircuitRule] = MappingProxyType(
    {"whole-samples": _whole_samples, "image": _image, "layers": _layers, "body": _body}
)
