"""Portable Verilog-2001 of a circuit with window layers that takes its images a word of pixels at a time.

Modules: the top (registers that keep what the dense part reads of the maps, the pause between images), the encoder of a
word of pixels, one module a layer with its line buffer, window and masks, one module a kernel, of which the layer has
one for each lane, and the modules of the dense part, which `difflut.export.verilog.netlist` emits, or
`difflut.export.verilog.folded` where it is folded. The structure, and why, is docs/adr/0009-convolution.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.pixel import pixel_netlist
from difflut.export.circuit.rules import check
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.folded.plan import FoldedDense
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.stream.plan import Schedule, kernel_luts
from difflut.export.verilog import names, netlist, ports, rows
from difflut.export.verilog.counters import Counter
from difflut.export.verilog.design import Design, Instance, Port
from difflut.export.verilog.encoder import write_encoder
from difflut.export.verilog.folded import Gathered, emit_folded_dense, keep
from difflut.export.verilog.kernel import write_kernel
from difflut.export.verilog.windows import write_windows
from difflut.export.verilog.wires import Scope, plan
from difflut.export.verilog.writer import ModuleWriter

_CLOCKED = {"clk": "clk", "rst": "rst"}


def emit_stream(
    circuit: Circuit,
    schedule: Schedule,
    family: Family = GENERIC,
    *,
    outputs: Outputs | None = None,
    head_registers: Sequence[bool] | None = None,
    last_registered: bool = True,
    top: str | None = None,
) -> Design:
    """Emit a circuit whose parts have their stages.

    Args:
        circuit: the circuit.
        schedule: when it takes and gives what.
        family, outputs, head_registers, last_registered, top: as for `difflut.export.verilog.netlist.emit`.

    Raises:
        NetlistError: the circuit breaks its specification.
        ConfigError: `head_registers` does not fit the head.
    """
    check(circuit)
    top = top or names.identifier(circuit.name)
    dense = netlist.emit(
        circuit.body,
        family,
        outputs=outputs,
        head_registers=head_registers,
        last_registered=last_registered,
        top=f"{top}_dense",
    )
    return _Emitter(circuit, schedule, family, dense, top, lambda _: _collect(circuit, schedule)).design()


def emit_folded(
    circuit: Circuit,
    folded: FoldedDense,
    family: Family = GENERIC,
    *,
    outputs: Outputs | None = None,
    top: str | None = None,
) -> Design:
    """Emit a circuit whose kernels have their stages, its dense part folded; that part has registers of its own.

    Args:
        circuit: the circuit.
        folded: the plan of its dense part.
        family, outputs, top: as for `difflut.export.verilog.netlist.emit`.

    Raises:
        NetlistError: the circuit breaks its specification.
    """
    check(circuit)
    top = top or names.identifier(circuit.name)
    dense = emit_folded_dense(folded, circuit.body, family, outputs, f"{top}_dense")
    return _Emitter(circuit, folded.schedule, family, dense, top, lambda writer: keep(writer, folded)).design()


class _Emitter:
    """Writes the modules around a dense part, in the order of the data's way through them."""

    def __init__(
        self,
        circuit: Circuit,
        schedule: Schedule,
        family: Family,
        dense: Design,
        top: str,
        gather: Callable[[ModuleWriter], Gathered],
    ) -> None:
        self.circuit, self.schedule, self.family, self.dense = circuit, schedule, family, dense
        self.gather = gather
        self.writer = ModuleWriter(circuit.name, top)
        self.parts: dict[str, tuple[str, ...]] = {}

    def design(self) -> Design:
        """Write everything."""
        encoder = self._encoder()
        layers = [self._layer(number) for number in range(1, len(self.circuit.layers) + 1)]
        gathered = self.gather(self.writer)
        self.parts["body"] = ("dense",)
        self.parts |= {
            f"body, {part}": tuple(f"dense.{name}" for name in inner) for part, inner in self.dense.parts.items()
        }
        latency_cycles = self.schedule.collect_cycles + self.dense.latency_cycles
        self._top(encoder, layers, gathered, latency_cycles)
        self.writer.add(self.dense.modules)
        return Design(
            top=self.writer.top,
            modules=self.writer.modules,
            latency_cycles=latency_cycles,
            initiation_interval=self.schedule.initiation_interval,
            probes=(),
            parts=self.parts,
            head=self.dense.head,
            models=self.dense.models,
        )

    def _encoder(self) -> dict[str, Any]:
        """The comparisons of a word of pixels, and which bits of them map 0 has."""
        pixel = assign_stages(pixel_netlist(self.circuit, self.schedule.words[0].pixels))
        wires = plan(pixel)
        instance = write_encoder(self.writer, pixel, self.family, wires)
        if instance is not None:
            self.parts["encoder"] = (instance.name,)
        terms = Scope(pixel, wires.at(wires.last_rank)).terms(pixel.head.nets)
        return {
            "encoder": instance,
            "encoder_range": names.vector(max(1, pixel.comparators)),
            "pixel_range": names.vector(len(pixel.head.nets)),
            "pixel_bits": names.concatenation(terms),
        }

    def _layer(self, number: int) -> dict[str, Any]:
        """A layer: its modules, and its instance in the top."""
        circuit, words = self.circuit, self.schedule.words
        layer, steps = circuit.layers[number - 1], self.schedule.layers[number - 1]
        kernel = write_kernel(self.writer, number, layer.kernel)
        module, kernels = write_windows(self.writer, number, layer, circuit.maps, words[layer.source], steps, kernel)
        self.parts[f"layer {number}"] = (f"map{number}",)
        self.parts[f"kernel {number}"] = tuple(f"map{number}.{name}" for name in kernels)
        ends = {
            f"{direction}_{what}": f"{what}{place}"
            for direction, place in (("in", layer.source), ("out", number))
            for what in ("valid", "bits")
        }
        return {
            "number": number,
            "range": names.vector(words[number].pixels * circuit.maps[number].channels),
            "instance": Instance(f"map{number}", module, _CLOCKED | ends),
        }

    def _top(
        self, encoder: dict[str, Any], layers: list[dict[str, Any]], gathered: Gathered, latency_cycles: int
    ) -> None:
        circuit, schedule, words = self.circuit, self.schedule, self.schedule.words[0]
        # The dense part starts when all its bits are kept.
        given = {gathered.start: f"finished[{schedule.collect_cycles - 1}]"} | gathered.connections
        results = ports.straight(ports.results(self.dense.head)) | {"out_valid": "out_valid"}
        dense = Instance("dense", self.dense.top, _CLOCKED | given | results)
        read = {layer.source for layer in circuit.layers} | {kept["map"] for kept in gathered.by_map}
        self.writer.write(
            "stream_top",
            "",
            self._ports(),
            [encoder["encoder"], *(item["instance"] for item in (*layers, *gathered.keepers)), dense],
            size=circuit.size,
            form=circuit.input,
            word=words.pixels,
            last_word=words.columns - (words.row - 1) * words.pixels,
            luts=kernel_luts(circuit, schedule) + circuit.body.luts,
            classes=circuit.body.head.classes,
            outputs=self.dense.head.outputs,
            latency_cycles=latency_cycles,
            dense_latency=self.dense.latency_cycles,
            schedule=schedule,
            count=Counter(words.total),
            pause=Counter(schedule.pause_cycles + 1),
            hold=Counter(schedule.hold_cycles),
            **encoder,
            layers=layers,
            collectors=gathered.collectors,
            keepers=gathered.keepers,
            dense_range=names.vector(len(gathered.bits)),
            dense_words=rows.words(gathered.bits),
            dense=dense,
            unread=[number for number in range(len(circuit.maps)) if number not in read],
        )

    def _ports(self) -> list[Port]:
        colours, pixels, width = (
            self.circuit.size.channels,
            self.schedule.words[0].pixels,
            self.circuit.input.width_bits,
        )
        codes = f"the code of colour c at [{width}*c +: {width}]"
        if pixels > 1:
            codes = (
                f"the code of colour c of the word's pixel p, the leftmost first, at [{width}*({colours}*p + c) "
                f"+: {width}]"
            )
        return [
            ports.CLOCK,
            ports.reset("synchronous, active high; what has been taken of an image is forgotten"),
            ports.flag_in("in_valid"),
            ports.flag_out("in_ready"),
            ports.vector_in("in_codes", pixels * colours * width, comment=codes),
            ports.flag_out("out_valid"),
            *ports.results(self.dense.head),
        ]


def _collect(circuit: Circuit, schedule: Schedule) -> Gathered:
    """Registers that keep the bits of maps which the dense part reads."""
    maps, words, offsets = circuit.maps, schedule.words, circuit.map_offsets
    owner = np.searchsorted(offsets, circuit.body_bits, side="right") - 1
    bits = [""] * len(owner)
    collectors = []
    for place in circuit.collected:
        size, cut = maps[place], words[place]
        counter = Counter(cut.total)
        features = np.flatnonzero(owner == place)
        channel, pixel = np.divmod(circuit.body_bits[features] - offsets[place], size.pixels)
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
                    "number": counter.literal(number),
                    "part": names.part(first, count),
                    "bits": names.concatenation([f"bits{place}[{one}]" for one in reversed(kept)]),
                }
            )
            first += count
        collectors.append({"map": place, "range": names.vector(len(features)), "counter": counter, "words": parts})
    return Gathered("in_valid", {"in_codes": "dense_bits"}, collectors=collectors, bits=bits)
