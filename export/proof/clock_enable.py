"""Proof of a clock enable: with it low nothing changes, so the cycles with it high are those of a circuit without it.

With `ce` low every register keeps its value and no memory is written; no output, and no address at which a memory is
read, depends on it. So what the circuit shows in the cycles with `ce` high is what it would show if they were all there
are: a circuit whose `ce` is 1, of which all other claims speak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from difflut.export.proof.circuit import Bit, Circuit, Expansion, Instance
from difflut.export.proof.errors import ProofError
from difflut.export.proof.graph import FALSE, Graph
from difflut.export.proof.read_back import read_modules
from difflut.export.proof.report import OPEN, PROVED, Claim
from difflut.export.verilog.clock_enable import ENABLE

_SHOWN = 3


def prove_clock_enable(sources: Mapping[str, str], top: str) -> Claim:
    """That a design has the input `ce`, and does nothing without it.

    Args:
        sources: file name -> Verilog text.
        top: the core's module.

    Raises:
        ToolError: Yosys refuses the text.
    """
    statement = (
        f"{ENABLE.name} is an input too; with it low every register keeps its value and no memory is written; outputs "
        "do not depend on it: the other claims speak of the cycles with it high"
    )
    try:
        circuit = read_modules(sources, top, [])[top]
        wrong = list(_wrong(circuit))
    except ProofError as error:
        return Claim("clock enable", statement, OPEN, str(error))
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        return Claim("clock enable", statement, OPEN, f"{', '.join(wrong[:_SHOWN])}{more}")
    registers = f"{len(circuit.next_of)} flip-flops and {len(circuit.memories)} memories"
    return Claim("clock enable", statement, PROVED, f"by structure, {registers}")


def _wrong(circuit: Circuit) -> Iterator[str]:
    """What of a flat circuit changes without the enable, or depends on it."""
    if len(circuit.inputs.get(ENABLE.name, [])) != 1:
        yield f"there is no input {ENABLE.name} of one bit"
        return
    still = _tied(circuit, "0")
    expansion = Expansion(still, Graph(), 0)
    for bit, following in still.next_of.items():
        if expansion.node(following, 0) != expansion.node(bit, 0):
            yield f"register {still.signal_of.get(bit, bit)} changes"
    for memory in still.memories:
        if any(node != FALSE for node in expansion.nodes([(bit, 0) for bit in memory.enable])):
            yield f"memory {memory.name} is written"
    graph = Graph()
    free = Expansion(circuit, graph, 0)
    seen = {name: bits for name, bits in circuit.outputs.items()}
    seen |= {f"the address of memory {memory.name}": memory.read_address for memory in circuit.memories}
    enable = graph.input((ENABLE.name, 0, 0))
    for name, bits in seen.items():
        if enable in graph.cone(free.nodes([(bit, 0) for bit in bits])):
            yield f"{name} depends on it"


def enabled(circuit: Circuit) -> Circuit:
    """A circuit whose clock enable, and that of the modules inside, is 1; without the ports.

    Raises:
        ProofError: a module inside has another clock enable than the circuit.
    """
    return _tied(circuit, "1")


def _tied(circuit: Circuit, value: Bit) -> Circuit:
    """A circuit whose clock enable is a constant; one without it, and without modules that have one, as it is."""
    own = circuit.inputs.get(ENABLE.name, [])
    held = own[0] if own else None

    def bits_of(bits: list[Bit]) -> list[Bit]:
        return [value if bit == held else bit for bit in bits] if held in bits else bits

    def ports(sides: Mapping[str, list[Bit]]) -> dict[str, list[Bit]]:
        return {name: bits_of(bits) for name, bits in sides.items() if name != ENABLE.name}

    def inside(name: str, instance: Instance) -> Instance:
        if instance.inputs.get(ENABLE.name, own) != own:
            raise ProofError(f"{name}.{ENABLE.name} in module {circuit.top} is something else")
        return replace(instance, inputs=ports(instance.inputs))

    return replace(
        circuit,
        inputs={name: bits for name, bits in circuit.inputs.items() if name != ENABLE.name},
        outputs={name: bits_of(bits) for name, bits in circuit.outputs.items()},
        cells=[
            replace(cell, inputs={port: bits_of(bits) for port, bits in cell.inputs.items()}) for cell in circuit.cells
        ],
        next_of={bit: bits_of([following])[0] for bit, following in circuit.next_of.items()},
        names={name: bits_of(bits) for name, bits in circuit.names.items()},
        instances={name: inside(name, instance) for name, instance in circuit.instances.items()},
        memories=[
            replace(
                memory,
                read_address=bits_of(memory.read_address),
                write_address=bits_of(memory.write_address),
                write_data=bits_of(memory.write_data),
                enable=bits_of(memory.enable),
            )
            for memory in circuit.memories
        ],
    )
