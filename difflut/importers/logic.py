"""Boolean circuits on the way from a file to arrays: named bits, functions of any number of inputs, numbers of bits."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from difflut.data_names import DataNames
from difflut.errors import ConfigError, NetworkFileError
from difflut.importers.graph import GraphNetwork
from difflut.models.given import MOST

Word = tuple[str, list[int], bool]
Named = TypeVar("Named", bound=Hashable)

FALSE, TRUE = 0, 1
_NOT, _AND, _OR = 0b01, 0b1000, 0b1110
_INDEX = re.compile(r"(.+)\[(0|[1-9]\d{0,8})\]", re.DOTALL)
_WIDTHS = re.compile(r"(?:([1-9]\d{0,5})x)?([1-9]\d{0,1})(s?)")


class Logic:
    """Nodes, each behind those that it reads; nets are numbered as `from_netlist` does.

    Args:
        inputs: W, the number of input bits.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.offsets = [0]
        self.connections: list[int] = []
        self.tables: list[tuple[int, int]] = []  # of each node the table as a number, and inputs
        self._known: dict[tuple[tuple[int, ...], int], int] = {}

    def add(self, feeds: Sequence[int], table: int) -> int:
        """The net of a node of at most 8 inputs; bit a of the table is the output at address a, input 0 lowest."""
        key = (tuple(feeds), table)
        net = self._known.get(key)
        if net is None:
            net = self._known[key] = 2 + self.inputs + len(self.tables)
            self.connections += feeds
            self.offsets.append(len(self.connections))
            self.tables.append((table, len(feeds)))
        return net

    def not_(self, net: int) -> int:
        """The complement of a net."""
        return 1 - net if net <= TRUE else self.add([net], _NOT)

    def joined(self, nets: Sequence[int], table: int, empty: int) -> int:
        """Nets joined by an associative function of two inputs, in a tree of nodes of 8; `empty` for none."""
        nets = list(nets)
        while len(nets) > 1:
            groups = [nets[at : at + MOST["n"]] for at in range(0, len(nets), MOST["n"])]
            nets = [group[0] if len(group) == 1 else self.add(group, _joint(table, len(group))) for group in groups]
        return nets[0] if nets else empty

    def cubes(self, feeds: Sequence[int], rows: Iterable[str]) -> int:
        """The disjunction of cubes: character i of a row says what input i must be, 0, 1 or - for either."""
        if len(feeds) <= MOST["n"]:
            table = 0
            for row in rows:
                table |= _cube(row)
            return self.add(feeds, table)
        terms = []
        for row in rows:
            literals = [
                net if value == "1" else self.not_(net) for net, value in zip(feeds, row, strict=True) if value != "-"
            ]
            terms.append(self.joined(literals, _AND, TRUE))
        return self.joined(terms, _OR, FALSE)

    def table(self, feeds: Sequence[int], entries: npt.NDArray[np.bool_]) -> int:
        """The net of a table of any number of inputs, bool (2**n,), index bit i = input i.

        Exact: more than 8 inputs are split by Shannon's expansion on the upper ones, equal parts once.
        """
        if len(feeds) <= MOST["n"]:
            return self.add(feeds, int.from_bytes(np.packbits(entries, bitorder="little").tobytes(), "little"))
        low, high = (self.table(feeds[:-1], half) for half in np.split(entries, 2))
        return low if low == high else self.add([low, high, feeds[-1]], 0b11001010)

    def network(
        self, outputs: Sequence[int], words: Sequence[Word], inputs: Sequence[str], names: Sequence[str]
    ) -> GraphNetwork:
        """The circuit as arrays, whose results are bits, and numbers that some of them are.

        Args:
            outputs: their nets.
            words: the numbers.
            inputs, names: of the inputs and of the outputs.

        Raises:
            NetworkFileError: there is no input or no output.
        """
        if not self.inputs or not outputs:
            raise NetworkFileError(
                f"has {self.inputs} inputs and {len(outputs)} outputs; expected at least one of both"
            )
        entries = [
            np.unpackbits(np.frombuffer(table.to_bytes(32, "little"), np.uint8), bitorder="little")[: 1 << n]
            for table, n in self.tables
        ]
        return GraphNetwork(
            thresholds=None,
            features=self.inputs,
            offsets=np.array(self.offsets, np.int64),
            connections=np.array(self.connections, np.int64),
            tables=np.concatenate([np.zeros(0, np.uint8), *entries]).astype(np.bool_),
            outputs=tuple(np.array([net], np.int64) for net in outputs),
            head="bits",
            options={"words": [list(word) for word in words]},
            names=_data_names(inputs, names),
        )


def _data_names(inputs: Sequence[str], outputs: Sequence[str]) -> DataNames | None:
    """The names as reports show them; none where they are too long or do not print."""
    try:
        return DataNames(features=tuple(inputs), classes=tuple(outputs))
    except ConfigError:
        return None


def _joint(table: int, count: int) -> int:
    return 1 << ((1 << count) - 1) if table == _AND else ((1 << (1 << count)) - 1) & ~1


@lru_cache(maxsize=1 << 14)
def _cube(row: str) -> int:
    """The table of a cube of at most 8 literals."""
    addresses = [0]
    for i, value in enumerate(row):
        if value == "-":
            addresses += [address | 1 << i for address in addresses]
        elif value == "1":
            addresses = [address | 1 << i for address in addresses]
    return sum(1 << address for address in addresses)


def words_of(names: Sequence[str], numbers: str | None) -> list[Word]:
    """Which output bits are a number.

    Args:
        names: of the outputs.
        numbers: "names" or None: `y[0]` to `y[w-1]` are the number y; "none": there are none; or widths of neighbouring
            outputs that are numbers, the lowest bit first, such as "4,4,3s": s for signed, 5x2 for five of two bits.

    Raises:
        NetworkFileError: these are no numbers of the outputs.
    """
    if numbers == "none":
        return []
    if numbers is None or numbers == "names":
        return _named_words(names)
    words: list[Word] = []
    at = 0
    for part in numbers.split(","):
        match = _WIDTHS.fullmatch(part.strip())
        if match is None or int(match[2]) > 63:
            raise NetworkFileError(
                f"--numbers {numbers!a:.60}: {part!a:.20} is no width; expected names, none, or widths as 4,4,3s or 5x2"
            )
        width = int(match[2])
        for _ in range(int(match[1] or 1)):
            if at + width > len(names):
                raise NetworkFileError(f"--numbers {numbers!a:.60} are of more bits than the {len(names)} outputs")
            words.append((f"number {len(words)}", list(range(at, at + width)), bool(match[3])))
            at += width
    if at != len(names):
        raise NetworkFileError(f"--numbers {numbers!a:.60} are of {at} bits; expected all {len(names)} outputs")
    return words


def _named_words(names: Sequence[str]) -> list[Word]:
    """The ports of bits; none where no port has several, as then the bits are what there is."""
    found: dict[str, dict[int, int]] = {}
    for place, name in enumerate(names):
        match = _INDEX.fullmatch(name)
        found.setdefault(match[1] if match else name, {})[int(match[2]) if match else -1] = place
    words: list[Word] = []
    for port, places in found.items():
        if 2 <= len(places) <= 63 and sorted(places) == list(range(len(places))):
            words.append((port, [places[i] for i in range(len(places))], False))
        else:
            words += [(names[place], [place], False) for place in places.values()]
    return words if len(words) < len(names) else []


def in_port_order(names: Sequence[str | None]) -> list[int]:
    """Places of bits in the order of their ports: ports as they come, the bits of one by their index."""
    first: dict[str, int] = {}
    keys = []
    for place, name in enumerate(names):
        match = _INDEX.fullmatch(name) if name is not None else None
        port, bit = (match[1], int(match[2])) if match else (f"\0{place}", 0)
        keys.append((first.setdefault(port, place), bit, place))
    return [place for _, _, place in sorted(keys)]


def ordered(reads: Mapping[Named, Sequence[Named]], roots: Iterable[Named]) -> Iterator[Named]:
    """What drives the roots, each behind all that it reads.

    Args:
        reads: of each driven signal those that it reads; signals that are not in it are inputs.
        roots: where to begin.

    Raises:
        NetworkFileError: they read each other in a circle; names some of it.
    """
    done: set[Named] = set()
    for root in roots:
        way: dict[Named, Iterator[Named]] = {}
        if root in reads and root not in done:
            way[root] = iter(reads[root])
        while way:
            signal = next(reversed(way))
            for feed in way[signal]:
                if feed in way:
                    circle = [*way][[*way].index(feed) :][:4]
                    raise NetworkFileError(
                        f"has a cycle: {' <- '.join(f'{one!s:.40}' for one in circle)}; expected a circuit without"
                    )
                if feed in reads and feed not in done:
                    way[feed] = iter(reads[feed])
                    break
            else:
                way.popitem()
                done.add(signal)
                yield signal
