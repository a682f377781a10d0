"""A shortest sum of products of a table of up to 8 inputs, by Quine and McCluskey's method.

Prime implicants come from merging cubes that differ in one input; a branch and bound search over them finds the cover
with the fewest products, of these the one with the fewest literals. The search is exact until it has tried `LIMIT`
covers.
"""

from __future__ import annotations

from dataclasses import dataclass

LIMIT = 20_000


@dataclass(frozen=True, order=True)
class Cube:
    """A product: the inputs in `care` are fixed, to the bits of `value`; the others may be anything."""

    care: int
    value: int

    @property
    def literals(self) -> int:
        """How many inputs are fixed."""
        return self.care.bit_count()

    def covers(self, address: int) -> bool:
        """Whether the product is 1 at an address of the table."""
        return address & self.care == self.value


@dataclass(frozen=True)
class SumOfProducts:
    """A cover of a table.

    Attributes:
        cubes: the products, shortest first; none for constant 0, one without literals for constant 1.
        minimal: whether the search was complete, so that no cover has fewer products.
    """

    cubes: tuple[Cube, ...]
    minimal: bool

    def text(self, names: list[str]) -> str:
        """`a b' + c`: a product by juxtaposition, a prime for the complement; `names` of the inputs, input 0 first."""
        if not self.cubes:
            return "0"
        return " + ".join(_product(cube, names) for cube in self.cubes)


def _product(cube: Cube, names: list[str]) -> str:
    factors = [f"{name}{'' if cube.value >> i & 1 else chr(39)}" for i, name in enumerate(names) if cube.care >> i & 1]
    return " ".join(factors) or "1"


def minimise(table: int, n: int) -> SumOfProducts:
    """A shortest cover of the function of `n` inputs whose value at address a is bit a of `table`."""
    ones = [address for address in range(1 << n) if table >> address & 1]
    if not ones:
        return SumOfProducts((), True)
    primes = _primes(ones, n)
    masks = {prime: sum(1 << k for k, one in enumerate(ones) if prime.covers(one)) for prime in primes}
    chosen: list[Cube] = []
    left = (1 << len(ones)) - 1
    for k in range(len(ones)):
        covering = [prime for prime in primes if masks[prime] >> k & 1]
        if len(covering) == 1 and covering[0] not in chosen:
            chosen.append(covering[0])
            left &= ~masks[covering[0]]
    search = _Search(masks)
    search.run(left, [])
    assert search.best is not None
    cubes = sorted([*chosen, *search.best], key=lambda cube: (cube.literals, cube))
    return SumOfProducts(tuple(cubes), search.tried < LIMIT)


def _primes(ones: list[int], n: int) -> list[Cube]:
    """The prime implicants, those with few literals first."""
    level = {Cube((1 << n) - 1, one) for one in ones}
    primes: list[Cube] = []
    while level:
        merged: set[Cube] = set()
        used: set[Cube] = set()
        for cube in level:
            for bit in (1 << i for i in range(n)):
                other = Cube(cube.care, cube.value ^ bit)
                if cube.care & bit and other in level:
                    merged.add(Cube(cube.care & ~bit, cube.value & ~bit))
                    used.add(cube)
        primes += level - used
        level = merged
    return sorted(primes, key=lambda cube: (cube.literals, cube))


class _Search:
    """Depth first over the ways to cover what is left, the one with the fewest primes kept."""

    def __init__(self, masks: dict[Cube, int]) -> None:
        self._masks = masks
        self.best: list[Cube] | None = None
        self._cost = (0, 0)
        self.tried = 0

    def run(self, left: int, chosen: list[Cube]) -> None:
        """Cover the ones whose bits are set in `left`."""
        if left == 0:
            cost = (len(chosen), sum(cube.literals for cube in chosen))
            if self.best is None or cost < self._cost:
                self.best, self._cost = list(chosen), cost
            return
        if self.tried >= LIMIT and self.best is not None:
            return
        self.tried += 1
        useful = {cube: mask & left for cube, mask in self._masks.items() if mask & left}
        most = max(mask.bit_count() for mask in useful.values())
        if self.best is not None and len(chosen) + -(-left.bit_count() // most) > self._cost[0]:
            return
        # Some prime must cover the one that the fewest cover.
        ones = [k for k in range(left.bit_length()) if left >> k & 1]
        rarest = min(ones, key=lambda k: sum(mask >> k & 1 for mask in useful.values()))
        options = [cube for cube, mask in useful.items() if mask >> rarest & 1]
        for cube in sorted(options, key=lambda cube: (-useful[cube].bit_count(), cube.literals)):
            self.run(left & ~useful[cube], [*chosen, cube])
