"""The proof of what lies behind the windows of a streaming build: a dense part that reads registers, or a program in
memories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from difflut.export.circuit.circuit import Circuit as WindowedCircuit
from difflut.export.proof.circuit import Circuit
from difflut.export.proof.core_ports import core_ports, prove_ports
from difflut.export.proof.expected import core_claims
from difflut.export.proof.folded import FoldedPlan, dense_ports, keeper_ports, memory_timing, prove_folded
from difflut.export.proof.report import PROVED, Claim, Counterexample
from difflut.export.proof.rtl import Progress, prove_rtl
from difflut.export.proof.stream_top import MemoryTiming, StreamTiming, prove_kept
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.stream.words import Words

Modules = Mapping[str, Circuit]


@dataclass(frozen=True, eq=False)
class Dense:
    """A dense part whose bits are kept in registers of the top.

    Attributes:
        netlist: the whole circuit.
        outputs: which results it gives.
        start: its port that says that all its bits are there.
        maps: those of which a module of their own writes bits into memories.
        memory: when these memories are written and read; None without them.
    """

    netlist: WindowedCircuit
    outputs: Outputs
    start: ClassVar[str] = "in_valid"

    @property
    def maps(self) -> tuple[int, ...]:
        return ()

    @property
    def memory(self) -> MemoryTiming | None:
        return None

    def modules(self, top: str) -> tuple[list[str], list[str]]:
        """The modules to read with the memories that they have, and those to read flat."""
        return [], [f"{top}_dense"]

    def ports(self, modules: Modules, top: str) -> list[Claim]:
        """A claim for the ports of each of its modules."""
        ends = core_ports(len(self.netlist.body_bits), self.outputs, self.netlist.body.head)
        return [prove_ports("dense part, ports", modules.get(f"{top}_dense"), *ends)]

    def kept(self, circuit: Circuit, words: Sequence[Words]) -> list[Claim]:
        """Claims about registers of the top."""
        return [prove_kept(circuit, self.netlist, place, words[place]) for place in self.netlist.collected]

    def prove(
        self, modules: Modules, top: str, wiring: Claim, timing: StreamTiming, progress: Progress
    ) -> tuple[list[Claim], Counterexample | None]:
        """The claims about its own modules, and an input that refutes one of them."""
        outcome = prove_rtl(modules[f"{top}_dense"], self.netlist.body, timing.dense_latency, progress)
        claims = [replace(claim, subject=f"dense part, {claim.subject}") for claim in outcome.claims]
        found = outcome.counterexample
        return claims, None if found is None else replace(found, claim="dense part", part="dense part")

    def expected(self) -> list[str]:
        """The subjects of all its claims."""
        kept = [f"kept bits of map {place}" for place in self.netlist.collected]
        return kept + [f"dense part, {subject}" for subject in core_claims(self.netlist.body, self.outputs)]


@dataclass(frozen=True, eq=False)
class FoldedDense(Dense):
    """A dense part that is a program in memories.

    Attributes:
        plan: what `build.json` says of it.
    """

    plan: FoldedPlan
    start: ClassVar[str] = "in_start"

    @property
    def maps(self) -> tuple[int, ...]:
        return self.plan.maps

    @property
    def memory(self) -> MemoryTiming:
        return memory_timing(self.plan, self.netlist)

    def modules(self, top: str) -> tuple[list[str], list[str]]:
        return [f"{top}_dense", *(f"{top}_dense_keep{place}" for place in self.maps)], []

    def ports(self, modules: Modules, top: str) -> list[Claim]:
        _, results = core_ports(len(self.netlist.body_bits), self.outputs, self.netlist.body.head)
        claims = [prove_ports("dense part, ports", modules.get(f"{top}_dense"), dense_ports(self.plan), results)]
        for place in self.maps:
            keeper, ends = modules.get(f"{top}_dense_keep{place}"), keeper_ports(self.plan, place, self.netlist)
            claims.append(prove_ports(f"kept bits of map {place}, ports", keeper, *ends))
        return claims

    def kept(self, circuit: Circuit, words: Sequence[Words]) -> list[Claim]:
        return []  # a keeper is a module of its own

    def prove(
        self, modules: Modules, top: str, wiring: Claim, timing: StreamTiming, progress: Progress
    ) -> tuple[list[Claim], Counterexample | None]:
        if wiring.verdict != PROVED:  # the program is read by it
            return [], None
        return list(prove_folded(modules, top, self.netlist, self.outputs, self.plan)), None

    def expected(self) -> list[str]:
        kept = [f"kept bits of map {place}{what}" for what in ("", ", ports") for place in self.maps]
        # Its nodes are rows of a program.
        core = [
            subject
            for subject in core_claims(self.netlist.body, self.outputs)
            if subject not in ("pipeline", "nodes", "encoder", "valid")
        ]
        return kept + [f"dense part, {subject}" for subject in (*core, "rows", "look-up", "sums", "program")]
