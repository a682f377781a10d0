"""SAT on nodes of a graph, incremental: what was encoded and learnt for one question serves the next."""

from __future__ import annotations

import importlib.util
from enum import Enum
from typing import Any

from difflut.export.errors import ToolError
from difflut.export.proof.graph import FALSE, TRUE, Graph

CONFLICTS = 20_000
_SOLVER = "glucose4"


class Answer(Enum):
    """Whether two nodes are equal for all inputs."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


def require_sat() -> None:
    """Go on only if python-sat is installed.

    Raises:
        ToolError: it is not.
    """
    if importlib.util.find_spec("pysat") is None:
        raise ToolError("python-sat is missing; proofs need a SAT solver. Install it: pip install 'difflut[prove]'")


class Solver:
    """Answers questions about a graph that may grow in between.

    Attributes:
        model: input node -> bool after an answer DIFFERENT or a satisfied question.
        questions: how many were put.
    """

    def __init__(self, graph: Graph) -> None:
        require_sat()
        from pysat.solvers import Solver as Backend

        self.graph = graph
        self.model: dict[int, bool] = {}
        self.questions = 0
        self._backend: Any = Backend(name=_SOLVER)
        self._encoded: set[int] = {FALSE, TRUE}
        self._backend.add_clause([-self._variable(FALSE)])
        self._backend.add_clause([self._variable(TRUE)])

    def compare(self, a: int, b: int, conflicts: int = CONFLICTS) -> Answer:
        """Whether nodes `a` and `b` are equal for all inputs; `model` then holds an input where they are not."""
        if a == b:
            return Answer.EQUAL
        differ = self.graph.add((a, b), 0b0110)
        found = self.satisfy([differ], conflicts)
        if found is None:
            return Answer.UNKNOWN
        if found:
            return Answer.DIFFERENT
        self._backend.add_clause([-self._variable(differ)])
        return Answer.EQUAL

    def satisfy(self, nodes: list[int], conflicts: int = CONFLICTS) -> bool | None:
        """Whether some input makes all `nodes` 1; None if that was not found out within the number of conflicts."""
        self.questions += 1
        if FALSE in nodes:
            return False
        cone = self.graph.cone(nodes)
        for node in cone:
            self._encode(node)
        self._backend.conf_budget(conflicts)
        found = self._backend.solve_limited(assumptions=[self._variable(node) for node in nodes])
        if found:
            values = self._backend.get_model()
            self.model = {node: values[node] > 0 for node in cone if self.graph.is_input(node)}
        return None if found is None else bool(found)

    def close(self) -> None:
        """Free the solver's memory."""
        self._backend.delete()

    @staticmethod
    def _variable(node: int) -> int:
        return node + 1

    def _encode(self, node: int) -> None:
        if node in self._encoded:
            return
        self._encoded.add(node)
        feeds, table = self.graph.fanins[node], self.graph.tables[node]
        output = self._variable(node)
        if not feeds:
            self._backend.add_clause([output, -output])  # an input: makes the variable known
            return
        inputs = [self._variable(feed) for feed in feeds]
        for pattern, value in cubes(table, len(feeds)):
            clause = [-inputs[i] if bit else inputs[i] for i, bit in pattern]
            self._backend.add_clause([*clause, output if value else -output])


def cubes(table: int, n: int) -> list[tuple[list[tuple[int, int]], int]]:
    """Parts of the inputs' space, as (input, value) pairs, on which a table is constant; together they cover it."""
    result: list[tuple[list[tuple[int, int]], int]] = []

    def split(part: int, size: int, fixed: list[tuple[int, int]]) -> None:
        width = 1 << size
        if part == 0 or part == (1 << width) - 1:
            result.append((fixed, part & 1))
            return
        half = width // 2
        split(part & ((1 << half) - 1), size - 1, [*fixed, (size - 1, 0)])
        split(part >> half, size - 1, [*fixed, (size - 1, 1)])

    split(table, n, [])
    return result
