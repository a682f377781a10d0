"""Verilog of a `HeadPlan`: counters, group sum, argmax or top-k.

Bit i after level n of a counter is bit i of the vector `level<n>` in the module of the counter; level 0 is `in_bits`.
With primitives, every shape of compressor is a module of its own; otherwise a compressor is one expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Protocol

from difflut.export.families.family import Target
from difflut.export.schedule.head.compressors import Adder, Chain, Compressor, Table
from difflut.export.schedule.head.counter import DROPPED, CounterPlan, Level
from difflut.export.schedule.head.plan import HeadPlan
from difflut.export.schedule.head.selection import Comparison
from difflut.export.verilog import names


class WriteFile(Protocol):
    """Renders a template into a file of its own and returns the module's name."""

    def __call__(self, template: str, *, suffix: str | None = None, **context: object) -> str: ...


def bits_of(vector: str, bits: Sequence[int]) -> str:
    """A concatenation of bits of a vector, bit 0 of the result first in `bits`; neighbours become part selects."""
    runs: list[list[int]] = []
    for bit in bits:
        if runs and runs[-1][-1] == bit - 1:
            runs[-1].append(bit)
        else:
            runs.append([bit])
    return names.concatenation([vector + names.part(run[0], len(run)) for run in reversed(runs)])


class HeadPrinter:
    """Prints the modules of one head; `write` receives them."""

    def __init__(self, plan: HeadPlan, target: Target, write: WriteFile) -> None:
        self.plan, self.target, self._write = plan, target, write
        self._modules: dict[str, str] = {}
        self._primitives = target.instances == "xilinx"

    def counter(self, size: int) -> str:
        """Emit the module that counts the ones of `size` bits and return its name."""
        counter = self.plan.counters[size]
        levels = [
            self._level(counter, number, level, registered)
            for number, (level, registered) in enumerate(zip(counter.levels, self.plan.sum_registers, strict=True), 1)
        ]
        return self._write(
            "count",
            suffix=f"count{size}",
            size=size,
            cycles=sum(self.plan.sum_registers),
            bits_range=names.vector(size),
            count_range=names.vector(counter.width_bits),
            tables=[] if self._primitives else list(_tables(counter)),
            levels=levels,
        )

    def _level(self, counter: CounterPlan, number: int, level: Level, registered: bool) -> dict[str, Any]:
        source = f"level{number - 1}" if number > 1 else "in_bits"
        instances: list[dict[str, str]] = []
        statements: list[dict[str, str]] = []
        dropped = 0
        primitives = self._primitives and bool(level.placed)
        driven = f"next{number}" if primitives and registered else f"level{number}"
        for item in level.placed:
            if not self._primitives:
                low, kept = item.outputs[0], [i for i in item.outputs if i != DROPPED]
                if kept != list(range(low, low + len(kept))):
                    raise AssertionError("outputs of a table or an adder are neighbours")
                statements.append(
                    {"part": names.part(low, len(kept)), "value": _expression(item.compressor, source, item.inputs)}
                )
                continue
            outputs = []
            for output in item.outputs:
                outputs.append(f"{driven}[{output}]" if output != DROPPED else f"unused{number}[{dropped}]")
                dropped += output == DROPPED
            joined = (
                bits_of(driven, item.outputs) if DROPPED not in item.outputs else names.concatenation(outputs[::-1])
            )
            instances.append(
                {
                    "module": self._compressor(item.compressor),
                    "name": f"compress{number}_{len(instances)}",
                    "inputs": bits_of(source, item.inputs),
                    "outputs": joined,
                }
            )
        for (first, low), length in _runs(level.passed):
            statements.append({"part": names.part(low, length), "value": source + names.part(first, length)})
        weights = level.weights
        return {
            "number": number,
            "registered": registered,
            "range": names.vector(len(weights)),
            "weights": ", ".join(f"{weights.count(w)} x {1 << w}" for w in sorted(set(weights))),
            "dropped": names.vector(dropped) if dropped else "",
            "instances": instances,
            "statements": statements,
            "driven": driven,
        }

    def _compressor(self, compressor: Compressor) -> str:
        """The module of a compressor's shape, emitted once."""
        if compressor.name not in self._modules:
            base = min(compressor.inputs)
            context: dict[str, Any] = {
                "weights": ", ".join(str(1 << weight - base) for weight in compressor.inputs),
                "outputs": len(compressor.outputs),
                "in_range": names.vector(len(compressor.inputs)),
                "out_range": names.vector(len(compressor.outputs)),
                "positions": [],
            }
            if isinstance(compressor, Chain):
                context |= self._chain(compressor)
            else:
                assert isinstance(compressor, Table) and len(compressor.inputs) == 3
                init = sum(
                    (address.bit_count() >> 1 & 1) << address + 32 | (address.bit_count() & 1) << address
                    for address in range(8)
                )
                context |= {"init": names.literal(init, 64)}
            context["inputs"] = context.get("inputs") or _pins([f"in_bits[{i}]" for i in range(3)])
            self._modules[compressor.name] = self._write("compress", suffix=compressor.name, **context)
        return self._modules[compressor.name]

    def _chain(self, chain: Chain) -> dict[str, Any]:
        length = len(chain.positions)
        carries = self._carries(length, f"in_bits[{len(chain.inputs) - 1}]" if chain.carry_in else "")
        bits = self.target.carry_bits
        sums = [f"sum{i // bits}[{i % bits}]" for i in range(length)]
        sums.append(f"carry{(length - 1) // bits}[{(length - 1) % bits}]")
        return {
            "inputs": [f"in_bits[{i}]" for i in range(len(chain.inputs))],
            "positions": [
                {
                    "inputs": _pins([f"in_bits[{i}]" for i in position.inputs]) if position.inputs else [],
                    "init": names.literal(position.init, 64),
                }
                for position in chain.positions
            ],
            "chain_range": names.vector(length),
            "carry_range": names.vector(bits),
            "primitive": f"CARRY{bits}",
            "carries": carries,
            "result": names.concatenation(sums[: len(chain.outputs)][::-1]),
        }

    def _carries(self, length: int, first: str) -> list[dict[str, str]]:
        """The carry primitives of a chain that `select` and `data` of `length` bits feed."""
        bits, carries = self.target.carry_bits, []
        for number, low in enumerate(range(0, length, bits)):
            used = min(bits, length - low)
            carries.append(
                {
                    "previous": f"carry{number - 1}[{bits - 1}]" if number else "",
                    "first": first if number == 0 else "",
                    "data": names.zero_extended(f"data{names.part(low, used)}", used, bits),
                    "select": names.zero_extended(f"select{names.part(low, used)}", used, bits),
                }
            )
        return carries

    def selection(self) -> str:
        """Emit argmax or top-k and return the module's name; there must be a level."""
        plan, score, index = self.plan, self.plan.score_bits, self.plan.class_bits
        selection = plan.selection
        lanes: Sequence[int] = range(selection.classes)
        best = {lane: f"in_scores{names.part(score * lane, score)}" for lane in lanes}
        numbers = {lane: names.literal(lane, index) for lane in lanes}
        scores = "in_scores"
        levels = []
        for number, (level, after, registered) in enumerate(
            zip(selection.levels, selection.lanes, plan.selection_registers, strict=True), 1
        ):
            right = {lane: i for i, c in enumerate(level) for lane in (c.left, c.right)}
            vectors = []
            if plan.outputs.scores and registered:
                vectors.append(_plain(f"scores{number}", [scores], selection.classes * score))
                scores = f"scores{number}"
            sides = {c.left: (c, True) for c in level} | {c.right: (c, False) for c in level}
            later = {lane for following in selection.levels[number:] for c in following for lane in (c.left, c.right)}
            compete = [lane for lane in after if lane in later]
            for name, values, width, kept in (("best", best, score, compete), ("index", numbers, index, after)):
                if kept:
                    vector = self._candidates(f"{name}{number}", values, width, kept, sides, right, number, registered)
                    vectors.append(vector)
            levels.append(
                {
                    "number": number,
                    "registered": registered,
                    "right_range": names.vector(len(level)),
                    "comparisons": [self._comparison(c, best, numbers) for c in level],
                    "vectors": vectors,
                }
            )
            best = {lane: f"best{number}{names.part(score * i, score)}" for i, lane in enumerate(compete)}
            numbers = {lane: f"index{number}{names.part(index * i, index)}" for i, lane in enumerate(after)}
        top = plan.outputs.top
        return self._write(
            "argmax",
            top=top,
            classes=selection.classes,
            cycles=sum(plan.selection_registers),
            scores=scores if plan.outputs.scores else "",
            scores_range=names.vector(selection.classes * score),
            index_range=names.vector(max(top, 1) * index),
            port="out_top" if top else "out_class",
            levels=levels,
            result=names.concatenation([numbers[lane] for lane in reversed(selection.ranks)]),
        )

    def _comparison(self, c: Comparison, best: dict[int, str], numbers: dict[int, str]) -> dict[str, str]:
        left, right = best[c.left], best[c.right]
        bits = self.plan.score_bits
        if c.by_index:  # of equal scores the lower index wins, so the indices compare the other way round
            left, right = f"{{{left}, {numbers[c.right]}}}", f"{{{right}, {numbers[c.left]}}}"
            bits += self.plan.class_bits
        return {"left": left, "right": right, "module": self._greater(bits) if self._primitives else ""}

    def _candidates(
        self,
        name: str,
        values: dict[int, str],
        width: int,
        after: Sequence[int],
        sides: dict[int, tuple[Comparison, bool]],
        right: dict[int, int],
        number: int,
        registered: bool,
    ) -> dict[str, Any]:
        """The vector of scores or indices after a level."""
        parts, instances = [], []
        for position, lane in enumerate(after):
            if lane not in sides:
                parts.append(values[lane])
                continue
            c, is_left = sides[lane]
            winner, loser = (c.right, c.left) if is_left else (c.left, c.right)
            choose = f"right{number}[{right[lane]}]"
            if self._primitives and name.startswith("best"):
                parts.append("")
                instances.append(
                    {
                        "module": self._choose(width),
                        "name": f"choose_{name}_{position}",
                        "choose": choose,
                        "left": values[loser],
                        "right": values[winner],
                        "part": names.part(width * position, width),
                    }
                )
            else:
                parts.append(f"{choose} ? {values[winner]} : {values[loser]}")
        statements = [{"part": names.part(width * i, width), "value": value} for i, value in enumerate(parts) if value]
        driven = f"next_{name}" if instances and registered else name
        return {
            "name": name,
            "range": names.vector(width * len(after)),
            "statements": statements,
            "instances": instances,
            "driven": driven,
        }

    def _greater(self, bits: int) -> str:
        def print_() -> str:
            length = -(-bits // 2)
            pairs = []
            for low in range(0, bits, 2):
                high = low + 1 < bits
                pins = [f"in_left[{low}]", f"in_right[{low}]"]
                pins += [f"in_left[{low + 1}]", f"in_right[{low + 1}]"] if high else ["1'b0", "1'b0"]
                pairs.append(_pins(pins))
            last = length - 1
            size = self.target.carry_bits
            return self._write(
                "greater",
                suffix=f"greater{bits}",
                bits=bits,
                range=names.vector(bits),
                chain_range=names.vector(length),
                init=names.literal(_greater_init(), 64),
                pairs=pairs,
                carries=self._carries(length, ""),
                carry_range=names.vector(size),
                primitive=f"CARRY{size}",
                result=f"carry{last // size}[{last % size}]",
            )

        return self._once(f"greater{bits}", print_)

    def _choose(self, bits: int) -> str:
        def print_() -> str:
            pairs = []
            for low in range(0, bits, 2):
                pins = ["in_right", f"in_left_bits[{low}]", f"in_right_bits[{low}]"]
                second = ""
                if low + 1 < bits:
                    pins += [f"in_left_bits[{low + 1}]", f"in_right_bits[{low + 1}]", "1'b1"]
                    second = f"out_bits[{low + 1}]"
                pairs.append({"pins": pins, "first": f"out_bits[{low}]", "second": second})
            return self._write(
                "choose",
                suffix=f"choose{bits}",
                bits=bits,
                range=names.vector(bits),
                init=names.literal(_choose_init(), 64),
                pairs=pairs,
            )

        return self._once(f"choose{bits}", print_)

    def _once(self, key: str, print_: Callable[[], str]) -> str:
        if key not in self._modules:
            self._modules[key] = print_()
        return self._modules[key]


def _pins(pins: list[str]) -> list[str]:
    """The six pins of a LUT6_2 that uses some for two functions: the others are 0, I5 is 1."""
    return pins if len(pins) == 6 else [*pins, *["1'b0"] * (5 - len(pins)), "1'b1"]


def _greater_init() -> int:
    """Inputs left 0, right 0, left 1, right 1: O6 = equal, O5 = right is larger."""
    init = 0
    for address in range(16):
        left, right = address & 1 | (address >> 1 & 2), address >> 1 & 1 | (address >> 2 & 2)
        init |= int(left == right) << address + 32 | int(right > left) << address
    return init


def _choose_init() -> int:
    """Inputs choice, left 0, right 0, left 1, right 1: O5 = the chosen bit 0, O6 = the chosen bit 1."""
    init = 0
    for address in range(32):
        choice = address & 1
        init |= (address >> 1 + choice & 1) << address | (address >> 3 + choice & 1) << address + 32
    return init


def _plain(name: str, terms: list[str], width: int) -> dict[str, Any]:
    return {
        "name": name,
        "range": names.vector(width),
        "statements": [{"part": "", "value": terms[0]}],
        "instances": [],
        "driven": name,
    }


def _tables(counter: CounterPlan) -> Iterable[dict[str, Any]]:
    """The constants that the counter's table look-ups read."""
    sizes = {len(item.compressor.inputs) for level in counter.levels for item in level.placed
             if isinstance(item.compressor, Table)}  # fmt: skip
    for inputs in sorted(sizes):
        for bit in range(inputs.bit_length()):
            table = sum((a.bit_count() >> bit & 1) << a for a in range(1 << inputs))
            yield {
                "bit": bit,
                "inputs": inputs,
                "name": f"ONES{inputs}_{bit}",
                "range": names.vector(1 << inputs),
                "literal": names.literal(table, 1 << inputs),
            }


def _expression(compressor: Compressor, source: str, inputs: Sequence[int]) -> str:
    """A table or an adder as an expression."""
    if isinstance(compressor, Table):
        address = bits_of(source, inputs)
        digits = [f"ONES{len(inputs)}_{bit}[{address}]" for bit in range(len(compressor.outputs))]
        return names.concatenation(digits[::-1])
    assert isinstance(compressor, Adder)
    total, first, terms = len(compressor.outputs), 0, []
    for word in compressor.words:
        terms.append(names.zero_extended(bits_of(source, inputs[first : first + word]), word, total))
        first += word
    return " + ".join(terms)


def _runs(pairs: Sequence[tuple[int, int]]) -> list[tuple[tuple[int, int], int]]:
    """Runs of pairs of which both members count up together: the first pair and the length of each."""
    pairs = sorted(pairs)
    starts = [0] + [i for i, (a, b) in enumerate(pairwise(pairs), 1) if (b[0] - a[0], b[1] - a[1]) != (1, 1)]
    return [(pairs[a], b - a) for a, b in pairwise([*starts, len(pairs)])] if pairs else []
