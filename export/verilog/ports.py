"""The ports that modules have in common, and short ways to state others."""

from __future__ import annotations

from collections.abc import Iterable

from difflut.export.schedule.head.plan import HeadPlan
from difflut.export.verilog.design import Port

CLOCK = Port("clk", "input", 1, vector=False)


def reset(comment: str = "") -> Port:
    """The port `rst`."""
    return Port("rst", "input", 1, vector=False, comment=comment)


def flag_in(name: str, comment: str = "") -> Port:
    """An input of a single wire."""
    return Port(name, "input", 1, vector=False, comment=comment)


def flag_out(name: str, register: bool = False) -> Port:
    """An output of a single wire or register."""
    return Port(name, "output", 1, vector=False, register=register)


def vector_in(name: str, width_bits: int, comment: str = "") -> Port:
    """An input that is a vector."""
    return Port(name, "input", width_bits, comment=comment)


def vector_out(name: str, width_bits: int, register: bool = False, comment: str = "") -> Port:
    """An output that is a vector."""
    return Port(name, "output", width_bits, register=register, comment=comment)


def results(head: HeadPlan) -> tuple[Port, ...]:
    """The ports that show the results of a head."""
    score, index, outputs = head.score_bits, head.class_bits, head.outputs
    ports = []
    if outputs.scores:
        ports.append(
            vector_out("out_scores", len(head.sizes) * score, comment=f"score k, unsigned, at [{score}*k +: {score}]")
        )
    if outputs.best:
        ports.append(vector_out("out_class", index * max(1, len(head.selection.ranks)), comment=_of_class(head)))
    if outputs.top:
        ranks = "the class of rank i (0: the largest score; of equal scores the lower class first)"
        ports.append(vector_out("out_top", outputs.top * index, comment=f"{ranks} at [{index}*i +: {index}]"))
    return tuple(ports)


def _of_class(head: HeadPlan) -> str:
    decisions = len(head.selection.ranks)
    if decisions <= 1:
        return "the class of the largest score, the lowest of equals"
    return f"decision i of {decisions}, the index of its largest score, at [{head.class_bits}*i +: {head.class_bits}]"


def straight(some: Iterable[Port]) -> dict[str, str]:
    """Connections of ports to signals of the same names."""
    return {port.name: port.name for port in some}
