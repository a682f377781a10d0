"""Proof of a streaming build, part by part, and that the parts play together in time.

Each part's RTL is read back from its text and proved equal to its part of the netlist, for all inputs of that part: the
comparisons of a pixel, kernels, and the dense part. Windows and what is kept of the maps, the wires between the parts,
and when each of them takes and gives its bits, are difflut.export.proof.stream_map and stream_top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from difflut.export.circuit.bits import unpack
from difflut.export.circuit.circuit import Circuit as WindowedCircuit
from difflut.export.circuit.netlist import InputFormat, Netlist
from difflut.export.circuit.pixel import pixel_netlist
from difflut.export.circuit.simulate import simulate
from difflut.export.proof.circuit import Bit, Circuit, Expansion, Simulation
from difflut.export.proof.clock_enable import enabled
from difflut.export.proof.core_ports import core_ports, prove_ports
from difflut.export.proof.dense import Dense
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import Graph
from difflut.export.proof.read_back import read_modules
from difflut.export.proof.report import OPEN, PROVED, REFUTED, Claim, Counterexample
from difflut.export.proof.rtl import Progress, RtlOutcome
from difflut.export.proof.solver import Answer, Solver
from difflut.export.proof.specification import CODES, Codes, add_netlist, code_rows, codes_of_model
from difflut.export.proof.stream_map import MapTiming, prove_map
from difflut.export.proof.stream_top import StreamTiming, prove_control, prove_schedule, prove_wiring
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.stream.words import Words, plan_words


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
    outputs: Outputs,
    timing: StreamTiming,
    progress: Progress,
    pixels_per_cycle: int = 1,
    dense: Dense | None = None,
    *,
    clock_enable: bool = False,
) -> RtlOutcome:
    """Prove each part, or find an input of it that refutes it, and that the parts play together.

    Args:
        sources: file name -> Verilog text.
        top: the streaming core's module.
        netlist: what it must compute.
        outputs: which results it gives.
        timing: when it must take and give what.
        progress: is told how far things are.
        pixels_per_cycle: adjacent pixels that the circuit takes in a cycle.
        dense: how the dense part is proved; by default one that reads registers.
        clock_enable: whether all modules have one, which is then 1; see `difflut.export.proof.clock_enable`.

    If a module has other ports than expected, there are no claims but those about ports.

    Raises:
        ProofError: a part is no synchronous circuit of one clock, or lacks what every emitted one has.
        ToolError: Yosys refuses the text.
    """
    claims: list[Claim] = []
    examples: list[Counterexample | None] = []
    kernels = len(netlist.layers)
    progress("reading the RTL", 0, 1)
    layers = range(1, kernels + 1)
    dense = dense or Dense(netlist, outputs)
    kept, flat = dense.modules(top)
    parts = [f"{top}_{kind}{number}" for kind in ("map", "kernel") for number in layers]
    modules = read_modules(sources, top, [*parts, *kept], flat)
    if clock_enable:
        modules = {name: enabled(circuit) for name, circuit in modules.items()}
    words = plan_words(netlist, pixels_per_cycle)
    claims += _ports(modules, top, netlist, outputs, words, dense)
    if any(claim.verdict != PROVED for claim in claims):
        return RtlOutcome(claims, None)  # all else relies on them
    circuit = modules[top]
    timings: list[MapTiming | None] = []
    for number in range(kernels + 1):
        progress("pixels, windows and kernels", number, kernels + 1)
        if number == 0:
            part = pixel_part(circuit, netlist, pixels_per_cycle)
        else:
            claim, found = prove_map(modules[f"{top}_map{number}"], netlist, number, words)
            claims.append(claim)
            timings.append(found)
            part = kernel_part(modules[f"{top}_kernel{number}"], netlist.layers[number - 1].kernel, number)
        claim, example = prove_part(part)
        claims.append(claim)
        examples.append(example)
    wiring = prove_wiring(circuit, netlist, timing, dense.maps, dense.start)
    claims += [wiring, prove_control(circuit, words[0], timing), *dense.kept(circuit, words)]
    claims.append(prove_schedule(netlist, words, timings, timing, dense.memory))
    own, example = dense.prove(modules, top, wiring, timing, progress)
    claims += own
    examples.append(example)
    return RtlOutcome(claims, next((example for example in examples if example is not None), None))


def _ports(
    modules: Mapping[str, Circuit],
    top: str,
    netlist: WindowedCircuit,
    outputs: Outputs,
    words: Sequence[Words],
    dense: Dense,
) -> list[Claim]:
    """A claim for the ports of each module."""
    head = netlist.body.head
    codes = words[0].pixels * netlist.size.channels * netlist.input.width_bits
    bits = [words[place].pixels * size.channels for place, size in enumerate(netlist.maps)]
    claims = [
        prove_ports("ports", modules.get(top), *core_ports(codes, outputs, head, ready=True)),
        *dense.ports(modules, top),
    ]
    for number, layer in enumerate(netlist.layers, 1):
        inputs = {"clk": 1, "rst": 1, "in_valid": 1, "in_bits": bits[layer.source]}
        given = {"out_valid": 1, "out_bits": bits[number]}
        claims.append(prove_ports(f"map {number}, ports", modules.get(f"{top}_map{number}"), inputs, given))
        read = {"clk": 1, "in_bits": max(1, layer.kernel.comparators)}
        kernel = modules.get(f"{top}_kernel{number}")
        claims.append(prove_ports(f"kernel {number}, ports", kernel, read, {"out_bits": layer.kernel.head.classes}))
    return claims


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
