"""Small faults for emitted Verilog, one at a time: what a slip of the pen in a template or in a file would be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_COMMENT = re.compile(r"//.*")
_NONBLOCKING = re.compile(r"((?:^|;|\)|\belse|\bbegin|:)\s*(?:\{[^{}]*\}|\w+(?:\[[^\]]*\])?)) <= ")
_DECIMAL = re.compile(r"\b(\d+)'d(\d+)\b")
_HEXADECIMAL = re.compile(r"\b32'h([0-9a-f]+)\b")
_SELECT = re.compile(r"(\w)\[(\d+)(?::(\d+))?\]")
_CONNECTION = re.compile(r"^(\s*\.\w+\()(\w+)(\),?)$")
_STATEMENT = re.compile(r"^\s*(?:assign .*;|(?:if \(.*\) |else )?\w+(?:\[\w+\])? <= [^;]*;)$")
_CHOICE = re.compile(r"\? ([^?:;]+) : ([^?:;)]+)")
_ASSIGNED = re.compile(r"^(\s*(?:assign [^=]+|wire [^=;]+)) = (.+);$")

# operator -> what is replaced, by what; every place is a mutant of its own
_REPLACED: dict[str, tuple[str, str]] = {
    "equal": (r" == ", " != "),
    "unequal": (r" != ", " == "),
    "less": (r" < ", " <= "),
    "and": (r" & ", " | "),
    "or": (r" \| ", " & "),
    "plus": (r" \+ ", " - "),
    "minus": (r" - ", " + "),
    "edge": (r"\bposedge\b", "negedge"),
    "one": (r"1'b1\b", "1'b0"),
    "zero": (r"1'b0\b", "1'b1"),
    "not": (r"~|!(?!=)", ""),
    "condition": (r"\bif \(", "if (!"),
    "right shift": (r" >> ", " << "),
}


class Mutant(NamedTuple):
    """One fault.

    Attributes:
        operator: its kind.
        line: where, from 1 on.
        text: the whole file with it.
    """

    operator: str
    line: int
    text: str


def mutants(text: str) -> Iterator[Mutant]:
    """Every mutant of a Verilog file, comments left alone."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        code = _COMMENT.sub("", line).rstrip()
        seen = {code}
        for operator, changed in _changes(code, lines[number + 1] if number + 1 < len(lines) else ""):
            endless = operator == "plus" and "for (" in code  # a loop that no tool ends
            if changed not in seen and "unused_bits" not in code and not endless:
                seen.add(changed)
                rest = lines[number + (2 if "\n" in changed else 1) :]
                yield Mutant(operator, number + 1, "\n".join([*lines[:number], changed, *rest]))


def _changes(code: str, following: str) -> Iterator[tuple[str, str]]:
    for operator, (pattern, new) in _REPLACED.items():
        for found in re.finditer(pattern, code):
            yield operator, code[: found.start()] + new + code[found.end() :]
    hidden = _NONBLOCKING.sub(lambda found: f"{found[1]} <- ", code)
    for found in re.finditer(" <= ", hidden):
        yield "at most", code[: found.start()] + " < " + code[found.end() :]
    for found in _DECIMAL.finditer(code):
        width, value = int(found[1]), int(found[2])
        for other in {(value + 1) % (1 << width), (value - 1) % (1 << width)} - {value}:
            yield "constant", f"{code[: found.start()]}{width}'d{other}{code[found.end() :]}"
    for found in _HEXADECIMAL.finditer(code):
        yield "constant", f"{code[: found.start()]}32'h{int(found[1], 16) ^ 1:08x}{code[found.end() :]}"
    for found in _SELECT.finditer(code):
        high, low = int(found[2]), found[3]
        for step in (1, -1) if int(low or high) else (1,):
            select = f"[{high + step}]" if low is None else f"[{high + step}:{int(low) + step}]"
            yield "index", f"{code[: found.start(2) - 1]}{select}{code[found.end() :]}"
    for found in _CHOICE.finditer(code):
        yield "swapped", f"{code[: found.start()]}? {found[2]} : {found[1]}{code[found.end() :]}"
    if _STATEMENT.match(code):
        kept = re.match(r"^\s*(?:if \(.*\)|else) (?=\w+(?:\[\w+\])? <= )", code)
        yield "dropped", f"{kept[0]};" if kept else ""
    if found := _ASSIGNED.match(code):
        yield "inverted", f"{found[1]} = ~({found[2]});"
    if found := _CONNECTION.match(code):
        yield "inverted", f"{found[1]}~{found[2]}{found[3]}"
        if other := _CONNECTION.match(following):
            yield "swapped", f"{found[1]}{other[2]}{found[3]}\n{other[1]}{found[2]}{other[3]}"
