"""How objects show themselves: a text that fits a screen, and the same for notebooks. Free of torch."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from difflut.quoting import terminal

MOST_LINES, MOST_COLUMNS = 40, 160
_MOST_ITEMS, _MOST_CHARACTERS = 4, 60


def percent(fraction: float | None) -> str:
    """An accuracy for people: 98.40 %, or a dash where there are no labels."""
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def quality(value: float | None, measure: str = "accuracy") -> str:
    """How good a model is, for people: `percent` of an accuracy, else the measure's name and the value."""
    return percent(value) if value is None or measure == "accuracy" else f"{measure} {value:.4f}"


class Shown:
    """A result, which shows itself as the command line prints it; a subclass says what in `lines`.

    A dataclass among the subclasses has `repr=False`.
    """

    def lines(self) -> Iterable[str]:
        """The result for people, a line each, what it is of first."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        """The lines, as far as a screen has them."""
        return "\n".join(_fitted(self.text))

    def _repr_html_(self) -> str:
        title, *rest = (html.escape(line) for line in _fitted(self.text))
        return f'<b>{title}</b><pre style="line-height: 1.3">' + "\n".join(rest) + "</pre>"


class Brief:
    """An object of fields, a dataclass with `repr=False` or a record, whose repr is as usual but for long values: of
    arrays it has type and shape, of other collections the first items.
    """

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(terminal(repr(self)))}</code>"


def brief(value: Any) -> str:
    """The repr of an object of fields, each of whose values is short."""
    shown = (f"{name}={_short(getattr(value, name))}" for name in _names(value))
    return f"{type(value).__qualname__}({', '.join(shown)})"


def _names(value: Any) -> tuple[str, ...]:
    """The names of the fields of a dataclass or of a struct of msgspec; none of anything else."""
    if is_dataclass(value):
        return tuple(field.name for field in fields(value) if field.repr)
    return tuple(getattr(value, "__struct_fields__", ()))


def _short(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None and hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(shape)}"
    if isinstance(value, Mapping):
        items = [f"{_short(key)}: {_short(item)}" for key, item in list(value.items())[:_MOST_ITEMS]]
        return "{" + ", ".join(items) + _more(len(value)) + "}"
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        items = [_short(item) for item in value[:_MOST_ITEMS]]
        one = "," if isinstance(value, tuple) and len(value) == 1 else ""
        before, after = "()" if isinstance(value, tuple) else "[]"
        return before + ", ".join(items) + _more(len(value)) + one + after
    if _names(value):
        return f"{type(value).__qualname__}(...)" if len(whole := repr(value)) > _MOST_CHARACTERS else whole
    text = repr(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


def _more(count: int) -> str:
    return f", ... {count:,} in all" if count > _MOST_ITEMS else ""


def _fitted(text: str) -> list[str]:
    lines = [
        line if len(line) <= MOST_COLUMNS else f"{line[: MOST_COLUMNS - 3]}..." for line in terminal(text).split("\n")
    ]
    if len(lines) <= MOST_LINES:
        return lines
    left = len(lines) - MOST_LINES + 1
    return [*lines[: MOST_LINES - 1], f"... and {left} lines more, which are in .text"]
