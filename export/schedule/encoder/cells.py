"""How the comparisons of one feature become small LUTs: candidate circuits, and the cheapest of them.

A circuit compares an unsigned code of `width` bits with thresholds. Its signals are numbered: 0 to width - 1 are the
code's bits, width + j is the output of cell j. All constructions rest on one identity: where x = h * 2**q + l and
t = a * 2**q + b with l, b < 2**q, `x >= t` is `2h + (l >= b) >= 2a + 1`, or `h >= a` if b is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from difflut.export.families.family import Family

Function = Callable[[Sequence[int]], bool]

# Costs are counted in thirds of a LUT, see `Prices`.
LUT_COST = 3
# Beyond so many thresholds the search tries fewer groupings, and pairs cells greedily.
SEARCHED_THRESHOLDS = 8
SEARCHED_CELLS = 10
SELECTED_THRESHOLDS = 16


@dataclass(frozen=True)
class Prices:
    """What a small cell that finds no partner in its own feature costs, in thirds of a LUT.

    Where features abound, cells of two and of three inputs share dual-output LUTs across features. A comparison
    two bits wider than a LUT needs either one cell of three inputs or two of two beside its last LUT, so these are
    exchanged freely, and a third and two thirds of a LUT are what they cost.
    """

    two_inputs: int
    three_inputs: int

    def of(self, inputs: int) -> int:
        """The cost of one cell."""
        return self.two_inputs if inputs <= 2 else self.three_inputs if inputs == 3 else LUT_COST


ALONE = Prices(LUT_COST, LUT_COST)
SHARED = Prices(1, 2)


@dataclass(frozen=True)
class Cell:
    """One small LUT: the signals that it reads and its function of their values, in that order."""

    inputs: tuple[int, ...]
    function: Function

    def table(self) -> int:
        """Bit a is the output at address a; input i gives bit i of the address."""
        n = len(self.inputs)
        return sum(self.function([a >> i & 1 for i in range(n)]) << a for a in range(1 << n))


@dataclass(frozen=True)
class Circuit:
    """Cells in topological order and the signal of each threshold's comparison."""

    width: int
    cells: tuple[Cell, ...]
    outputs: tuple[int, ...]

    def levels(self) -> list[int]:
        """The level of each cell: 0 where it reads only code bits."""
        levels: list[int] = []
        for cell in self.cells:
            levels.append(max((levels[s - self.width] + 1 for s in cell.inputs if s >= self.width), default=0))
        return levels


def number(bits: Sequence[int]) -> int:
    """The unsigned number of some bits, least significant first."""
    return sum(bit << i for i, bit in enumerate(bits))


def trailing_zeros(value: int) -> int:
    """The number of zero bits below the lowest one of a positive value."""
    return (value & -value).bit_length() - 1


def relevant_bits(width: int, threshold: int) -> int:
    """How many upper bits of a code `code >= threshold` depends on."""
    return width - trailing_zeros(threshold)


class _Builder:
    """Collects cells; the same request gives the same cell."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.cells: list[Cell] = []
        self._known: dict[object, int] = {}

    def add(self, key: object, inputs: Sequence[int], function: Function) -> int:
        if key not in self._known:
            self.cells.append(Cell(tuple(inputs), function))
            self._known[key] = self.width + len(self.cells) - 1
        return self._known[key]

    def at_least(self, p: int, cut: int, direct: int, raw: int) -> int:
        """The signal of `code % 2**p >= cut`, 0 < cut < 2**p.

        A cell reads up to `direct` code bits, or `raw` code bits and the comparison of the bits below them.
        """
        low = trailing_zeros(cut)
        if p - low == 1:
            return p - 1
        key = (p, cut)
        if p - low <= direct:
            return self.add(key, range(low, p), lambda bits: number(bits) >= cut >> low)
        q = p - raw
        below = self.at_least(q, cut % (1 << q), direct, raw)
        return self.add(key, (below, *range(q, p)), lambda bits: number(bits) >= 2 * (cut >> q) + 1)

    def gray(self, q: int, cuts: Sequence[int]) -> dict[int, tuple[tuple[int, ...], Function]]:
        """Two signals that say between which of three cuts `code % 2**q` lies; for each cut, how to tell it from
        them.
        """
        first, second, third = cuts
        middle = self.at_least(q, second, q, q)
        inner = self.add((q, "between", first, third), range(q), lambda bits: first <= number(bits) < third)
        return {
            first: ((middle, inner), lambda bits: bool(bits[0] or bits[1])),
            second: ((middle,), lambda bits: bool(bits[0])),
            third: ((middle, inner), lambda bits: bool(bits[0] and not bits[1])),
        }

    def above(self, q: int, threshold: int, below: tuple[tuple[int, ...], Function]) -> int:
        """The signal of `code >= threshold` from the bits from q up and what tells that the bits below reach its
        own.
        """
        signals, reached = below
        count, high = len(signals), threshold >> q
        return self.add(
            (self.width, threshold),
            (*signals, *range(q, self.width)),
            lambda bits: 2 * number(bits[count:]) + reached(bits[:count]) >= 2 * high + 1,
        )

    def selected(self, q: int, cuts: dict[int, int], k: int) -> int | None:
        """One signal that is `code % 2**q >= cuts[code >> q]` wherever `code >> q` is a key, or None if that takes more
        than a chain of cells: the upper bits select the cut."""
        if len(set(cuts.values())) == 1:
            return self.at_least(q, next(iter(cuts.values())), k, k - 1)
        selects = self._selects(q, cuts, k - 2)
        if selects is None:
            return None
        cut_of = {tuple(block >> (s - q) & 1 for s in selects): cut for block, cut in cuts.items()}
        low = min(map(trailing_zeros, cuts.values()))
        key, n = (q, "selected", tuple(sorted(cuts.items()))), len(selects)
        if q - low + n <= k:
            return self.add(
                key,
                (*selects, *range(low, q)),
                lambda bits: number(bits[n:]) >= cut_of.get(tuple(bits[:n]), 0) >> low,
            )
        raw = k - 1 - n
        rest = q - raw
        below = self.selected(
            rest, {block << raw | cut >> rest: cut % (1 << rest) for block, cut in cuts.items() if cut % (1 << rest)}, k
        )
        if below is None:
            return None

        def reached(bits: Sequence[int]) -> bool:
            cut = cut_of.get(tuple(bits[:n]), 0)
            return number(bits[n:]) >= 2 * (cut >> rest) + (cut % (1 << rest) > 0)

        return self.add(key, (*selects, below, *range(rest, q)), reached)

    def _selects(self, q: int, cuts: dict[int, int], most: int) -> tuple[int, ...] | None:
        """The fewest code bits from q up that tell the cut."""
        for count in range(1, most + 1):
            for chosen in combinations(range(q, self.width), count):
                seen: dict[tuple[int, ...], int] = {}
                if all(
                    seen.setdefault(tuple(block >> (s - q) & 1 for s in chosen), cut) == cut
                    for block, cut in cuts.items()
                ):
                    return chosen
        return None

    def embed(self, circuit: Circuit, first_bit: int) -> tuple[int, ...]:
        """Add a circuit on the code bits from `first_bit` up; its outputs."""
        signals = [first_bit + bit for bit in range(circuit.width)]
        for cell in circuit.cells:
            inputs = tuple(signals[s] for s in cell.inputs)
            signals.append(self.add((first_bit, inputs, cell.table()), inputs, cell.function))
        return tuple(signals[s] for s in circuit.outputs)

    def finish(self, outputs: Sequence[int]) -> Circuit:
        return Circuit(self.width, tuple(self.cells), tuple(outputs))


def _chains(width: int, thresholds: Sequence[int], family: Family) -> Circuit:
    """Each comparison a chain of LUTs of its own; equal lower parts are shared."""
    builder = _Builder(width)
    k = family.lut_inputs
    return builder.finish([builder.at_least(width, t, k, k - 1) for t in thresholds])


def _selected(width: int, thresholds: Sequence[int], family: Family) -> Circuit | None:
    """Lower parts whose cut is selected by upper bits, each shared by as many comparisons as agree."""
    k = family.lut_inputs
    q = width - (k - 1)
    wide = [t for t in thresholds if relevant_bits(width, t) > k]
    if len(wide) < 2 or len(wide) > SELECTED_THRESHOLDS:
        return None
    groups: list[dict[int, int]] = []
    group_of = {}
    for t in wide:
        block, cut = t >> q, t % (1 << q)
        fitting = [
            index
            for index, group in enumerate(groups)
            if group.get(block, cut) == cut and _Builder(width).selected(q, {**group, block: cut}, k) is not None
        ]
        group_of[t] = fitting[0] if fitting else len(groups)
        if not fitting:
            groups.append({})
        groups[group_of[t]][block] = cut
    builder = _Builder(width)
    signals = [builder.selected(q, group, k) for group in groups]
    outputs = []
    for t in thresholds:
        signal = signals[group_of[t]] if t in group_of else None
        if signal is None:
            outputs.append(builder.at_least(width, t, k, k - 1))
        else:
            outputs.append(builder.above(q, t, ((signal,), lambda bits: bool(bits[0]))))
    return builder.finish(outputs)


def _grouped(width: int, thresholds: Sequence[int], sizes: Sequence[int], family: Family) -> Circuit | None:
    """For dual outputs: groups of comparisons of which two at a time share a LUT and its inputs.

    The comparisons too wide for half a dual-output LUT, in the order of their lower parts, form groups of the given
    sizes: 1, a chain of its own; 2, a chain of dual-output LUTs; 3, two signals for the lower part and three last
    cells.
    """
    k = family.lut_inputs
    q = width - (k - 3)
    wide = sorted((t for t in thresholds if relevant_bits(width, t) >= k), key=lambda t: (t % (1 << q), t))
    if sum(sizes) != len(wide):
        return None
    builder = _Builder(width)
    signal = {t: builder.at_least(width, t, k, k - 1) for t in thresholds if relevant_bits(width, t) < k}
    first = 0
    for size in sizes:
        group = wide[first : first + size]
        first += size
        cuts = sorted({t % (1 << q) for t in group} - {0})
        if len(cuts) == 3 and q < k:
            told = builder.gray(q, cuts)
            signal |= {t: builder.above(q, t, told[t % (1 << q)]) for t in group}
        elif size == 3 and len(cuts) == 3:
            return None
        elif size == 1:
            signal[group[0]] = builder.at_least(width, group[0], k, k - 1)
        else:
            signal |= {t: builder.at_least(width, t, k - 1, k - 3) for t in group}
    return builder.finish([signal[t] for t in thresholds])


def _products(width: int, thresholds: Sequence[int], split: int, family: Family, prices: Prices) -> Circuit:
    """For many thresholds: comparisons of the upper part and of the lower part, each made once, and joined."""
    high_bits = width - split
    high = {t >> split for t in thresholds} | {(t >> split) + 1 for t in thresholds if t % (1 << split)}
    highs = tuple(sorted(high - {0, 1 << high_bits}))
    lows = tuple(sorted({t % (1 << split) for t in thresholds} - {0}))
    builder = _Builder(width)
    upper = dict(zip(highs, builder.embed(cheapest(high_bits, highs, family, prices), split), strict=True))
    lower = dict(zip(lows, builder.embed(cheapest(split, lows, family, prices), 0), strict=True))
    outputs = []
    for t in thresholds:
        at, cut = t >> split, t % (1 << split)
        if cut == 0:
            outputs.append(upper[at])
        elif at == 0:
            outputs.append(builder.add(t, (lower[cut], upper[1]), any))
        elif at + 1 == 1 << high_bits:
            outputs.append(builder.add(t, (lower[cut], upper[at]), all))
        else:
            inputs = (lower[cut], upper[at], upper[at + 1])
            outputs.append(builder.add(t, inputs, lambda bits: bool(bits[2] or (bits[0] and bits[1]))))
    return builder.finish(outputs)


def spread(width: int, threshold: int, family: Family) -> Circuit | None:
    """One comparison, two bits wider than a LUT, as one LUT behind two cells of two inputs; None if it has no such
    form.

    Bits i and i + 1 of the code may be joined where the threshold's are equal: by OR if they are 0, by AND if 1.
    """
    low = trailing_zeros(threshold)
    if not family.dual_output or width - low != family.lut_inputs + 2:
        return None
    ones = [threshold >> i & 1 for i in range(width)]
    pair = next((i for i in range(low + 2, width - 1) if ones[i] == ones[i + 1]), None)
    if pair is None:
        return None
    builder = _Builder(width)
    below = builder.at_least(low + 2, threshold % (1 << low + 2), 2, 1)
    joined = builder.add("joined", (pair, pair + 1), all if ones[pair] else any)
    kept = [i for i in range(low + 2, width) if i != pair + 1]
    goal = 2 * number([ones[i] for i in kept]) + 1
    inputs = (below, *(joined if i == pair else i for i in kept))
    return builder.finish([builder.add("last", inputs, lambda bits: number(bits) >= goal)])


def _compositions(total: int, parts: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
    for part in parts:
        if part <= total:
            for rest in _compositions(total - part, parts):
                yield (part, *rest)


def _candidates(width: int, thresholds: tuple[int, ...], family: Family, prices: Prices) -> Iterator[Circuit | None]:
    yield _chains(width, thresholds, family)
    yield _selected(width, thresholds, family)
    wide = sum(relevant_bits(width, t) >= family.lut_inputs for t in thresholds)
    if family.dual_output and wide >= 2:
        if wide <= SEARCHED_THRESHOLDS:
            for sizes in _compositions(wide, (3, 2, 1)):
                yield _grouped(width, thresholds, sizes, family)
        else:
            for part in (3, 2):
                yield _grouped(width, thresholds, (*(part,) * (wide // part), *(1,) * (wide % part)), family)
    if wide >= 4:
        for split in range(2, width - 1):
            if abs(2 * split - width) <= 3:
                yield _products(width, thresholds, split, family, prices)


@lru_cache(maxsize=1 << 16)
def cheapest(width: int, thresholds: tuple[int, ...], family: Family, prices: Prices = ALONE) -> Circuit:
    """The cheapest circuit of a feature, of those the shallowest, of those the first tried.

    None is deeper than the deepest of its comparisons as a chain: more depth saves very little
    (docs/adr/0006-encoder-grid.md).

    Args:
        width: the bits of a code.
        thresholds: ascending, from 1 to 2**width - 1.
        family: gives the number of inputs and outputs of a LUT.
        prices: what cells cost that find no partner within the feature.
    """
    shift = min(map(trailing_zeros, thresholds), default=0)
    if shift:
        inner = cheapest(width - shift, tuple(t >> shift for t in thresholds), family, prices)
        builder = _Builder(width)
        return builder.finish(builder.embed(inner, shift))
    circuits = [circuit for circuit in _candidates(width, thresholds, family, prices) if circuit is not None]
    depths = [max(circuit.levels(), default=-1) for circuit in circuits]
    shallow = [(circuit, depth) for circuit, depth in zip(circuits, depths, strict=True) if depth <= depths[0]]
    return min(shallow, key=lambda candidate: (cost(candidate[0], family, prices), candidate[1]))[0]


def cost(circuit: Circuit, family: Family, prices: Prices) -> int:
    """The cost in thirds of a LUT."""
    pairs = partners(circuit, family, prices)
    if not family.dual_output:
        return LUT_COST * len(circuit.cells)
    single = sum(prices.of(len(cell.inputs)) for index, cell in enumerate(circuit.cells) if pairs[index] < 0)
    return single + LUT_COST * sum(partner > index for index, partner in enumerate(pairs))


def partners(circuit: Circuit, family: Family, prices: Prices) -> list[int]:
    """For each cell the cell that it shares a dual-output LUT with, or -1: the cheapest pairing.

    Two cells may share a LUT if they have the same level, so that neither reads the other, and at most `lut_inputs` - 1
    inputs together.
    """
    result = [-1] * len(circuit.cells)
    if not family.dual_output:
        return result
    levels = circuit.levels()
    for level in sorted(set(levels)):
        inputs = {
            index: frozenset(cell.inputs)
            for index, cell in enumerate(circuit.cells)
            if levels[index] == level and len(cell.inputs) < family.lut_inputs
        }
        for a, b in _pair(inputs, family.lut_inputs - 1, prices):
            result[a], result[b] = b, a
    return result


def _pair(inputs: dict[int, frozenset[int]], most: int, prices: Prices) -> list[tuple[int, int]]:
    """The cheapest set of disjoint pairs, by search if there are few cells, else greedily, most inputs first."""

    def search(left: tuple[int, ...]) -> tuple[int, list[tuple[int, int]]]:
        if not left:
            return 0, []
        first, *others = left
        rest_cost, rest = search(tuple(others))
        best = (rest_cost + prices.of(len(inputs[first])), rest)
        for other in others:
            if len(inputs[first] | inputs[other]) <= most:
                rest_cost, rest = search(tuple(o for o in others if o != other))
                if rest_cost + LUT_COST < best[0]:
                    best = (rest_cost + LUT_COST, [(first, other), *rest])
        return best

    order = sorted(inputs, key=lambda index: (-len(inputs[index]), index))
    if len(order) <= SEARCHED_CELLS:
        return search(tuple(order))[1]
    pairs, free = [], dict.fromkeys(order)
    for first in order:
        if first not in free:
            continue
        del free[first]
        fitting = [other for other in free if len(inputs[first] | inputs[other]) <= most]
        if fitting:
            chosen = max(fitting, key=lambda other: len(inputs[first] & inputs[other]))
            pairs.append((first, chosen))
            del free[chosen]
    return pairs
