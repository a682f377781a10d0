"""Vivado: scripts that synthesise and route a build out of context, run where Vivado is installed, and its reports.

Nobody can have Vivado from a package index, so the scripts are the product and the run is optional: without
Vivado they are written, and the report says "not run". Input codes are constrained to come from, and results to go to,
registers right at the ports (delays of 0 ns), so that the clock covers the first and the last stage.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from difflut.errors import ConfigError, UnknownNameError
from difflut.export.builds import store
from difflut.export.errors import ToolError
from difflut.export.families.family import Family
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.flows.reports import flow_folder, save_report
from difflut.export.flows.vivado_reports import TimingSummary, Utilisation, read_timing, read_utilisation
from difflut.files import write_atomically
from difflut.hdl_templates import render
from difflut.progress import note
from difflut.shown import Shown
from difflut.sim.process import ToolFailure, clean_environment, run_logged

FLOW = "vivado"
UTILISATION_FILE = "utilization.rpt"
TIMING_FILE = "timing.rpt"
_PART = re.compile(r"[a-z0-9][a-z0-9-]*", re.IGNORECASE)
SCRIPTS = ("clock.xdc", "out_of_context.tcl", "project.tcl", "run.sh")
Report = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class VivadoReport(Shown):
    """The outcome of the flow.

    Attributes:
        build: the name of the build.
        digest: SHA-256 of the build's `build.json`.
        fpga: the FPGA family of the build.
        device: the part.
        status: "done", or "not run" where only the scripts were written.
        tools: Vivado's version; empty if it did not run.
        asked_mhz: the clock constraint.
        utilisation: what is used of the part; None if it did not run.
        timing: slack and slowest path of the routed design; None if it did not run.
        estimated_mhz: the build's own estimate; None if it has none.
        seconds: wall time.
        folder: where everything is.
    """

    build: str
    digest: str
    fpga: str
    device: str
    status: str
    tools: Mapping[str, str]
    asked_mhz: float
    utilisation: Utilisation | None
    timing: TimingSummary | None
    estimated_mhz: float | None
    seconds: float
    folder: str

    @property
    def mhz(self) -> float | None:
        """The clock that the routed design reaches."""
        return None if self.timing is None else self.timing.mhz

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object, `flow` and `mhz` added."""
        return {"flow": FLOW, **asdict(self), "mhz": self.mhz}

    def lines(self) -> Iterator[str]:
        """What is used, the clock that is reached, and where everything is."""
        yield f"{self.build}: {self.device}, {self.asked_mhz:g} MHz asked for, out of context"
        if self.utilisation is None or self.timing is None:
            yield f"  not run: start {self.folder}/run.sh where Vivado is installed"
            return
        used, timing = self.utilisation, self.timing
        yield (
            f"  Vivado {used.version}: {used.luts:,} LUTs, {sum(used.carries.values()):,} carry, {used.muxes:,} "
            f"mux, {used.flip_flops:,} FFs"
        )
        yield (
            f"  routed: {timing.mhz:.1f} MHz, worst slack {timing.worst_slack_ns:.3f} ns, {timing.failing} failing "
            "endpoints"
        )
        if (path := timing.path) is not None:
            yield (
                f"  slowest: {path.delay_ns:.2f} ns, of which {path.routing_ns:.2f} in wires, from {path.source} to "
                f"{path.destination}; levels {path.levels}"
            )
        yield f"  {self.seconds:.0f} s; scripts, reports and log in {self.folder}"


@store.uses_build
def implement(
    directory: Path,
    device: str | None = None,
    *,
    freq_mhz: float | None = None,
    run: bool | None = None,
    report: Report = note,
) -> VivadoReport:
    """Write Vivado's scripts for a build directory into `work/vivado-<part>/` in it, and run them.

    Args:
        directory: a build directory.
        device: a part as Vivado names it.
        freq_mhz: the clock constraint; by default the build's own estimate, or 100 MHz if it has none.
        run: True to run Vivado, False to write the scripts only, None to run it if it is on PATH.
        report: is given a line about what Vivado does now.

    Raises:
        BundleError: the directory is not a complete, unedited build.
        ConfigError: the clock or the part cannot be.
        UnknownNameError: the build is for another vendor's family.
        ToolError: Vivado is to run and is missing; its subclass ToolFailure: it failed.
    """
    build = store.read(directory)
    family, top = find_family(build.info.fpga), build.info.name
    part = _part(family, device, any(name.startswith("sim/") for name in build.files))
    if freq_mhz is not None and not freq_mhz > 0:
        raise ConfigError(f"the clock is {freq_mhz:g} MHz; it must be above 0")
    # A folded circuit has no estimate.
    estimate = build.info.timing.fmax_mhz if build.info.timing else None
    asked = freq_mhz or estimate or 100.0
    executable = shutil.which("vivado")
    if run and executable is None:
        raise ToolError(
            "vivado is not on PATH; source its settings64.sh first, or write the scripts only with --no-run"
        )

    started = time.perf_counter()
    products = (*SCRIPTS, UTILISATION_FILE, TIMING_FILE, "vivado.log", f"{top}.dcp")
    with flow_folder(Path(directory) / store.WORK_FOLDER / f"{FLOW}-{part}", products) as folder:
        _write_scripts(build, folder, part, asked)
        utilisation, timing, tools, status = None, None, {}, "not run"
        if run is not False and executable is not None:
            utilisation, timing = _run(executable, folder, report)
            tools, status = {"vivado": utilisation.version}, "done"
        result = VivadoReport(
            build=top,
            digest=build.digest,
            fpga=family.name,
            device=part,
            status=status,
            tools=tools,
            asked_mhz=round(asked, 3),
            utilisation=utilisation,
            timing=timing,
            estimated_mhz=estimate,
            seconds=round(time.perf_counter() - started, 1),
            folder=str(folder),
        )
        save_report(folder, result.to_json())
    return result


def _part(family: Family, device: str | None, instances: bool) -> str:
    if family.vivado is None:
        known = ", ".join(other.name for other in FAMILIES.values() if other.vivado is not None)
        raise UnknownNameError(f"the build is for {family.name}, which is not AMD's; export it with --fpga {known}")
    default = family.devices[0].part
    part = device or default
    if not _PART.fullmatch(part):
        raise ConfigError(f"{part!r} is no part as Vivado names them, such as {default}")
    if instances and not family.vivado.has(part):
        raise ConfigError(
            f"the build instantiates primitives of {family.name}, and {part} is no part of it; export it anew"
        )
    return part


def _write_scripts(build: store.Build, folder: Path, part: str, asked_mhz: float) -> None:
    """The constraints, the two Tcl scripts and run.sh; paths in them are relative to the folder."""
    plain = build.info.axi_stream is None
    context: dict[str, object] = {
        "top": build.info.name,
        "part": part,
        "clock": "clk" if plain else "aclk",
        "period_ns": f"{1000 / asked_mhz:.3f}",
        "mhz": f"{asked_mhz:g}",
        "sources": [f"../../{name}" for name in build.rtl],
        "utilisation": UTILISATION_FILE,
        "timing": TIMING_FILE,
    }
    for name in SCRIPTS:
        write_atomically(folder / name, render(f"vivado_{name}.j2", context).encode())
    (folder / "run.sh").chmod(0o755)


def _run(executable: str, folder: Path, report: Report) -> tuple[Utilisation, TimingSummary]:
    """Run the out-of-context script; Vivado is judged by the reports that it had to write."""
    command = [executable, "-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source", "out_of_context.tcl"]
    log = folder / "vivado.log"

    def poll() -> None:
        lines = log.read_bytes()[-2000:].decode(errors="replace").splitlines()
        if lines:
            report(f"vivado: {lines[-1][:100]}")

    status = run_logged(command, log=log, cwd=folder, environment=clean_environment(), poll=poll)
    if status != 0:
        raise ToolFailure(f"Vivado failed with exit status {status}", command, log)
    texts = []
    for name in (UTILISATION_FILE, TIMING_FILE):
        try:
            texts.append((folder / name).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            raise ToolFailure(f"Vivado ended without an error but did not write {name}", command, log) from None
    try:
        return read_utilisation(texts[0]), read_timing(texts[1])
    except ValueError as error:
        raise ToolFailure(f"a report of Vivado cannot be read: {error}", command, log) from error
