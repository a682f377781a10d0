"""Reads what nextpnr leaves of a run: the JSON report with clocks, utilisation and critical paths, and the log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from difflut.shown import Brief

CORE = "core."
_CLOCK_BUFFERS = re.compile(r"^\$glbnet\$|\$(\w*IO_IN|glb_clk).*$")
_USAGE_LINE = re.compile(r"^Info:\s+([A-Z]\w+):\s+(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


@dataclass(frozen=True)
class Resource:
    """How many of a device's cells of one kind are used, and how many it has."""

    used: int
    available: int


@dataclass(frozen=True)
class Hop:
    """One step of a path: its kind (nextpnr's: clk-to-q, logic, routing, setup), delay, cells, and the net if
    routed.
    """

    kind: str
    delay_ns: float
    source: str
    sink: str
    net: str


@dataclass(frozen=True, repr=False)
class RoutedPath(Brief):
    """The slowest register-to-register path of a clock.

    Attributes:
        delay_ns: its whole delay, clock to output and setup included.
        routing_ns: the part of it that is wires.
        source, sink: the registers at its ends.
        in_core: whether any cell or net of it belongs to the core and not to the shell alone; True without a shell.
        hops: its steps.
    """

    delay_ns: float
    routing_ns: float
    source: str
    sink: str
    in_core: bool
    hops: tuple[Hop, ...]

    def __str__(self) -> str:
        where = "" if self.in_core else " (in the shell)"
        return (
            f"{self.delay_ns:.2f} ns, of which {self.routing_ns:.2f} in wires, from {self.source} to {self.sink}{where}"
        )


@dataclass(frozen=True)
class Clock:
    """The clock that a routed design reaches, what was asked for, and the path that limits it (None: no such path)."""

    mhz: float
    asked_mhz: float
    path: RoutedPath | None


def read_utilisation(report: Mapping[str, Any]) -> dict[str, Resource]:
    """The cells that are used at all, by nextpnr's names."""
    return {
        name: Resource(int(entry["used"]), int(entry["available"]))
        for name, entry in sorted(report["utilization"].items())
        if entry["used"]
    }


def read_clocks(report: Mapping[str, Any], in_shell: bool) -> dict[str, Clock]:
    """The clocks by the names of their nets, clock buffers left out of the names.

    Args:
        report: nextpnr's JSON report.
        in_shell: whether the design is a core, `core`, in the flow's shell.
    """
    clocks = {}
    for net, entry in report["fmax"].items():
        edges = (f"posedge {net}", f"negedge {net}")
        paths = [
            _path(found["path"], in_shell)
            for found in report["critical_paths"]
            if found["from"] in edges and found["to"] in edges and found["path"]
        ]
        slowest = max(paths, key=lambda path: path.delay_ns, default=None)
        clocks[_CLOCK_BUFFERS.sub("", net).removeprefix(CORE)] = Clock(
            round(float(entry["achieved"]), 2), round(float(entry["constraint"]), 2), slowest
        )
    return clocks


def _path(steps: list[Mapping[str, Any]], in_shell: bool) -> RoutedPath:
    hops = tuple(
        Hop(
            str(step["type"]),
            round(float(step["delay"]), 3),
            str(step["from"]["cell"]),
            str(step["to"]["cell"]),
            str(step.get("net", "")),
        )
        for step in steps
    )
    named = [name for hop in hops for name in (hop.source, hop.sink, hop.net)]
    return RoutedPath(
        delay_ns=round(sum(hop.delay_ns for hop in hops), 3),
        routing_ns=round(sum(hop.delay_ns for hop in hops if hop.kind == "routing"), 3),
        source=hops[0].source,
        sink=hops[-1].sink,
        in_core=not in_shell or any(name.startswith(CORE) for name in named),
        hops=hops,
    )


def overfull(log: str) -> dict[str, Resource]:
    """The resources of which a design needs more than there are, from the table in nextpnr's log."""
    found = {name: Resource(int(used), int(available)) for name, used, available in _USAGE_LINE.findall(log)}
    return {name: resource for name, resource in found.items() if resource.used > resource.available}
