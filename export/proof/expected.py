"""The claims that a build's proof must make; one that is absent makes the proof fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


def stream_claims(
    netlist: Circuit, outputs: Outputs, pixels_per_cycle: int, folded: Sequence[int] | None = None
) -> list[str]:
    """Subjects of the claims about a streaming circuit; `folded` are the maps that a folded dense part keeps."""
    subjects = ["ports", "pixel" if pixels_per_cycle == 1 else f"{pixels_per_cycle} pixels"]
    subjects += ["wiring", "control", "schedule"]
    for number in range(1, len(netlist.layers) + 1):
        subjects += [f"map {number}, ports", f"windows of map {number}", f"kernel {number}, ports", f"kernel {number}"]
    subjects += [f"kept bits of map {place}" for place in (netlist.collected if folded is None else folded)]
    dense = core_claims(netlist.body, outputs)
    if folded is not None:  # its nodes are rows of a program
        subjects += [f"kept bits of map {place}, ports" for place in folded]
        dense = [subject for subject in dense if subject not in ("pipeline", "nodes", "encoder", "valid")]
        dense += ["rows", "look-up", "sums", "program"]
    return subjects + [f"dense part, {subject}" for subject in dense]


def absent(expected: Iterable[str], claims: Iterable[Claim]) -> list[Claim]:
    """An open claim for each expected one that was not made."""
    made = {claim.subject for claim in claims}
    return [
        Claim(subject, "build.json asks for this claim", OPEN, "the proof did not come to it")
        for subject in expected
        if subject not in made
    ]
