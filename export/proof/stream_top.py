"""Proof of the top of a streaming circuit: its wires, its counters, what it keeps of the maps, and when all of that
happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from difflut.export.circuit.circuit import Circuit as WindowedCircuit
from difflut.export.proof import graph as g
from difflut.export.proof.circuit import Bit, Circuit, Expansion
from difflut.export.proof.graph import FALSE, TRUE, Graph
from difflut.export.proof.report import OPEN, PROVED, Claim
from difflut.export.proof.solver import Answer, Solver
from difflut.export.proof.stream_map import MapTiming
from difflut.export.schedule.stream.words import Words


@dataclass(frozen=True)
class StreamTiming:
    """What `build.json` says of a streaming circuit, in clock cycles.

    Attributes:
        pause: no word is taken for so long after the last one of an image.
        dense_latency: from the dense part's input to its answer.
        latency: from the edge that takes the last word of an image to the one that shows out_valid.
        interval: from one image to the next, at least.
        hold: from the last word of an image to that of the next, at least; 0 if nothing but the words says so.
    """

    pause: int
    dense_latency: int
    latency: int
    interval: int
    hold: int = 0

    def holds(self, words: int) -> bool:
        """Whether the last of so many words waits."""
        return self.hold > words + self.pause

    @property
    def collect(self) -> int:
        """From the edge that takes the last word to the one at which the dense part takes all its bits."""
        return self.latency - self.dense_latency


@dataclass(frozen=True)
class MemoryTiming:
    """When a folded dense part writes and reads the bits of maps.

    Attributes:
        words: of each map that is kept, the cycles in which a position of it is written, from the one behind its valid.
        rows: cycles in which it reads, one behind the other.
        first_read: from the edge that takes its start to the first of them.
    """

    words: Mapping[int, int]
    rows: int
    first_read: int


def map_bits(circuit: Circuit, place: int) -> tuple[list[Bit], list[Bit]]:
    """The bits of a map's words and of their valid, in the top; empty if there are none."""
    if place == 0:
        return circuit.names.get("bits0", []), circuit.names.get("valid0", [])
    instance = circuit.instances.get(f"map{place}")
    return (instance.outputs.get("out_bits", []), instance.outputs.get("out_valid", [])) if instance else ([], [])


def prove_wiring(
    circuit: Circuit, netlist: WindowedCircuit, timing: StreamTiming, maps: Sequence[int] = (), start: str = "in_valid"
) -> Claim:
    """The modules inside of the top, and what is at each of their ports, bit by bit; `maps` are those that are
    written into memories of the dense part, `start` is its port that says that all bits are there.
    """
    statement = (
        "it contains a module for each layer and the dense part, all with its clock and reset; each layer is given "
        "the bits of its source and their valid, and the outputs are those of the dense part"
    )
    wrong = list(_wrong_wires(circuit, netlist, timing, maps, start))
    verdict, detail = (OPEN, "; ".join(wrong[:3])) if wrong else (PROVED, "by the wires")
    return Claim("wiring", statement, verdict, detail)


def _wrong_wires(
    circuit: Circuit, netlist: WindowedCircuit, timing: StreamTiming, maps: Sequence[int], start: str
) -> Iterator[str]:
    modules = {f"map{number}": f"{circuit.top}_map{number}" for number in range(1, len(netlist.layers) + 1)}
    modules |= {f"keep{place}": f"{circuit.top}_dense_keep{place}" for place in maps}
    modules["dense"] = f"{circuit.top}_dense"
    for name in sorted(modules.keys() ^ circuit.instances.keys()):
        yield f"{name} is missing" if name in modules else f"there is a module {name} too"
    common = {"clk": circuit.inputs.get("clk", []), "rst": circuit.inputs.get("rst", [])}
    for name in sorted(modules.keys() & circuit.instances.keys()):
        instance = circuit.instances[name]
        if instance.module != modules[name]:
            yield f"{name} is a {instance.module}"
        wanted = dict(common)
        if name.startswith("map"):
            wanted["in_bits"], wanted["in_valid"] = map_bits(circuit, netlist.layers[int(name[3:]) - 1].source)
        elif name.startswith("keep"):
            bits, wanted["in_valid"] = map_bits(circuit, int(name[4:]))
            if not {*instance.inputs.get("in_bits", [])} <= {*bits, "0"}:
                yield f"{name}.in_bits are no bits of the map"
        else:
            wanted[start] = circuit.names.get("finished", [])[timing.collect - 1 : timing.collect]
            for place in maps:
                keeper = circuit.instances.get(f"keep{place}")
                for what in ("write", "address", "word"):
                    wanted[f"in_{what}{place}"] = keeper.outputs.get(f"out_{what}", []) if keeper else []
        for port, bits in wanted.items():
            if instance.inputs.get(port) != bits or not bits:
                yield f"{name}.{port} is something else"
        if name == "dense":
            for port in sorted((instance.outputs.keys() | circuit.outputs.keys()) - {"in_ready"}):
                if instance.outputs.get(port) != circuit.outputs.get(port):
                    yield f"{port} is not that of the dense part"


def prove_control(circuit: Circuit, words: Words, timing: StreamTiming) -> Claim:
    """in_ready, the counters of the top, and the first valid bit, cycle by cycle for every state."""
    unit, last = _unit(words), words.total - 1
    held = ""
    if timing.holds(words.total):
        held = f", and before the last one until {timing.hold} cycles after that of the image before"
    statement = (
        f"in_ready is 1 but for {timing.pause} cycles after the last of {words.total} {unit}s{held}; {unit}s are "
        f"counted when taken; the dense part starts {timing.collect} cycles after the last, the first layer 1 cycle "
        "after each; rst clears all of it"
    )
    widths = {"count": _width(words.total), "finished": timing.collect, "valid0": 1}
    if timing.pause:
        widths["pause"] = _width(timing.pause + 1)
    if timing.holds(words.total):
        widths["hold"] = _width(timing.hold)
    for name, width in widths.items():
        bits = circuit.names.get(name, [])
        if len(bits) != width or any(bit not in circuit.next_of for bit in bits):
            return Claim("control", statement, OPEN, f"the RTL has no register {name} of {width} bits")
    ready = circuit.outputs.get("in_ready", [])
    if len(ready) != 1:
        return Claim("control", statement, OPEN, "the RTL has no output in_ready")
    graph = Graph()
    expansion = Expansion(circuit, graph, 0)
    state = {name: expansion.nodes([(bit, 0) for bit in circuit.names[name]]) for name in widths}
    after = {name: expansion.nodes([(circuit.next_of[bit], 0) for bit in circuit.names[name]]) for name in widths}
    rst, in_valid = graph.input(("rst", 0, 0)), graph.input(("in_valid", 0, 0))
    running = graph.not_(rst)
    end = _equals(graph, state["count"], last)
    waiting = graph.all_of([end, graph.any_of(state.get("hold", []))])
    free = graph.not_(graph.any_of([*state.get("pause", []), waiting]))
    take = graph.all_of([in_valid, free])
    last_taken = graph.all_of([take, end])
    expected = {
        "count": _counted(graph, state["count"], take, rst, end),
        "finished": [graph.all_of([running, bit]) for bit in [last_taken, *state["finished"][:-1]]],
        "valid0": [graph.all_of([running, take])],
    }
    for name, first in (("pause", timing.pause), ("hold", timing.hold - 1)):
        if name in widths:  # counts down to 0
            start = [TRUE if first >> bit & 1 else FALSE for bit in range(widths[name])]
            less = graph.multiplexer(state[name], _less_one(graph, state[name]), graph.any_of(state[name]))
            expected[name] = [graph.all_of([running, bit]) for bit in graph.multiplexer(less, start, last_taken)]
    pairs = [("in_ready", free, expansion.node(ready[0], 0))]
    pairs += [(name, mine, theirs) for name in widths for mine, theirs in zip(expected[name], after[name], strict=True)]
    solver = Solver(graph)
    wrong = sorted({name for name, mine, theirs in pairs if solver.compare(mine, theirs) is not Answer.EQUAL})
    questions = solver.questions
    solver.close()
    if wrong:
        return Claim("control", statement, OPEN, f"{', '.join(wrong)}: something else in some state")
    return Claim("control", statement, PROVED, f"for every state, {questions} by SAT")


def prove_kept(circuit: Circuit, netlist: WindowedCircuit, place: int, words: Words) -> Claim:
    """The registers of one map, which comes in `words`: each takes its bit at the word with its number, and keeps it
    otherwise; the words are counted."""
    unit = _unit(words)
    wanted = list(_kept_bits(netlist, place, words))
    statement = (
        f"{len(wanted)} inputs of the dense part are registers that take a bit of map {place} at their {unit} of it, "
        f"and keep it; {unit}s are counted from 0 to {words.total - 1}, 0 after rst"
    )

    def open_(why: str) -> Claim:
        return Claim(f"kept bits of map {place}", statement, OPEN, why)

    bits, valid_bits = map_bits(circuit, place)
    counter = circuit.names.get(f"word{place}", [])
    dense = circuit.instances["dense"].inputs.get("in_codes", []) if "dense" in circuit.instances else []
    if not counter:
        return open_(f"the RTL has no signal word{place}")
    if (
        len(bits) != words.pixels * netlist.maps[place].channels
        or len(valid_bits) != 1
        or len(dense) != len(netlist.body_bits)
        or 1 << len(counter) < words.total
    ):
        return open_("its signals have other widths")
    registers = [dense[feature] for feature, _, _ in wanted]
    if any(bit not in circuit.next_of for bit in [*registers, *counter]):
        return open_("an input of the dense part is no register")
    graph = Graph()
    expansion = Expansion(circuit, graph, 0)
    now = expansion.nodes([(bit, 0) for bit in [*bits, *valid_bits, *counter, *registers]])
    given, valid = now[: len(bits)], now[len(bits)]
    count, state = now[len(bits) + 1 :][: len(counter)], now[len(bits) + 1 + len(counter) :]
    after = expansion.nodes([(circuit.next_of[bit], 0) for bit in [*counter, *registers]])
    rst = graph.input(("rst", 0, 0))
    solver = Solver(graph)
    expected = [
        graph.multiplexer([old], [given[one]], graph.all_of([valid, _equals(graph, count, word)]))[0]
        for old, (_, one, word) in zip(state, wanted, strict=True)
    ]
    counted = _counted(graph, count, valid, rst, _equals(graph, count, words.total - 1))
    wrong = sum(
        solver.compare(mine, theirs) is not Answer.EQUAL
        for mine, theirs in zip([*counted, *expected], after, strict=True)
    )
    questions = solver.questions
    solver.close()
    if wrong:
        return open_(f"{wrong} of {len(after)} registers take something else")
    return Claim(f"kept bits of map {place}", statement, PROVED, f"register by register, {questions} by SAT")


def prove_schedule(
    netlist: WindowedCircuit,
    words: Sequence[Words],
    maps: Sequence[MapTiming | None],
    timing: StreamTiming,
    memory: MemoryTiming | None = None,
) -> Claim:
    """What the other claims about times give together, for images with any gaps between their words.

    Every event is a fixed number of cycles behind the cycle in which one word of the image is taken: word k of map 0
    comes 1 cycle after it was taken; a word of a layer's map so many cycles behind the word of its source that makes
    the step, and the steps without a word follow the last one cycle by cycle. Words are at least a cycle apart, and the
    next image begins at least `pause` + 1 cycles behind the last word. With a folded dense part, `memory`, the last
    words of two images are at least `hold` cycles apart.
    """
    statement = (
        f"all bits are kept before the dense part takes them, and until then; no layer is given a {_unit(words[0])} "
        f"before it has made all its steps of the image before; {timing.latency} cycles of latency, {timing.interval} "
        "cycles an image"
    )
    total = words[0].total
    if any(found is None for found in maps):
        return Claim("schedule", statement, OPEN, "it needs the claims about all windows")
    interval = max(total + timing.pause, timing.hold)
    if timing.interval != interval:
        return Claim("schedule", statement, OPEN, f"an image takes {interval} cycles at least")
    # For each map and word of it: the word of the image that it waits for, and how many cycles it comes behind that
    # one.
    events = [[(word, 1) for word in range(total)]]
    wrong = []
    next_image = timing.pause + 1
    for number, (layer, found) in enumerate(zip(netlist.layers, maps, strict=True), 1):
        assert found is not None
        source = events[layer.source]
        ends = len(source) - 1

        def at(step: int, source: list[tuple[int, int]] = source, ends: int = ends) -> tuple[int, int]:
            word, behind = source[min(step, ends)]
            return word, behind + max(0, step - ends)

        if _latest(at(found.steps - 1), total) >= next_image + _earliest(source):
            wrong.append(f"layer {number} is given a word of the next image while it makes steps of this one")
        levels = 1 + layer.kernel.last_stage
        events.append([(word, behind + levels) for word, behind in (at(step) for step in found.results)])
    if memory is not None:
        wrong += _wrong_times(events, timing, memory, total)
    for place in netlist.collected if memory is None else ():
        if max(_latest(event, total) for event in events[place]) >= timing.collect:
            wrong.append(f"map {place} is not complete when the dense part starts")
        if next_image + _earliest(events[place]) < timing.collect:
            wrong.append(f"map {place} of the next image comes before the dense part starts")
    if wrong:
        return Claim("schedule", statement, OPEN, "; ".join(wrong))
    return Claim("schedule", statement, PROVED, "by arithmetic, from the claims about control, windows and kernels")


def _wrong_times(
    events: Sequence[Sequence[tuple[int, int]]], timing: StreamTiming, memory: MemoryTiming, total: int
) -> Iterator[str]:
    """What comes too early or too late for the memories of a folded dense part.

    Images go into two halves in turn. Cycles count from the one in which the last word of an image is taken; what is
    written in a cycle can be read in the next one.
    """
    first_read = timing.collect + memory.first_read
    apart = max(timing.interval, timing.hold)  # the last words of two images
    if apart < memory.rows:
        yield "the dense part may start before it has made all its rows of the image before"
    for place, cycles in memory.words.items():
        some, next_first = events[place], timing.pause + 1 + _earliest(events[place])
        steps = [after[0] - before[0] + after[1] - before[1] for before, after in pairwise(some)]
        if min([*steps, next_first - _latest(some[-1], total)]) < cycles:
            yield f"a position of map {place} may come before the one before is written"
        if max(_latest(event, total) for event in some) + cycles >= first_read:
            yield f"map {place} is not written when the dense part reads it first"
        if apart + next_first + 1 <= first_read + memory.rows - 1:
            yield f"map {place} of the image after the next may be written while the dense part reads"


def _latest(event: tuple[int, int], total: int) -> int:
    """The latest cycle of an event, counted from the one in which the last word of the image is taken."""
    word, behind = event
    return behind - (total - 1 - word)


def _earliest(events: Sequence[tuple[int, int]]) -> int:
    """The earliest cycle of any of the events, counted from the one in which the first word of the image is taken."""
    return min(word + behind for word, behind in events)


def _kept_bits(netlist: WindowedCircuit, place: int, words: Words) -> Iterator[tuple[int, int, int]]:
    """Feature of the dense part, bit of a word and number of the word, of each bit of a map that it reads."""
    size = netlist.maps[place]
    first, after = netlist.map_offsets[place], netlist.map_offsets[place + 1]
    for feature in np.flatnonzero((netlist.body_bits >= first) & (netlist.body_bits < after)).tolist():
        channel, pixel = divmod(int(netlist.body_bits[feature] - first), size.pixels)
        row, column = divmod(pixel, size.columns)
        word, lane = divmod(column, words.pixels)
        yield feature, lane * size.channels + channel, row * words.row + word


def _unit(words: Words) -> str:
    return "pixel" if words.pixels == 1 else "word"


def _width(count: int) -> int:
    """Bits of a counter from 0 to count - 1."""
    return max(1, (count - 1).bit_length())


def _equals(graph: Graph, word: Sequence[int], number: int) -> int:
    return graph.all_of([node if number >> bit & 1 else graph.not_(node) for bit, node in enumerate(word)])


def _less_one(graph: Graph, word: Sequence[int]) -> list[int]:
    borrow, result = TRUE, []
    for node in word:
        result.append(graph.add((node, borrow), g.XOR))
        borrow = graph.all_of([graph.not_(node), borrow])
    return result


def _counted(graph: Graph, count: Sequence[int], valid: int, rst: int, last: int) -> list[int]:
    """What a counter of words must take over."""
    carry, result = TRUE, []
    running, clear = graph.not_(rst), graph.all_of([valid, last])
    for node in count:
        more = graph.add((node, carry), g.XOR)
        carry = graph.add((node, carry), g.AND)
        moved = graph.multiplexer([node], [more], valid)[0]
        result.append(graph.all_of([running, graph.multiplexer([moved], [FALSE], clear)[0]]))
    return result
