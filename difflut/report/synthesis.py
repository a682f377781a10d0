"""What synthesis and place-and-route flows left in a build's work folder, read alike whatever the flow.

Understood of a flow's `report.json`: `fpga`, `device`, `tools`, `command`; the cells `total` and `parts`; the routed
clock `mhz`, else the estimate `path.fmax_mhz`; the path that limits it; how much of the device is taken, of the best of
`placements` or under `utilisation`; the flip-flops of a `shell` around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from difflut.export.flows.reports import find_reports

_LAST = ("group_sum", "argmax", "top")


@dataclass(frozen=True)
class Cells:
    """The cells of a circuit or of a part of it."""

    luts: int
    carries: int
    muxes: int
    flip_flops: int


_NONE = Cells(0, 0, 0, 0)


@dataclass(frozen=True)
class Used:
    """How many cells of one kind a device has and how many are taken."""

    kind: str
    used: int
    available: int


@dataclass(frozen=True)
class SlowPath:
    """The slowest path that a tool found.

    Attributes:
        delay_ns: its whole delay.
        words: where it goes, in a sentence.
        hops: its steps from the source on; empty if the tool does not list them.
    """

    delay_ns: float
    words: str
    hops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Synthesis:
    """One synthesis report.

    Attributes:
        name: the folder's name, such as "yosys-xcup".
        family: the FPGA family, empty if not said.
        device: the part, empty for a synthesis alone.
        tool: the tools and their versions, in words.
        command: the tool's command, or empty.
        date: when the report was written, UTC, ISO 8601.
        digest: of the build it was made from.
        total, parts: the cells; None and empty if the flow does not count them.
        fmax_mhz: the clock that it states, None if none.
        routed: whether that clock is one after placement and routing.
        used: how much of a device is taken.
        around: what was placed around the design, in words; empty for nothing.
        path: what limits the clock, None if the report does not say.
        counted: what is counted and how, where the command does not say it; else empty.
    """

    name: str
    family: str
    device: str
    tool: str
    command: str
    date: str
    digest: str
    total: Cells | None
    parts: Mapping[str, Cells]
    fmax_mhz: float | None
    routed: bool
    used: tuple[Used, ...]
    around: str = ""
    path: SlowPath | None = None
    counted: str = ""


def syntheses(directory: Path) -> list[Synthesis]:
    """Every report of a flow that ran, of whatever build, by folder name.

    Raises:
        BundleError: the directory is not a complete, unedited build.
    """
    return [
        _read(found.path, found.content) for found in find_reports(directory) if found.content.get("status") == "done"
    ]


def _read(path: Path, report: Mapping[str, Any]) -> Synthesis:
    parts = _object(report.get("parts"))
    written = _written(path)
    tools = [f"{name} {version}" for name, version in _object(report.get("tools")).items()]
    device = str(report.get("device") or "")
    routed = isinstance(report.get("mhz"), int | float)
    clock = report.get("mhz") if routed else _object(report.get("path")).get("fmax_mhz")
    placed = _object(report.get("utilisation"))
    placements, best = report.get("placements", []), report.get("best", 0)
    if 0 <= best < len(placements):
        placed = {"sites": _object(_object(placements[best]).get("utilisation"))}
    return Synthesis(
        name=path.parent.name,
        family=str(report.get("fpga") or ""),
        device=device,
        tool=", ".join(tools) or str(report["flow"]),
        command=str(report.get("command") or ""),
        counted=str(report.get("counted") or ""),
        date=str(report.get("date") or written),
        digest=str(report["digest"]),
        total=_cells(report.get("total") or report.get("utilisation")),
        parts={
            part: cells
            for part in sorted(parts, key=_place)
            if (cells := _cells(parts[part])) is not None and cells != _NONE
        },
        fmax_mhz=float(clock) if isinstance(clock, int | float) else None,
        routed=routed,
        used=tuple(_used(placed.get("sites"))),
        around=f"in a shell of {report['shell']:,} flip-flops" if report.get("shell") else "",
        path=_limit(report),
    )


def _limit(report: Mapping[str, Any]) -> SlowPath | None:
    """The path that limits the clock: nextpnr's, of the slowest clock of the best placement, Vivado's, or Yosys'."""
    placements, best = report.get("placements", []), report.get("best", 0)
    if 0 <= best < len(placements):
        clocks = _object(placements[best].get("clocks")).values()
        slowest = min(clocks, key=lambda clock: float(clock["mhz"]), default=None)
        path = _object(_object(slowest).get("path"))
        if not path:
            return None
        where = "" if path["in_core"] else ", in the shell"
        hops = tuple(
            f"{hop['kind']} {hop['delay_ns']:.2f} ns: "
            + (f"{hop['net']} to {hop['sink']}" if hop["kind"] == "routing" else f"{hop['source']}")
            for hop in path["hops"]
        )
        return SlowPath(path["delay_ns"], _ends(path, path["sink"]) + where, hops)
    if path := _object(_object(report.get("timing")).get("path")):
        return SlowPath(path["delay_ns"], f"{_ends(path, path['destination'])}; levels {path['levels']}")
    path = _object(report.get("path"))
    if "delay_ns" in path and "cells" in path:
        cells = ", ".join(f"{count} {kind}" for kind, count in path["cells"].items()) or "no cell"
        return SlowPath(path["delay_ns"], f"through {cells}")
    return None


def _ends(path: Mapping[str, Any], sink: str) -> str:
    return f"from {path['source']} to {sink}, {path['routing_ns']:.2f} ns of it in wires"


def _written(path: Path) -> str:
    """When a file was written, UTC, ISO 8601; empty for a time that no calendar has, which a file may well claim."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).isoformat(timespec="seconds")
    except (OSError, OverflowError, ValueError):
        return ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _place(part: str) -> tuple[bool, bool, list[int | str]]:
    """Sorts parts from input to output; numbers by value."""
    last = part in _LAST
    key: list[int | str] = [_LAST.index(part)] if last else []
    if not last:
        # Up to nine digits: texts of other tools may have more than Python reads as a number.
        key = [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d{1,9})", part)]
    return last, part != "encoder", key


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
