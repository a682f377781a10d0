"""Boolean circuits in BLIF and AIGER, written and evaluated from the formats' definitions; difflut is not used."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass
class Gate:
    feeds: list[str]
    rows: list[str]
    value: int


@dataclass
class Blif:
    """A drawn circuit; gates in an order in which each follows what it reads."""

    inputs: list[str]
    outputs: list[str]
    gates: dict[str, Gate]

    def text(self, seed: int = 0) -> str:
        """With gates in any order, continued lines and comments."""
        chance = random.Random(seed)
        lines = ["# drawn", ".model top", f".inputs {' '.join(self.inputs[:2])} \\", f"  {' '.join(self.inputs[2:])}"]
        lines += [f".outputs {' '.join(self.outputs)}  # the results"]
        for name in chance.sample(list(self.gates), len(self.gates)):
            gate = self.gates[name]
            lines.append(f".names {' '.join([*gate.feeds, name])}" + chance.choice(["", " # one # two"]))
            lines += [f"{row} {gate.value}".strip() for row in gate.rows]
        return "\n".join([*lines, ".end", ""])

    def values(self, row: list[int]) -> list[int]:
        """The outputs."""
        nets = dict(zip(self.inputs, row, strict=True))
        for name, gate in self.gates.items():
            given = [str(nets[feed]) for feed in gate.feeds]
            met = any(all(want in ("-", is_) for want, is_ in zip(cube, given, strict=True)) for cube in gate.rows)
            nets[name] = gate.value if met else 1 - gate.value if gate.rows else 0
        return [nets[name] for name in self.outputs]


def drawn_blif(seed: int, inputs: int = 12, gates: int = 40) -> Blif:
    """On-sets, off-sets, constants of both kinds, nodes wider than eight inputs, names with brackets and dollars."""
    chance = random.Random(seed)
    names = [f"x[{i}]" for i in range(inputs)]
    made: dict[str, Gate] = {}
    for number in range(gates):
        n = chance.choice([0, 1, 2, 2, 3, 4, 6, 8, 9, 11])
        feeds = [chance.choice([*names, *list(made)[-15:]]) for _ in range(n)]
        rows = ["".join(chance.choice("01--") for _ in range(n)) for _ in range(chance.randint(0, 6))]
        made[f"$auto${number}[0]"] = Gate(feeds, rows[:1] if n == 0 else rows, chance.randint(0, 1))
    last = list(made)[-7:]
    for place, name in enumerate(["y[1]", "y[0]", "y[2]", "z"]):
        made[name] = Gate(last[place : place + 3], ["1-0", "01-"], place % 2)
    return Blif(names, ["y[1]", "y[0]", "y[2]", "z", names[3]], made)


@dataclass
class Aiger:
    """A drawn graph; variables in an order in which each follows what it reads."""

    inputs: int
    ands: list[tuple[int, int, int]]
    outputs: list[int]

    def ascii(self, seed: int = 0, symbols: str = "", scattered: bool = True) -> bytes:
        """aag; with `scattered` the ands in any order and variables with other numbers."""
        chance = random.Random(seed)
        ands, most = self.ands, self.inputs + len(self.ands)
        numbers = list(range(1, most + 1))
        if scattered:
            most += 5
            numbers = chance.sample(range(1, most + 1), len(numbers))
            ands = chance.sample(ands, len(ands))
        named = [0, *numbers]

        def literal(given: int) -> int:
            return 2 * named[given >> 1] | given & 1

        lines = [f"aag {most} {self.inputs} 0 {len(self.outputs)} {len(ands)}"]
        lines += [str(2 * named[1 + i]) for i in range(self.inputs)]
        lines += [str(literal(one)) for one in self.outputs]
        lines += [" ".join(str(literal(one)) for one in entry) for entry in ands]
        return ("\n".join(lines) + "\n" + symbols).encode()

    def binary(self, symbols: str = "") -> bytes:
        """aig."""
        most = self.inputs + len(self.ands)
        head = f"aig {most} {self.inputs} 0 {len(self.outputs)} {len(self.ands)}\n"
        head += "".join(f"{one}\n" for one in self.outputs)
        body = bytearray()
        for own, first, second in self.ands:
            high, low = max(first, second), min(first, second)
            for number in (own - high, high - low):
                while number > 127:
                    body.append(number & 127 | 128)
                    number >>= 7
                body.append(number)
        return head.encode() + bytes(body) + symbols.encode()

    def values(self, row: list[int]) -> list[int]:
        """The outputs, in the file's order."""
        variables = dict(enumerate([0, *row]))

        def of(literal: int) -> int:
            return variables[literal >> 1] ^ literal & 1

        for own, first, second in self.ands:
            variables[own >> 1] = of(first) & of(second)
        return [of(one) for one in self.outputs]


def drawn_aiger(seed: int, inputs: int = 9, ands: int = 150) -> Aiger:
    """Constants as operands; outputs that are constant, inputs, complements and repeated."""
    chance = random.Random(seed)
    made = []
    for number in range(ands):
        own = 2 * (inputs + 1 + number)
        first, second = (chance.randrange(max(0, own - 60), own) for _ in range(2))
        made.append((own, first, chance.choice([second, second, second, 0, 1])))
    last = 2 * (inputs + ands) + 1
    return Aiger(inputs, made, [last, last - 1, last, 0, 1, 2, 5, last - 20])
