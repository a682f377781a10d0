"""The plan of a counter: how the ones among n bits are added up by levels of compressors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

import numpy as np

from difflut.export.errors import ExportError
from difflut.export.families.family import Family
from difflut.export.schedule.head.compressors import Adder, Bits, Chain, Compressor, Table, adder, chain, table_counter

DROPPED = -1
# What a level of registers is worth in LUTs when a shallower tree is compared with a smaller one.
LUTS_PER_LEVEL = 3.0
MAX_LEVELS = 12


class PlanError(ExportError):
    """A plan of the head does not keep the sum, or reads a bit twice or never; names the place."""


@dataclass(frozen=True)
class Placed:
    """A compressor at its place.

    Attributes:
        compressor: what it is; its weights are the absolute ones.
        inputs: for each input the bit of the level before.
        outputs: for each output the bit of this level; DROPPED for a bit that is always 0, because its weight is more
            than the number of bits counted.
    """

    compressor: Compressor
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """A level: bits of the level before go through one compressor or pass.

    Attributes:
        weights: the weight of each bit of this level, as a power of two.
        placed: the compressors.
        passed: pairs (bit of the level before, bit of this level) that only pass.
    """

    weights: tuple[int, ...]
    placed: tuple[Placed, ...]
    passed: tuple[tuple[int, int], ...]

    @property
    def luts(self) -> int:
        """LUTs of the level."""
        return sum(item.compressor.luts for item in self.placed)


@dataclass(frozen=True)
class CounterPlan:
    """A counter of the ones among `size` bits.

    Bit i after level n (counted from 1) is bit i of the Verilog vector `level<n>`; level 0 is `in_bits`. The last level
    holds the count, bit i of weight i.
    """

    size: int
    levels: tuple[Level, ...]

    @property
    def width_bits(self) -> int:
        """Bits of the count."""
        return self.size.bit_length()

    @property
    def luts(self) -> int:
        """LUTs of the counter."""
        return sum(level.luts for level in self.levels)

    @property
    def carries(self) -> int:
        """Carry primitives of the counter."""
        return sum(item.compressor.carries for level in self.levels for item in level.placed)

    def weights(self, level: int) -> tuple[int, ...]:
        """The weights of the bits after `level` levels; level 0 are the bits counted."""
        return self.levels[level - 1].weights if level else (0,) * self.size

    def padded(self, levels: int) -> CounterPlan:
        """The same with levels that only pass appended, `levels` in all."""
        weights = self.weights(len(self.levels))
        delay = Level(weights, (), tuple((i, i) for i in range(len(weights))))
        return replace(self, levels=self.levels + (delay,) * (levels - len(self.levels)))

    def evaluate(self, bits: Bits) -> list[Bits]:
        """The bits after each level, bool (N, bits), from bool (N, size)."""
        values = []
        for level in self.levels:
            after = np.zeros((len(bits), len(level.weights)), np.bool_)
            for source, target in level.passed:
                after[:, target] = bits[:, source]
            for item in level.placed:
                result = item.compressor.evaluate(bits[:, item.inputs])
                for column, target in enumerate(item.outputs):
                    if target == DROPPED:
                        if result[:, column].any():
                            raise PlanError(f"counter of {self.size}: a dropped bit of {item.compressor.name} is 1")
                    else:
                        after[:, target] = result[:, column]
            values.append(after)
            bits = after
        return values

    def check(self) -> None:
        """Check that each bit is used once and made once and that weights fit, so that each level keeps the sum.

        That each compressor keeps the sum of its inputs is a matter of its kind and shape alone.

        Raises:
            PlanError: with the level and the bit.
        """
        for number, level in enumerate(self.levels, 1):
            before, where = self.weights(number - 1), f"counter of {self.size}, level {number}"
            read = [i for item in level.placed for i in item.inputs] + [i for i, _ in level.passed]
            made = [i for item in level.placed for i in item.outputs if i != DROPPED] + [i for _, i in level.passed]
            if sorted(read) != list(range(len(before))):
                raise PlanError(f"{where}: reads the bits {sorted(read)}; expected each of 0 to {len(before) - 1} once")
            if sorted(made) != list(range(len(level.weights))):
                raise PlanError(f"{where}: makes the bits {sorted(made)}; expected 0 to {len(level.weights) - 1} once")
            for item in level.placed:
                if tuple(before[i] for i in item.inputs) != item.compressor.inputs:
                    raise PlanError(f"{where}: the inputs of {item.compressor.name} have other weights than it takes")
                for weight, i in zip(item.compressor.outputs, item.outputs, strict=True):
                    if (level.weights[i] != weight) if i != DROPPED else (1 << weight <= self.size):
                        raise PlanError(f"{where}: an output of {item.compressor.name} has another weight than its bit")
            for source, target in level.passed:
                if before[source] != level.weights[target]:
                    raise PlanError(f"{where}: bit {source} passes to bit {target} of another weight")
        if self.weights(len(self.levels)) != tuple(range(self.width_bits)):
            raise PlanError(f"counter of {self.size}: the last level is no binary number")


@lru_cache(maxsize=256)
def plan_counter(size: int, family: Family) -> CounterPlan:
    """The cheapest counter found for a target."""
    if family.dual_output and family.carry_bits and family.has_primitives:
        shapes = _search_chains(size, family.carry_bits)
        plan = _place(size, shapes)
    else:
        plan = _adder_tree(size, family)
    plan.check()
    return plan


# --- Trees for tools that map `+` themselves -----------------------------------------------------------------------


def _adder_tree(size: int, family: Family) -> CounterPlan:
    """Table counters of as many bits as a LUT reads, then words added by the tool, a few at a time."""
    counted, terms = (6, 3) if family.lut_inputs >= 6 else (3, 2)
    words = [tuple(range(low, min(low + counted, size))) for low in range(0, size, counted)]
    builder = _Builder(size)
    for word in words:
        if len(word) > 1:
            luts = len(word).bit_length()
            builder.place(table_counter(len(word), 0, luts), word)
    builder.finish_level()
    bounds = [len(word) for word in words]
    while len(bounds) > 1:
        groups = [range(low, min(low + terms, len(bounds))) for low in range(0, len(bounds), terms)]
        sums, first = [], 0
        for group in groups:
            widths = [bounds[i].bit_length() for i in group]
            total = sum(bounds[i] for i in group)
            bits = tuple(range(first, first + sum(widths)))
            if len(widths) > 1:
                # A bit of the widest word takes a LUT on the carry chain, and a third word one more in front of it.
                luts, word_bits = max(widths) * (len(widths) - 1), total.bit_length()
                builder.place(adder(widths, word_bits, 0, luts, 0), bits)
            first += sum(widths)
            sums.append(total)
        builder.finish_level()
        bounds = sums
    return builder.plan()


# --- Chains on carry primitives ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    """A chain or a full adder before it is given bits: its columns from `weight` on."""

    weight: int
    columns: tuple[int, ...]
    carry_in: bool
    table: bool = False

    def compressor(self, carry_bits: int) -> Compressor:
        if self.table:
            return table_counter(self.columns[0], self.weight, 1)
        return chain(self.columns, self.carry_in, self.weight, carry_bits)


Heights = tuple[int, ...]


def _search_chains(size: int, carry_bits: int) -> list[list[Compressor]]:
    """Levels of compressors for a column of `size` bits: the cheapest that a few greedy rules per level reach."""
    width = size.bit_length()

    @cache
    def compressor(shape: _Shape) -> Compressor:
        return shape.compressor(carry_bits)

    def after(heights: Heights, level: list[_Shape]) -> tuple[Heights, int]:
        left, luts = list(heights), 0
        for shape in level:
            made = compressor(shape)
            luts += made.luts
            for weight in made.inputs:
                left[weight] -= 1
        for shape in level:
            for weight in compressor(shape).outputs:
                if weight < width:
                    left[weight] += 1
        return tuple(left), luts

    @cache
    def best(heights: Heights, budget: int) -> tuple[float, tuple[tuple[_Shape, ...], ...]] | None:
        if max(heights) <= 1:
            return 0.0, ()
        if budget == 0:
            return None
        choices = [level for level in _levels(heights, carry_bits) if level]
        last = _last_chain(heights)
        if last:
            choices.append([last])
        found: tuple[float, tuple[tuple[_Shape, ...], ...]] | None = None
        for level in dict.fromkeys(tuple(level) for level in choices):
            following, luts = after(heights, list(level))
            rest = best(following, budget - 1)
            if rest is not None:
                cost = rest[0] + luts + LUTS_PER_LEVEL
                if found is None or cost < found[0]:
                    found = cost, (level, *rest[1])
        return found

    found = best((size,) + (0,) * (width - 1), MAX_LEVELS)
    assert found is not None, f"no tree over {size} bits"
    return [[compressor(shape) for shape in level] for level in found[1]]


def _levels(heights: Heights, carry_bits: int) -> list[list[_Shape]]:
    """Ways to compress one level, by how full a pair of positions must be and what is done with the rest."""
    return [
        _greedy(heights, carry_bits, least, small, full_adders)
        for least in (6, 5)
        for small in (False, True)
        for full_adders in (False, True)
    ]


def _greedy(heights: Heights, carry_bits: int, least: int, small: bool, full_adders: bool) -> list[_Shape]:
    """Chains from the lowest column on, as long as columns give enough bits; then full adders of what is left."""
    left = [*heights, 0, 0]
    width = len(heights)
    shapes = []
    for start in range(width):
        while True:
            columns: list[int] = []
            column = start
            while len(columns) + 2 <= carry_bits and column < width:
                if left[column] >= least:
                    piece = [min(6, left[column]), 0]
                elif small and left[column] >= 4 and left[column + 1] >= 1:
                    piece = [4, 1]
                elif small and columns and left[column] >= 2 and left[column + 1] >= 2:
                    piece = [2, 2]
                else:
                    break
                columns += piece
                left[column] -= piece[0]
                left[column + 1] -= piece[1]
                column += 2
            if not columns:
                break
            carry_in = left[start] >= 1
            left[start] -= carry_in
            shapes.append(_Shape(start, tuple(columns), carry_in))
    if full_adders:
        for column in range(width):
            while left[column] >= 3:
                left[column] -= 3
                shapes.append(_Shape(column, (3,), False, table=True))
    return shapes


def _last_chain(heights: Heights) -> _Shape | None:
    """One chain that leaves a single bit in every column, if there is one."""
    start = next(i for i, bits in enumerate(heights) if bits > 1)
    own = list(heights[start:])
    carry_in = own[0] in (3, 5, 7) and (own[0] != 3 or len(own) == 1 or own[1] > 1)
    carry_in = carry_in or own[0] in (3,)
    own[0] -= carry_in
    columns: list[int] = []
    while len(columns) < len(own):
        bits = own[len(columns)]
        above = own[len(columns) + 1] if len(columns) + 1 < len(own) else 0
        if bits <= 2:
            columns.append(bits)
        elif (bits <= 4 and above <= 1) or (bits <= 6 and above == 0):
            columns += [bits, above]
        else:
            return None
    while columns and columns[-1] == 0 and not (len(columns) > 1 and columns[-2] > 2):
        columns.pop()
    return _Shape(start, tuple(columns), carry_in)


# --- From compressors to bits --------------------------------------------------------------------------------------


@dataclass
class _Builder:
    """Gives compressors their bits, level by level."""

    size: int
    levels: list[Level] = field(default_factory=list)
    _placed: list[tuple[Compressor, tuple[int, ...]]] = field(default_factory=list)

    @property
    def _before(self) -> tuple[int, ...]:
        return self.levels[-1].weights if self.levels else (0,) * self.size

    def place(self, compressor: Compressor, inputs: Sequence[int]) -> None:
        self._placed.append((compressor, tuple(inputs)))

    def finish_level(self) -> None:
        """Number the bits of the level: in the order of the bits that they replace."""
        before, width = self._before, self.size.bit_length()
        read = {i for _, inputs in self._placed for i in inputs}
        items: list[tuple[int, Compressor | None, tuple[int, ...]]] = [
            (min(inputs), compressor, inputs) for compressor, inputs in self._placed
        ]
        items += [(i, None, (i,)) for i in range(len(before)) if i not in read]
        weights: list[int] = []
        placed, passed = [], []
        for _, compressor, inputs in sorted(items, key=lambda item: item[0]):
            if compressor is None:
                passed.append((inputs[0], len(weights)))
                weights.append(before[inputs[0]])
                continue
            outputs = []
            for weight in compressor.outputs:
                outputs.append(len(weights) if weight < width else DROPPED)
                weights += [weight] if weight < width else []
            placed.append(Placed(compressor, inputs, tuple(outputs)))
        self.levels.append(Level(tuple(weights), tuple(placed), tuple(passed)))
        self._placed = []

    def sort_last(self) -> None:
        """Renumber the last level by weight, so that it is a binary number."""
        level = self.levels[-1]
        order = sorted(range(len(level.weights)), key=lambda i: level.weights[i])
        new = {DROPPED: DROPPED, **{old: i for i, old in enumerate(order)}}
        self.levels[-1] = Level(
            tuple(level.weights[i] for i in order),
            tuple(replace(item, outputs=tuple(new[i] for i in item.outputs)) for item in level.placed),
            tuple((source, new[i]) for source, i in level.passed),
        )

    def plan(self) -> CounterPlan:
        if not self.levels:
            self.finish_level()
        self.sort_last()
        return CounterPlan(self.size, tuple(self.levels))


def _place(size: int, levels: list[list[Compressor]]) -> CounterPlan:
    builder = _Builder(size)
    for compressors in levels:
        free: dict[int, list[int]] = {}
        for i, weight in enumerate(builder._before):
            free.setdefault(weight, []).append(i)
        for compressor in compressors:
            builder.place(compressor, [free[weight].pop(0) for weight in compressor.inputs])
        builder.finish_level()
    return builder.plan()


def kinds(plan: CounterPlan) -> Counter[str]:
    """How many compressors of each name a plan has."""
    return Counter(item.compressor.name for level in plan.levels for item in level.placed)


__all__ = ["DROPPED", "Adder", "Chain", "CounterPlan", "Level", "Placed", "PlanError", "Table", "kinds", "plan_counter"]
