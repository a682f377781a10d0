"""What the values of a build may be, beyond their types: its file names, its texts, the words of its Verilog.

A build may come from anybody. Its names become words of scripts, paths and identifiers, and its Verilog is compiled and
run, so only what an export writes is taken: no path out of the directory, no text that does not print, no Verilog that
reaches out of the circuit (system tasks, directives, foreign functions). The patterns of names stand with their fields,
in `info.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from difflut.export.errors import BundleError

LONGEST_NAME = 120
LONGEST_TEXT = 4000
LONGEST_PATH = 400

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_RTL = re.compile(r"(?:rtl|sim)/[A-Za-z_][A-Za-z0-9_]*\.v")
_MODELS_FOLDER = "sim/"
_HDL_FOLDERS = ("rtl/", _MODELS_FOLDER)
_FREE = ("model", "trained")  # the user's own notes

_KEY = "(key)"  # the last step to the name of a field

Place = tuple[str, ...]


class ValueRefused(BundleError):
    """A build has a value that no export writes."""


def check_texts(description: Mapping[str, Any]) -> None:
    """Check every text and every key of a description in JSON.

    Raises:
        ValueRefused: names the first that no export writes, and what is expected.
    """
    for place, text in _texts(description):
        if place[:2] == _FREE:
            if not _is_encodable(text):
                raise _refused(place, text, "text without halves of characters")
        elif not text.isprintable() or len(text) > LONGEST_TEXT:
            raise _refused(place, text, f"a line of at most {LONGEST_TEXT} printable characters")


def check_file_names(names: Iterable[str]) -> None:
    """Check the file names of a build.

    Raises:
        ValueRefused: a name is no plain relative path, or leads outside the build.
    """
    for name in names:
        parts = name.split("/")
        plain = len(name) <= LONGEST_PATH and all(_PART.fullmatch(part) for part in parts)
        if ".." in parts or name.startswith("/") or parts[0] in ("work", "build.json"):
            raise ValueRefused(f"build.json: names the file {_shown(name)} outside the build")
        if not plain or (name.startswith(_HDL_FOLDERS) and not _RTL.fullmatch(name)):
            raise ValueRefused(
                f"build.json: names the file {_shown(name)}; expected a relative path of letters, digits, '_', '.' "
                "and '-', in rtl/ and sim/ a Verilog identifier and .v"
            )


# In Verilog: what is passed over, and what would reach out of the circuit.
_PASSED = rb'//[^\n]*|/\*.*?\*/|"[A-Za-z0-9_ .]*"'
_REACHES_OUT = rb'(?P<found>[$`\\"]|/\*|\b(?:import|export)\b)'
_TIMESCALE = rb"`timescale 1ns / 1ps\n"
# Around each simulation model, so that it is taken once whatever the number of files that have it, and by no synthesis.
_GUARD = rb"`(?:ifndef SYNTHESIS|(?:ifndef|define) DIFFLUT_[A-Z0-9_]+|endif)\n"
_HDL_TOKENS = re.compile(rb"|".join((_PASSED, _TIMESCALE, _REACHES_OUT)), re.DOTALL)
_MODEL_TOKENS = re.compile(rb"|".join((_PASSED, _TIMESCALE, _GUARD, _REACHES_OUT)), re.DOTALL)
_NETLIST_TOKENS = re.compile(_PASSED + rb"|\\[^\s]+|\$(?:un)?signed\b|" + _REACHES_OUT, re.DOTALL)
_MARKS = (b"$", b"`", b"\\", b'"', b"/*", b"import", b"export")  # without any of them nothing can be found
_HDL_CHARACTERS = bytes(range(ord(" "), ord("~") + 1)) + b"\t\n"
# Beside characters beyond ASCII: a backslash before a line end may continue a comment, so that tools see code where we
# do not.
_STRANGE = re.compile(rb"[^\t\n -~]|\\[ \t]*\n")


def check_hdl(name: str, content: bytes) -> None:
    """Check that a Verilog file describes a circuit and nothing else, if `name` is one that tools compile.

    Verilog can run commands and open files ($system, $fopen,
    `include, imported C functions); no export writes such a thing.

    Raises:
        ValueRefused: it has a system task, a directive but the timescale and, in a simulation model, its guard, an
            escaped identifier, an import, or a character beyond ASCII.
    """
    if name.startswith(_HDL_FOLDERS):
        _check_tokens(name, content, _MODEL_TOKENS if name.startswith(_MODELS_FOLDER) else _HDL_TOKENS)


def check_netlist_text(name: str, content: bytes) -> None:
    """The same of a netlist that Yosys wrote, which has escaped identifiers and marks signed values.

    Raises:
        ValueRefused: it has anything else that no netlist of Yosys has.
    """
    _check_tokens(name, content, _NETLIST_TOKENS)


def _check_tokens(name: str, content: bytes, tokens: re.Pattern[bytes]) -> None:
    plain = not content.translate(None, delete=_HDL_CHARACTERS)
    if plain and not any(mark in content for mark in _MARKS):
        return
    found = _STRANGE.search(content)
    found = found or next((token for token in tokens.finditer(content) if token["found"] is not None), None)
    if found is not None:
        line = content.count(b"\n", 0, found.start()) + 1
        raise ValueRefused(
            f"{name}:{line}: has {found[0].decode('latin-1')!r}, which no export writes: Verilog with system tasks, "
            f"directives, escaped names or imported functions can run commands"
        )


def _texts(manifest: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Every text and every key of a JSON object with its place."""
    waiting: list[tuple[Place, Any]] = [((), manifest)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, Mapping):
            yield from (((*place, _KEY), key) for key in value)
            waiting.extend(((*place, key), entry) for key, entry in value.items())
        elif isinstance(value, list | tuple):
            waiting.extend(((*place, str(index)), entry) for index, entry in enumerate(value))


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _refused(place: Place, value: object, expected: str) -> ValueRefused:
    where = ".".join(part if part.isprintable() and len(part) <= LONGEST_NAME else _shown(part) for part in place)
    return ValueRefused(f"build.json: {where} is {_shown(value)}; expected {expected}")


def one_line(error: Exception) -> str:
    """The message of an error that quotes what a build says: printable ASCII, and not all of a long one."""
    text = "".join(char if " " <= char <= "~" else ascii(char)[1:-1] for char in str(error)[: 4 * LONGEST_NAME])
    return text if len(str(error)) <= 4 * LONGEST_NAME else f"{text}..."


def _shown(value: object) -> str:
    """A value for a message: on one line, and not all of a long one."""
    text = ascii(value)
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}..."
