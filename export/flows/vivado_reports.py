"""Reads Vivado's text reports: `report_utilization` and `report_timing_summary`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from difflut.export.flows.routed import Resource

# The same things are called after slices or after CLBs, before or after placement (with an asterisk).
_SITES = {
    "luts": ("CLB LUTs", "Slice LUTs"),
    "flip_flops": ("CLB Registers", "Slice Registers"),
    "muxes": ("F7 Muxes", "F8 Muxes", "F9 Muxes"),
}


@dataclass(frozen=True)
class Utilisation:
    """What `report_utilization` says.

    Attributes:
        version: Vivado's version.
        luts: LUTs used, dual-output ones once.
        flip_flops: registers.
        carries: carry primitives by type.
        muxes: multiplexers behind LUTs.
        sites: every line of the tables by "Site Type" that is used at all, with the part's total.
        primitives: cells by "Ref Name".
    """

    version: str
    luts: int
    flip_flops: int
    carries: Mapping[str, int]
    muxes: int
    sites: Mapping[str, Resource]
    primitives: Mapping[str, int]


@dataclass(frozen=True)
class SlowPath:
    """The setup path with the least slack, as the timing report prints it."""

    source: str
    destination: str
    delay_ns: float
    routing_ns: float
    levels: str


@dataclass(frozen=True)
class TimingSummary:
    """What `report_timing_summary` says of setup.

    Attributes:
        period_ns: of the clock.
        worst_slack_ns: the least setup slack, negative where the clock is not reached.
        failing: endpoints with negative slack.
        mhz: the clock that the slack leaves: 1 / (period - slack).
        path: the slowest path, None if the report lists none.
    """

    period_ns: float
    worst_slack_ns: float
    failing: int
    mhz: float
    path: SlowPath | None


def read_utilisation(text: str) -> Utilisation:
    """Parse a report of `report_utilization`.

    Raises:
        ValueError: there is no line of LUTs or of registers; says which.
    """
    sites: dict[str, Resource] = {}
    primitives: dict[str, int] = {}
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            header = header if line.startswith("+") else []
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if "Used" in cells:
            header = cells
        elif header[:1] == ["Site Type"] and len(cells) == len(header):
            row = dict(zip(header, cells, strict=True))
            used, available = _number(row["Used"]), _number(row.get("Available", ""))
            if used is not None:
                sites[row["Site Type"].rstrip("*")] = Resource(used, available or 0)
        elif header[:1] == ["Ref Name"] and len(cells) == len(header):
            primitives[cells[0]] = _number(dict(zip(header, cells, strict=True))["Used"]) or 0
    found = {key: [sites[name].used for name in names if name in sites] for key, names in _SITES.items()}
    for key, names in _SITES.items():
        if key != "muxes" and not found[key]:
            raise ValueError(f"the utilisation report has no line {' or '.join(names)}")
    version = re.search(r"^\| Tool Version\s*:\s*Vivado v\.?(\S+)", text, re.MULTILINE)
    return Utilisation(
        version=version[1] if version else "unknown",
        luts=found["luts"][0],
        flip_flops=found["flip_flops"][0],
        carries={name: count for name, count in primitives.items() if re.fullmatch(r"CARRY[48]", name)},
        muxes=sum(found["muxes"]),
        sites={name: resource for name, resource in sites.items() if resource.used},
        primitives=primitives,
    )


def read_timing(text: str) -> TimingSummary:
    """Parse a report of `report_timing_summary`.

    Raises:
        ValueError: there is no summary or no clock, or no path was timed.
    """
    lines = text.splitlines()
    row = _below(lines, ("WNS(ns)", "TNS(ns)"))
    clock = _below(lines, ("Clock", "Waveform(ns)", "Period(ns)"))
    if row is None:
        raise ValueError("the timing report has no design timing summary")
    if clock is None:
        raise ValueError("the timing report has no clock")
    fields = row.split()
    if fields[0] == "NA":
        raise ValueError("the timing report times no path: the constraints name no clock of the design")
    period = re.search(r"\{[^}]*\}\s+([\d.]+)", clock)
    if period is None:
        raise ValueError(f"the timing report has a clock without a period: {clock.strip()}")
    period_ns, slack = float(period[1]), float(fields[0])
    return TimingSummary(period_ns, slack, int(fields[2]), round(1000 / (period_ns - slack), 2), _slowest(text))


def _below(lines: list[str], titles: tuple[str, ...]) -> str | None:
    """The line two below the one that begins with these column titles."""
    for number, line in enumerate(lines[:-2]):
        if tuple(re.split(r"\s{2,}", line.strip())[: len(titles)]) == titles and lines[number + 2].strip():
            return lines[number + 2]
    return None


def _slowest(text: str) -> SlowPath | None:
    """The first of the setup paths with the least slack; the report sorts within each group of paths."""
    paths = []
    for block in re.split(r"^Slack ", text, flags=re.MULTILINE)[1:]:
        slack = re.match(r"\((?:MET|VIOLATED)\)\s*:\s*(-?[\d.]+)ns", block)
        kind = re.search(r"Path Type:\s+(\w+)", block)
        source = re.search(r"Source:\s+(\S+)", block)
        destination = re.search(r"Destination:\s+(\S+)", block)
        delay = re.search(r"Data Path Delay:\s+([\d.]+)ns\s+\(logic ([\d.]+)ns.*?route ([\d.]+)ns", block)
        levels = re.search(r"Logic Levels:\s+(.+)", block)
        if slack and kind and kind[1] == "Setup" and source and destination and delay:
            path = SlowPath(
                source[1], destination[1], float(delay[1]), float(delay[3]), levels[1].strip() if levels else ""
            )
            paths.append((float(slack[1]), path))
    return min(paths, key=lambda entry: entry[0])[1] if paths else None


def _number(text: str) -> int | None:
    """A whole number of a table; Vivado counts block RAM in halves, which are rounded up."""
    try:
        return -int(-float(text) // 1)
    except ValueError:
        return None
