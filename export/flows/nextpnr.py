"""Place and route with nextpnr: from a build directory to routed clocks, utilisation and a bitstream.

Yosys makes a netlist of the device's cells, nextpnr places and routes it once for each seed, and the family's packer
turns the fastest result into a bitstream. Without a file of pins a build with the plain interface is routed inside a
shell (`difflut.export.flows.shell`). Tools are judged by the files that they had to write. A report is written last:
without one the other files of the folder belong to a run that did not finish.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.errors import ToolError
from difflut.export.families.devices import Device
from difflut.export.families.family import Family
from difflut.export.families.registry import find_device, find_family
from difflut.export.families.tools import PlaceAndRoute
from difflut.export.flows import kept_luts, yosys
from difflut.export.flows.cells import Usage, count_types, usage
from difflut.export.flows.reports import flow_folder, save_report
from difflut.export.flows.routed import Clock, Resource, overfull, read_clocks, read_utilisation
from difflut.export.flows.shell import PINS, Shell, make_shell
from difflut.export.flows.tools import Tool, find_tool
from difflut.files import write_atomically
from difflut.progress import note
from difflut.shown import Brief, Shown
from difflut.sim.process import ToolFailure, clean_environment, run_logged

FLOW = "nextpnr"
Report = Callable[[str], None]


class DoesNotFit(ToolFailure):
    """A design needs more of a device than there is.

    Attributes:
        resources: what it needs too much of.
    """

    def __init__(
        self, device: Device, resources: Mapping[str, Resource], problem: str, command: Sequence[str], log: Path
    ) -> None:
        self.resources = dict(resources)
        counts = ", ".join(f"{entry.used:,} {name} of {entry.available:,}" for name, entry in resources.items())
        needed = f"it takes {counts}" if counts else problem
        super().__init__(
            f"the design does not fit {device.part}: {needed}; choose a larger --device, or a smaller network",
            command,
            log,
        )


@dataclass(frozen=True, repr=False)
class Placement(Brief):
    """One run of nextpnr.

    Attributes:
        seed: its seed.
        clocks: what it reached, by clock.
        utilisation: the device's cells that it uses.
        routed: the file of the routed design, in the report's folder.
        log: its log, there too.
    """

    seed: int
    clocks: Mapping[str, Clock]
    utilisation: Mapping[str, Resource]
    routed: str
    log: str

    @property
    def mhz(self) -> float:
        """The slowest of its clocks; 0 if nothing is clocked."""
        return min((clock.mhz for clock in self.clocks.values()), default=0.0)


@dataclass(frozen=True, repr=False)
class RoutedReport(Shown):
    """The outcome of the flow.

    Attributes:
        build: the name of the build.
        digest: SHA-256 of the build's `build.json`.
        fpga: the device's family.
        device: the part.
        tools: the tools and their versions.
        command: Yosys' synthesis command.
        asked_mhz: the clock that nextpnr was asked for.
        shell: flip-flops of the shell around the core; None where the top itself was routed.
        total: the cells of the netlist that was placed, the shell's included.
        placements: the runs, by seed.
        best: the position of the fastest of them; the bitstream is made of it.
        bitstream: its file in the folder.
        estimated_mhz: the build's own estimate; None if it has none, or that was for another family.
        seconds: wall time of all.
        folder: where everything is.
    """

    build: str
    digest: str
    fpga: str
    device: str
    tools: Mapping[str, str]
    command: str
    asked_mhz: float
    shell: int | None
    total: Usage
    placements: tuple[Placement, ...]
    best: int
    bitstream: str
    estimated_mhz: float | None
    seconds: float
    folder: str

    @property
    def fastest(self) -> Placement:
        """The fastest placement."""
        return self.placements[self.best]

    @property
    def mhz(self) -> float:
        """The clock of the fastest placement."""
        return self.fastest.mhz

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object, with `flow`, `status`, and the fastest placement's `mhz` added."""
        values: dict[str, Any] = {"flow": FLOW, "status": "done", **asdict(self), "mhz": self.mhz}
        for entry, placement in zip(values["placements"], self.placements, strict=True):
            entry["mhz"] = placement.mhz
        return values

    def lines(self) -> Iterator[str]:
        """What is used of the device, the clocks of each placement, and where everything is."""
        what = "the top with its pins" if self.shell is None else f"in a shell of {self.shell:,} flip-flops"
        yield f"{self.build}: routed for {self.device}, {what}"
        for name, resource in self.fastest.utilisation.items():
            share = 100 * resource.used / resource.available
            yield f"  {name:<16}{resource.used:>8,} of {resource.available:>8,}{share:>6.0f} %"
        for placement in self.placements:
            for name, clock in placement.clocks.items():
                limit = "" if clock.path is None else f"; {clock.path}"
                yield f"  seed {placement.seed}, {name}: {clock.mhz:.1f} MHz, asked for {clock.asked_mhz:.0f}{limit}"
        if self.estimated_mhz is not None:
            yield f"  the export's estimate: {self.estimated_mhz:.1f} MHz"
        yield f"  bitstream of seed {self.fastest.seed}: {self.bitstream}"
        yield f"  {self.seconds:.0f} s; bitstream, netlists, logs and report in {self.folder}"


@store.uses_build
def implement(
    directory: Path,
    device: str | None = None,
    *,
    freq_mhz: float | None = None,
    seeds: Sequence[int] = (1,),
    pins: Path | None = None,
    report: Report = note,
) -> RoutedReport:
    """Place and route a build directory; results go to `work/nextpnr-<device>/` in it.

    Args:
        directory: a build directory.
        device: the name of a part that nextpnr knows, or the beginning of one; by default the first of the build's
            family.
        freq_mhz: the clock to ask for; by default the build's own estimate, or 100 MHz if there is none for this
            family. nextpnr routes on when it is out of reach.
        seeds: of nextpnr's placer; one run each.
        pins: a file of pin constraints for the top (.lpf, .pcf or .cst); then it is routed without a shell.
        report: is given a line about what the tools do now, a few times a second.

    Raises:
        BundleError: the directory is not a complete, unedited build.
        UnknownNameError: there is no such device.
        ConfigError: the options cannot be, or the build needs another family or a file of pins.
        ToolError: a tool is missing. Its subclasses: ToolFailure if one failed, DoesNotFit if the device is too small.
    """
    build = store.read(directory)
    own = find_family(build.info.fpga)
    family, tools, part = find_device(device, own)
    _check(build, family, tools, part, freq_mhz, seeds, pins)
    place, pack, synthesiser = find_tool(tools.place), find_tool(tools.packer), yosys.find_yosys()
    timing = build.info.timing if own is family else None  # a folded circuit has no estimate
    estimate = timing.fmax_mhz if timing else None
    asked = freq_mhz or estimate or 100.0

    given = None if pins is None else _read_pins(pins)  # now, since it may lie in the flow's own folder
    started = time.perf_counter()
    place_of_all = Path(directory) / store.WORK_FOLDER / f"{FLOW}-{part.slug}"
    with flow_folder(place_of_all, _products(tools, build.info.name)) as folder:
        shell = None if given is not None or build.info.axi_stream is not None else make_shell(build)
        design = _design(Path(directory), build, shell, folder, kept_luts.keeps(family, build.info.netlist.luts))
        modules = yosys.flatten(synthesiser, design, family, folder, options=part.synthesis, report=report)
        pinned = _pin_options(tools, part, shell, given, folder)
        options = [*part.options, "--json", "flat.json", "--freq", f"{asked:g}", "--timing-allow-fail", *pinned]
        placements = tuple(
            _place(place, tools, part, options, seed, folder, shell is not None, report) for seed in seeds
        )
        best = max(range(len(placements)), key=lambda position: placements[position].mhz)
        bitstream = f"{build.info.name}{tools.bitstream_ending}"
        _run(pack, tools.pack_options(placements[best].routed, bitstream, part), folder, "pack.log", bitstream, report)
        result = RoutedReport(
            build=build.info.name,
            digest=build.digest,
            fpga=family.name,
            device=part.part,
            tools={"yosys": synthesiser.text, place.name: place.version, pack.name: pack.version},
            command=yosys.command(family, part.synthesis, design.kept),
            asked_mhz=asked,
            shell=None if shell is None else shell.registers,
            total=usage(count_types(modules, design.top), family.cells),
            placements=placements,
            best=best,
            bitstream=bitstream,
            estimated_mhz=estimate,
            seconds=round(time.perf_counter() - started, 1),
            folder=str(folder),
        )
        save_report(folder, result.to_json())
    return result


def _design(directory: Path, build: store.Build, shell: Shell | None, folder: Path, kept: bool) -> yosys.Design:
    """The RTL of a build, in a shell if there is one, whose text is put into the folder."""
    sources = [Path(os.path.abspath(directory)) / name for name in build.rtl]
    if shell is not None:
        write_atomically(folder / "shell.v", shell.text.encode())
        sources.append((folder / "shell.v").absolute())
    return yosys.Design(build.info.name, shell.module if shell else build.info.name, tuple(sources), (), kept)


def _pin_options(
    tools: PlaceAndRoute, part: Device, shell: Shell | None, given: bytes | None, folder: Path
) -> tuple[str, ...]:
    """nextpnr's options for pins: the user's file, or places for those of a shell where nextpnr needs them; either is
    written into the folder.
    """
    if given is None and shell is not None and part.pins:
        given = "".join(tools.pin_line.format(port=port, pin=part.pins[port]) + "\n" for port in PINS).encode()
    if given is None:
        return tuple(tools.unconstrained)
    file = f"pins{tools.pins_ending}"
    write_atomically(folder / file, given)
    return tuple(tools.pin_options(file))


def _read_pins(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); expected a file of pin constraints") from error


def _products(tools: PlaceAndRoute, name: str) -> tuple[str, ...]:
    """What the flow writes into its folder, as patterns."""
    seeds = ("seed*.log", "seed*.report.json", f"seed*{tools.routed_ending}")
    return (*seeds, "flat.*", "shell.v", f"pins{tools.pins_ending}", "pack.log", f"{name}{tools.bitstream_ending}")


def _check(
    build: store.Build,
    family: Family,
    tools: PlaceAndRoute,
    part: Device,
    freq_mhz: float | None,
    seeds: Sequence[int],
    pins: Path | None,
) -> None:
    """Refuse what cannot work before anything runs."""
    if freq_mhz is not None and not freq_mhz > 0:
        raise ConfigError(f"the clock is {freq_mhz:g} MHz; it must be above 0")
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds are {list(seeds)}; expected at least one, none twice, none negative")
    if any(name.startswith("sim/") for name in build.files):
        raise ConfigError(
            f"the build instantiates primitives of {build.info.fpga}, which {part.part} does not have; export it with "
            f"--fpga {family.name}"
        )
    ending = tools.pins_ending
    if pins is not None and pins.suffix != ending:
        raise ConfigError(f"{pins}: a file of pins for {part.part} ends in {ending}")
    if pins is not None and not pins.is_file():
        raise ConfigError(f"{pins}: no such file; expected pin constraints of the top for {part.part}")
    if pins is None and not tools.unconstrained and build.info.axi_stream is not None:
        raise ConfigError(
            f"nextpnr places no port of {part.part} by itself, and only plain interfaces get a shell; give --pins "
            f"FILE{ending}"
        )


def _place(
    tool: Tool,
    tools: PlaceAndRoute,
    device: Device,
    options: Sequence[str],
    seed: int,
    folder: Path,
    shell: bool,
    report: Report,
) -> Placement:
    """One run of nextpnr."""
    option, ending = tools.write, tools.routed_ending
    routed, log, written = f"seed{seed}{ending}", f"seed{seed}.log", f"seed{seed}.report.json"
    arguments = [*options, "--seed", str(seed), "--report", written, option, routed]
    try:
        _run(tool, arguments, folder, log, routed, report)
    except ToolFailure as failure:
        text = failure.log.read_text(encoding="utf-8", errors="replace")
        full = overfull(text)
        problem = next((line[7:] for line in text.splitlines() if line.startswith("ERROR: ")), "")
        if full or "no BELs remaining" in problem or "legal placement" in problem:
            raise DoesNotFit(device, full, problem, failure.command, failure.log) from failure
        raise
    try:
        content = json.loads((folder / written).read_bytes())
        return Placement(seed, read_clocks(content, shell), read_utilisation(content), routed, log)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ToolFailure(
            f"{tool.name} wrote a {written} that cannot be read ({error!r})", [*tool.command, *arguments], folder / log
        ) from error


def _run(tool: Tool, arguments: Sequence[str], folder: Path, log: str, expected: str, report: Report) -> None:
    """Run a tool in `folder`; it has to write the file `expected`."""
    command, path = [*tool.command, *arguments], folder / log

    def poll() -> None:
        lines = path.read_bytes()[-2000:].decode(errors="replace").splitlines()
        if lines:
            report(f"{log.removesuffix('.log')}: {lines[-1].removeprefix('Info: ')[:100]}")

    status = run_logged(command, log=path, cwd=folder, environment=clean_environment(), poll=poll)
    if status != 0:
        raise ToolFailure(f"{tool.name} failed with exit status {status}", command, path)
    if not (folder / expected).is_file() or not (folder / expected).stat().st_size:
        raise ToolFailure(f"{tool.name} ended without an error but did not write {expected}", command, path)


__all__ = ["DoesNotFit", "Placement", "RoutedReport", "ToolError", "implement"]
