"""Proof of a streaming build, part by part: comparisons of a pixel, kernels, what is kept of the maps, the dense part.

Each part's RTL is read back from its text and proved equal to its part of the netlist, for all inputs of that part. How the
parts play together in time (`NOT_PROVED`) is no part of it; simulation against PyTorch checks that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from difflut.export.circuit.bits import unpack
from difflut.export.circuit.circuit import Circuit as WindowedCircuit
from difflut.export.circuit.netlist import InputFormat, Netlist
from difflut.export.circuit.pixel import pixel_netlist
from difflut.export.circuit.simulate import simulate
from difflut.export.proof import graph as g
from difflut.export.proof.circuit import Bit, Circuit, Expansion, Simulation
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import FALSE, TRUE, Graph
from difflut.export.proof.read_back import read_back
from difflut.export.proof.report import OPEN, PROVED, REFUTED, Claim, Counterexample
from difflut.export.proof.rtl import Progress, RtlOutcome, prove_rtl
from difflut.export.proof.solver import Answer, Solver
from difflut.export.proof.specification import CODES, Codes, add_netlist, code_rows, codes_of_model
from difflut.export.schedule.stream.words import Words, plan_words

NOT_PROVED = (
    "that windows hold the pixels that they should: line buffers, masks at the borders, strides",
    "when each part takes and gives its bits, in_ready, and that the dense part starts when all its bits are kept",
)
_PORTS = re.compile(r"^(module\s+\w+\s*\((.*?)\);)", re.DOTALL | re.MULTILINE)
_INPUT = re.compile(r"input wire (?:\[\d+:0\] )?(\w+)")


@dataclass(frozen=True)
class Part:
    """A part of the RTL and what it must compute.

    Attributes:
        subject: its name.
        what: for the statement, such as "32 outputs are the kernel's".
        circuit: its inputs are `in_codes`, its outputs `out`.
        netlist: score k is one net, which is output k.
        latency: clock edges from input to output.
    """

    subject: str
    what: str
    circuit: Circuit
    netlist: Netlist
    latency: int


def prove_convolution(
    sources: Mapping[str, str],
    top: str,
    netlist: WindowedCircuit,
    dense_latency: int,
    progress: Progress,
    pixels_per_cycle: int = 1,
) -> RtlOutcome:
    """Prove each part, or find an input of it that refutes it.

    Args:
        sources: module name -> its Verilog text.
        top: the streaming core's module.
        netlist: what it must compute.
        dense_latency: clock edges from the dense part's input to its answer.
        progress: is told how far things are.
        pixels_per_cycle: adjacent pixels that the circuit takes in a cycle.

    Raises:
        ProofError: a part is no synchronous circuit of one clock, or lacks what every emitted one has.
        ToolError: Yosys refuses the text.
    """
    claims: list[Claim] = []
    found: Counterexample | None = None
    kernels = len(netlist.layers)
    progress("pixels and kernels", 0, kernels + 1)
    circuit = read_top(sources, top)
    words = plan_words(netlist, pixels_per_cycle)
    claim, found = prove_part(pixel_part(circuit, netlist, pixels_per_cycle))
    claims.append(claim)
    for number, layer in enumerate(netlist.layers, 1):
        progress("pixels and kernels", number, kernels + 1)
        claim, example = prove_part(kernel_part(_read(sources, f"{top}_kernel{number}"), layer.kernel, number))
        claims.append(claim)
        found = found or example
    claims.append(prove_wiring(circuit, netlist))
    claims += [prove_kept(circuit, netlist, place, words[place]) for place in netlist.collected]
    dense = {name: text for name, text in sources.items() if name.startswith(f"{top}_dense")}
    outcome = prove_rtl(read_back(dense, f"{top}_dense"), netlist.body, dense_latency, progress)
    claims += [replace(claim, subject=f"dense part, {claim.subject}") for claim in outcome.claims]
    if found is None and outcome.counterexample is not None:
        found = replace(outcome.counterexample, claim="dense part", part="dense part")
    return RtlOutcome(claims, found)


def prove_part(part: Part) -> tuple[Claim, Counterexample | None]:
    """Prove each output of a part by SAT, or give an input, confirmed by running both, on which one is wrong."""
    graph, netlist = Graph(), part.netlist
    nets = add_netlist(graph, netlist, part.latency)
    expansion = Expansion(part.circuit, graph, part.latency + 1)
    given = expansion.nodes([(bit, 0) for bit in part.circuit.outputs["out"]])
    expected = [nets[net] for net in netlist.head.nets.tolist()]
    statement = f"{part.what}, {part.latency} clock cycle{'s' if part.latency != 1 else ''} later"
    if len(given) != len(expected):
        return Claim(part.subject, statement, OPEN, f"the RTL has {len(given)} outputs"), None
    names = {node: key for key, node in graph.inputs.items()}
    read = [names[node] for node in graph.cone(given) if node in names]
    if any(port != CODES or time != part.latency for port, _, time in read):
        return Claim(part.subject, statement, OPEN, "it depends on something else, or on another time"), None
    solver = Solver(graph)
    open_ = 0
    for mine, theirs in zip(expected, given, strict=True):
        answer = solver.compare(mine, theirs)
        open_ += answer is not Answer.EQUAL
        if answer is Answer.DIFFERENT:
            example = _confirm(
                part, codes_of_model(netlist.input, graph, solver.model, np.zeros(netlist.input.features))
            )
            if example is not None:
                solver.close()
                return Claim(part.subject, statement, REFUTED, "an input gives another output"), example
    questions = solver.questions
    solver.close()
    if open_:
        return Claim(part.subject, statement, OPEN, f"{open_} outputs were not decided"), None
    return Claim(part.subject, statement, PROVED, f"{len(given) - questions} by structure, {questions} by SAT"), None


def _confirm(part: Part, codes: Codes) -> Counterexample | None:
    """Run both on the codes; the difference, if there is one."""
    right = simulate(part.netlist, codes[None])
    simulation = Simulation(part.circuit, 1)
    outputs = {}
    for _ in range(part.latency + 1):
        outputs = simulation.step({CODES: code_rows(part.netlist.input, codes[None])})
    got = unpack(outputs["out"], 1)[:, 0].astype(np.int64).tolist()
    if got == right.scores[0].tolist():
        return None
    return Counterexample(
        claim=part.subject,
        codes=codes.tolist(),
        expected_scores=right.scores[0].tolist(),
        expected_class=int(right.classes[0]),
        scores=got,
        classes=None,
        part=part.subject,
    )


def _read(sources: Mapping[str, str], module: str) -> Circuit:
    if module not in sources:
        raise ProofError(f"the build has no module {module}")
    return read_back({module: sources[module]}, module)


def kernel_part(circuit: Circuit, kernel: Netlist, number: int) -> Part:
    """A kernel's module takes only those bits of a window that the kernel reads, in the order of its comparators."""
    count = kernel.comparators
    # A module has one input bit at least.
    own = kernel.with_(input=InputFormat(max(1, count), 1), compare_feature=np.arange(count, dtype=np.int32))
    outputs = kernel.head.classes
    what = f"its {outputs} output{'s are' if outputs != 1 else ' is'} what the netlist of the kernel gives"
    return Part(
        f"kernel {number}", what, _part_of(circuit, "in_bits", circuit.outputs["out_bits"]), own, kernel.last_stage
    )


def pixel_part(circuit: Circuit, netlist: WindowedCircuit, pixels: int = 1) -> Part:
    """The signal `bits0` of the top module, which the encoder's registers drive."""
    if "bits0" not in circuit.names:
        raise ProofError(f"module {circuit.top} has no signal bits0")
    own = pixel_netlist(netlist, pixels)
    what = f"its {own.head.classes} bits are the comparisons of its codes"
    return Part(
        "pixel" if pixels == 1 else f"{pixels} pixels", what, _part_of(circuit, CODES, circuit.names["bits0"]), own, 1
    )


def _part_of(circuit: Circuit, port: str, outputs: Sequence[Bit]) -> Circuit:
    """The part of a circuit on which some bits depend, as a circuit with the input `in_codes` and the output `out`."""
    seen: set[Bit] = set()
    todo = list(outputs)
    while todo:
        bit = todo.pop()
        if bit in seen:
            continue
        seen.add(bit)
        if bit in circuit.next_of:
            todo.append(circuit.next_of[bit])
        elif bit in circuit.driver:
            todo += [wire for wires in circuit.driver[bit].inputs.values() for wire in wires]
    return Circuit(
        top=circuit.top,
        inputs={CODES if name == port else name: bits for name, bits in circuit.inputs.items()},
        outputs={"out": list(outputs)},
        cells=[cell for cell in circuit.cells if not seen.isdisjoint(cell.outputs)],
        next_of={bit: following for bit, following in circuit.next_of.items() if bit in seen},
        names=circuit.names,
    )


# --- What the top module keeps of the maps ---------------------------------------------------------------------------


def read_top(sources: Mapping[str, str], top: str) -> Circuit:
    """The top module and the encoder: of the others only the ports, so that what they give may be anything."""
    if top not in sources:
        raise ProofError(f"the build has no module {top}")
    used = set(re.findall(rf"^  ({re.escape(top)}_\w+) \w+ \($", sources[top], re.MULTILINE))
    stubs = {name: text if name == f"{top}_encoder" else _stub(text) for name, text in sources.items() if name in used}
    return read_back({top: sources[top], **stubs}, top)


def _stub(text: str) -> str:
    """The ports of a module, its inputs kept although nothing reads them."""
    found = _PORTS.search(text)
    if found is None:
        raise ProofError("a module of the build has no list of ports")
    inputs = ", ".join(_INPUT.findall(found[2]))
    return f"{found[1]}\n  (* keep *) wire kept = ^{{{inputs}}};\nendmodule\n"


def prove_wiring(circuit: Circuit, netlist: WindowedCircuit) -> Claim:
    """Ports of the modules inside of the top are the signals that they should be, bit by bit."""
    wanted = {"dense.in_codes": "dense_bits"}
    for number, layer in enumerate(netlist.layers, 1):
        wanted |= {f"map{number}.in_{what}": f"{what}{layer.source}" for what in ("bits", "valid")}
        wanted |= {f"map{number}.out_{what}": f"{what}{number}" for what in ("bits", "valid")}
        wanted[f"map{number}.rst"] = "rst"
    names = circuit.names
    wrong = [port for port, signal in wanted.items() if port not in names or names[port] != names.get(signal)]
    statement = "each layer is given the bits of its source and their valid, the dense part the kept bits"
    verdict, detail = (OPEN, f"{wrong[0]} is something else") if wrong else (PROVED, "by the wires")
    return Claim("wiring", statement, verdict, detail)


def prove_kept(circuit: Circuit, netlist: WindowedCircuit, place: int, words: Words) -> Claim:
    """The registers of one map, which comes in `words`: each takes its bit at the word with its number, and keeps it
    otherwise; the words are counted."""
    unit = "pixel" if words.pixels == 1 else "word"
    wanted = list(_kept_bits(netlist, place, words))
    statement = (
        f"{len(wanted)} inputs of the dense part are registers that take a bit of map {place} at their {unit} of it, and keep it; "
        f"{unit}s are counted from 0 to {words.total - 1}, 0 after rst"
    )

    def open_(why: str) -> Claim:
        return Claim(f"kept bits of map {place}", statement, OPEN, why)

    names = circuit.names
    needed = ("dense_bits", f"bits{place}", f"valid{place}", f"word{place}")
    missing = [name for name in needed if name not in names]
    if missing:
        return open_(f"the RTL has no signal {missing[0]}")
    bits, counter = names[f"bits{place}"], names[f"word{place}"]
    if (
        len(bits) != words.pixels * netlist.maps[place].channels
        or len(names["dense_bits"]) != len(netlist.body_bits)
        or 1 << len(counter) < words.total
    ):
        return open_("its signals have other widths")
    registers = [names["dense_bits"][feature] for feature, _, _ in wanted]
    if any(bit not in circuit.next_of for bit in [*registers, *counter]):
        return open_("an input of the dense part is no register")
    graph = Graph()
    expansion = Expansion(circuit, graph, 0)
    now = expansion.nodes([(bit, 0) for bit in [*bits, *names[f"valid{place}"], *counter, *registers]])
    given, valid = now[: len(bits)], now[len(bits)]
    count, state = now[len(bits) + 1 :][: len(counter)], now[len(bits) + 1 + len(counter) :]
    after = expansion.nodes([(circuit.next_of[bit], 0) for bit in [*counter, *registers]])
    rst = graph.input(("rst", 0, 0))

    def at(number: int) -> int:
        return graph.all_of([node if number >> bit & 1 else graph.not_(node) for bit, node in enumerate(count)])

    solver = Solver(graph)
    expected = [
        graph.multiplexer([old], [given[one]], graph.all_of([valid, at(word)]))[0]
        for old, (_, one, word) in zip(state, wanted, strict=True)
    ]
    counted = _counted(graph, count, valid, rst, at(words.total - 1))
    wrong = sum(
        solver.compare(mine, theirs) is not Answer.EQUAL
        for mine, theirs in zip([*counted, *expected], after, strict=True)
    )
    questions = solver.questions
    solver.close()
    if wrong:
        return open_(f"{wrong} of {len(after)} registers take something else")
    return Claim(f"kept bits of map {place}", statement, PROVED, f"register by register, {questions} by SAT")


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


def _kept_bits(netlist: WindowedCircuit, place: int, words: Words) -> Iterator[tuple[int, int, int]]:
    """Feature of the dense part, bit of a word and number of the word, of each bit of a map that it reads."""
    size = netlist.maps[place]
    first, after = netlist.map_offsets[place], netlist.map_offsets[place + 1]
    for feature in np.flatnonzero((netlist.body_bits >= first) & (netlist.body_bits < after)).tolist():
        channel, pixel = divmod(int(netlist.body_bits[feature] - first), size.pixels)
        row, column = divmod(pixel, size.columns)
        word, lane = divmod(column, words.pixels)
        yield feature, lane * size.channels + channel, row * words.row + word
