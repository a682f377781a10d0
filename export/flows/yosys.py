"""Synthesis by Yosys: what a build costs in the cells of an FPGA family, in all and by part.

Yosys runs twice, each time in a process of its own: with the modules of the top kept apart, for the figures by part,
and flattened, for the total, the longest path and the synthesised netlist; of large designs once. It is judged by the
files that it had to write, not by its exit status alone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from difflut.export.builds import store
from difflut.export.errors import ToolError
from difflut.export.families.family import Family
from difflut.export.families.registry import find_family
from difflut.export.flows import kept_luts
from difflut.export.flows.cells import Usage, count_parts, count_types, usage
from difflut.export.flows.clock import LongestPath, longest_path
from difflut.export.flows.reports import flow_folder, save_report
from difflut.files import write_atomically
from difflut.hdl_templates import render
from difflut.progress import note
from difflut.quoting import yosys as line
from difflut.shown import Shown
from difflut.sim.process import ToolFailure, clean_environment, python_command, run_captured, run_logged

FLOW = "yosys"
VARIABLE = "DIFFLUT_YOSYS"
LEAST_VERSION = (0, 60)
_INSTALL = "pip install 'difflut[synth]'"
_PROGRAM = "from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"
_PASS = re.compile(rb"^[\d.]+ (Executing [^\n]*)", re.MULTILINE)

Report = Callable[[str], None]


@dataclass(frozen=True)
class Yosys:
    """A usable Yosys: the command that runs a script whose path is its last argument, and its version."""

    command: tuple[str, ...]
    version: tuple[int, int]

    @property
    def text(self) -> str:
        """The version as it is written."""
        return f"{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True)
class Design:
    """What is synthesised.

    Attributes:
        name: what it is, for messages.
        top: the top module.
        sources: Verilog files.
        modules: modules whose cells are reported as parts; wildcards as Yosys' `select` takes them.
        kept: whether reads of tables stay LUTs as they are, see `difflut.export.flows.kept_luts`.
    """

    name: str
    top: str
    sources: tuple[Path, ...]
    modules: tuple[str, ...]
    kept: bool = False


@dataclass(frozen=True, repr=False)
class SynthesisReport(Shown):
    """The outcome of a synthesis.

    Attributes:
        build: the name of the design.
        digest: SHA-256 of the build's `build.json`, empty for a design that is no build.
        fpga: the FPGA family.
        command: Yosys' synthesis command.
        tools: Yosys and its version.
        total: the cells of the flattened design.
        parts: the cells of each instance in the top, synthesised apart; "top" is what lies between them.
        path: the longest path of the flattened design.
        seconds: wall time of all runs.
        folder: where logs, netlists and this report are.
        counted: what is counted and how, where that is not what the command says; else empty.
    """

    build: str
    digest: str
    fpga: str
    command: str
    tools: Mapping[str, str]
    total: Usage
    parts: Mapping[str, Usage]
    path: LongestPath
    seconds: float
    folder: str
    counted: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object, with `flow`, `status` and the estimated clock added."""
        values: dict[str, Any] = {"flow": FLOW, "status": "done", **asdict(self)}
        values["path"]["fmax_mhz"] = round(self.path.fmax_mhz, 1)
        return values

    def lines(self) -> Iterator[str]:
        """The cells by part, the longest path, and where everything is."""
        yield f"{self.build}: Yosys {self.tools['yosys']}, {self.command}"
        if self.counted:
            yield f"  {self.counted}"
        yield f"  {'':<14}{'LUTs':>8}{'carry':>8}{'mux':>8}{'FFs':>8}"
        for name, part in {**self.parts, "flattened": self.total}.items():
            carries = sum(part.carries.values())
            yield f"  {name:<14}{part.luts:>8}{carries:>8}{part.muxes:>8}{part.flip_flops:>8}"
        path = ", ".join(f"{count} {kind}" for kind, count in self.path.cells.items())
        yield (
            f"  longest path {self.path.delay_ns:.2f} ns, {self.path.fmax_mhz:.0f} MHz before placement "
            f"(estimate): {path}"
        )
        yield f"  {self.seconds:.0f} s; netlist, logs and report in {self.folder}"


def find_yosys() -> Yosys:
    """Find Yosys: the executable that DIFFLUT_YOSYS names, else the Python package pyosys, else `yosys` on PATH.

    Raises:
        ToolError: it is missing or older than 0.60.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen and shutil.which(chosen) is None:
        raise ToolError(f"{VARIABLE}={chosen} is not an executable file")
    if not chosen and importlib.util.find_spec("pyosys") is not None:
        return _checked(Yosys(python_command(_PROGRAM), _version(metadata.version("pyosys"))), "the package pyosys")
    executable = chosen or shutil.which("yosys")
    if executable is None:
        raise ToolError(f"Yosys is missing; install it: {_INSTALL}")
    try:
        _, printed = run_captured([executable, "-V"], timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"cannot run `{executable} -V`: {error}") from error
    if not printed.startswith("Yosys "):
        raise ToolError(f"`{executable} -V` printed no version: {(printed.splitlines() or ['(nothing)'])[0]}")
    return _checked(Yosys((executable, "-s"), _version(printed)), executable)


def _checked(tool: Yosys, place: str) -> Yosys:
    if tool.version < LEAST_VERSION:
        raise ToolError(
            f"{place} is Yosys {tool.text}; difflut needs {LEAST_VERSION[0]}.{LEAST_VERSION[1]} "
            f"or newer, which {_INSTALL} brings"
        )
    return tool


def _version(text: str) -> tuple[int, int]:
    numbers = re.findall(r"\d+", text)
    return int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0


@store.uses_build
def synthesise(
    directory: Path, fpga: str | None = None, report: Report = note, keep_luts: bool | None = None
) -> SynthesisReport:
    """Synthesise a build directory; the results go to `work/yosys-<fpga>/` in it.

    Args:
        directory: a build directory.
        fpga: the name of a family; by default the one that the build was exported for.
        report: is given a line about what Yosys does now, a few times a second.
        keep_luts: whether the LUTs of the network stay as they are; by default those of large ones, see
            `difflut.export.flows.kept_luts`.

    Raises:
        BundleError: the directory is not a complete, unedited build.
        UnknownNameError: there is no such family.
        ConfigError: the LUTs of the family cannot be kept.
        ToolError: Yosys is missing, too old, or failed.
    """
    build = store.read(directory)
    family = find_family(fpga or build.info.fpga)
    top = build.info.name
    names = list(build.rtl)
    modules = instantiated(build.text(f"rtl/{top}.v"), [Path(name).stem for name in names])
    sources = tuple(Path(os.path.abspath(directory)) / name for name in names)
    folder = Path(directory) / store.WORK_FOLDER / f"{FLOW}-{family.name}"
    kept = kept_luts.keeps(family, build.info.netlist.luts, keep_luts)
    return run(Design(top, top, sources, modules, kept), family, folder, digest=build.digest, report=report)


def instantiated(text: str, modules: Sequence[str]) -> tuple[str, ...]:
    """Which of `modules` a Verilog module's text instantiates."""
    return tuple(
        module for module in modules if re.search(rf"^\s*{re.escape(module)}\s+(#\s*\(|\w+\s*\()", text, re.MULTILINE)
    )


def run(design: Design, family: Family, folder: Path, *, digest: str = "", report: Report = note) -> SynthesisReport:
    """Synthesise any design into `folder`; see `synthesise`."""
    tool = find_yosys()
    with flow_folder(folder):
        started = time.perf_counter()
        apart, flat = _synthesised(tool, design, family, folder, report)
        total = usage(count_types(flat, design.top), family.cells)
        result = SynthesisReport(
            build=design.name,
            digest=digest,
            fpga=family.name,
            command=command(family, kept=design.kept),
            tools={"yosys": tool.text},
            total=total,
            parts={name: usage(types, family.cells) for name, types in count_parts(apart, design.top).items()},
            path=longest_path(flat[design.top], family.delays, family.cells, total.luts),
            seconds=round(time.perf_counter() - started, 1),
            folder=str(folder),
            counted=kept_luts.COUNTED if design.kept else "",
        )
        save_report(folder, result.to_json())
    return result


def _synthesised(
    tool: Yosys, design: Design, family: Family, folder: Path, report: Report
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The modules of a design synthesised by part, and of it as one module.

    Two runs, as one module gains where parts meet. Where LUTs are kept there is little to gain, and what the parts
    became is flattened.
    """
    if not design.kept:
        apart = _run_once(tool, design, family, folder, "parts", design.modules, report)
        return apart, flatten(tool, design, family, folder, report=report)
    flat = _run_once(tool, design, family, folder, "flat", design.modules, report)
    return json.loads((folder / "parts.json").read_bytes())["modules"], flat


def flatten(
    tool: Yosys, design: Design, family: Family, folder: Path, *, options: str = "", report: Report = note
) -> dict[str, Any]:
    """Synthesise a design as one module into `folder`: flat.json, flat.v, flat.log.

    Args:
        tool: the Yosys to use.
        design: what is synthesised.
        family: the FPGA family.
        folder: an existing folder.
        options: more options of the synthesis command.
        report: is given a line about what Yosys does now, a few times a second.

    Returns:
        The modules of the JSON netlist.

    Raises:
        ToolFailure: Yosys failed.
    """
    return _run_once(tool, design, family, folder, "flat", (), report, options)


def command(family: Family, options: str = "", kept: bool = False) -> str:
    """Yosys' synthesis command of a family, for designs whose LUTs are kept or not."""
    return " ".join(filter(None, (family.yosys.command, family.yosys.large_options if kept else "", options)))


def script(design: Design, family: Family, name: str, kept: Sequence[str], options: str = "") -> str:
    """The Yosys script of one run, on the copies that `copy_sources` makes; `kept` modules stay apart, in a run called
    "flat" until parts.json is written.
    """
    lines = [line("read_verilog -lib", library) for library in family.yosys.libraries]
    lines += [line("read_verilog", source) for source in _copies(design.sources)]
    lines += [line("hierarchy -check -top", design.top), "proc"]
    lines += [line("setattr -mod -set keep_hierarchy 1", module) for module in kept]
    # Flattened first, a module a node is no module when the slow passes come.
    lines += ["techmap -map table_reads.v", "flatten", "opt_clean"]
    lines += kept_luts.hide() if design.kept else []
    lines.append(line(f"{command(family, options, design.kept)} -top", design.top))
    lines += kept_luts.bring_back(family) if design.kept else []
    lines.append("check")
    if name == "flat" and kept:
        lines += ["write_json parts.json", *(line("setattr -mod -unset keep_hierarchy", module) for module in kept)]
        lines += ["flatten", "clean"]
    lines.append(line("write_json", f"{name}.json"))
    if name == "flat":
        lines.append(line("write_verilog -noattr", f"{name}.v"))
    return "\n".join(lines) + "\n"


def copy_sources(sources: Sequence[Path], folder: Path) -> list[str]:
    """Copy Verilog files into a folder under plain names, which a script can hold whatever theirs are; the names."""
    copies = _copies(sources)
    for source, copy in zip(sources, copies, strict=True):
        write_atomically(folder / copy, source.read_bytes())
    return copies


def _copies(sources: Sequence[Path]) -> list[str]:
    return [f"source{number}.v" for number in range(len(sources))]


def _run_once(
    tool: Yosys,
    design: Design,
    family: Family,
    folder: Path,
    name: str,
    kept: Sequence[str],
    report: Report,
    options: str = "",
) -> dict[str, Any]:
    """One run of Yosys; returns the modules of the JSON netlist that it wrote."""
    log, result, source = folder / f"{name}.log", folder / f"{name}.json", folder / f"{name}.ys"
    for old in (log, result, folder / f"{name}.v"):
        old.unlink(missing_ok=True)
    write_atomically(folder / "table_reads.v", render("yosys_lut_map.v.j2", {}).encode())
    if design.kept:
        write_atomically(folder / kept_luts.LIBRARY, kept_luts.library().encode())
    copy_sources(design.sources, folder)
    write_atomically(source, script(design, family, name, kept, options).encode())
    call = [*tool.command, source.name]

    def poll() -> None:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20000))
            found = _PASS.findall(file.read())
        if found:
            report(f"{name}: {found[-1].decode(errors='replace')[:100]}")

    status = run_logged(call, log=log, cwd=folder, environment=clean_environment(), poll=poll)
    if status != 0:
        raise ToolFailure(f"Yosys failed with exit status {status}", call, log)
    try:
        modules: dict[str, Any] = json.loads(result.read_bytes())["modules"]
    except FileNotFoundError:
        raise ToolFailure(f"Yosys ended without an error but did not write {result.name}", call, log) from None
    except (ValueError, KeyError) as error:
        raise ToolFailure(f"Yosys wrote a {result.name} that cannot be read ({error!r})", call, log) from error
    if design.top not in modules:
        raise ToolFailure(f"Yosys wrote a netlist without the top module {design.top}", call, log)
    return modules
