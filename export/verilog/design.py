"""What a back-end gives: modules with their ports and instances as data, and how the parts of the circuit are found in
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from difflut.export.circuit.netlist import IntArray
from difflut.export.schedule.head.plan import HeadPlan


@dataclass(frozen=True)
class Port:
    """A port of a module.

    Attributes:
        name: its identifier.
        direction: "input" or "output".
        width_bits: its bits.
        vector: whether it is declared with a range, which it may be with one bit; otherwise it is a single wire.
        register: whether an output is declared as a register.
        comment: what the text says of it, one line.
    """

    name: str
    direction: Literal["input", "output"]
    width_bits: int
    vector: bool = True
    register: bool = False
    comment: str = ""

    @property
    def declared(self) -> str:
        """Kind and range as they are declared: "reg [7:0]"."""
        kind = "reg" if self.register else "wire"
        return f"{kind} [{self.width_bits - 1}:0]" if self.vector else kind


@dataclass(frozen=True)
class Instance:
    """An instance of a module of the design within another one; vendors' primitives are none.

    Attributes:
        name: its identifier.
        module: the name of its module.
        connections: the expression at each port of its module, by name.
    """

    name: str
    module: str
    connections: Mapping[str, str]


@dataclass(frozen=True)
class Module:
    """A module: its Verilog text, and the ports and instances that the text has."""

    name: str
    ports: tuple[Port, ...]
    instances: tuple[Instance, ...]
    text: str


@dataclass(frozen=True, eq=False)
class Probe:
    """An RTL signal that carries nets of the netlist.

    Attributes:
        signal: the hierarchical name below the top, for example "stage2.out_bits".
        nets: int32 (width,): the net of each bit, bit 0 first.
        stage_cycles: the signal answers an input this many clock edges later, counted like `latency_cycles`.
    """

    signal: str
    nets: IntArray
    stage_cycles: int


@dataclass(frozen=True, eq=False)
class Design:
    """An emitted circuit.

    Attributes:
        top: the name of the top module.
        modules: all modules, each once.
        latency_cycles: an input sampled with `in_valid` at one rising edge, of an image the last one, is answered with
            `out_valid`, as sampled this many rising edges later.
        initiation_interval: clock cycles from one sample to the next.
        probes: signals that show all comparators and LUTs, each once; none where kernels are shared by positions.
        parts: the hierarchical names below the top of the instances that compute each part of the circuit: "encoder",
            "layer 1" (of windows), "kernel 1", "stage 2" (of LUTs), "group sum", "argmax" or "top-k"; behind layers
            "body" and its parts "body, encoder" and so on.
        head: the plan of the head.
        models: file name -> text of simulation models of the primitives that the modules may instantiate; they are no
            part of the design.
    """

    top: str
    modules: tuple[Module, ...]
    latency_cycles: int
    initiation_interval: int
    probes: tuple[Probe, ...]
    parts: Mapping[str, tuple[str, ...]]
    head: HeadPlan
    models: Mapping[str, str]

    @property
    def files(self) -> dict[str, str]:
        """File name -> text, one module a file, named like the module, in the order of their names."""
        return {f"{module.name}.v": module.text for module in sorted(self.modules, key=lambda module: module.name)}

    def module(self, name: str) -> Module:
        """The module of a name.

        Raises:
            KeyError: there is none.
        """
        return {module.name: module for module in self.modules}[name]
