"""The forms of a circuit: when and where its parts are computed, as `--conv` names them, and what each plans of a
circuit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from difflut.errors import ConfigError
from difflut.export.circuit.analysis import features_read
from difflut.export.circuit.circuit import BODY, Circuit, kernel_name
from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.pixel import pixel_netlist
from difflut.export.families.family import Family
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.schedule.estimate import ENCODER, KERNEL, LAYER, Part, estimate_luts, head_parts, netlist_parts
from difflut.export.schedule.folded.plan import FoldedDense, fold_dense, nodes_per_cycle
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import plan_head
from difflut.export.schedule.levels import Plan
from difflut.export.schedule.pipelining import LEVELS, Pipeline, plan_pipeline
from difflut.export.schedule.stream.plan import Schedule, kernel_luts, plan_schedule, stage_kernels
from difflut.export.schedule.stream.words import pixels_per_cycle_for
from difflut.export.schedule.timing import Timing, analyse


@dataclass(frozen=True, eq=False)
class Planned:
    """A circuit and when its parts are computed: everything that a back-end prints.

    Attributes:
        circuit: its stages assigned.
        family: the FPGA family.
        outputs: the result ports.
        registers: where they stand in the body; None where that is not planned but given.
    """

    circuit: Circuit
    family: Family
    outputs: Outputs
    registers: Plan | None

    @property
    def timing(self) -> Timing | None:
        """The estimated delays of the body's stages."""
        if self.registers is None:
            return None
        return analyse(self.circuit.body, self.family, self.registers, self.outputs)

    @property
    def comparators(self) -> int:
        """Comparators that are built."""
        return int(np.count_nonzero(self.circuit.body.compare_feature < self.circuit.input.features))  # others are bits

    @property
    def luts(self) -> int:
        """LUTs of the netlist that are built, or looked up in memory."""
        return self.circuit.body.luts

    @property
    def features_read(self) -> int:
        """Codes of a sample that the circuit reads."""
        return len(np.unique(self.circuit.input.features_and_bits(features_read(self.circuit.body))[0]))

    def codes_port(self) -> tuple[int, str]:
        """How many codes the port `in_codes` has in a cycle, and which, for people."""
        form = self.circuit.input
        return form.features, f"feature i is the code at in_codes[{form.width_bits}*i +: {form.width_bits}]"

    def parts(self) -> tuple[Part, ...]:
        """What the circuit is made of, in the order of the way through it."""
        return netlist_parts(self.circuit.body, self.family, self.outputs)


@dataclass(frozen=True, eq=False)
class Streamed(Planned):
    """A circuit that takes an image pixel by pixel.

    Attributes:
        schedule: when each layer takes and gives pixels.
    """

    schedule: Schedule

    @property
    def comparators(self) -> int:
        """As `Planned.comparators`."""
        compared = np.count_nonzero(self.circuit.compare_channel < self.circuit.size.channels)  # others are bits
        return self.schedule.words[0].pixels * int(compared)

    @property
    def luts(self) -> int:
        """As `Planned.luts`; each kernel counts as often as it is built."""
        return kernel_luts(self.circuit, self.schedule) + self.circuit.body.luts

    @property
    def features_read(self) -> int:
        """As `Planned.features_read`."""
        colours = self.circuit.pixel_format.features_and_bits(self.circuit.compare_channel)[0]
        return len(np.unique(colours)) * self.circuit.size.pixels

    def codes_port(self) -> tuple[int, str]:
        """As `Planned.codes_port`."""
        words, colours, width = self.schedule.words[0], self.circuit.size.channels, self.circuit.input.width_bits
        features = words.pixels * colours
        if words.pixels == 1:
            what = f"one pixel a cycle, row by row; colour c is the code at in_codes[{width}*c +: {width}]"
            return features, what
        what = (
            f"{words.pixels} adjacent pixels of a row a cycle, row by row; colour c of pixel p, the leftmost first, is "
            f"the code at in_codes[{width}*({colours}*p + c) +: {width}]"
        )
        last = words.columns - (words.row - 1) * words.pixels
        whole = last == words.pixels
        return features, what if whole else f"{what}; of the last word of a row only the low {last} count"

    def parts(self) -> tuple[Part, ...]:
        """Each kernel as often as it is built; masks, counters, registers of maps and what reads memories are not
        estimated.
        """
        circuit, family, words = self.circuit, self.family, self.schedule.words[0].pixels
        comparisons = plan_encoder(pixel_netlist(circuit, words), family).luts
        kernels = [
            Part(
                kernel_name(number),
                KERNEL,
                layer.kernel.luts,
                steps.lanes.count * sum(part.estimated_luts for part in estimate_luts(layer.kernel, family).layers),
                steps.lanes.count,
            )
            for number, (layer, steps) in enumerate(zip(circuit.layers, self.schedule.layers, strict=True), 1)
        ]
        return (Part("comparisons", ENCODER, 0, comparisons), *kernels, *self.body_parts())

    def body_parts(self) -> tuple[Part, ...]:
        """The layers behind the windows, and the head."""
        parts = netlist_parts(self.circuit.body, self.family, self.outputs)
        return tuple(part for part in parts if part.kind != ENCODER)


@dataclass(frozen=True, eq=False)
class FoldedStream(Streamed):
    """A circuit that takes an image pixel by pixel, its body a program in memories.

    Attributes:
        folded: the plan of the body.
    """

    folded: FoldedDense

    def body_parts(self) -> tuple[Part, ...]:
        """As `Streamed.body_parts`; LUTs in memory and the counter of scores are not estimated."""
        _, *selection = head_parts(plan_head(self.circuit.body.head, self.family, self.outputs), self.family)
        return (Part(BODY, LAYER, self.circuit.body.luts, None), *selection)


@dataclass(frozen=True)
class Form:
    """Everything at once: each node is built at every position, and a sample enters in one cycle.

    Attributes:
        name: as `--conv` takes it.
        windowed: whether kernels are built once and windows pass over maps, so that the circuit must be traced with
            them.
    """

    name = "unrolled"
    windowed = False

    def plan(self, circuit: Circuit, family: Family, outputs: Outputs, pipeline: Pipeline) -> Planned:
        """Plan a circuit.

        Raises:
            ConfigError: the options do not fit the circuit.
        """
        plan = plan_pipeline(circuit.body, family, pipeline, outputs)
        staged = circuit.map_parts(lambda _, part: assign_stages(part, plan.cells))
        return Planned(staged, family, outputs, plan)


@dataclass(frozen=True)
class Streaming(Form):
    """Each kernel once for each position that it makes in a cycle.

    Attributes:
        pixels_per_cycle: adjacent pixels of a row that are taken in a cycle, up to a whole row; strides restrict how
            many, see `difflut.export.schedule.stream.words`.
    """

    pixels_per_cycle: int = 1
    name = "streaming"
    windowed = True

    def plan(self, circuit: Circuit, family: Family, outputs: Outputs, pipeline: Pipeline) -> Planned:
        """As `Form.plan`; the bits that the body reads are registers, so by default none follow its level "encoder"."""
        staged = stage_kernels(circuit)
        schedule = plan_schedule(staged, self.pixels_per_cycle)
        plan = _plan_body(staged.body, family, pipeline, outputs)
        staged = replace(staged, body=assign_stages(staged.body, plan.cells))
        return Streamed(staged, family, outputs, plan, schedule)


@dataclass(frozen=True)
class Folded(Form):
    """An image in about so many cycles, or so many nodes of the body a cycle: several pixels a cycle if the cycles are
    fewer than an image has pixels, else the body as a program in memories.

    Attributes:
        cycles: how many an image may take.
        nodes_per_cycle: LUTs of the body that are looked up in a cycle, instead of `cycles`.
    """

    cycles: int | None = None
    nodes_per_cycle: int | None = None
    name = "folded"
    windowed = True

    def __post_init__(self) -> None:
        if self.nodes_per_cycle is not None and self.nodes_per_cycle < 1:
            raise ConfigError(f"folded: {self.nodes_per_cycle} nodes a cycle; expected at least 1")

    def plan(self, circuit: Circuit, family: Family, outputs: Outputs, pipeline: Pipeline) -> Planned:
        """As `Form.plan`; a body in memories has registers of its own."""
        if self.cycles is not None and self.cycles < circuit.size.pixels:
            pixels = pixels_per_cycle_for(stage_kernels(circuit), self.cycles)
            return Streaming(pixels).plan(circuit, family, outputs, pipeline)
        if pipeline != Pipeline():
            raise ConfigError("a folded circuit has registers of its own: leave out --pipeline, --fmax and --latency")
        staged = stage_kernels(circuit)
        schedule = plan_schedule(staged)
        nodes = self.nodes_per_cycle or nodes_per_cycle(staged, schedule, self.cycles or 1)
        folded = fold_dense(staged, schedule, nodes)
        return FoldedStream(staged, family, outputs, None, folded.schedule, folded)


def parse_form(text: str) -> Form:
    """`unrolled`, `streaming`, or `folded=N` with N >= 1.

    Raises:
        ConfigError: if it is none of these.
    """
    if text == Form.name:
        return Form()
    if text == Streaming.name:
        return Streaming()
    match = re.fullmatch(r"folded=([1-9]\d{0,8})", text)
    if match is None:
        raise ConfigError(
            f"--conv {text}: expected unrolled, streaming, or folded=N, where N is how many clock cycles an image may "
            "take, such as folded=4096"
        )
    return Folded(cycles=int(match[1]))


def _plan_body(body: Netlist, family: Family, asked: Pipeline, outputs: Outputs) -> Plan:
    plan = plan_pipeline(body, family, asked, outputs)
    if asked.spec != LEVELS:
        return plan
    return replace(plan, places=tuple(place for place, name in enumerate(plan.levels.names) if name != "encoder"))
