"""Verilog of a `HeadPlan`: counters, group sum, argmax or top-k.

Bit i after level n of a counter is bit i of the vector `level<n>` in the module of the counter; level 0 is `in_bits`.
With primitives, every shape of compressor is a module of its own; otherwise a compressor is one expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from difflut.export.families.family import Family
from difflut.export.schedule.head.compressors import Adder, Chain, Compressor, Table
from difflut.export.schedule.head.counter import DROPPED, CounterPlan, Level
from difflut.export.schedule.head.plan import HeadPlan
from difflut.export.schedule.head.selection import Comparison
from difflut.export.verilog import names, ports
from difflut.export.verilog.design import Instance
from difflut.export.verilog.writer import ModuleWriter


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
    """Prints the modules of one head."""

    def __init__(self, plan: HeadPlan, family: Family, writer: ModuleWriter) -> None:
        self.plan, self.family, self._writer = plan, family, writer
        self._modules: dict[str, str] = {}
        self._primitives = family.has_primitives

    def group_sum(self, in_bits: str) -> Instance:
        """Emit the sums of all groups; the instance between `in_bits`, group after group, and the vector `scores`."""
        score = self.plan.score_bits
        counters = {size: self._counter(size) for size in self.plan.counters}
        clock = [ports.CLOCK] if any(self.plan.sum_registers) else []
        instances: list[Instance | None] = []
        paddings = []
        first = 0
        for k, (size, fixed) in enumerate(zip(self.plan.sizes, self.plan.fixed, strict=True)):
            if fixed is not None:
                instances.append(None)
                paddings.append(f"assign out_scores{names.part(k * score, score)} = {score}'d{fixed};")
                continue
            count, low = size.bit_length(), k * score
            ends = {
                "in_bits": f"in_bits{names.part(first, size)}",
                "out_count": f"out_scores{names.part(low, count)}",
            }
            instances.append(Instance(f"class{k}", counters[size], ports.straight(clock) | ends))
            spare = score - count
            paddings.append(f"assign out_scores{names.part(low + count, spare)} = {spare}'d0;" if spare else "")
            first += size
        module = self._writer.write(
            "group_sum",
            "group_sum",
            [*clock, ports.vector_in("in_bits", first), ports.vector_out("out_scores", len(self.plan.sizes) * score)],
            [instance for instance in instances if instance is not None],
            counters=list(zip(instances, paddings, strict=True)),
            cycles=sum(self.plan.sum_registers),
        )
        return Instance("group_sum", module, ports.straight(clock) | {"in_bits": in_bits, "out_scores": "scores"})

    def _counter(self, size: int) -> str:
        """Emit the module that counts the ones of `size` bits and return its name."""
        counter = self.plan.counters[size]
        levels = [
            self._level(counter, number, level, registered)
            for number, (level, registered) in enumerate(zip(counter.levels, self.plan.sum_registers, strict=True), 1)
        ]
        cycles = sum(self.plan.sum_registers)
        return self._writer.write(
            "count",
            f"count{size}",
            [
                ports.CLOCK if cycles else None,
                ports.vector_in("in_bits", size),
                ports.vector_out("out_count", counter.width_bits),
            ],
            [instance for level in levels for instance in level["instances"]],
            size=size,
            cycles=cycles,
            tables=[] if self._primitives else list(_tables(counter)),
            levels=levels,
        )

    def _level(self, counter: CounterPlan, number: int, level: Level, registered: bool) -> dict[str, Any]:
        source = f"level{number - 1}" if number > 1 else "in_bits"
        instances: list[Instance] = []
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
                Instance(
                    f"compress{number}_{len(instances)}",
                    self._compressor(item.compressor),
                    {"in_bits": bits_of(source, item.inputs), "out_bits": joined},
                )
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
        inputs, outputs = compressor.inputs, compressor.outputs

        def print_() -> str:
            base = min(inputs)
            return self._writer.write(
                "compress",
                compressor.name,
                [ports.vector_in("in_bits", len(inputs)), ports.vector_out("out_bits", len(outputs))],
                weights=", ".join(str(1 << weight - base) for weight in inputs),
                outputs=len(outputs),
                **(self._chain(compressor) if isinstance(compressor, Chain) else _full_adder(compressor)),
            )

        return self._once(compressor.name, print_)

    def _chain(self, chain: Chain) -> dict[str, Any]:
        length = len(chain.positions)
        carries = self._carries(length, f"in_bits[{len(chain.inputs) - 1}]" if chain.carry_in else "")
        bits = self.family.carry_bits
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
        bits, carries = self.family.carry_bits, []
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

    def selection(self) -> Instance | None:
        """Emit argmax or top-k; the instance between the vector `scores` and the ports of the results.

        None if there is nothing to select.
        """
        plan, width = self.plan, self.plan.selection.classes * self.plan.score_bits
        if not plan.selection.levels:
            return None
        levels, scores, result = self._levels()
        cycles = sum(plan.selection_registers)
        results = ports.results(plan)
        clock = [ports.CLOCK] if cycles else []
        module = self._writer.write(
            "argmax",
            "argmax",
            [*clock, ports.vector_in("in_scores", width), *(replace(port, comment="") for port in results)],
            [instance for level in levels for instance in level["instances"]],
            top=plan.outputs.top,
            classes=plan.selection.classes,
            scores=scores if plan.outputs.scores else "",
            port=results[-1].name,
            levels=levels,
            result=result,
        )
        return Instance("argmax", module, ports.straight(clock) | {"in_scores": "scores"} | ports.straight(results))

    def _levels(self) -> tuple[list[dict[str, Any]], str, str]:
        """The levels of comparisons, and where the scores and the indices of the best stand behind them."""
        plan, score, index = self.plan, self.plan.score_bits, self.plan.class_bits
        selection = plan.selection
        lanes: Sequence[int] = range(selection.classes)
        best = {lane: f"in_scores{names.part(score * lane, score)}" for lane in lanes}
        numbers = {lane: names.literal(selection.indices[lane], index) for lane in lanes}
        scores = "in_scores"
        levels = []
        for number, (level, after, registered) in enumerate(
            zip(selection.levels, selection.lanes, plan.selection_registers, strict=True), 1
        ):
            vectors = []
            if plan.outputs.scores and registered:
                vectors.append(_plain(f"scores{number}", [scores], selection.classes * score))
                scores = f"scores{number}"
            later = {lane for following in selection.levels[number:] for c in following for lane in (c.left, c.right)}
            compete = [lane for lane in after if lane in later]
            for name, values, width, kept in (("best", best, score, compete), ("index", numbers, index, after)):
                if kept:
                    vectors.append(self._candidates(f"{name}{number}", values, width, kept, level, number, registered))
            comparisons = [self._comparison(c, f"{number}_{i}", best, numbers) for i, c in enumerate(level)]
            some = [*(item["instance"] for item in comparisons), *(item for v in vectors for item in v["instances"])]
            levels.append(
                {
                    "number": number,
                    "registered": registered,
                    "right_range": names.vector(len(level)),
                    "comparisons": comparisons,
                    "vectors": vectors,
                    "instances": some,
                }
            )
            best = {lane: f"best{number}{names.part(score * i, score)}" for i, lane in enumerate(compete)}
            numbers = {lane: f"index{number}{names.part(index * i, index)}" for i, lane in enumerate(after)}
        return levels, scores, names.concatenation([numbers[lane] for lane in reversed(selection.ranks)])

    def _comparison(self, c: Comparison, place: str, best: dict[int, str], numbers: dict[int, str]) -> dict[str, Any]:
        """A comparison, the `place` (level_number)."""
        left, right = best[c.left], best[c.right]
        bits = self.plan.score_bits
        if c.by_index:  # of equal scores the lower index wins, so the indices compare the other way round
            left, right = f"{{{left}, {numbers[c.right]}}}", f"{{{right}, {numbers[c.left]}}}"
            bits += self.plan.class_bits
        instance = None
        if self._primitives:
            level, number = place.split("_")
            ends = {"in_left": left, "in_right": right, "out_greater": f"right{level}[{number}]"}
            instance = Instance(f"compare{place}", self._greater(bits), ends)
        return {"left": left, "right": right, "instance": instance}

    def _candidates(
        self,
        name: str,
        values: dict[int, str],
        width: int,
        after: Sequence[int],
        level: Sequence[Comparison],
        number: int,
        registered: bool,
    ) -> dict[str, Any]:
        """The vector of scores or indices after a level: a lane changes places with its other one if the right-hand
        wins.
        """
        right = {lane: i for i, c in enumerate(level) for lane in (c.left, c.right)}
        other = {c.left: c.right for c in level} | {c.right: c.left for c in level}
        chosen = self._primitives and name.startswith("best")  # by a module, which indices do not need
        driven = f"next_{name}" if chosen and registered and any(lane in other for lane in after) else name
        statements, instances = [], []
        for position, lane in enumerate(after):
            part = names.part(width * position, width)
            if lane not in other:
                statements.append({"part": part, "value": values[lane]})
                continue
            choose = f"right{number}[{right[lane]}]"
            if chosen:
                sides = {"in_left_bits": values[lane], "in_right_bits": values[other[lane]]}
                ends = {"in_right": choose, **sides, "out_bits": driven + part}
                instances.append(Instance(f"choose_{name}_{position}", self._choose(width), ends))
            else:
                statements.append({"part": part, "value": f"{choose} ? {values[other[lane]]} : {values[lane]}"})
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
            size = self.family.carry_bits
            return self._writer.write(
                "greater",
                f"greater{bits}",
                [ports.vector_in("in_left", bits), ports.vector_in("in_right", bits), ports.flag_out("out_greater")],
                bits=bits,
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
            sides = ports.vector_in("in_left_bits", bits), ports.vector_in("in_right_bits", bits)
            return self._writer.write(
                "choose",
                f"choose{bits}",
                [ports.flag_in("in_right"), *sides, ports.vector_out("out_bits", bits)],
                bits=bits,
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


def _full_adder(compressor: Compressor) -> dict[str, Any]:
    """What `compress.v.j2` needs for a table of three bits, in one LUT6_2."""
    assert isinstance(compressor, Table) and len(compressor.inputs) == 3
    init = sum(
        (address.bit_count() >> 1 & 1) << address + 32 | (address.bit_count() & 1) << address for address in range(8)
    )
    inputs = _pins([f"in_bits[{i}]" for i in range(3)])
    return {"positions": [], "init": names.literal(init, 64), "inputs": inputs}


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
