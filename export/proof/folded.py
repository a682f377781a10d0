"""Proof of a folded dense part: its program, read from the memories of the text, computes the netlist; its registers
and memories run that program, in every state; the bits of the maps lie in time where the program reads them.

What a row does at which clock edge is `difflut.export.schedule.folded.pipeline`, which the RTL is held to here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from difflut.export.builds.info import ProgramInfo
from difflut.export.circuit.circuit import Circuit as WindowedCircuit
from difflut.export.proof import graph as g
from difflut.export.proof.circuit import Bit, Circuit, Expansion, Memory
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import FALSE, Graph
from difflut.export.proof.report import OPEN, PROVED, Claim
from difflut.export.proof.rtl import only_class, prove_outputs
from difflut.export.proof.specification import CODES, add_netlist, nets_in_head
from difflut.export.proof.stream_top import MemoryTiming, map_bits
from difflut.export.proof.transition import Refused, Transition
from difflut.export.schedule.folded.memory import Bank, Layout
from difflut.export.schedule.folded.pipeline import PIPELINE
from difflut.export.schedule.head.outputs import Outputs


@dataclass(frozen=True, eq=False)
class FoldedPlan:
    """What `build.json` says of a folded dense part.

    Attributes:
        lanes, inputs, rows: of the program.
        hold: least cycles between the last words of two images.
        layout: the banks: one of each map that is read, then one of results if there are any; no addresses.
        maps: the map of each bank but that of results.
        latency: from the edge that takes the start to the one that shows `out_valid`.
    """

    lanes: int
    inputs: int
    rows: int
    hold: int
    layout: Layout
    maps: tuple[int, ...]
    latency: int

    @property
    def result_rows(self) -> int:
        """Rows whose results other rows may read."""
        return sum(bank.words for bank in self.layout.banks if bank.halves == 1)

    @property
    def selection_cycles(self) -> int:
        """Registers behind the scores."""
        return self.latency - self.rows - PIPELINE.scores

    def bank_of(self, place: int) -> Bank:
        """The bank of a map."""
        return self.layout.banks[self.maps.index(place)]

    def words(self, place: int, netlist: WindowedCircuit) -> int:
        """Words of memory that a position of a map takes."""
        return self.bank_of(place).words // netlist.maps[place].pixels


def plan_of(program: ProgramInfo, latency: int, netlist: WindowedCircuit) -> FoldedPlan:
    """The plan that a `build.json` states.

    Raises:
        ProofError: it contradicts itself or the circuit.
    """
    banks, maps = [], []
    for bank in program.banks:
        if bank.map is None:
            banks.append(Bank("_results", bank.width_bits, bank.words, halves=1))
            continue
        places = netlist.maps[bank.map].pixels if bank.map < len(netlist.maps) else 0
        if not places or bank.words % (2 * places):
            raise ProofError(f"build.json has a bank of {bank.words} words for map {bank.map}; expected two images")
        banks.append(Bank(str(bank.map), bank.width_bits, bank.words // 2, halves=2))
        maps.append(bank.map)
    if not maps or [bank.halves for bank in banks] != sorted((bank.halves for bank in banks), reverse=True):
        raise ProofError("build.json has no bank for a map, or one behind that of results")
    if program.copies % program.nodes_per_cycle:
        raise ProofError("build.json has another number of copies than lanes times inputs")
    layout = Layout(tuple(banks), np.zeros(0, np.int64))
    inputs = program.copies // program.nodes_per_cycle
    plan = FoldedPlan(
        program.nodes_per_cycle, inputs, program.program_cycles, program.hold_cycles, layout, tuple(maps), latency
    )
    if not 1 <= inputs <= 8 or plan.selection_cycles < 0 or len(banks) - len(maps) > 1:
        raise ProofError("build.json has a program of more inputs, more banks or less cycles than there can be")
    return plan


def dense_ports(plan: FoldedPlan) -> dict[str, int]:
    """The inputs of the module of the dense part: name -> width in bits."""
    ports = {"clk": 1, "rst": 1, "in_start": 1}
    for bank in plan.layout.banks[: len(plan.maps)]:
        ports |= {f"in_write{bank.name}": 1, f"in_address{bank.name}": bank.word_bits + 1}
        ports[f"in_word{bank.name}"] = bank.width_bits
    return ports


def keeper_ports(plan: FoldedPlan, place: int, netlist: WindowedCircuit) -> tuple[dict[str, int], dict[str, int]]:
    """Inputs and outputs of the module that writes a map: name -> width in bits."""
    bank = plan.bank_of(place)
    given = {"clk": 1, "rst": 1, "in_valid": 1, "in_bits": plan.words(place, netlist) * bank.width_bits}
    return given, {"out_write": 1, "out_address": bank.word_bits + 1, "out_word": bank.width_bits}


def memory_timing(plan: FoldedPlan, netlist: WindowedCircuit) -> MemoryTiming:
    """When the memories are written and read."""
    words = {place: plan.words(place, netlist) for place in plan.maps}
    return MemoryTiming(words, plan.rows, PIPELINE.read)


def prove_folded(
    modules: Mapping[str, Circuit], top: str, netlist: WindowedCircuit, outputs: Outputs, plan: FoldedPlan
) -> Iterator[Claim]:
    """The claims about a folded dense part, apart from its ports, its wires and its schedule.

    Args:
        modules: the top, `<top>_dense` flat with its memories, and `<top>_dense_keep<map>`.
        top: the name of the top.
        netlist: what the whole circuit computes.
        outputs: which results it gives.
        plan: what the dense part must be.
    """
    for place in plan.maps:
        yield _keeper(modules[f"{top}_dense_keep{place}"], netlist, place, plan)
    dense = modules[f"{top}_dense"]
    yield _claim(
        "rows",
        (
            f"{plan.rows} rows follow the start, one a cycle; {PIPELINE.scores} cycles behind the last one the scores "
            f"are marked, and out_valid {plan.selection_cycles} later; rst clears all of it"
        ),
        lambda: _rows(dense, plan),
    )
    yield _claim(
        "look-up",
        (
            f"each of {plan.lanes} lanes looks up the table of its row at {plan.inputs} bits, each read from a copy "
            "of all memories at the address of its row; the copies are written alike"
        ),
        lambda: _look_up(dense, plan),
    )
    score_bits = netlist.body.head.score_width_bits
    yield _claim(
        "sums",
        "the results of a row are added to a sum, which moves into the scores after a marked row and is 0 again",
        lambda: _sums(dense, plan, netlist.body.head.classes, score_bits),
    )
    yield _claim(
        "program",
        (
            "what its rows look up and mark, read from the memories of the text, counts for each score the nets "
            "that the netlist counts; no row reads a result before it is written"
        ),
        lambda: _program(dense, modules[top], netlist, plan),
    )
    yield from _outputs(dense, netlist, outputs, plan)


def _claim(subject: str, statement: str, prove: Callable[[], str]) -> Claim:
    try:
        return Claim(f"dense part, {subject}", statement, PROVED, prove())
    except (Refused, ProofError) as error:
        return Claim(f"dense part, {subject}", statement, OPEN, str(error))


def _keeper(circuit: Circuit, netlist: WindowedCircuit, place: int, plan: FoldedPlan) -> Claim:
    bank, words = plan.bank_of(place), plan.words(place, netlist)
    statement = (
        f"the bits of a position of map {place} are written as {words} word{'s' if words > 1 else ''} in the cycles "
        "that follow, position after position, the images into one half and the other in turn, from 0 on after rst"
    )

    def prove() -> str:
        step = Transition(circuit)
        graph, rst = step.graph, step.port("rst")[0]
        valid, bits = step.port("in_valid")[0], step.port("in_bits")
        left, address = step.register("left", words.bit_length()), step.register("address", bank.word_bits)
        half, rest = step.register("half", 1)[0], step.register("rest", len(bits))
        busy, end = graph.any_of(left), step.equals(address, bank.words - 1)
        fewer = graph.multiplexer(left, step.less_one(left), busy)
        moved = graph.multiplexer(step.plus_one(address), [FALSE] * len(address), end)
        shifted = [*rest[bank.width_bits :], *[FALSE] * bank.width_bits] if words > 1 else rest
        step.takes("left", step.cleared(graph.multiplexer(fewer, step.number(words, len(left)), valid), rst))
        step.takes("address", step.cleared(graph.multiplexer(address, moved, busy), rst))
        step.takes("half", step.cleared([graph.add((half, graph.all_of([busy, end])), g.XOR)], rst))
        step.takes("rest", graph.multiplexer(shifted, bits, valid))
        step.gives("out_write", [busy])
        step.gives("out_address", [*address, half])
        step.gives("out_word", rest[: bank.width_bits])
        return step.close()

    return replace(_claim("", statement, prove), subject=f"kept bits of map {place}")


def _rows(circuit: Circuit, plan: FoldedPlan) -> str:
    step = Transition(circuit)
    graph, rst, start = step.graph, step.port("rst")[0], step.port("in_start")[0]
    running, half = step.register("running", 1)[0], step.register("half", 1)[0]
    row = step.register("row", max(1, (plan.rows - 1).bit_length()))
    end = step.equals(row, plan.rows - 1)
    on = graph.any_of([start, graph.all_of([running, graph.not_(end)])])
    moved = step.cleared(step.plus_one(row), end)
    step.takes("running", step.cleared([on], rst))
    step.takes("row", step.cleared(graph.multiplexer(row, moved, running), graph.any_of([rst, start])))
    step.takes("half", [graph.any_of([rst, graph.add((half, start), g.XOR)])])
    step.takes("half1", [half])
    step.shifts("valid", PIPELINE.counts, running, rst)
    step.shifts("ends", PIPELINE.scores, graph.all_of([running, end]), rst)
    before = row
    for number in range(1, _row_delays(plan) + 1):
        step.takes(f"row{number}", before)
        before = step.register(f"row{number}", len(row))
    done = step.register("ends", PIPELINE.scores)[-1]
    if plan.selection_cycles:
        step.shifts("answered", plan.selection_cycles, done, rst)
        done = step.register("answered", plan.selection_cycles)[-1]
    step.gives("out_valid", [done])
    return step.close()


def _row_delays(plan: FoldedPlan) -> int:
    return PIPELINE.results if plan.result_rows else PIPELINE.table_row


def _look_up(circuit: Circuit, plan: FoldedPlan) -> str:
    step, layout = Transition(circuit), plan.layout
    memories = {memory.name: memory for memory in circuit.memories}
    copies = [f"lane{lane}.input{place}" for lane in range(plan.lanes) for place in range(plan.inputs)]
    expected = {f"{copy}.bank{bank.name}" for copy in copies for bank in layout.banks}
    expected |= {"program_memory.connections", "program_memory.tables"}
    if expected != memories.keys():
        raise Refused("it has other memories than those of the program and a copy of each bank for each input")
    graph, row_bits = step.graph, max(1, (plan.rows - 1).bit_length())
    size = layout.address_bits
    connections = step.register("connections", len(copies) * size + 1)
    tables = step.register("tables", plan.lanes << plan.inputs)
    table_word = step.register("program_memory.table_word", len(tables))
    step.same("the row of the connections", step.nodes(memories["program_memory.connections"].read_address),
              step.register("row", row_bits))  # fmt: skip
    step.same("the row of the tables", step.nodes(memories["program_memory.tables"].read_address),
              step.register(f"row{PIPELINE.table_row}", row_bits))  # fmt: skip
    step.takes("connections", step.nodes(memories["program_memory.connections"].read_data))
    step.takes("program_memory.table_word", step.nodes(memories["program_memory.tables"].read_data))
    step.takes("tables", table_word)
    nodes = step.register("nodes", plan.lanes)
    written = {bank.name: [step.port(f"in_{what}{bank.name}") for what in ("write", "address", "word")]
               for bank in layout.banks[: len(plan.maps)]}  # fmt: skip
    if plan.result_rows:
        row = step.register(f"row{PIPELINE.results}", row_bits)
        early = graph.not_(graph.greater(row, step.number(plan.result_rows - 1, row_bits)))
        valid = step.register("valid", PIPELINE.counts)[PIPELINE.results - 1]
        place = (row + [FALSE] * layout.banks[-1].word_bits)[: layout.banks[-1].word_bits]
        written["_results"] = [[graph.all_of([valid, early])], place, nodes]
    for number, copy in enumerate(copies):
        address = connections[number * size :][:size]
        _copy(step, copy, memories, layout, address, written)
    for lane in range(plan.lanes):
        bits = [step.register(f"lane{lane}.input{place}.out_bit", 1)[0] for place in range(plan.inputs)]
        table = tables[lane << plan.inputs :][: 1 << plan.inputs]
        for bit in bits:
            table = [graph.add((low, high, bit), g.MUX) for low, high in zip(table[::2], table[1::2], strict=True)]
        step.takes_bit(f"node {lane}", "nodes", lane, table[0])
    return step.close()


def _copy(
    step: Transition,
    copy: str,
    memories: Mapping[str, Memory],
    layout: Layout,
    address: Sequence[int],
    written: Mapping[str, Sequence[Sequence[int]]],
) -> None:
    """What one input of one lane reads: a bit of a copy of all banks."""
    graph, several = step.graph, len(layout.banks) > 1
    place_bits = max(bank.place_bits for bank in layout.banks)
    place = step.register(f"{copy}.place", place_bits)
    step.takes(f"{copy}.read_place", address[:place_bits])
    step.takes(f"{copy}.place", step.register(f"{copy}.read_place", place_bits))
    chosen: list[int] = []
    if several:
        chosen = step.register(f"{copy}.bank", layout.address_bits - layout.bank_bit)
        step.takes(f"{copy}.read_bank", address[layout.bank_bit :])
        step.takes(f"{copy}.bank", step.register(f"{copy}.read_bank", len(chosen)))
    defined, ones = [], []
    for number, bank in enumerate(layout.banks):
        memory = memories[f"{copy}.bank{bank.name}"]
        word = address[bank.place_bits :][: bank.word_bits]
        half = step.register("half1", 1) if bank.halves > 1 else []
        step.same(f"the address of {memory.name}", step.nodes(memory.read_address), [*word, *half])
        write, at, data = written[bank.name]
        step.same(f"what writes {memory.name}", step.nodes(memory.enable), list(write) * bank.width_bits)
        step.same(f"where {memory.name} is written", step.nodes(memory.write_address), at, when=write[0])
        step.same(f"what is written into {memory.name}", step.nodes(memory.write_data), data, when=write[0])
        step.takes(f"{copy}.read{bank.name}", step.nodes(memory.read_data))
        step.takes(f"{copy}.word{bank.name}", step.register(f"{copy}.read{bank.name}", bank.width_bits))
        for bit, node in enumerate(step.register(f"{copy}.word{bank.name}", bank.width_bits)):
            here = graph.all_of([step.equals(place[: bank.place_bits], bit), step.equals(chosen, number)])
            defined.append(here)
            ones.append(graph.all_of([here, node]))
    step.takes(f"{copy}.out_bit", [graph.any_of(ones)], when=graph.any_of(defined))


def _sums(circuit: Circuit, plan: FoldedPlan, classes: int, score_bits: int) -> str:
    step = Transition(circuit)
    graph, rst, width = step.graph, step.port("rst")[0], plan.lanes.bit_length()
    total_bits, mark = max(score_bits, width), PIPELINE.counts - PIPELINE.connections
    nodes, counted = step.register("nodes", plan.lanes), [FALSE] * width
    for node in nodes:
        counted = step.plus(counted, [node])
    step.takes("count", counted)
    marked = step.register("connections", plan.lanes * plan.inputs * plan.layout.address_bits + 1)[-1]
    step.shifts("score_ends", mark, marked, FALSE)
    last = step.register("score_ends", mark)[-1]
    valid = step.register("valid", PIPELINE.counts)[-1]
    before, scores = step.register("sum", total_bits), step.register("scores", classes * score_bits)
    total = step.plus(before, step.register("count", width))
    step.takes("sum", step.cleared(graph.multiplexer(before, step.cleared(total, last), valid), rst))
    moved = [*scores[score_bits:], *total[:score_bits]]
    step.takes("scores", graph.multiplexer(scores, moved, graph.all_of([valid, last])))
    return step.close()


def _program(circuit: Circuit, top: Circuit, netlist: WindowedCircuit, plan: FoldedPlan) -> str:
    memories = {memory.name: memory for memory in circuit.memories}
    graph, body = Graph(), netlist.body
    nets = add_netlist(graph, body, 0)
    names = ("program_memory.connections", "program_memory.tables")
    widths = (plan.lanes * plan.inputs * plan.layout.address_bits + 1, plan.lanes << plan.inputs)
    contents = []
    for name, width in zip(names, widths, strict=True):
        memory = memories.get(name)
        words = [memory.constant_word(row) for row in range(plan.rows)] if memory is not None else []
        if any(word is None or len(word) != width for word in words) or len(words) != plan.rows:
            raise Refused(f"{name} has no {plan.rows} words of {width} bits that never change")
        contents.append([_value(word) for word in words if word is not None])
    read_only, tables = contents
    bits = _bits_of_maps(graph, top, netlist, plan)
    results: list[list[int]] = []
    segments: list[list[int]] = [[]]
    for row, (connections, looked_up) in enumerate(zip(read_only, tables, strict=True)):
        given = []
        for lane in range(plan.lanes):
            feeds = []
            for place in range(plan.inputs):
                number = lane * plan.inputs + place
                address = connections >> number * plan.layout.address_bits & (1 << plan.layout.address_bits) - 1
                feeds.append(_read(graph, plan, bits, results, row, address))
            table = looked_up >> (lane << plan.inputs) & (1 << (1 << plan.inputs)) - 1
            given.append(graph.add(feeds, table))
        results.append(given)
        segments[-1] += [node for node in given if node != FALSE]
        if connections >> (widths[0] - 1):
            segments.append([])
    if segments.pop() or len(segments) < body.head.classes:
        raise Refused("its last row is not marked, or less rows than there are scores")
    for score, (found, wanted) in enumerate(zip(segments[-body.head.classes :], nets_in_head(body), strict=True)):
        if Counter(found) != Counter(nets[net] for net in wanted if nets[net] != FALSE):
            raise Refused(f"score {score} counts other bits than the netlist")
        if len(found) >> body.head.score_width_bits:
            raise Refused(f"score {score} counts more bits than it can hold")
    return f"row by row, {plan.rows} rows of {plan.lanes}"


def _value(word: Sequence[Bit]) -> int:
    return sum(1 << place for place, bit in enumerate(word) if bit == "1")


def _bits_of_maps(
    graph: Graph, top: Circuit, netlist: WindowedCircuit, plan: FoldedPlan
) -> dict[tuple[int, int, int], int]:
    """The node of each bit of the maps that is kept, by bank, word of a half, and place in it."""
    feature = {int(bit): number for number, bit in enumerate(netlist.body_bits.tolist())}
    found = {}
    for number, place in enumerate(plan.maps):
        size, bank, words = netlist.maps[place], plan.bank_of(place), plan.words(place, netlist)
        source = {bit: channel for channel, bit in enumerate(map_bits(top, place)[0])}
        for index, bit in enumerate(top.instances[f"keep{place}"].inputs["in_bits"]):
            if bit not in source:
                continue
            for position in range(size.pixels):
                of_map = int(netlist.map_offsets[place]) + source[bit] * size.pixels + position
                if of_map in feature:
                    word = position * words + index // bank.width_bits
                    node = graph.input((CODES, feature[of_map], 0))
                    found[number, word, index % bank.width_bits] = node
    return found


def _read(
    graph: Graph,
    plan: FoldedPlan,
    bits: Mapping[tuple[int, int, int], int],
    results: Sequence[Sequence[int]],
    row: int,
    address: int,
) -> int:
    """What a row reads at an address: a bit of a map, a result of an earlier row, or something unknown."""
    layout = plan.layout
    number = address >> layout.bank_bit if len(layout.banks) > 1 else 0
    unknown = graph.input(("nothing", address, row))
    if number >= len(layout.banks):
        return unknown
    bank = layout.banks[number]
    place = address & (1 << bank.place_bits) - 1
    word = address >> bank.place_bits & (1 << bank.word_bits) - 1
    if bank.halves > 1:
        return bits.get((number, word, place), unknown)
    if place >= plan.lanes or word >= plan.result_rows or word + PIPELINE.result_rows > row:
        return unknown
    return results[word][place]


def _outputs(circuit: Circuit, netlist: WindowedCircuit, outputs: Outputs, plan: FoldedPlan) -> Iterator[Claim]:
    """The results as functions of the scores."""
    head, later = netlist.body.head, plan.selection_cycles
    bits = circuit.names.get("scores", [])
    cut = replace(circuit, next_of={bit: after for bit, after in circuit.next_of.items() if bit not in set(bits)})
    graph = Graph()
    expansion = Expansion(cut, graph, later)
    statement = f"out_scores are the scores, {later} cycles later"
    try:
        scores = expansion.nodes([(bit, later) for bit in bits])
        given = {
            port: expansion.nodes([(bit, 0) for bit in circuit.outputs.get(port, [])])
            for port in ("out_scores", "out_class", "out_top")
        }
    except ProofError as error:
        yield Claim("dense part, group sum", statement, OPEN, str(error))
        return
    width = head.class_width_bits
    ranked = [given["out_top"][low : low + width] for low in range(0, len(given["out_top"]), width)]
    if head.classes == 1 and not outputs.scores:
        claim = only_class(given["out_class"], ranked)
        yield replace(claim, subject=f"dense part, {claim.subject}")
        return
    right = len(scores) == head.classes * head.score_width_bits and given["out_scores"] in ([], scores)
    yield Claim("dense part, group sum", statement, PROVED if right else OPEN, "by the wires")
    words = [scores[low : low + head.score_width_bits] for low in range(0, len(scores), head.score_width_bits)]
    for claim in prove_outputs(graph, words, lambda node: node, given["out_class"], ranked, netlist.body):
        yield replace(claim, subject=f"dense part, {claim.subject}")
