"""The one place where modules come into being: a template is rendered, and its ports and instances are kept as data."""

from __future__ import annotations

from collections.abc import Iterable

from difflut.export.families.family import Target
from difflut.export.schedule.head.plan import HeadPlan
from difflut.export.verilog import names
from difflut.export.verilog.design import Instance, Module, Port
from difflut.hdl_templates import render


class ModuleWriter:
    """Collects the modules of one design, whose names begin with that of the top."""

    def __init__(self, netlist: str, top: str) -> None:
        """`netlist` is the name of what is emitted, for comments."""
        self.top = top
        self._source = names.comment(netlist)
        self._modules: dict[str, Module] = {}

    @property
    def modules(self) -> tuple[Module, ...]:
        """What was written, and added, so far."""
        return tuple(self._modules.values())

    def write(
        self,
        template: str,
        suffix: str,
        ports: Iterable[Port | None],
        instances: Iterable[Instance | None] = (),
        **context: object,
    ) -> str:
        """Write a module and return its name.

        Args:
            template: the template's name without ".v.j2"; it includes `ports.v.j2`, which prints `ports`.
            suffix: follows the name of the top and an underscore; empty for the top itself.
            ports: None stands for a port that this module does not have.
            instances: those that the text has, which are printed by the macros of `parts.v.j2`; None stands for none.
            context: what else the template reads.
        """
        name = f"{self.top}_{suffix}" if suffix else self.top
        some = tuple(port for port in ports if port is not None)
        inner = tuple(instance for instance in instances if instance is not None)
        about = {"source": self._source, "module": name, "ports": some, "instances": inner, **context}
        self._modules[name] = Module(name, some, inner, render(f"{template}.v.j2", about))
        return name

    def add(self, modules: Iterable[Module]) -> None:
        """Take over the modules of a design that becomes a part of this one."""
        self._modules |= {module.name: module for module in modules}


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


def result_ports(head: HeadPlan) -> tuple[Port, ...]:
    """The ports that show the results of a head."""
    score, index, outputs = head.score_bits, head.class_bits, head.outputs
    ports = []
    if outputs.scores:
        ports.append(
            vector_out("out_scores", len(head.sizes) * score, comment=f"score k, unsigned, at [{score}*k +: {score}]")
        )
    if outputs.best:
        ports.append(vector_out("out_class", index, comment="the class of the largest score, the lowest of equals"))
    if outputs.top:
        ranks = "the class of rank i (0: the largest score; of equal scores the lower class first)"
        ports.append(vector_out("out_top", outputs.top * index, comment=f"{ranks} at [{index}*i +: {index}]"))
    return tuple(ports)


def straight(ports: Iterable[Port]) -> tuple[tuple[str, str], ...]:
    """Connections of ports to signals of the same names."""
    return tuple((port.name, port.name) for port in ports)


def primitive_models(target: Target) -> dict[str, str]:
    """File name -> text of the simulation models of the primitives that modules for a target may instantiate."""
    if target.instances is None:
        return {}
    return {f"{target.instances}_models.v": render(f"{target.instances}_models.v.j2", {})}
