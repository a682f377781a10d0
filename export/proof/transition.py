"""One clock cycle of a circuit in every state: what its registers and outputs must be, name by name."""

from __future__ import annotations

from collections.abc import Sequence

from difflut.export.proof import graph as g
from difflut.export.proof.circuit import Bit, Circuit, Expansion
from difflut.export.proof.graph import FALSE, TRUE, Graph
from difflut.export.proof.solver import Answer, Solver


class Refused(Exception):
    """A circuit does something else; the text says what."""


class Transition:
    """Compares what a circuit does in one cycle with what is expected, by SAT; what memories give may be anything."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.graph = Graph()
        self._expansion = Expansion(circuit, self.graph, 0)
        self._solver = Solver(self.graph)

    def close(self) -> str:
        """How it was proved; ends the solver."""
        questions = self._solver.questions
        self._solver.close()
        return f"for every state, {questions} by SAT"

    def nodes(self, bits: Sequence[Bit]) -> list[int]:
        """The nodes of bits in this cycle."""
        return self._expansion.nodes([(bit, 0) for bit in bits])

    def port(self, name: str) -> list[int]:
        """The nodes of an input."""
        return self.nodes(self.circuit.inputs.get(name, []))

    def _register(self, name: str, width: int | None = None) -> list[Bit]:
        bits = self.circuit.names.get(name, [])
        if any(bit not in self.circuit.next_of for bit in bits) or not bits or len(bits) != (width or len(bits)):
            raise Refused(f"the RTL has no register {name}{f' of {width} bits' if width else ''}")
        return bits

    def register(self, name: str, width: int) -> list[int]:
        """What a register holds."""
        return self.nodes(self._register(name, width))

    def same(self, what: str, given: Sequence[int], expected: Sequence[int], when: int = TRUE) -> None:
        """Words are equal in every state in which `when` is 1.

        Raises:
            Refused: they are not, or that was not decided.
        """
        if len(given) != len(expected):
            raise Refused(f"{what}: {len(given)} bits; expected {len(expected)}")
        for a, b in zip(given, expected, strict=True):
            differ = self.graph.all_of([when, self.graph.add((a, b), g.XOR)])
            if self._solver.compare(differ, FALSE) is not Answer.EQUAL:
                raise Refused(f"{what}: something else in some state")

    def takes(self, name: str, expected: Sequence[int], when: int = TRUE) -> None:
        """What a register takes over at the end of the cycle."""
        following = [self.circuit.next_of[bit] for bit in self._register(name)]
        self.same(name, self.nodes(following), expected, when)

    def takes_bit(self, what: str, name: str, place: int, expected: int) -> None:
        """The same of one bit of a register."""
        self.same(what, self.nodes([self.circuit.next_of[self._register(name)[place]]]), [expected])

    def shifts(self, name: str, width: int, first: int, clear: int) -> None:
        """A register of `width` bits that shifts `first` in, and is cleared."""
        self.takes(name, self.cleared([first, *self.register(name, width)[:-1]], clear))

    def gives(self, name: str, expected: Sequence[int]) -> None:
        """What an output is."""
        self.same(name, self.nodes(self.circuit.outputs.get(name, [])), expected)

    # --- Words ------------------------------------------------------------------------------------------------------

    def number(self, value: int, width: int) -> list[int]:
        """A constant."""
        return [TRUE if value >> bit & 1 else FALSE for bit in range(width)]

    def equals(self, word: Sequence[int], value: int) -> int:
        """Whether a word is a constant."""
        return self.graph.all_of([node if value >> bit & 1 else self.graph.not_(node) for bit, node in enumerate(word)])

    def cleared(self, word: Sequence[int], clear: int) -> list[int]:
        """The word, or 0."""
        keep = self.graph.not_(clear)
        return [self.graph.all_of([keep, node]) for node in word]

    def plus(self, word: Sequence[int], other: Sequence[int], carry: int = FALSE) -> list[int]:
        """The sum, of the width of `word`."""
        result = []
        for bit, node in enumerate(word):
            more = other[bit] if bit < len(other) else FALSE
            result.append(self.graph.add((node, more, carry), g.SUM3))
            carry = self.graph.add((node, more, carry), g.MAJORITY)
        return result

    def plus_one(self, word: Sequence[int]) -> list[int]:
        """One more; 0 behind the largest."""
        return self.plus(word, [], TRUE)

    def less_one(self, word: Sequence[int]) -> list[int]:
        """One less; the largest before 0."""
        return self.plus(word, [TRUE] * len(word))
