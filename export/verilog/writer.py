"""The one place where modules come into being: a template is rendered, and its ports and instances are kept as data."""

from __future__ import annotations

from collections.abc import Iterable

from difflut.export.families.family import Family
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

        Raises:
            ValueError: `suffix` is none of `difflut.export.verilog.names.MODULE_ENDING`.
        """
        name = f"{self.top}_{suffix}" if suffix else self.top
        if suffix and not names.MODULE_ENDING.fullmatch(f"_{suffix}"):
            raise ValueError(f"module {name}: its ending is missing in MODULE_ENDING")
        some = tuple(port for port in ports if port is not None)
        inner = tuple(instance for instance in instances if instance is not None)
        about = {"source": self._source, "module": name, "ports": some, "instances": inner, **context}
        self._modules[name] = Module(name, some, inner, render(f"{template}.v.j2", about))
        return name

    def add(self, modules: Iterable[Module]) -> None:
        """Take over the modules of a design that becomes a part of this one."""
        self._modules |= {module.name: module for module in modules}


def primitive_models(family: Family) -> dict[str, str]:
    """File name -> text of the simulation models of the primitives that modules for a family may instantiate."""
    if family.primitives is None:
        return {}
    return {f"{family.primitives}_models.v": render(f"{family.primitives}_models.v.j2", {})}
