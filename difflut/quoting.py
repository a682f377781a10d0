"""Values in scripts and texts of other languages: the one place that quotes.

Whatever comes from a model, a build, a file name or an option is a value. Each function here makes one word, or one
piece of text, of a language from a value, so that no character of it means anything else there, or refuses it. The HDL
templates have the same functions as filters. HTML is not among them, data
of its scripts aside: templates of pages escape by themselves.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any
from xml.sax.saxutils import escape

from difflut.errors import ConfigError

# The letters are ASCII's: other tools do not take the others for letters.
_YOSYS_WORD = re.compile(r"[A-Za-z0-9_+$][A-Za-z0-9_+$*?:/.=,%@-]*|-[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[A-Za-z0-9_./+:=,@%-]+")


def printable(text: str) -> str:
    """`text` itself, a line of printable characters.

    Raises:
        ConfigError: it has a line end or another character that does not print.
    """
    if not text.isprintable():
        raise ConfigError(
            f"{text!r}: has a line end or another character that does not print, which no script can hold"
        )
    return text


def terminal(text: str) -> str:
    """`text` as a terminal shows it and does nothing else: line ends and tabs stay, other characters that do not print
    are written as Python escapes them.
    """
    return re.sub(r"[^\n\t -~]", lambda found: found[0] if found[0].isprintable() else ascii(found[0])[1:-1], text)


def json_text(value: Any) -> str:
    """A JSON value, indented, whose characters all print."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return re.sub(r"[^\n -~]", lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


def script_json(value: Any) -> str:
    """A JSON value in an element `script` of HTML, which no text in it can end, all ASCII."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text)


def yosys(command: str, *words: str) -> str:
    """A line of a Yosys script: a command of ours, then values, each one word.

    Raises:
        ConfigError: a word is none of Yosys' plain ones: nothing in its scripts quotes every character.
    """
    for word in words:
        if not _YOSYS_WORD.fullmatch(word):
            raise ConfigError(
                f"{word!r} cannot be a word of a Yosys script; expected a name of ASCII letters, digits and underscores"
            )
    return " ".join((command, *words))


def tcl(text: str) -> str:
    """A word of Tcl, and so of XDC: everything but plain characters behind a backslash."""
    if _PLAIN.fullmatch(text):
        return text
    if not text:
        return "{}"
    return re.sub(r"[^A-Za-z0-9_\u0080-\U0010ffff]", lambda found: "\\" + found[0], printable(text))


def shell(text: str) -> str:
    """A word of a POSIX shell."""
    return shlex.quote(printable(text))


def make(text: str) -> str:
    """The value of a variable in a command line of make."""
    return printable(text).replace("$", "$$")


def yaml(text: str) -> str:
    """A double-quoted scalar of YAML."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else _yaml_escape(ord(char)) for char in quoted)


def _yaml_escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def xml(text: str) -> str:
    """The content of an element or a double-quoted attribute of XML; what does not print, which XML may have no way to
    write, becomes a blank.
    """
    return escape("".join(char if char.isprintable() else " " for char in text), {'"': "&quot;", "'": "&apos;"})


def comment(text: str) -> str:
    """`text` as it may stand in a one-line comment of Verilog, Tcl, a shell or YAML: printable ASCII, no trailing
    backslash.
    """
    return re.sub(r"[^ -~]+", " ", text).rstrip("\\ ")


def markdown_code(text: str) -> str:
    """A code span of Markdown, on one line."""
    line = "".join(char if char.isprintable() else " " for char in text).strip() or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def markdown_cell(text: str) -> str:
    """A code span in a cell of a table of Markdown."""
    return markdown_code(text).replace("|", r"\|")


FILTERS = {
    "tcl": tcl,
    "yaml": yaml,
    "xml": xml,
    "comment": comment,
    "code": markdown_code,
    "cell": markdown_cell,
}
