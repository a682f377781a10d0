"""What synthesis and place-and-route flows left in a build's work folder, read without knowing the flow.

A flow writes `work/<flow>/report.json`. Understood of it: `digest`, `fpga`, `device`, `command`, the version of a tool under
its name, `total` and `parts` (each with `luts`, `flip_flops`, `carries`, ...), a clock under `fmax_mhz` at any place, and
`utilisation` (`used` and `available` by kind).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from difflut.export import bundle

_TOOLS = ("yosys", "nextpnr", "vivado")
_CLOCK = "fmax_mhz"
_OTHERS = ("verify-", "proof", "simulation", "debug")


@dataclass(frozen=True)
class Cells:
    """The cells of a circuit or of a part of it."""

    luts: int
    carries: int
    muxes: int
    flip_flops: int


@dataclass(frozen=True)
class Used:
    """How many cells of one kind a device has and how many are taken."""

    kind: str
    used: int
    available: int


@dataclass(frozen=True)
class Synthesis:
    """One synthesis report.

    Attributes:
        name: the folder's name, such as "yosys-xcup".
        family: the FPGA family, empty if not said.
        tool: the tools and their versions, in words.
        command: the tool's command, or empty.
        date: when the report was written, UTC, ISO 8601.
        digest: of the build it was made from.
        total, parts: the cells; None and empty if the flow does not count them.
        fmax_mhz: the clock that it states, None if none.
        routed: whether that clock is one after placement and routing.
        used: how much of a device is taken.
    """

    name: str
    family: str
    tool: str
    command: str
    date: str
    digest: str
    total: Cells | None
    parts: Mapping[str, Cells]
    fmax_mhz: float | None
    routed: bool
    used: tuple[Used, ...]


def syntheses(directory: Path) -> list[Synthesis]:
    """Every synthesis report in a build's work folder, by name; files that are none are left out."""
    found = []
    for path in sorted((Path(directory) / bundle.WORK_FOLDER).glob("*/report.json")):
        if path.parent.name.startswith(_OTHERS):
            continue
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            date = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).isoformat(timespec="seconds")
        except (OSError, ValueError):
            continue
        if isinstance(report, dict) and "digest" in report:
            found.append(_read(path.parent.name, report, date))
    return found


def _read(name: str, report: Mapping[str, Any], date: str) -> Synthesis:
    parts = report.get("parts")
    clocks = list(_find(report, _CLOCK))
    tools = [f"{tool.capitalize()} {report[tool]}" for tool in _TOOLS if isinstance(report.get(tool), str)]
    device = str(report.get("device") or "")
    return Synthesis(
        name=name,
        family=str(report.get("fpga") or ""),
        tool=", ".join([*tools, device] if device else tools) or name,
        command=str(report.get("command") or "") if isinstance(report.get("command"), str) else "",
        date=str(report.get("date") or date),
        digest=str(report["digest"]),
        total=_cells(report.get("total")),
        parts={
            str(part): cells
            for part, values in (parts.items() if isinstance(parts, dict) else ())
            if (cells := _cells(values)) is not None
        },
        fmax_mhz=clocks[0] if clocks else None,
        routed=not name.startswith("yosys"),
        used=tuple(_used(report.get("utilisation"))),
    )


def _cells(values: Any) -> Cells | None:
    if not isinstance(values, dict) or not isinstance(values.get("luts"), int):
        return None

    def number(key: str) -> int:
        value = values.get(key, 0)
        return int(sum(value.values())) if isinstance(value, dict) else int(value or 0)

    return Cells(number("luts"), number("carries"), number("muxes"), number("flip_flops"))


def _used(values: Any) -> Iterator[Used]:
    for kind, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict) and isinstance(value.get("used"), int) and isinstance(value.get("available"), int):
            yield Used(str(kind), value["used"], value["available"])


def _find(values: Mapping[str, Any], key: str) -> Iterator[float]:
    """The numbers under `key`, those nearer to the top first."""
    own = values.get(key)
    if isinstance(own, int | float) and not isinstance(own, bool):
        yield float(own)
    for value in values.values():
        if isinstance(value, dict):
            yield from _find(value, key)
