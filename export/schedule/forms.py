"""The forms of a convolutional circuit, as `--conv` names them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from difflut.errors import ConfigError

UNROLLED, STREAMING, FOLDED = "unrolled", "streaming", "folded"


@dataclass(frozen=True)
class Form:
    """A form.

    Attributes:
        name: `UNROLLED`, `STREAMING` or `FOLDED`.
        cycles: how many clock cycles an image may take, of a folded circuit; else None.
    """

    name: str
    cycles: int | None = None


def parse_form(text: str) -> Form:
    """`unrolled`, `streaming`, or `folded=N` with N >= 1.

    Raises:
        ConfigError: if it is none of these.
    """
    if text in (UNROLLED, STREAMING):
        return Form(text)
    match = re.fullmatch(r"folded=([1-9]\d{0,8})", text)
    if match is None:
        raise ConfigError(
            f"--conv {text}: expected unrolled, streaming, or folded=N, where N is how many clock cycles an image may take, "
            f"such as folded=4096"
        )
    return Form(FOLDED, int(match[1]))
