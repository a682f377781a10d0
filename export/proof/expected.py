"""The claims that a build's proof must make; one that is absent makes the proof fail."""

from __future__ import annotations

from collections.abc import Iterable

from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import Netlist
from difflut.export.proof.report import OPEN, Claim
from difflut.export.schedule.head.outputs import Outputs


def core_claims(netlist: Netlist, outputs: Outputs) -> list[str]:
    """Subjects of the claims about a circuit that takes whole samples."""
    subjects = ["ports", "pipeline", "nodes", "valid"]
    if netlist.comparators:
        subjects.append("encoder")
    if netlist.head.classes == 1 and not outputs.scores:  # nothing is counted and nothing chosen
        return [*subjects, "argmax"]
    subjects.append("group sum")
    return subjects + ["argmax"] * outputs.best + ["top-k"] * bool(outputs.top)


def stream_claims(netlist: Circuit, pixels_per_cycle: int) -> list[str]:
    """Subjects of the claims about a streaming circuit, but for those about its dense part."""
    subjects = ["ports", "pixel" if pixels_per_cycle == 1 else f"{pixels_per_cycle} pixels"]
    subjects += ["wiring", "control", "schedule"]
    for number in range(1, len(netlist.layers) + 1):
        subjects += [f"map {number}, ports", f"windows of map {number}", f"kernel {number}, ports", f"kernel {number}"]
    return subjects


def absent(expected: Iterable[str], claims: Iterable[Claim]) -> list[Claim]:
    """An open claim for each expected one that was not made."""
    made = {claim.subject for claim in claims}
    return [
        Claim(subject, "build.json asks for this claim", OPEN, "the proof did not come to it")
        for subject in expected
        if subject not in made
    ]
