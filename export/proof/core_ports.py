"""The exact ports of modules."""

from __future__ import annotations

from collections.abc import Mapping

from difflut.export.circuit.netlist import Head
from difflut.export.proof.circuit import Circuit
from difflut.export.proof.report import OPEN, PROVED, Claim
from difflut.export.schedule.head.outputs import Outputs

Widths = Mapping[str, int]


def core_ports(codes_bits: int, outputs: Outputs, head: Head, ready: bool = False) -> tuple[Widths, Widths]:
    """Inputs and outputs of the module that takes codes and gives results: name -> width in bits.

    Args:
        codes_bits: the width of `in_codes`.
        outputs: which results it gives.
        head: its scores.
        ready: whether it has `in_ready`.
    """
    inputs = {"clk": 1, "rst": 1, "in_valid": 1, "in_codes": codes_bits}
    given = {"out_valid": 1} | ({"in_ready": 1} if ready else {})
    if outputs.scores:
        given["out_scores"] = head.classes * head.score_width_bits
    if outputs.best:
        given["out_class"] = head.class_word_bits
    if outputs.top:
        given["out_top"] = outputs.top * head.class_width_bits
    return inputs, given


def prove_ports(subject: str, circuit: Circuit | None, inputs: Widths, outputs: Widths) -> Claim:
    """Whether a module has these ports, with these widths, and no others."""
    listed = ", ".join(f"{name}[{width}]" for name, width in {**inputs, **outputs}.items())
    statement = f"the ports are {listed}, and no others"
    if circuit is None:
        return Claim(subject, statement, OPEN, "the RTL has no such module")
    wrong = []
    for direction, wanted, found in (("input", inputs, circuit.inputs), ("output", outputs, circuit.outputs)):
        for name in sorted(wanted.keys() | found.keys()):
            width = len(found[name]) if name in found else None
            if width != wanted.get(name):
                has = "is missing" if width is None else f"has {width} bit{'s' if width != 1 else ''}"
                expected = f"expected {wanted[name]}" if name in wanted else "expected no such port"
                wrong.append(f"{direction} {name} {has}, {expected}")
    return Claim(subject, statement, OPEN if wrong else PROVED, "; ".join(wrong) or "by value")
