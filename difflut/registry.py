"""What difflut knows by name, and how others add to it: a registry for each kind of thing. Free of torch.

A package adds entries with an entry point of the registry's group, a script with `REGISTRY.register(name)`.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from difflut.errors import ConfigError, UnknownNameError

T = TypeVar("T")
U = TypeVar("U")


class Registry(MutableMapping[str, T]):
    """Entries by name: difflut's own, those that were registered, then those of installed packages, which are imported
    when they are asked for.

    Args:
        what: one entry in words, for messages.
        group: the group of entry points.
        entries: difflut's own.
    """

    def __init__(self, what: str, group: str, entries: Mapping[str, T]) -> None:
        self.what = what
        self.group = group
        self._entries = dict(entries)

    @cached_property
    def _outside(self) -> dict[str, EntryPoint]:
        found = {}
        for point in entry_points(group=self.group):
            if point.name in self._entries:
                warnings.warn(
                    f"{point.value}: the {self.what} {point.name!r} of an installed package is not used, as there is "
                    "one of that name; its package should choose another",
                    stacklevel=2,
                )
            else:
                found[point.name] = point
        return found

    def __getitem__(self, name: str) -> T:
        if name not in self._entries and name in self._outside:
            point = self._outside[name]
            try:
                self._entries[name] = point.load()
            except Exception as error:  # whatever importing another package raises
                raise ConfigError(
                    f"{self.what} {name!r}: {point.value} of an installed package cannot be loaded "
                    f"({type(error).__name__}: {error}); repair or remove that package"
                ) from error
        return self._entries[name]

    def __setitem__(self, name: str, entry: T) -> None:
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._entries, *(name for name in self._outside if name not in self._entries)])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._outside

    def __repr__(self) -> str:
        return f"Registry of {self.what}: {', '.join(self)}"

    def register(self, name: str) -> Callable[[U], U]:
        """Decorate a class or function with its name; `register(name)(entry)` does it for any object.

        Raises:
            ConfigError: the name is taken.
        """

        def add(entry: U) -> U:
            if name in self and self[name] is not entry:
                raise ConfigError(f"{self.what} {name!r} is there already; choose another name")
            self._entries[name] = entry  # type: ignore[assignment]
            return entry

        return add

    def find(self, name: str) -> T:
        """The entry of a name.

        Raises:
            UnknownNameError: there is none; names the nearest ones, or all.
            ConfigError: it is of an installed package that cannot be imported.
        """
        if name not in self:
            raise UnknownNameError(f"unknown {self.what} {name!r}; {self.hint(name)}")
        return self[name]

    def name_of(self, entry: T) -> str | None:
        """The name of a class or function that is an entry; None if it is none."""
        place = f"{getattr(entry, '__module__', '')}:{getattr(entry, '__qualname__', '')}"
        own = [name for name, known in self._entries.items() if known is entry]
        return next(iter([*own, *(name for name, point in self._outside.items() if point.value == place)]), None)

    def hint(self, name: str) -> str:
        """What may have been meant by a name that is unknown."""
        near = difflib.get_close_matches(name, self, n=3, cutoff=0.4)
        return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self)}"
