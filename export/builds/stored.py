"""Reads JSON that an earlier run left in a build's work folder: data like any other, which anybody may have written.

A shape says what is expected: a type (`float` takes whole numbers too), a list with the shape of its entries, an object
with the shape of each field (fields whose name ends in `?` may be missing, others may be there besides), `Each` for
objects with any names that print, a tuple for one of several.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 64 << 20
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Each:
    """An object of any names, which print and are not long, whose values all have one shape."""

    shape: Any


CELLS = {"luts?": int, "carries?": (int, Each(int)), "muxes?": int, "flip_flops?": int}
RESOURCES = Each({"used": int, "available": int})
SLOW_PATH = {"source": str, "destination": str, "delay_ns": float, "routing_ns": float, "levels": str}
ROUTED_PATH = {
    "delay_ns": float,
    "routing_ns": float,
    "source": str,
    "sink": str,
    "in_core": bool,
    "hops": [{"kind": str, "delay_ns": float, "source": str, "sink": str, "net": str}],
}
FLOW_REPORT = {
    "flow": str,
    "digest": str,
    "status?": str,
    "build?": str,
    "fpga?": str,
    "date?": str,
    "device?": (str, None),
    "tools?": Each(str),
    "command?": (str, None),
    "counted?": str,
    "mhz?": (float, None),
    "total?": (CELLS, None),
    "parts?": Each(CELLS),
    "shell?": (int, None),
    "path?": {"fmax_mhz?": float, "delay_ns?": float, "cells?": Each(int)},
    "timing?": ({"path?": (SLOW_PATH, None)}, None),
    "utilisation?": ({**CELLS, "sites?": RESOURCES}, RESOURCES, None),
    "best?": int,
    "placements?": [{"utilisation?": RESOURCES, "clocks?": Each({"mhz": float, "path?": (ROUTED_PATH, None)})}],
}
PROOF_REPORT = {
    "digest": str,
    "date": str,
    "ok": bool,
    "claims": [{"subject": str, "statement": str, "verdict": str, "detail": str}],
}
VERIFICATION = {
    "digest": str,
    "date": str,
    "data": str,
    "simulator": str,
    "latency_cycles?": (int, None),
    "waves?": (str, None),
    "steps": [{"name": str, "images": int, "random": int, "mismatches": int, "accuracy": (float, None)}],
}


def read_object(path: Path, shape: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no file, or it holds no object of this shape."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        value = json.loads(content) if len(content) <= MOST_BYTES else None
        return value if isinstance(value, dict) and fits(value, shape) else None
    except (OSError, ValueError, RecursionError):
        return None


def fits(value: Any, shape: Any) -> bool:
    """Whether a JSON value has a shape."""
    if isinstance(shape, tuple):
        return any(fits(value, each) for each in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(entry, shape[0]) for entry in value)
    if isinstance(shape, Each):
        return isinstance(value, dict) and all(_is_name(key) and fits(each, shape.shape) for key, each in value.items())
    if isinstance(shape, Mapping):
        return isinstance(value, dict) and all(_has(value, field, each) for field, each in shape.items())
    if shape is float:
        return type(value) in (int, float) and abs(value) <= 1e18 and math.isfinite(value)
    if shape is int:
        return type(value) is int and abs(value) <= 1 << 62
    if shape is str:
        return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)
    return value is None if shape is None else type(value) is shape


def _is_name(key: str) -> bool:
    return len(key) <= _LONGEST_NAME and key.isprintable()


def _has(value: Mapping[str, Any], field: str, shape: Any) -> bool:
    name = field.removesuffix("?")
    return fits(value[name], shape) if name in value else name != field
