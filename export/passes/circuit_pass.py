"""A pass over a whole circuit: one that sees what its parts give each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper

from difflut.export.circuit.circuit import Circuit


class CircuitPass:
    """Marks a function as a pass over a circuit; `pipelines.run` gives other passes each part by itself.

        @CircuitPass
        def drop_unused_channels(circuit: Circuit) -> Circuit: ...

    The function gets a circuit that obeys all rules, which may be one of whole samples, and gives one that does and
    computes the same scores for all codes.
    """

    __name__: str

    def __init__(self, function: Callable[[Circuit], Circuit]) -> None:
        self._function = function
        update_wrapper(self, function)

    def __call__(self, circuit: Circuit) -> Circuit:
        return self._function(circuit)
