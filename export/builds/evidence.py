"""What is known about a build's size and clock: a figure never goes without how it is known and on what.

One rule: the best evidence leads, `KINDS` in their order. This module has what `build.json` alone tells, the estimates;
`difflut.report.evidence` puts what tools found before them.
"""

from __future__ import annotations

from dataclasses import dataclass

from difflut.export.builds.info import BuildInfo
from difflut.export.families.registry import find_family

ROUTED, SYNTHESISED, ESTIMATED = KINDS = ("routed", "synthesised", "estimated")


@dataclass(frozen=True)
class Evidence:
    """A figure.

    Attributes:
        value: the figure.
        unit: "MHz", or the LUTs that are counted, such as "LUT4".
        kind: how it is known, one of `KINDS`.
        family: of which FPGA family; empty if that is not known.
        on: of which device or family, by which tool or model.
        scope: what it is limited to or leaves out; empty for the whole design.
    """

    value: float
    unit: str
    kind: str
    family: str
    on: str
    scope: str = ""

    @property
    def figure(self) -> str:
        """The figure and its unit."""
        return f"{self.value:,.1f} MHz" if self.unit == "MHz" else f"{self.value:,.0f} {self.unit}"

    @property
    def words(self) -> str:
        """How it is known and of what."""
        return f"{self.kind}: {self.on}{self.scope and f'; {self.scope}'}"

    def __str__(self) -> str:
        return f"{self.figure} ({self.words})"


def estimated_clock(info: BuildInfo) -> Evidence | None:
    """The clock of the delay model, the wrapper's included; None where there is no estimate."""
    if info.timing is None:
        return None
    scope = info.schedule.clock_scope
    checked = "" if find_family(info.fpga).delays.calibrated else ", not checked against routed designs"
    return Evidence(info.timing.fmax_mhz, "MHz", ESTIMATED, info.fpga, f"delay model of {info.fpga}{checked}", scope)


def estimated_size(info: BuildInfo) -> Evidence:
    """The LUTs of all parts."""
    left_out = [*info.schedule.not_estimated]
    left_out += ["the wrapper"] if info.axi_stream else []
    unit = f"LUT{find_family(info.fpga).lut_inputs}"
    scope = f"without {', without '.join(left_out)}" if left_out else ""
    return Evidence(info.estimated_luts, unit, ESTIMATED, info.fpga, f"cost model of {info.fpga}", scope)
