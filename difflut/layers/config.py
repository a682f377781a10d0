"""The options that every LUT layer takes, checked in one place."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from difflut.errors import ConfigError, UnknownNameError
from difflut.layers.connections import CONNECTIONS
from difflut.layers.gradients import GRADIENTS
from difflut.layers.initializers import INITIALIZERS
from difflut.layers.regularizers import REGULARIZERS
from difflut.nodes import FAMILIES, Nodes
from difflut.nodes.base import MAX_INPUTS


@dataclass(frozen=True)
class LayerConfig:
    """How the nodes of a layer are made, connected and trained. The defaults add nothing to plain training.

    Attributes:
        n: inputs per node, 1 to 8.
        family: the node family, a name of `difflut.nodes.FAMILIES` or a class of `Nodes`.
        connections: a name of `CONNECTIONS`.
        candidates: for learnable connections, how many input bits each node may choose from; None for all.
        node_options: further arguments of the family.
        initializer: a name of `INITIALIZERS`; None for the family's own initialisation.
        bit_flip: the probability, 0 to 1, that a node's output is flipped while training.
        gradient: what stabilises the gradient of the layer's output, a name of `GRADIENTS`.
        regularizers: weights of names of `REGULARIZERS`, which are added to the training loss.

    Raises:
        UnknownNameError: for a name that no registry has; lists the known ones.
        ConfigError: for a value outside its range.
    """

    n: int = 6
    family: str | type[Nodes] = "dwn_stable"
    connections: str = "random"
    candidates: int | None = None
    node_options: Mapping[str, Any] = field(default_factory=dict)
    initializer: str | None = None
    bit_flip: float = 0.0
    gradient: str = "none"
    regularizers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_family()
        _known("connections", self.connections, CONNECTIONS)
        _known("gradient stabilisation", self.gradient, GRADIENTS)
        if self.initializer is not None:
            _known("initializer", self.initializer, INITIALIZERS)
        for name, weight in self.regularizers.items():
            _known("regularizer", name, REGULARIZERS)
            if not 0 <= weight < float("inf"):
                raise ConfigError(f"LUT layer: regularizer {name!r} has weight {weight}; it must be finite and >= 0")
        if not 1 <= self.n <= MAX_INPUTS:
            raise ConfigError(f"LUT layer: n is {self.n}; a node has from 1 to {MAX_INPUTS} inputs")
        if not 0 <= self.bit_flip <= 1:
            raise ConfigError(f"LUT layer: bit_flip is {self.bit_flip}; it is a probability, from 0 to 1")
        if self.candidates is not None and self.connections != "learnable":
            raise ConfigError(
                f"LUT layer: candidates is for learnable connections; leave it None for {self.connections} ones"
            )
        self._check_node_options()
        # Copies, so that a caller's dictionary cannot change the configuration later.
        object.__setattr__(self, "node_options", dict(self.node_options))
        object.__setattr__(self, "regularizers", dict(self.regularizers))

    def _check_family(self) -> None:
        family: Any = self.family
        if isinstance(family, str):
            FAMILIES.find(family)
        elif not (isinstance(family, type) and issubclass(family, Nodes)):
            raise ConfigError(
                f"LUT layer: family is {family!r}; expected a name of difflut.nodes.FAMILIES or a subclass of Nodes"
            )
        else:
            object.__setattr__(self, "family", FAMILIES.name_of(family) or family)

    @property
    def nodes_class(self) -> type[Nodes]:
        """The class of the node family."""
        return FAMILIES[self.family] if isinstance(self.family, str) else self.family

    @property
    def family_name(self) -> str:
        """The name of the node family; that of its class if no registry has it."""
        return self.family if isinstance(self.family, str) else self.family.__name__

    def _check_node_options(self) -> None:
        parameters = list(inspect.signature(self.nodes_class).parameters.values())[2:]  # without nodes, n
        if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
            return
        known = {parameter.name for parameter in parameters}
        for name in self.node_options:
            if name not in known:
                options = ", ".join(sorted(known)) or "none"
                raise UnknownNameError(f"unknown node option {name!r} of family {self.family_name!r}; known: {options}")

    def keywords(self) -> dict[str, Any]:
        """The fields as keyword arguments, for `LUTLayer(in_width, nodes, **config.keywords())`."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def _known(what: str, name: str, registry: Mapping[str, object]) -> None:
    if name not in registry:
        raise UnknownNameError(f"unknown {what} {name!r}; known: {', '.join(sorted(registry))}")
