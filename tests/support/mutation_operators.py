"""Changes that are made at random in emitted Verilog: the usual operators of mutation testing."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from difflut.export.builds.store import Build

Match = re.Match[str]
# Comments, and wires that only tell linters that something is not read, change nothing.
_SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/|wire unused[^;]*;", re.DOTALL)
_HEX, _PORT, _INDEX = r"\b(\d+)'h([0-9a-f]+)\b", r"\.(\w+)\((\w+)\)", r"\[([1-9]\d*)\]"


def _moved(step: int) -> Callable[[Match], str]:
    return lambda m: f"{m[1]}'h{(int(m[2], 16) + step) % (1 << int(m[1])):x}"


# Operator -> what it changes, and to what.
OPERATORS: dict[str, tuple[str, Callable[[Match], str]]] = {
    "constant + 1": (_HEX, _moved(1)),
    "constant - 1": (_HEX, _moved(-1)),
    "table bit": (_HEX, lambda m: f"{m[1]}'h{int(m[2], 16) ^ 1 << m.start() % int(m[1]):x}"),
    "decimal + 1": (r"\b(\d+)'d(\d+)\b", lambda m: f"{m[1]}'d{(int(m[2]) + 1) % (1 << int(m[1]))}"),
    "inverted bit": (r"\b1'b([01])\b", lambda m: f"1'b{1 - int(m[1])}"),
    "== to !=": (" == ", lambda m: " != "),
    "!= to ==": (" != ", lambda m: " == "),
    "> to >=": (" > ", lambda m: " >= "),
    "> to <": (" > ", lambda m: " < "),
    ">= to >": (" >= ", lambda m: " > "),
    "& to |": (" & ", lambda m: " | "),
    "| to &": (r" \| ", lambda m: " & "),
    "+ to -": (r" \+ ", lambda m: " - "),
    "- to +": (" - ", lambda m: " + "),
    "edge": ("posedge", lambda m: "negedge"),
    "~ dropped": (r"~(\w)", lambda m: m[1]),
    "? : swapped": (r"\? ([^:;?]+) : ([^:;?]+)([;,])", lambda m: f"? {m[2]} : {m[1]}{m[3]}"),
    "index + 1": (r"\[(\d+)\]", lambda m: f"[{int(m[1]) + 1}]"),
    "index - 1": (_INDEX, lambda m: f"[{int(m[1]) - 1}]"),
    "range": (r"\[(\d+):(\d+)\]", lambda m: f"[{int(m[1]) + (1 if m[1] == m[2] else -1)}:{m[2]}]"),
    "port inverted": (_PORT, lambda m: f".{m[1]}(~{m[2]})"),
    "port 0": (_PORT, lambda m: f".{m[1]}(1'b0)"),
    "port left out": (r"\.(in_\w+|rst|clk)\((\w+)\),", lambda m: ""),
    "assignment dropped": (r"\b(assign [^;]*|\w+ <= [^;]*);", lambda m: ";" if "<=" in m[1] else ""),
    "output 1": (r"assign (\w+) = [^;]*;", lambda m: f"assign {m[1]} = 1'b1;"),
    "value inverted": (r"(<=|assign \w+ =) (\w+)([\[;])", lambda m: f"{m[1]} ~{m[2]}{m[3]}"),
    "reset ignored": (r"if \((?:rst|!aresetn)\b", lambda m: "if (1'b0"),
    "condition inverted": (r"if \(([^()]*)\)", lambda m: f"if (!({m[1]}))"),
    "shift turned": (" >> ", lambda m: " << "),
    "memory word dropped": (r"\b\w+\[\d+\] = \d+'h[0-9a-f]+;", lambda m: ";"),
    "enable ignored": (r"if \((step|take|valid\d|in_valid)\b", lambda m: f"if (1'b1 | {m[1]}"),
}


@dataclass(frozen=True)
class Mutant:
    """A build with one place changed, and which."""

    build: Build
    place: str


def mutants(build: Build, count: int, seed: int) -> Iterator[Mutant]:
    """So many changes of a build's RTL, each operator in turn in files and places drawn at random."""
    draw = random.Random(seed)
    places: dict[str, list[tuple[str, Match]]] = {}
    for file in sorted(name for name in build.files if name.startswith("rtl/")):
        text = build.text(file)
        skipped = [found.span() for found in _SKIPPED.finditer(text)]
        for operator, (pattern, _) in OPERATORS.items():
            for found in re.finditer(pattern, text):
                if not any(start <= found.start() < end for start, end in skipped):
                    places.setdefault(operator, []).append((file, found))
    for some in places.values():
        draw.shuffle(some)
    while count and places:
        for operator in draw.sample(list(places), len(places)):
            if not places[operator]:
                del places[operator]
                continue
            file, found = places[operator].pop()
            new, text = OPERATORS[operator][1](found), build.text(file)
            if count and new != found[0]:
                changed = text[: found.start()] + new + text[found.end() :]
                line = 1 + text[: found.start()].count("\n")
                place = f"{file}:{line}, {operator}: {found[0]!r} -> {new!r}"
                yield Mutant(Build.of(build.info, {**build.files, file: changed.encode()}), place)
                count -= 1
